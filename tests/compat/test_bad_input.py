"""What no caller should pass, to every public function: a clear error or an answer, and fast."""

from __future__ import annotations

import inspect
import time
from enum import Enum

import pytest

from canonid.compat.formats import legacy_registry
from canonid.compat.id_migration_bridge import IdFormat
from canonid.compat.unified_id_generator import UnifiedIdGenerator
from canonid.compat.unified_id_manager import IDType
from compat.surface import ROWS, load

MB = 1_000_000
FAST = 0.01  # seconds for a text of 1 MB
BAD = {
    "None": None,
    "bytes": b"user_1_deadbeef",
    "int": 7,
    "float": float("nan"),
    "list": ["user_1"],
    "dict": {"user_1": 1},
    "object": object(),
    "empty": "",
    "blank": " \t",
    "newline": "user_1_deadbeef\n",
    "digits": "user_１_deadbeef",
    "look-alike": "usеr_1_deadbeef",
    "nul": "user_1\0_deadbeef",
    "surrogate": "user_1_\ud800",
    "underscores": "_" * 40,
    "1 MB": "user_1_" + "a" * MB,
    "1 MB of digits": "1" * MB,
    "1 MB of underscores": "_" * MB,
    "1 MB of parts": "_1757409218490_1" * (MB // 16),
    "1 MB of a context": "thread_" + "_1" * (MB // 2),
    "1 MB run": "run_" + "1_" * (MB // 2) + "deadbeef",
}
GOOD = {
    "id_type": IDType.USER, "id_value": "user_1_deadbeef", "thread_id": "thread-1", "run_id": "run-1",
    "uuid_id": "12345678-9abc-4def-8123-456789abcdef", "structured_id": "user_1_deadbeef", "first_id": "a",
    "second_id": "b", "user_id": "user_1", "agent_type": "data", "tool_name": "grep", "message_type": "chat",
    "error_type": "io", "prefix": "p", "count": 1, "text": "thread_chat_4_deadbeef", "a": "user_1",
    "b": "user_1", "ids": ["a"], "target": "user_1", "candidates": ["user_1"], "pool": {"user_1": 1},
    "pools": {"p": {"a": 1}}, "legacy_ids": ["a"], "ssot_ids": ["a"], "connection_id": "ws_1",
    "resource_id": "a", "context_ids": ["a"], "target_format": IdFormat.SSOT,
}  # fmt: skip


def cases():
    """Every function with every one of its parameters."""
    for module, owner, row in ROWS:
        name = row.partition("(")[0]
        home = getattr(load(module), owner) if owner else load(module)
        member = getattr(home, name)
        for parameter in inspect.signature(member).parameters.values():
            if parameter.name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                yield pytest.param(module, owner, name, parameter.name, id=f"{name}-{parameter.name}")


def call(module, owner, name, parameter, value):
    home = getattr(load(module), owner) if owner else load(module)
    member = getattr(home, name)
    needs_self = "self" in inspect.signature(member).parameters
    if needs_self:
        member = getattr(home(), name)
    arguments = {
        other.name: GOOD[other.name]
        for other in inspect.signature(member).parameters.values()
        if other.default is inspect.Parameter.empty and other.kind is not inspect.Parameter.VAR_KEYWORD
    }
    return member(**arguments | {parameter: value})


@pytest.mark.parametrize(("module", "owner", "name", "parameter"), list(cases()))
def test_bad_input_gives_a_clear_error_or_an_answer_and_no_delay(module, owner, name, parameter):
    legacy_registry(test_names=True).recognise("user_1")  # so that it isn't loaded below
    for what, value in BAD.items():
        took, error = spent(module, owner, name, parameter, value)
        assert error is None or 0 < len(error) < 300, what
        # The least of some: what else the machine does is not ours.
        assert took < FAST or min(spent(module, owner, name, parameter, value)[0] for _ in range(3)) < FAST, (
            what
        )


def spent(*arguments):
    """The time that a call takes, and the error it raises."""
    start = time.perf_counter()
    try:
        call(*arguments)
    except (ValueError, TypeError, AttributeError) as error:
        return time.perf_counter() - start, str(error)
    return time.perf_counter() - start, None


@pytest.mark.parametrize("name", ["generate_base_id", "generate_id"])
@pytest.mark.parametrize("bad", ["a\nb", "a\0", None, b"a", 7, "a" * 3000])
def test_a_prefix_that_cant_be_part_of_an_id_is_refused(name, bad):
    with pytest.raises(ValueError, match=r"^prefix "):
        getattr(UnifiedIdGenerator, name)(bad)


@pytest.mark.parametrize("length", [-1, 256, 1.5, "8", None, True])
def test_a_length_that_is_none_is_refused(length):
    with pytest.raises(ValueError, match=r"^random_length "):
        UnifiedIdGenerator.generate_base_id("x", random_length=length)


@pytest.mark.parametrize("moment", [-1, float("nan"), float("inf"), 1e10, "now", True])
def test_a_timestamp_that_is_no_time_is_refused(moment):
    with pytest.raises(ValueError, match=r"^the timestamp "):
        UnifiedIdGenerator.generate_websocket_connection_id("ada", moment)


def test_every_mutation_of_an_id_is_another_thing_or_none():
    text = "thread_chat_4_deadbeef"
    for position in range(len(text)):
        for char in "_0aZ -\n\0é１":
            mutated = text[:position] + char + text[position + 1 :]
            if mutated != text:
                assert not UnifiedIdGenerator.ids_match_for_cleanup(text, mutated)
                assert UnifiedIdGenerator.normalize_id_format(
                    mutated
                ) != UnifiedIdGenerator.normalize_id_format(text)


def test_an_unknown_text_matches_nothing():
    for text in ("", " ", None, 7, b"x"):
        assert not UnifiedIdGenerator.ids_match_for_cleanup(text, text)
    assert issubclass(IDType, Enum)
