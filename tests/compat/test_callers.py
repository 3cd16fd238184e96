"""What callers' own tests hold on to, beyond names and signatures."""

from __future__ import annotations

import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonid.compat import unified_id_generator, unified_id_manager
from canonid.compat.formats import legacy_registry
from canonid.compat.unified_id_generator import IdComponents, TestIdUtils, UnifiedIdGenerator
from canonid.compat.unified_id_manager import IDType, UnifiedIDManager, get_id_manager, is_valid_id_format

HEX8 = r"[0-9a-f]{8}"
UUID = "12345678-9abc-4def-8123-456789abcdef"
anything = st.text(max_size=50)
words = st.text("abcXYZ019_-. ", min_size=1, max_size=20)


@pytest.fixture
def manager():
    return UnifiedIDManager()


# UnifiedIDManager


@pytest.mark.parametrize("type_", IDType)
def test_an_id_has_its_type_its_number_and_eight_random_digits(manager, type_):
    assert re.fullmatch(rf"{type_.value}_1_{HEX8}", manager.generate_id(type_))
    assert re.fullmatch(rf"admin_{type_.value}_2_{HEX8}", manager.generate_id(type_, prefix="admin"))
    assert re.fullmatch(rf"{type_.value}_1_{HEX8}", UnifiedIDManager().generate_id(type_))


@pytest.mark.parametrize("wrong", ["user", None, 3, b"user", unified_id_manager])
def test_a_type_that_is_none_is_refused(manager, wrong):
    with pytest.raises((KeyError, ValueError, AttributeError)):
        manager.generate_id(wrong)


def test_a_new_id_is_registered_and_active_with_its_context(manager):
    before = time.time()
    text = manager.generate_id(IDType.RUN, prefix="p", context={"user": "ada"})
    metadata = manager.get_id_metadata(text)
    assert (metadata.id_value, metadata.id_type, metadata.prefix) == (text, IDType.RUN, "p")
    assert metadata.context == {"user": "ada"}
    assert before <= metadata.created_at <= time.time()
    assert manager.is_valid_id(text) and manager.is_valid_id(text, IDType.RUN)
    assert not manager.is_valid_id(text, IDType.USER)
    assert manager.get_active_ids(IDType.RUN) == {text}


def test_what_exists_is_registered_once(manager):
    assert manager.register_existing_id("cust-4711", IDType.USER, {"from": "crm"})
    assert not manager.register_existing_id("cust-4711", IDType.USER)
    assert manager.get_id_metadata("cust-4711").context == {"from": "crm"}
    assert manager.get_id_metadata("nobody") is None


def test_active_ids_are_a_copy(manager):
    manager.generate_id(IDType.TOOL)
    manager.get_active_ids(IDType.TOOL).clear()
    assert manager.count_active_ids(IDType.TOOL) == 1


def test_a_released_id_is_known_until_it_is_cleaned_up(manager):
    text = manager.generate_id(IDType.TOOL)
    assert manager.release_id(text)
    assert manager.count_active_ids(IDType.TOOL) == 0
    assert manager.get_id_metadata(text).context["released_at"] == pytest.approx(time.time(), abs=5)
    assert manager.cleanup_released_ids(max_age_seconds=60) == 0
    assert manager.cleanup_released_ids(max_age_seconds=0) == 1
    assert manager.get_id_metadata(text) is None
    assert not manager.release_id("unknown")


def test_what_is_written_into_the_context_of_metadata_stays(manager):
    old, young = manager.generate_id(IDType.TOOL), manager.generate_id(IDType.TOOL, context={"a": 1})
    manager.get_id_metadata(old).context["seen"] = True
    assert manager.get_id_metadata(old).context == {"seen": True}
    for text in (young, old):
        manager.release_id(text)
    manager.get_id_metadata(old).context["released_at"] = time.time() - 7200
    assert manager.cleanup_released_ids(3600) == 1
    assert manager.get_id_metadata(old) is None and manager.get_id_metadata(young) is not None
    manager.get_id_metadata(young).context["released_at"] = "nonsense"
    assert manager.cleanup_released_ids(0) == 1


def test_a_call_asks_the_clock_no_more_often_than_the_original(manager):
    """Tests give `time.time` as many answers as the module needs."""
    with mock.patch("time.time", side_effect=[1.0e9]):
        manager.generate_id(IDType.TOOL)
    with mock.patch("time.time", side_effect=[1.0e9]):
        assert "_1000000000000_" in UnifiedIdGenerator.generate_base_id("x")


def test_stats_count_by_type(manager):
    manager.generate_id(IDType.USER)
    manager.release_id(manager.generate_id(IDType.USER))
    stats = manager.get_stats()
    assert stats.keys() == {"total_registered", "active_by_type", "counters_by_type", "total_active"}
    assert (stats["total_registered"], stats["total_active"]) == (2, 1)
    assert stats["active_by_type"]["user"] == 1
    assert stats["counters_by_type"]["user"] == 2
    manager.reset_counters()
    assert manager.generate_id(IDType.USER).startswith("user_1_")
    manager.clear_all()
    assert manager.get_stats()["total_registered"] == 0


def test_ten_threads_make_five_hundred_different_ids(manager):
    with ThreadPoolExecutor(10) as pool:
        made = pool.map(lambda _: [manager.generate_id(IDType.AGENT) for _ in range(50)], range(10))
    assert len({text for texts in made for text in texts}) == 500
    assert manager.count_active_ids(IDType.AGENT) == 500


def test_a_thousand_ids_take_well_under_a_second(manager):
    start = time.perf_counter()
    for _ in range(1000):
        manager.generate_id(IDType.AGENT)
    assert time.perf_counter() - start < 0.5


def test_the_manager_of_the_process_is_one_even_for_eight_threads_at_once():
    for _ in range(20):
        unified_id_manager._id_manager = None
        with ThreadPoolExecutor(8) as pool:
            assert len({id(manager) for manager in pool.map(lambda _: get_id_manager(), range(8))}) == 1
    assert get_id_manager() is get_id_manager()


@pytest.mark.parametrize(
    ("function", "type_"),
    [(getattr(unified_id_manager, f"generate_{name}_id"), type_) for name, type_ in (
        ("user", IDType.USER), ("session", IDType.SESSION), ("request", IDType.REQUEST),
        ("agent", IDType.AGENT), ("websocket", IDType.WEBSOCKET), ("execution", IDType.EXECUTION),
        ("thread", IDType.THREAD), ("connection", IDType.CONNECTION),
    )],
)  # fmt: skip
def test_module_functions_make_registered_ids(function, type_):
    text = function()
    assert text.startswith(f"{type_.value}_1_")
    assert get_id_manager().is_valid_id(text, type_)
    assert unified_id_manager.is_valid_id(text)
    assert unified_id_manager.generate_id(type_, prefix="p", context={"a": 1}).startswith(
        f"p_{type_.value}_2_"
    )


def test_the_class_method_makes_threads_of_three_parts_without_thread_in_front():
    assert re.fullmatch(rf"session_[0-9]{{1,5}}_{HEX8}", UnifiedIDManager.generate_thread_id())
    assert unified_id_manager.generate_thread_id().startswith("thread_")


# Runs


@given(anything)
def test_a_thread_of_any_text_goes_into_a_run_and_comes_out_whole(thread):
    run = UnifiedIDManager.generate_run_id(thread)
    assert re.fullmatch(rf"run_{re.escape(thread)}_[0-9]{{1,5}}_{HEX8}", run)
    assert UnifiedIDManager.extract_thread_id(run) == thread
    assert UnifiedIDManager.validate_run_id(run)
    assert UnifiedIDManager.parse_run_id(run)["thread_id"] == thread


@pytest.mark.parametrize("thread", ["a" * 1000, "über grün", "a b", "日本_語", "", "run_x_1_12345678"])
def test_odd_threads_come_out_whole_when_nothing_is_recorded(thread):
    assert UnifiedIDManager.extract_thread_id(f"run_{thread}_12345_deadbeef") == thread


def test_a_run_is_read_by_its_record_before_its_text():
    thread, run, _ = UnifiedIdGenerator.generate_user_context_ids("user_1", "chat")
    assert UnifiedIDManager.extract_thread_id(run) == thread
    assert UnifiedIDManager.extract_thread_id("run_chat_4_deadbeef") == "chat"


@pytest.mark.parametrize(
    ("text", "thread"),
    [
        ("", ""), (None, ""), (7, ""),
        ("websocket_factory_1234", "thread_websocket_factory_1234"),
        ("context_1", "thread_context_1"),
        ("agent_x", "thread_agent_x"),
        ("thread_1", "thread_1"),
        ("run_", "run_"),
    ],
)  # fmt: skip
def test_what_is_no_run_gives_itself_or_a_thread_of_it(text, thread):
    assert UnifiedIDManager.extract_thread_id(text) == thread


def test_a_run_is_parsed_into_texts():
    assert UnifiedIDManager.parse_run_id("run_thread_9_12345_deadbeef") == {
        "thread_id": "thread_9", "timestamp": "12345", "uuid_part": "deadbeef", "valid": True,
    }  # fmt: skip
    for text in ("run_1_deadbeef", "ran_a_1_deadbeef", "run_a_1_deadbee", "run_a_1_deadbee\n", "", None):
        assert not UnifiedIDManager.validate_run_id(text)
        assert UnifiedIDManager.parse_run_id(text) == {
            "thread_id": "", "timestamp": "", "uuid_part": "", "valid": False,
        }  # fmt: skip


# Formats

ACCEPTED = f"""
    {UUID} {UUID.replace("-", "")} {UUID.upper()} user_1_12345678 admin_user_3_12345678 req_chat_1_12345678
    run_chat_4_deadbeef thread_chat_4_deadbeef test_something_1_12345678 session_44_deadbeef
    websocket_factory_x_1_12345678 websocket_manager_7_12345678 my_agent_executor_1_12345678
    user_1757409218490_1_abcd1234 ws_conn_abc_1757409218490_1_abcd1234 websocket_factory_1757409218490
    req_1_12345678 a_agent_executor_b_1_12345678 agent_executor_websocket_manager_b_1_12345678
    pending_auth awaiting_auth awaiting_auth_7 temp_auth_xyz 123456789012345 123456789012345678901
    thread_123 user__1_12345678 user_nonnumber_12345678 e2e-staging_release-v1.2.3 test-user-123 user_1
    mock-user-test staging-e2e-user-001 thread-456 fake_user concurrent_user_0 test_user_abc
    run_{UUID}_12345_deadbeef run_thread-456_12345_deadbeef user_01h455vb4pex5vsknk084sn02q
""".split()
REFUSED = [
    None, "", " ", "\t\n", 7, b"user_1", "run_thread_nonnumber_abcd1234", "unknown_prefix_1_12345678",
    "thread_abc_1234abcd", "user_1_12345678é", "user_1_1234567８", "user_1\n", "x" * 10_000, "user_1" * 2000,
    "'; DROP TABLE users; --", "1 OR 1=1", "user_1'--", "foo_bar_12345678", "foo_bar_1234567a", "user_1\0",
    "12345678901234", "1234567890123456789012",
]  # fmt: skip


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_is_written_like_an_id_is_accepted(text):
    assert is_valid_id_format(text)


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text)[:30])
def test_what_is_not_is_refused(text):
    assert not is_valid_id_format(text)


def test_the_names_of_tests_belong_to_a_profile_that_others_dont_have():
    for name in ("test-user-123", "user_1", "fake_user", "mock-user-test"):
        assert legacy_registry(test_names=True).recognise(name).answer.kind == "name"
        assert not legacy_registry().recognise(name).readings


@pytest.mark.parametrize(
    ("text", "type_", "fits"),
    [
        (UUID, IDType.USER, True), (UUID, IDType.METRIC, True), (UUID, None, True),
        ("user_1_12345678", IDType.USER, True), ("user_1_12345678", IDType.TOOL, False),
        ("user_1_12345678", None, True), ("admin_user_1_12345678", IDType.USER, True),
        ("session_44_deadbeef", IDType.THREAD, True), ("session_44_deadbeef", IDType.SESSION, True),
        ("session_44_deadbeef", IDType.RUN, False), ("thread-456", IDType.USER, True),
        ("nonsense!", IDType.USER, False), ("nonsense!", None, False), (UUID[:-1], IDType.USER, False),
    ],
)  # fmt: skip
def test_a_text_fits_the_type_that_it_names(manager, text, type_, fits):
    assert manager.is_valid_id_format_compatible(text, type_) is fits
    assert unified_id_manager.is_valid_id_format_compatible(text, type_) is fits


@given(st.uuids(), st.sampled_from(IDType), st.sampled_from([None, "p", "a_b"]))
def test_a_uuid_and_its_structured_id_are_one_way_and_back(value, type_, prefix):
    text = UnifiedIDManager.convert_uuid_to_structured(str(value), type_, prefix)
    start = f"{prefix}_{type_.value}" if prefix else type_.value
    assert re.fullmatch(rf"{start}_[0-9]+_{value.hex[:8]}", text)
    assert text == UnifiedIDManager.convert_uuid_to_structured(value.hex.upper(), type_, prefix)
    assert UnifiedIDManager.convert_structured_to_uuid(text) == str(value)
    assert is_valid_id_format(text)


def test_a_structured_id_converts_to_36_characters_that_begin_with_its_random_part():
    text = UnifiedIDManager.convert_structured_to_uuid("user_7_deadbeef")
    assert len(text) == 36 and text.startswith("deadbeef-")
    assert str(uuid.UUID(text)) == text
    for malformed in ("user_7", "user_x_deadbeef", "deadbeef", UUID, f"user_{2**96}_deadbeef", "", None):
        assert UnifiedIDManager.convert_structured_to_uuid(malformed) is None


@pytest.mark.parametrize(
    "text", ["", "x", UUID[:-1], UUID + "0", "g" * 32, None, "user_1_12345678", UUID + "\n"]
)
def test_what_is_no_uuid_is_not_converted(text):
    with pytest.raises(ValueError, match=r"^Invalid UUID format: "):
        UnifiedIDManager.convert_uuid_to_structured(text, IDType.USER)


def test_normalising_leaves_what_is_structured_or_registered(manager):
    assert manager.validate_and_normalize_id("user_1_12345678") == (True, "user_1_12345678")
    assert manager.validate_and_normalize_id("user_1_12345678", IDType.TOOL) == (False, None)
    assert manager.validate_and_normalize_id("!") == (False, None)
    assert manager.validate_and_normalize_id(UUID) == (True, UUID)
    manager.register_existing_id(UUID, IDType.USER)
    assert manager.validate_and_normalize_id(UUID, IDType.USER) == (True, UUID)


def test_private_names_that_were_used_answer(manager):
    assert manager._is_uuid_format(UUID) and not manager._is_uuid_format("user_1_12345678")
    assert manager._is_structured_id_format("user_1_12345678") and not manager._is_structured_id_format(UUID)
    assert manager._validate_structured_format("user_1_12345678", IDType.USER)
    assert not manager._validate_structured_format("user_1_12345678", IDType.TOOL)
    assert manager._extract_id_type_from_structured("p_user_1_12345678") is IDType.USER
    assert manager._extract_id_type_from_structured("nonsense") is None


def test_names_that_never_existed_do_the_obvious():
    assert UnifiedIDManager.generate_connection_id().startswith("connection_1_")
    assert UnifiedIDManager.generate_request_id().startswith("request_1_")
    assert UnifiedIDManager.validate_thread_id("thread_chat_4_deadbeef")
    assert not UnifiedIDManager.validate_thread_id("run_chat_4_deadbeef")
    info = UnifiedIDManager.get_format_info("thread_chat_4_deadbeef")
    assert info["valid"] and "thread" in info["kinds"] and "thread-context" in info["formats"]
    assert UnifiedIDManager.get_format_info("!")["reason"]
    canonical = UnifiedIDManager.migrate_to_canonical("thread_chat_4_deadbeef", IDType.THREAD)
    assert canonical == legacy_registry().canonical("thread_chat_4_deadbeef", "thread")
    run = UnifiedIDManager.generate_run_id("thread-456")
    assert UnifiedIDManager.validate_id_pair(run, "thread-456")
    assert UnifiedIDManager.validate_id_pair("thread-456", run)
    assert not UnifiedIDManager.validate_id_pair("thread-457", run)


def test_names_that_never_existed_are_there_on_the_module_too():
    assert unified_id_manager.validate_thread_id("thread_chat_4_deadbeef")
    assert unified_id_manager.get_format_info("a_agent_executor_b_1_12345678")["valid"]
    assert unified_id_manager.validate_id_pair("thread-456", "thread-456")
    canonical = unified_id_manager.migrate_to_canonical("thread_chat_4_deadbeef", IDType.THREAD)
    assert canonical == UnifiedIDManager.migrate_to_canonical("thread_chat_4_deadbeef", IDType.THREAD)


# UnifiedIdGenerator


@pytest.mark.parametrize("empty", [{}, {"include_random": False}, {"random_length": 13}])
def test_an_empty_prefix_or_operation_is_read_again(empty):
    text = UnifiedIdGenerator.generate_base_id("", **empty)
    assert UnifiedIdGenerator.parse_id(text).prefix == ""
    assert UnifiedIdGenerator.is_valid_id(UnifiedIdGenerator.generate_id("", **empty))
    thread, *_ = UnifiedIdGenerator.generate_user_context_ids("user_1", "")
    assert UnifiedIdGenerator.parse_id(thread).prefix == "thread_"
    normalised = UnifiedIdGenerator.normalize_id_format(thread)
    assert normalised != thread and UnifiedIdGenerator.ids_match_for_cleanup(thread, normalised)


@pytest.mark.parametrize(
    ("make", "pattern"),
    [
        (lambda: UnifiedIdGenerator.generate_base_id(), rf"id_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_base_id("a_b"), rf"a_b_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_base_id("x", include_random=False), r"x_\d{13}_\d+"),
        (lambda: UnifiedIdGenerator.generate_base_id("x", random_suffix=False), r"x_\d{13}_\d+"),
        (lambda: UnifiedIdGenerator.generate_base_id("x", random_suffix=True), rf"x_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_base_id("x", random_length=16), r"x_\d{13}_\d+_[0-9a-f]{16}"),
        (lambda: UnifiedIdGenerator.generate_websocket_connection_id("user-12345"),
            rf"ws_conn_user-123_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_websocket_client_id("u", 1.5),
            rf"ws_client_u_0000000001500_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_agent_execution_id("data", "user_12345"),
            rf"agent_data_user_123_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_tool_execution_id("grep"), rf"tool_grep_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_tool_execution_id("grep", "agent_1_deadbeefcafe"),
            rf"tool_grep_deadbeef_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_message_id("chat", "u1"), rf"msg_chat_u1_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_message_id("chat", "u1", "thread_9"),
            rf"msg_chat_u1_9_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_session_id("u1"), rf"session_web_u1_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_error_context_id("io", "u1"),
            rf"error_io_u1_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_thread_id("u1"), rf"thread_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_run_id(), rf"run_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_user_id(), rf"user_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_id("x"), rf"x_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_request_id(), rf"req_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_connection_id(), rf"conn_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_execution_id(), rf"exec_\d{{13}}_\d+_{HEX8}"),
        (lambda: UnifiedIdGenerator.generate_task_id(), rf"task_\d{{13}}_\d+_{HEX8}"),
    ],
)  # fmt: skip
def test_the_generator_writes_as_it_always_did_and_reads_it(make, pattern):
    text = make()
    assert re.fullmatch(pattern, text)
    assert UnifiedIdGenerator.parse_id(text).full_id == text


def test_ids_of_connections_have_20_to_80_characters():
    for user in ("u", "user_1234567890", "x" * 2000):
        assert 20 <= len(UnifiedIdGenerator.generate_websocket_connection_id(user)) <= 80


def test_counters_rise_strictly_in_the_process():
    made = [UnifiedIdGenerator.generate_base_id() for _ in range(5)]
    made += UnifiedIdGenerator.generate_user_context_ids("u")
    counters = [UnifiedIdGenerator.parse_id(text).counter for text in made]
    assert counters == sorted(set(counters))
    unified_id_generator.reset_global_counter()
    assert UnifiedIdGenerator.parse_id(UnifiedIdGenerator.generate_base_id()).counter == 1


def test_a_batch_has_one_time_and_different_ids():
    made = UnifiedIdGenerator.generate_batch_ids("job", 100)
    assert len(set(made)) == 100
    assert len({UnifiedIdGenerator.parse_id(text).timestamp for text in made}) == 1
    assert UnifiedIdGenerator.generate_batch_ids("job", 0) == []


def test_context_ids_differ_and_carry_the_operation():
    thread, run, request = UnifiedIdGenerator.generate_user_context_ids("user_1", "agent_run")
    assert re.fullmatch(rf"thread_agent_run_\d+_{HEX8}", thread)
    assert re.fullmatch(rf"run_agent_run_\d+_{HEX8}", run)
    assert re.fullmatch(rf"req_agent_run_\d+_{HEX8}", request)


@given(words, st.booleans(), st.integers(1, 64))
def test_what_the_generator_writes_it_reads(prefix, include_random, length):
    text = UnifiedIdGenerator.generate_base_id(prefix, include_random, length)
    parts = UnifiedIdGenerator.parse_id(text)
    assert (parts.prefix, len(parts.random)) == (prefix, length if include_random else 0)
    assert UnifiedIdGenerator.is_valid_id(text, prefix)
    assert not UnifiedIdGenerator.is_valid_id(text, prefix + "Z")
    assert 0 <= UnifiedIdGenerator.get_id_age(text) < 60_000


def test_parsing_keeps_underscores_in_the_prefix():
    parsed = UnifiedIdGenerator.parse_id("a_b__c_1757409218490_12_deadbeef")
    assert parsed == IdComponents("a_b__c", 1757409218490, 12, "deadbeef", "a_b__c_1757409218490_12_deadbeef")
    for text in ("", "x", "a_b_c", UUID, "user_1_deadbeef", "1757409218490_1_deadbeef", None):
        assert UnifiedIdGenerator.parse_id(text) is None
        assert UnifiedIdGenerator.get_id_age(text) == -1


def test_an_id_is_valid_from_a_year_ago_to_an_hour_ahead():
    def made(hours):
        return f"user_{int((time.time() + hours * 3600) * 1000)}_1_deadbeef"

    assert all(UnifiedIdGenerator.is_valid_id(made(hours)) for hours in (-364 * 24, -1, 0, 0.9))
    assert not any(UnifiedIdGenerator.is_valid_id(made(hours)) for hours in (-400 * 24, 2))


def test_test_ids_are_predictable():
    TestIdUtils.reset()
    assert TestIdUtils.create_test_id("user", 3) == "user_test_3"
    assert TestIdUtils.create_test_context_ids("u", 2) == {
        "user_id": "u", "thread_id": "thread_test_2", "run_id": "run_test_2", "request_id": "req_test_2",
    }  # fmt: skip
    assert TestIdUtils.validate_uniqueness_in_list(["a", "b"])
    assert not TestIdUtils.validate_uniqueness_in_list(["a", "a"])


def test_small_functions_of_the_module():
    assert re.fullmatch(HEX8, unified_id_generator.generate_uuid_replacement())
    context = unified_id_generator.create_user_execution_context_factory("u1", "job")
    assert context.keys() == {"user_id", "thread_id", "run_id", "request_id"}
    assert context["user_id"] == "u1" and context["run_id"].startswith("run_job_")


# What the facades write is what their registry declares

free = st.text("abcXYZ019_-.@:+|", min_size=1, max_size=30)  # what a prefix is made of, out there


@given(free, st.sampled_from(IDType))
def test_every_text_of_the_manager_is_declared(prefix, type_):
    registry = legacy_registry()
    assert registry.recognise(UnifiedIDManager().generate_id(type_), type_.value).readings
    prefixed = UnifiedIDManager().generate_id(type_, prefix)
    assert "manager-any" in {reading.format for reading in registry.recognise(prefixed).readings}
    assert UnifiedIDManager().is_valid_id_format_compatible(prefixed, type_)
    assert registry.recognise(UnifiedIDManager.generate_thread_id(), "thread").readings
    assert registry.recognise(UnifiedIDManager.generate_run_id(prefix), "run").readings


@given(free)
def test_every_text_of_the_generator_is_declared(prefix):
    registry = legacy_registry()
    for include_random in (True, False):
        text = UnifiedIdGenerator.generate_base_id(prefix, include_random)
        assert "generator-any" in {reading.format for reading in registry.recognise(text).readings}
    for text, kind in zip(
        UnifiedIdGenerator.generate_user_context_ids("u", prefix), ("thread", "run", "request"), strict=True
    ):
        assert f"{kind}-context" in {reading.format for reading in registry.recognise(text, kind).readings}
