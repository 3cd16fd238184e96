"""What the originals did wrong, one test each. The section of docs/compat.md says the same in words."""

from __future__ import annotations

import re
import time
import uuid

import pytest

from canonid.compat import unified_id_manager
from canonid.compat.id_migration_bridge import (
    IdMigrationBridge,
    cleanup_resources_by_pattern,
    find_matching_resources,
)
from canonid.compat.unified_id_generator import UnifiedIdGenerator
from canonid.compat.unified_id_manager import IDType, UnifiedIDManager, is_valid_id_format

match = UnifiedIdGenerator.ids_match_for_cleanup
UUID = "12345678-9abc-4def-8123-456789abcdef"


@pytest.mark.parametrize(
    "text",
    ["thread_chat_4_deadbeef", "run_chat_4_deadbeef", "req_chat_4_deadbeef", "websocket_factory_1234",
     "websocket_factory_1757409218490", "user_1757409218490_1_deadbeef", UUID, "nonsense"],
)  # fmt: skip
def test_normalising_gives_the_same_answer_every_time(text, monkeypatch):
    manager = UnifiedIDManager()
    first = UnifiedIdGenerator.normalize_id_format(text), manager.validate_and_normalize_id(text, IDType.USER)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    UnifiedIdGenerator.generate_base_id()
    assert (
        UnifiedIdGenerator.normalize_id_format(text),
        UnifiedIDManager().validate_and_normalize_id(text, IDType.USER),
    ) == first


def test_a_uuid_is_registered_under_one_id():
    manager = UnifiedIDManager()
    first = manager.register_uuid_as_structured(UUID, IDType.USER)
    assert manager.register_uuid_as_structured(UUID.upper(), IDType.USER) == first
    assert manager.get_stats()["total_registered"] == 1


def test_two_users_things_dont_match():
    ada = UnifiedIdGenerator.generate_user_context_ids("user_ada", "chat")
    bob = UnifiedIdGenerator.generate_user_context_ids("user_bob", "chat")
    makers = (
        UnifiedIdGenerator.generate_websocket_connection_id,
        UnifiedIdGenerator.generate_session_id,
        lambda user: UnifiedIdGenerator.get_or_create_user_session(user, "thread-1")["thread_id"],
        UnifiedIdGenerator.generate_thread_id,
    )
    pairs = [*zip(ada, bob, strict=True), *((make("user_ada"), make("user_bob")) for make in makers)]
    for first, second in pairs:
        assert not match(first, second) and not match(second, first)


def test_two_uuids_dont_match_nor_two_numbered_names():
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    assert not match(first, second)
    assert not match("user_1", "user_2")
    assert not match("user_1", "user_12") and not match("user_12", "user_1")
    assert match(first, first) and match("user_1", "user_1")


def test_a_thread_matches_its_own_run_but_not_the_other_way_round():
    thread, run, request = UnifiedIdGenerator.generate_user_context_ids("user_1")
    assert match(thread, run) and match(thread, request) and match(run, request) and match("user_1", request)
    assert not match(run, thread) and not match(request, run) and not match(thread, "user_1")
    other = UnifiedIDManager.generate_run_id("thread-7")
    assert match("thread-7", other) and not match(other, "thread-7")


@pytest.mark.parametrize(
    "text", ["websocket_factory_1234", "websocket_factory_1757409218490", "websocket_factory_0",
             "thread_chat_4_deadbeef", "run_a_b_4_deadbeef", "req_chat_4_deadbeef"],
)  # fmt: skip
def test_a_text_and_its_own_normalised_form_match_each_other(text):
    normalised = UnifiedIdGenerator.normalize_id_format(text)
    assert normalised != text
    assert match(text, normalised) and match(normalised, text)
    bridge = IdMigrationBridge()
    assert bridge.get_cleanup_key(text) == bridge.get_cleanup_key(normalised)


def test_cleaning_up_one_users_thread_leaves_the_others():
    ada, ada_run, _ = UnifiedIdGenerator.generate_user_context_ids("user_ada", "chat")
    bob, bob_run, _ = UnifiedIdGenerator.generate_user_context_ids("user_bob", "chat")
    pools = {"threads": {ada: 1, bob: 1}, "runs": {ada_run: 1, bob_run: 1}}
    assert cleanup_resources_by_pattern(ada, pools) == 2
    assert pools == {"threads": {bob: 1}, "runs": {bob_run: 1}}


def test_closing_one_of_a_users_three_connections_leaves_two():
    pool = {UnifiedIdGenerator.generate_websocket_connection_id("user_ada"): n for n in range(3)}
    first, *others = pool
    assert find_matching_resources(first, pool) == [first]
    assert cleanup_resources_by_pattern(first, {"connections": pool}) == 1
    assert list(pool) == others
    assert cleanup_resources_by_pattern("user_ada", {"connections": pool}) == 2


def test_the_generator_reads_its_own_context_ids():
    for text in UnifiedIdGenerator.generate_user_context_ids("user_1", "agent_chat"):
        parts = UnifiedIdGenerator.parse_id(text)
        assert parts.prefix == f"{text.split('_')[0]}_agent_chat"
        assert (parts.timestamp, len(parts.random)) == (0, 8)
        assert UnifiedIdGenerator.is_valid_id(text)
        assert UnifiedIdGenerator.is_valid_id(UnifiedIdGenerator.normalize_id_format(text))


def test_the_counters_of_contexts_dont_overlap():
    made = [text for _ in range(3) for text in UnifiedIdGenerator.generate_user_context_ids("user_1")]
    counters = [UnifiedIdGenerator.parse_id(text).counter for text in made]
    assert counters == list(range(counters[0], counters[0] + 9))


@pytest.mark.parametrize("length", [0, 1, 2, 7, 8, 9, 255])
def test_the_random_part_has_as_many_digits_as_asked_for(length):
    text = UnifiedIdGenerator.generate_base_id("x", random_length=length)
    assert re.fullmatch(rf"x_\d{{13}}_\d+_[0-9a-f]{{{length}}}" if length else r"x_\d{13}_\d+", text)


def test_a_time_stamp_of_zero_counts():
    for make in (
        UnifiedIdGenerator.generate_websocket_connection_id,
        UnifiedIdGenerator.generate_websocket_client_id,
    ):
        assert "_0000000000000_" in make("user_1", 0.0)
        assert "_0000000000000_" in make("user_1", connection_timestamp=0)


def test_session_keys_dont_collide():
    one = UnifiedIdGenerator.get_or_create_user_session("a:b", "c")
    other = UnifiedIdGenerator.get_or_create_user_session("a", "b:c")
    assert one["thread_id"] != other["thread_id"]
    assert UnifiedIdGenerator.get_active_sessions_count() == 2


def test_invalidating_a_user_spares_whose_name_begins_so():
    UnifiedIdGenerator.get_or_create_user_session("a:b", "c")
    UnifiedIdGenerator.get_or_create_user_session("a", "c")
    assert UnifiedIdGenerator.invalidate_user_sessions("a") == 1
    assert UnifiedIdGenerator.get_existing_session("a:b", "c")


def test_coming_back_with_the_returned_thread_finds_the_session():
    first = UnifiedIdGenerator.get_or_create_user_session("user_ada", "thread-1")
    again = UnifiedIdGenerator.get_or_create_user_session("user_ada", first["thread_id"])
    assert (again["thread_id"], again["run_id"]) == (first["thread_id"], first["run_id"])
    assert UnifiedIdGenerator.get_active_sessions_count() == 1
    foreign = UnifiedIdGenerator.get_or_create_user_session("user_bob", first["thread_id"])
    assert foreign["thread_id"] != first["thread_id"]


def test_releasing_changes_nobodys_dict_and_cleans_up_nothing_else():
    manager = UnifiedIDManager()
    shared = {"user": "ada"}
    first, second = (manager.generate_id(IDType.TOOL, context=shared) for _ in range(2))
    manager.release_id(first)
    assert shared == {"user": "ada"}
    assert "released_at" not in manager.get_id_metadata(second).context
    assert manager.cleanup_released_ids(0) == 1
    assert manager.is_valid_id(second)


def test_a_released_id_is_no_longer_valid_and_is_released_once():
    manager = UnifiedIDManager()
    text = manager.generate_id(IDType.TOOL)
    assert manager.release_id(text) and not manager.is_valid_id(text)
    assert not manager.release_id(text)


def test_a_newline_at_the_end_is_no_part_of_an_id():
    for text in ("user_1", "user_1_12345678", UUID, "thread_chat_4_deadbeef", "pending_auth"):
        assert is_valid_id_format(text) and not is_valid_id_format(text + "\n")


def test_unknown_words_are_refused_whatever_their_digits():
    assert not is_valid_id_format("foo_bar_12345678")
    assert not is_valid_id_format("foo_bar_1234567a")


def test_a_uuid_written_as_a_urn_is_that_uuid():
    plain = UnifiedIDManager.convert_uuid_to_structured(UUID, IDType.USER)
    assert unified_id_manager.convert_uuid_to_structured(f"urn:uuid:{UUID}", IDType.USER) == plain
    assert match(UUID, f"urn:uuid:{UUID}")
