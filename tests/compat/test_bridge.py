"""Detecting, translating and matching across the two systems, and the pools of the WebSocket layer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonid import compat
from canonid.compat import id_migration_bridge as module
from canonid.compat.id_migration_bridge import IdFormat, IdMigrationBridge
from canonid.compat.texts import normalised, original
from canonid.compat.unified_id_generator import UnifiedIdGenerator
from canonid.compat.unified_id_manager import IDType, UnifiedIDManager

THREAD, RUN, FACTORY = "thread_chat_4_deadbeef", "run_chat_4_deadbeef", "websocket_factory_1757409218490"
GENERATED = "user_1757409218490_1_deadbeef"
UUID = "12345678-9abc-4def-8123-456789abcdef"
pieces = st.sampled_from(
    [
        "thread",
        "run",
        "req",
        "chat",
        "websocket_factory",
        "0" * 13,
        "1757409218490",
        "4",
        "04",
        "deadbeef",
        "",
    ]
)
texts = st.lists(pieces, max_size=7).map("_".join)


@pytest.fixture
def bridge():
    return IdMigrationBridge()


# Vectors


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        (THREAD, "thread_chat_0000000000000_4_deadbeef"),
        ("run_a_b_12_00000000", "run_a_b_0000000000000_12_00000000"),
        ("req_chat_4_deadbeef", "req_chat_0000000000000_4_deadbeef"),
        (FACTORY, "websocket_factory_1757409218490_0_9a465325"),
        ("websocket_factory_1234", "websocket_factory_0000000001234_0_0272ed6f"),
        (GENERATED, GENERATED),
        ("user_1757409218490_1", "user_1757409218490_1"),
        ("user_1_deadbeef", "user_1_deadbeef"),
        ("websocket_factory_01", "websocket_factory_01"),
        (UUID, UUID),
        ("", ""),
    ],
)
def test_normalising_is_a_pure_function(text, normal):
    assert UnifiedIdGenerator.normalize_id_format(text) == normal


@given(texts)
def test_normalising_twice_is_normalising_once_and_can_be_undone(text):
    normal = normalised(text)
    assert normalised(normal) == normal
    assert original(normal) == (text if normal != text else original(text))


@given(texts, texts)
def test_different_things_get_different_keys(first, second):
    bridge = IdMigrationBridge()
    same = original(first) == original(second)
    assert (
        (bridge.get_cleanup_key(first) == bridge.get_cleanup_key(second)) == same or not first or not second
    )


@pytest.mark.parametrize(
    ("text", "format_", "certainty", "priority"),
    [
        (GENERATED, IdFormat.SSOT, 1.0, 100),
        ("thread_01h455vb4pex5vsknk084sn02q", IdFormat.SSOT, 1.0, 100),
        (THREAD, IdFormat.LEGACY_THREAD, 0.9, 50),
        (RUN, IdFormat.LEGACY_RUN, 0.9, 50),
        ("req_chat_4_deadbeef", IdFormat.LEGACY_RUN, 0.9, 50),
        ("session_12345_deadbeef", IdFormat.DATABASE_SESSION, 0.9, 50),
        (FACTORY, IdFormat.WEBSOCKET_FACTORY, 0.8, 50),
        (UUID, IdFormat.UNKNOWN, 0.0, 10),
        ("nonsense", IdFormat.UNKNOWN, 0.0, 10),
        ("", IdFormat.UNKNOWN, 0.0, 10),
        (None, IdFormat.UNKNOWN, 0.0, 10),
    ],
)
def test_formats_are_told_apart(bridge, text, format_, certainty, priority):
    assert bridge.detect_id_format(text) == (format_, certainty)
    assert module.get_cleanup_priority(text) == priority
    assert bridge.pattern_registry.keys() == set(IdFormat) - {IdFormat.UNKNOWN}


def test_translating_there_and_back(bridge):
    there = bridge.translate_id(THREAD)
    assert there == module.IdTranslationResult(THREAD, normalised(THREAD), IdFormat.LEGACY_THREAD, True, 0.9)
    back = bridge.translate_id(there.translated_id, IdFormat.LEGACY_THREAD)
    assert (back.translated_id, back.format_detected) == (THREAD, IdFormat.SSOT)
    assert not bridge.translate_id("nonsense").translation_needed


def test_statistics_and_the_cache_are_bounded(bridge):
    assert bridge.get_translation_stats() == {
        "cache_size": 0, "format_distribution": {}, "translation_success_rate": 0.0, "total_translations": 0,
    }  # fmt: skip
    for text in (THREAD, THREAD, "nonsense", RUN):
        bridge.translate_id(text)
    assert bridge.get_translation_stats() == {
        "cache_size": 3,
        "format_distribution": {"legacy_thread": 2, "unknown": 1, "legacy_run": 1},
        "translation_success_rate": 0.75,
        "total_translations": 4,
    }
    for number in range(10_100):
        bridge.translate_id(f"thread_chat_{number}_deadbeef")
    assert len(bridge.translation_cache) == 10_000
    bridge.clear_cache()
    assert bridge.get_translation_stats()["total_translations"] == 0


def test_a_migration_is_safe_if_everything_has_one_counterpart(bridge):
    safe = bridge.validate_migration_safety([THREAD, RUN], [normalised(THREAD), normalised(RUN)])
    assert safe == {
        "safe_to_migrate": True, "issues": [], "orphaned_resources": [], "duplicate_mappings": {},
        "translations": {THREAD: normalised(THREAD), RUN: normalised(RUN)},
    }  # fmt: skip
    unsafe = bridge.validate_migration_safety([THREAD, normalised(THREAD), RUN, "odd"], [THREAD])
    assert not unsafe["safe_to_migrate"] and len(unsafe["issues"]) == 4
    assert unsafe["orphaned_resources"] == [RUN, "odd"]
    assert unsafe["duplicate_mappings"] == {normalised(THREAD): [THREAD, normalised(THREAD)]}


def test_context_ids_are_normalised_with_a_new_request(bridge):
    thread, run, request = bridge.normalize_context_ids("ada", THREAD, RUN)
    assert (thread, run) == (normalised(THREAD), normalised(RUN))
    assert request.startswith("req_compatibility_")
    assert UnifiedIdGenerator.ids_match_for_cleanup(RUN, request)
    assert UnifiedIdGenerator.translate_legacy_context_ids("ada", THREAD, RUN, "job")[2].startswith(
        "req_job_"
    )


def test_a_request_on_anothers_run_is_not_theirs_to_clean_up():
    _, run, _ = UnifiedIdGenerator.generate_user_context_ids("user_ada")
    _, _, request = UnifiedIdGenerator.translate_legacy_context_ids("user_mallory", "thread-1", run)
    assert not UnifiedIdGenerator.ids_match_for_cleanup(run, request)
    assert UnifiedIdGenerator.ids_match_for_cleanup("user_mallory", request)


# Matching


def test_the_exact_text_comes_first_then_what_names_it_or_lies_below():
    thread, run, request = UnifiedIdGenerator.generate_user_context_ids("user_ada")
    other = UnifiedIdGenerator.generate_user_context_ids("user_bob")
    candidates = [*other, request, normalised(run), normalised(thread), thread]
    expected = [thread, request, normalised(run), normalised(thread)]
    assert IdMigrationBridge().find_matching_ids(thread, candidates) == expected
    assert module.find_cleanup_matches(thread, candidates) == expected
    assert module.find_matching_resources(thread, dict.fromkeys(candidates)) == expected


def test_a_uuid_and_its_structured_id_are_one_thing():
    structured = UnifiedIDManager.convert_uuid_to_structured(UUID, IDType.USER, "p")
    for first, second in ((UUID, structured), (structured, UUID), (UUID.upper(), structured)):
        assert UnifiedIdGenerator.ids_match_for_cleanup(first, second)
        assert module.normalize_for_cleanup(first) == module.normalize_for_cleanup(second)
    run = UnifiedIDManager.generate_run_id(UUID)
    assert UnifiedIdGenerator.ids_match_for_cleanup(structured, run)


def test_keys_are_shared_by_nothing_else():
    made = [text for _ in range(20) for text in UnifiedIdGenerator.generate_user_context_ids("user_1")]
    made += [UnifiedIdGenerator.generate_websocket_connection_id("user_1") for _ in range(20)]
    made += [UnifiedIdGenerator.normalize_id_format(f"websocket_factory_{n}") for n in range(20)]
    assert len({IdMigrationBridge().get_cleanup_key(text) for text in made}) == len(made)


def test_compatible_are_things_of_one_line():
    thread, run, _ = UnifiedIdGenerator.generate_user_context_ids("user_ada")
    stranger, *_ = UnifiedIdGenerator.generate_user_context_ids("user_bob")
    assert module.validate_id_compatibility(thread, run) and module.validate_id_compatibility(run, thread)
    assert not module.validate_id_compatibility(thread, stranger)
    assert module.validate_resource_compatibility(run, [stranger, thread])
    assert module.validate_resource_compatibility(run, {"thread_id": thread})
    assert module.validate_resource_compatibility(run, "user_ada")
    assert not module.validate_resource_compatibility(thread, [run])
    assert not module.validate_resource_compatibility(run, [])


def test_connection_ids_are_normalised_whoever_asks():
    assert module.normalize_connection_id(FACTORY, "ada") == normalised(FACTORY)
    assert module.normalize_connection_id(FACTORY, "bob") == normalised(FACTORY)


def test_tools_agents_and_messages_lie_below_what_they_were_made_for():
    match = UnifiedIdGenerator.ids_match_for_cleanup
    agent = UnifiedIdGenerator.generate_agent_execution_id("data", "user_ada")
    tool = UnifiedIdGenerator.generate_tool_execution_id("grep", agent)
    assert match(agent, tool) and match("user_ada", tool) and not match("user_bob", tool)
    thread, *_ = UnifiedIdGenerator.generate_user_context_ids("user_ada")
    assert match(thread, UnifiedIdGenerator.generate_message_id("chat", "user_ada", thread))
    foreign = UnifiedIdGenerator.generate_message_id("chat", "user_mallory", thread)
    assert not match(thread, foreign) and match("user_mallory", foreign)
    run = UnifiedIdGenerator.generate_run_id(UnifiedIdGenerator.generate_thread_id("user_ada"))
    assert match("user_ada", UnifiedIdGenerator.generate_request_id(run))
    assert match("user_ada", UnifiedIdGenerator.generate_connection_id("user_ada"))


def test_the_bridge_of_the_process_is_one():
    assert module.get_migration_bridge() is module.get_migration_bridge()


def test_a_clean_up_that_finds_nothing_is_counted():
    pools = {"runs": {"run-1": 1}}
    assert module.cleanup_resources_by_pattern("thread-of-nobody", pools) == 0
    assert pools == {"runs": {"run-1": 1}}
    assert compat.stats().unmatched == 1


def test_pools_are_gone_through_in_linear_time():
    pool = {}
    for number in range(3000):
        _, run, _ = UnifiedIdGenerator.generate_user_context_ids(f"user_{number % 100}")
        pool[run] = number
    pools = {"runs": pool}
    assert module.cleanup_resources_by_pattern("user_7", pools, {"connection": "x"}) == 30
    assert len(pool) == 2970


def test_long_translations_are_counted_but_not_kept():
    bridge = IdMigrationBridge()
    bridge.translate_id("thread_" + "a" * 2000 + "_4_deadbeef")
    assert bridge.get_translation_stats()["total_translations"] == 1
    assert bridge.get_translation_stats()["cache_size"] == 0
