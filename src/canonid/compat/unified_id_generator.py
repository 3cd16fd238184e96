"""Stands in for the module of UnifiedIdGenerator: same names, same signatures, same texts.

What it does otherwise than the original, and why, is in docs/compat.md. Texts that a caller gives raise
InvalidId (a ValueError) where they can't be used to make an ID; questions about any value have an answer.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from canonid.compat import texts
from canonid.compat.sessions import Session, Sessions
from canonid.compat.state import called, state
from canonid.errors import InvalidId

__all__ = [
    "IdComponents",
    "TestIdUtils",
    "UnifiedIdGenerator",
    "create_user_execution_context_factory",
    "generate_uuid_replacement",
    "reset_global_counter",
]

_YEAR = 365 * 24 * 3600 * 1000  # milliseconds
_AHEAD = 3600 * 1000
_FIRST_REAL = 10**12  # a 13-digit millisecond without leading zeros; what has them was written by normalising
_LONGEST_RANDOM = 255
_OF_A_USER = frozenset({"agent", "msg", "session", "error"})  # these mention their user's first characters

_counter = itertools.count(1)


@dataclass
class IdComponents:
    """The parts of an ID. `timestamp` is in milliseconds since 1970, 0 if it has none; `random` may be ""."""

    prefix: str
    timestamp: int
    counter: int
    random: str
    full_id: str


class UnifiedIdGenerator:
    """IDs with the time and a counter of the process in them. Thread-safe.

    >>> text = UnifiedIdGenerator.generate_base_id("user")
    >>> UnifiedIdGenerator.parse_id(text).prefix, UnifiedIdGenerator.is_valid_id(text, "user")
    ('user', True)
    >>> thread, run, request = UnifiedIdGenerator.generate_user_context_ids("user_1", "chat")
    >>> UnifiedIdGenerator.ids_match_for_cleanup(thread, run)
    True
    >>> UnifiedIdGenerator.ids_match_for_cleanup(run, thread)
    False
    """

    _active_sessions = Sessions()

    # Making IDs

    @staticmethod
    def generate_base_id(
        prefix: str = "id",
        include_random: bool = True,
        random_length: int = 8,
        *,
        random_suffix: bool | None = None,
    ) -> str:
        """`{prefix}_{ms:13}_{counter}[_{hex}]`, the counter strictly increasing in this process.

        The random part has exactly `random_length` digits, 0 to 255. `random_suffix` is `include_random`
        under another name, which callers used.
        """
        called("UnifiedIdGenerator.generate_base_id")
        length = _length(random_length) if (random_suffix is None and include_random) or random_suffix else 0
        return _generated(texts.part(prefix, "prefix"), length=length)

    @staticmethod
    def generate_user_context_ids(user_id: str, operation: str = "context") -> tuple[str, str, str]:
        """A thread, a run in it and a request of that, as `{thread|run|req}_{operation}_{counter}_{hex8}`.

        Their lineage up to the user is recorded.
        """
        called("UnifiedIdGenerator.generate_user_context_ids")
        return _context_ids(user_id, operation)

    @staticmethod
    def generate_websocket_connection_id(user_id: str, connection_timestamp: float | None = None) -> str:
        """`ws_conn_{user[:8]}_{ms}_{counter}_{hex8}`; a timestamp is in seconds since 1970."""
        called("UnifiedIdGenerator.generate_websocket_connection_id")
        return _owned("ws_conn", user_id, "connection", at=connection_timestamp)

    @staticmethod
    def generate_websocket_client_id(user_id: str, connection_timestamp: float | None = None) -> str:
        """`ws_client_{user[:8]}_{ms}_{counter}_{hex8}`; a timestamp is in seconds since 1970."""
        called("UnifiedIdGenerator.generate_websocket_client_id")
        return _owned("ws_client", user_id, "connection", at=connection_timestamp)

    @staticmethod
    def generate_agent_execution_id(agent_type: str, user_id: str) -> str:
        """`agent_{type}_{user[:8]}_{ms}_{counter}_{hex8}`"""
        called("UnifiedIdGenerator.generate_agent_execution_id")
        return _owned(f"agent_{texts.part(agent_type, 'agent_type')}", user_id, "agent")

    @staticmethod
    def generate_tool_execution_id(tool_name: str, agent_id: str | None = None) -> str:
        """`tool_{name}[_{last part of agent_id}]_{ms}_{counter}_{hex8}`, recorded below the agent."""
        called("UnifiedIdGenerator.generate_tool_execution_id")
        start = f"tool_{texts.part(tool_name, 'tool_name')}"
        if not agent_id:
            return _generated(start)
        text = _generated(f"{start}_{texts.last_part(texts.part(agent_id, 'agent_id'))}")
        state.lineage.record(agent_id, text, kinds=("agent", "tool"))
        return text

    @staticmethod
    def generate_message_id(message_type: str, user_id: str, thread_id: str | None = None) -> str:
        """`msg_{type}_{user[:8]}[_{last part of thread_id}]_{ms}_{counter}_{hex8}`, below a given thread."""
        called("UnifiedIdGenerator.generate_message_id")
        start = f"msg_{texts.part(message_type, 'message_type')}"
        if not thread_id:
            return _owned(start, user_id, "message")
        user = texts.part(user_id, "user_id")
        text = _generated(f"{start}_{user[:8]}_{texts.last_part(texts.part(thread_id, 'thread_id'))}")
        _record_below(thread_id, text, user, ("thread", "message"))
        return text

    @staticmethod
    def generate_session_id(user_id: str, session_type: str = "web") -> str:
        """`session_{type}_{user[:8]}_{ms}_{counter}_{hex8}`"""
        called("UnifiedIdGenerator.generate_session_id")
        return _owned(f"session_{texts.part(session_type, 'session_type')}", user_id, "session")

    @staticmethod
    def generate_error_context_id(error_type: str, user_id: str) -> str:
        """`error_{type}_{user[:8]}_{ms}_{counter}_{hex8}`"""
        called("UnifiedIdGenerator.generate_error_context_id")
        return _owned(f"error_{texts.part(error_type, 'error_type')}", user_id, "error")

    @staticmethod
    def generate_batch_ids(prefix: str, count: int, include_random: bool = True) -> list[str]:
        """That many different IDs with one time."""
        called("UnifiedIdGenerator.generate_batch_ids")
        start, now = texts.part(prefix, "prefix"), _now()
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise InvalidId(f"count is {count!r:.64}; expected a number of IDs, 0 or more", text=count)
        return [_generated(start, time=now, length=8 if include_random else 0) for _ in range(count)]

    # Reading IDs

    @staticmethod
    def parse_id(text: str) -> IdComponents | None:
        """The parts of what this class writes, read from the right; None for anything else.

        A context ID has no time, so its `timestamp` is 0.
        """
        called("UnifiedIdGenerator.parse_id")
        return _parse(text)

    @staticmethod
    def is_valid_id(text: str, expected_prefix: str | None = None) -> bool:
        """Whether it parses, its prefix begins so, and it is not older than a year nor over an hour ahead.

        What has no time of its own is of any age.
        """
        called("UnifiedIdGenerator.is_valid_id")
        parts = _parse(text)
        if parts is None or (
            expected_prefix is not None
            and not (isinstance(expected_prefix, str) and parts.prefix.startswith(expected_prefix))
        ):
            return False
        return _has_no_time(parts) or -_AHEAD <= _now() - parts.timestamp <= _YEAR

    @staticmethod
    def get_id_age(text: str) -> int:
        """Milliseconds since the ID was made; -1 if it doesn't parse or has no time."""
        called("UnifiedIdGenerator.get_id_age")
        parts = _parse(text)
        return -1 if parts is None or _has_no_time(parts) else _now() - parts.timestamp

    # Sessions

    @classmethod
    def get_or_create_user_session(
        cls, user_id: str, thread_id: str | None = None, run_id: str | None = None, operation: str = "session"
    ) -> dict[str, str]:
        """`thread_id`, `run_id` and a new `request_id` of the user's session of a thread.

        The thread that comes back is the session's own: users who name the same thread get different
        ones. It names the session, too. A `run_id` becomes the session's run. Sessions end 24 h after
        their last use; the last 10,000 are kept.
        """
        called("UnifiedIdGenerator.get_or_create_user_session")
        user = texts.part(user_id, "user_id")
        if not user.strip():
            raise InvalidId("user_id is blank; expected the user whose session it is", text=user_id)
        named = texts.part(thread_id, "thread_id") if thread_id else ""
        given = texts.part(run_id, "run_id") if run_id else ""
        what = texts.part(operation, "operation")
        sessions = cls._sessions()
        with sessions.lock:
            session = sessions.find(user, named, time.time())
            if session is None:
                thread = _context("thread", f"{what}_{user[:8]}")
                session = Session(user, named, thread, given or _context("run", what), time.time())
                sessions.add(session)
            session.run_id = given or session.run_id
            session.request_id = _context("req", what)
            ids = session.ids()
        _record_session(user, **ids, run_is_given=bool(given))
        return ids

    @classmethod
    def get_existing_session(cls, user_id: str, thread_id: str | None) -> dict[str, str] | None:
        """`thread_id`, `run_id` and the last `request_id` of the user's session; None if there is none."""
        called("UnifiedIdGenerator.get_existing_session")
        if not isinstance(user_id, str) or not isinstance(thread_id, str | None):
            return None
        sessions = cls._sessions()
        with sessions.lock:
            session = sessions.find(user_id, thread_id or "", time.time())
            return None if session is None else session.ids()

    @classmethod
    def cleanup_expired_sessions(cls, max_age_hours: float = 24) -> int:
        """Forgets sessions that were last used that many hours ago or earlier; how many that were."""
        called("UnifiedIdGenerator.cleanup_expired_sessions")
        if not isinstance(max_age_hours, (int, float)) or max_age_hours != max_age_hours:
            raise InvalidId(f"max_age_hours is {max_age_hours!r:.64}; expected a number", text=max_age_hours)
        return cls._sessions().forget_unused(time.time() - max_age_hours * 3600)

    @classmethod
    def get_active_sessions_count(cls) -> int:
        called("UnifiedIdGenerator.get_active_sessions_count")
        return len(cls._sessions())

    @classmethod
    def invalidate_user_sessions(cls, user_id: str) -> int:
        """Forgets all sessions of this user, and of nobody else; how many that were."""
        called("UnifiedIdGenerator.invalidate_user_sessions")
        return cls._sessions().forget_user(user_id)

    @classmethod
    def _sessions(cls) -> Sessions:
        """The sessions; new ones where a test has put a dict in their place."""
        if not isinstance(cls._active_sessions, Sessions):
            cls._active_sessions = Sessions()
        return cls._active_sessions

    @classmethod
    def reset_global_counter(cls) -> None:
        """Counts from 1 again. The random part keeps new IDs apart from old ones."""
        global _counter
        called("UnifiedIdGenerator.reset_global_counter")
        _counter = itertools.count(1)

    # Normalising and matching

    @staticmethod
    def normalize_id_format(text: str) -> str:
        """The same ID in generator format; a pure function. What isn't known stays as it is."""
        called("UnifiedIdGenerator.normalize_id_format")
        return texts.normalised(text)

    @staticmethod
    def extract_pattern_info(text: str) -> dict[str, Any]:
        """`id_type`, `operation`, `user_context`, `timestamp`, `format` and `normalized_id`; {} for no text.

        `format` is `ssot` for generator format, `legacy` for what normalises into it, else `unknown`.
        """
        called("UnifiedIdGenerator.extract_pattern_info")
        if not isinstance(text, str) or not text:
            return {}
        parts = _parse(text) or _parse(texts.normalised(text))
        normalised = texts.normalised(text)
        kind, operation, user = ("", "", "") if parts is None else _what(parts.prefix)
        known = "legacy" if normalised != text else "ssot"
        return {
            "id_type": kind,
            "operation": operation,
            "user_context": user,
            "timestamp": None if parts is None or _has_no_time(parts) else parts.timestamp,
            "format": "unknown" if parts is None else known,
            "normalized_id": normalised,
        }

    @staticmethod
    def ids_match_for_cleanup(a: str, b: str) -> bool:
        """Whether `b` names the same thing as `a`, or lies below it in recorded lineage; never above it."""
        called("UnifiedIdGenerator.ids_match_for_cleanup")
        return state.lineage.at_or_below(a)(b)

    @staticmethod
    def translate_legacy_context_ids(
        user_id: str, thread_id: str, run_id: str, operation: str = "compatibility"
    ) -> tuple[str, str, str]:
        """The thread and the run normalised, and a new request: below the run if that is the user's own."""
        called("UnifiedIdGenerator.translate_legacy_context_ids")
        user = texts.part(user_id, "user_id")
        thread, run = texts.named(thread_id, "thread_id"), texts.named(run_id, "run_id")
        request = _context("req", texts.part(operation, "operation"))
        _record_below(run, request, user, ("run", "request"))
        return texts.normalised(thread), texts.normalised(run), request

    # Names that callers used although the original never had them

    @staticmethod
    def generate_id(
        prefix: str = "id",
        include_random: bool = True,
        random_length: int = 8,
        *,
        random_suffix: bool | None = None,
    ) -> str:
        """As `generate_base_id`."""
        called("UnifiedIdGenerator.generate_id")
        return UnifiedIdGenerator.generate_base_id(
            prefix, include_random, random_length, random_suffix=random_suffix
        )

    @staticmethod
    def generate_user_id() -> str:
        called("UnifiedIdGenerator.generate_user_id")
        return UnifiedIdGenerator.generate_base_id("user")

    @staticmethod
    def generate_thread_id(user_id: str | None = None) -> str:
        """`thread_{ms}_{counter}_{hex8}`, recorded below the user if there is one."""
        called("UnifiedIdGenerator.generate_thread_id")
        return _below("thread", user_id, "user")

    @staticmethod
    def generate_run_id(thread_id: str | None = None) -> str:
        """`run_{ms}_{counter}_{hex8}`, recorded below the thread if there is one."""
        called("UnifiedIdGenerator.generate_run_id")
        return _below("run", thread_id, "thread")

    @staticmethod
    def generate_request_id(run_id: str | None = None) -> str:
        """`req_{ms}_{counter}_{hex8}`, recorded below the run if there is one."""
        called("UnifiedIdGenerator.generate_request_id")
        return _below("req", run_id, "run", "request")

    @staticmethod
    def generate_connection_id(user_id: str | None = None) -> str:
        """`conn_{ms}_{counter}_{hex8}`, recorded below the user if there is one."""
        called("UnifiedIdGenerator.generate_connection_id")
        return _below("conn", user_id, "user", "connection")

    @staticmethod
    def generate_execution_id() -> str:
        called("UnifiedIdGenerator.generate_execution_id")
        return UnifiedIdGenerator.generate_base_id("exec")

    @staticmethod
    def generate_task_id() -> str:
        called("UnifiedIdGenerator.generate_task_id")
        return UnifiedIdGenerator.generate_base_id("task")


# Writing


def _now() -> int:
    return int(time.time() * 1000)


def _generated(prefix: str, *, time: int | None = None, length: int = 8) -> str:
    now = _now() if time is None else time
    return texts.generated(prefix, now, next(_counter), texts.random_hex(length))


def _context(kind: str, operation: str) -> str:
    return f"{kind}_{operation}_{next(_counter)}_{texts.random_hex()}"


def _context_ids(user_id: str, operation: str) -> tuple[str, str, str]:
    user, what = texts.named(user_id, "user_id"), texts.part(operation, "operation")
    thread, run, request = _context("thread", what), _context("run", what), _context("req", what)
    state.lineage.record(user, thread, run, request, kinds=("user", "thread", "run", "request"))
    return thread, run, request


def _owned(start: str, user_id: str, kind: str, at: float | None = None) -> str:
    """An ID that mentions its user, recorded below that user."""
    user = texts.part(user_id, "user_id")
    text = _generated(f"{start}_{user[:8]}", time=None if at is None else texts.milliseconds(at))
    state.lineage.record(user, text, kinds=("user", kind))
    return text


def _below(prefix: str, parent: str | None, parent_kind: str, kind: str = "") -> str:
    text = UnifiedIdGenerator.generate_base_id(prefix)
    if parent:
        state.lineage.record(texts.named(parent, parent_kind), text, kinds=(parent_kind, kind or prefix))
    return text


def _length(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LONGEST_RANDOM:
        raise InvalidId(
            f"random_length is {value!r:.64}; expected a number of digits, 0 to {_LONGEST_RANDOM}", text=value
        )
    return value


# Lineage


def _record_session(user: str, thread_id: str, run_id: str, request_id: str, *, run_is_given: bool) -> None:
    state.lineage.record(user, thread_id, kinds=("user", "thread"))
    if not state.lineage.knows(run_id):
        # Only a run that nobody has: one that is known may be somebody else's, and stays where it is.
        state.lineage.record(thread_id, run_id, kinds=("thread", "run"), said=run_is_given)
    own = state.lineage.at_or_below(user)(run_id)
    parent, kind = (run_id, "run") if own else (thread_id, "thread")
    state.lineage.record(parent, request_id, kinds=(kind, "request"))


def _record_below(parent: str, child: str, user: str, kinds: Sequence[str]) -> None:
    """Record a new thing of a user below `parent`; below the user if `parent` is known as another one's."""
    lineage = state.lineage
    if lineage.knows(parent) and not lineage.at_or_below(user)(parent):
        lineage.record(user, child, kinds=("user", kinds[-1]))
    else:
        lineage.record(parent, child, kinds=kinds)


# Reading


def _parse(text: object) -> IdComponents | None:
    if found := texts.read_generated(text):
        return IdComponents(found.prefix, int(found.time), int(found.counter), found.random, str(text))
    if context := texts.read_context(text):
        prefix = f"{context.kind}_{context.operation}"
        return IdComponents(prefix, 0, int(context.counter), context.random, str(text))
    return None


def _has_no_time(parts: IdComponents) -> bool:
    """Whether the time is one that only normalising writes: none, or the number of a WebSocket factory."""
    if parts.timestamp == 0:
        return True
    return parts.timestamp < _FIRST_REAL and texts.original(parts.full_id) != parts.full_id


def _what(prefix: str) -> tuple[str, str, str]:
    """The type, the operation and the user's first characters that a prefix tells."""
    kind, _, rest = prefix.partition("_")
    if prefix.startswith(("ws_conn_", "ws_client_")):
        kind, user = f"ws_{rest.partition('_')[0]}", rest.partition("_")[2]
        return kind, "", user
    if kind in _OF_A_USER:
        operation, _, user = rest.partition("_")
        return kind, operation, user
    return kind, rest, ""


# For tests, and functions of the module


class TestIdUtils:
    """Predictable IDs for tests."""

    __test__ = False  # not a test case, whatever its name says

    @staticmethod
    def reset() -> None:
        """Counts from 1 again."""
        called("TestIdUtils.reset")
        UnifiedIdGenerator.reset_global_counter()

    @staticmethod
    def create_test_id(prefix: str = "test", sequence: int = 1) -> str:
        """`{prefix}_test_{sequence}`"""
        called("TestIdUtils.create_test_id")
        return f"{texts.part(prefix, 'prefix')}_test_{sequence}"

    @staticmethod
    def validate_uniqueness_in_list(ids: Sequence[str]) -> bool:
        """Whether all are different."""
        called("TestIdUtils.validate_uniqueness_in_list")
        if isinstance(ids, str | bytes):
            raise InvalidId(f"ids is of type {type(ids).__name__}; expected several IDs", text=ids)
        return len(set(ids)) == len(ids)

    @staticmethod
    def create_test_context_ids(user_id: str, sequence: int = 1) -> dict[str, str]:
        """`user_id`, and `thread_id`, `run_id`, `request_id` as `thread_test_{sequence}` and so on."""
        called("TestIdUtils.create_test_context_ids")
        return {
            "user_id": user_id,
            "thread_id": f"thread_test_{sequence}",
            "run_id": f"run_test_{sequence}",
            "request_id": f"req_test_{sequence}",
        }


def reset_global_counter() -> None:
    """Counts from 1 again."""
    called("unified_id_generator.reset_global_counter")
    UnifiedIdGenerator.reset_global_counter()


def generate_uuid_replacement() -> str:
    """8 random hex digits."""
    called("unified_id_generator.generate_uuid_replacement")
    return texts.random_hex()


def create_user_execution_context_factory(user_id: str, operation: str = "context") -> dict[str, str]:
    """`user_id` with a new `thread_id`, `run_id` and `request_id`."""
    called("unified_id_generator.create_user_execution_context_factory")
    thread, run, request = UnifiedIdGenerator.generate_user_context_ids(user_id, operation)
    return {"user_id": user_id, "thread_id": thread, "run_id": run, "request_id": request}
