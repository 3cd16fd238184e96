"""Stands in for the module of UnifiedIDManager: same names, same signatures, same texts.

What it does otherwise than the original, and why, is in docs/compat.md. Texts that a caller gives raise
InvalidId (a ValueError) where they can't be used to make an ID; questions about any value have an answer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, EnumMeta
from typing import Any

from canonid.compat import texts
from canonid.compat.formats import is_known, legacy_registry
from canonid.compat.locking import ForkSafeLock
from canonid.compat.records import Record, Records
from canonid.compat.state import called, state
from canonid.core import Reading
from canonid.errors import InvalidId

__all__ = [
    "IDMetadata",
    "IDType",
    "UnifiedIDManager",
    "convert_structured_to_uuid",
    "convert_uuid_to_structured",
    "generate_agent_id",
    "generate_connection_id",
    "generate_execution_id",
    "generate_id",
    "generate_request_id",
    "generate_session_id",
    "generate_thread_id",
    "generate_user_id",
    "generate_websocket_id",
    "get_format_info",
    "get_id_manager",
    "is_valid_id",
    "is_valid_id_format",
    "is_valid_id_format_compatible",
    "migrate_to_canonical",
    "validate_and_normalize_id",
    "validate_id_pair",
    "validate_thread_id",
]

_NAME_THEIR_TYPE = frozenset(
    {
        "manager", "manager-uuid", "manager-typed", "manager-thread",
        "thread-context", "run-context", "request-context", "run-of-uuid",
    }
)  # fmt: skip
_STRUCTURED = _NAME_THEIR_TYPE | {"manager-any", "part", "part-of", "test-context", "test-gap"}
_AS_THREADS = ("websocket_factory_", "context_", "agent_")  # what callers passed for a thread


class _Names(EnumMeta):
    """Tells those who reach for `IDType.USER_ID` what it is called."""

    def __getattr__(cls, name: str) -> Any:
        right = name.removesuffix("_ID")
        hint = f"; it is IDType.{right}" if right in cls.__members__ and right != name else ""
        raise AttributeError(f"IDType has no member {name}{hint}", name=name, obj=cls)


class IDType(Enum, metaclass=_Names):
    """What an ID names."""

    USER = "user"
    SESSION = "session"
    REQUEST = "request"
    AGENT = "agent"
    TOOL = "tool"
    TRANSACTION = "transaction"
    WEBSOCKET = "websocket"
    EXECUTION = "execution"
    TRACE = "trace"
    METRIC = "metric"
    THREAD = "thread"
    CONNECTION = "connection"
    RUN = "run"


@dataclass
class IDMetadata:
    """What is known of a registered ID. `created_at` is in seconds since 1970."""

    id_value: str
    id_type: IDType
    created_at: float
    prefix: str | None = None
    context: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.context is None:
            self.context = {}


class UnifiedIDManager:
    """IDs by type, and which of them are active. Thread-safe; keeps the newest 150,000.

    >>> manager = UnifiedIDManager()
    >>> text = manager.generate_id(IDType.USER, prefix="admin")
    >>> text[:13], manager.is_valid_id(text, IDType.USER)
    ('admin_user_1_', True)
    >>> manager.release_id(text), manager.is_valid_id(text)
    (True, False)
    """

    def __init__(self) -> None:
        self._records: Records[IDType] = Records()

    # Making and registering

    def generate_id(
        self, id_type: IDType, prefix: str | None = None, context: dict[str, Any] | None = None
    ) -> str:
        """A new, registered ID: `[{prefix}_]{type}_{counter}_{hex8}`, counted by type from 1."""
        called("UnifiedIDManager.generate_id")
        type_ = _type(id_type)
        start = f"{texts.part(prefix, 'prefix')}_{type_.value}" if prefix else type_.value
        while True:
            text = f"{start}_{self._records.next(type_)}_{texts.random_hex()}"
            if self._register(text, type_, prefix or None, context):
                return text

    def register_existing_id(
        self, id_value: str, id_type: IDType, context: dict[str, Any] | None = None
    ) -> bool:
        """True if the ID is registered now, False if it was known already. InvalidId for a blank text."""
        called("UnifiedIDManager.register_existing_id")
        type_ = _type(id_type)
        if not texts.named(id_value, "id_value").strip():
            raise InvalidId("id_value is blank; expected an ID to register", text=id_value)
        return self._register(id_value, type_, None, context)

    def register_uuid_as_structured(
        self, uuid_id: str, id_type: IDType, context: dict[str, Any] | None = None
    ) -> str:
        """The structured ID of a UUID, registered; the same for the same UUID and type."""
        called("UnifiedIDManager.register_uuid_as_structured")
        structured = self.convert_uuid_to_structured(uuid_id, id_type)
        self._register(structured, id_type, None, context)
        return structured

    def _register(
        self, text: str, type_: IDType, prefix: str | None, context: Mapping[str, Any] | None
    ) -> bool:
        # A copy, so that nothing done to one ID shows in another one or in the caller's own dict.
        kept = dict(context) if context else None
        return self._records.add(text, Record(type_, time.time(), prefix, kept))

    # What is registered

    def get_id_metadata(self, id_value: str) -> IDMetadata | None:
        """What is known of an ID, also of a lately released one: then `context["released_at"]` says when.

        What is written into `context` is kept with the ID.
        """
        called("UnifiedIDManager.get_id_metadata")
        record = self._records.open(id_value) if isinstance(id_value, str) else None
        if record is None or record.context is None:
            return None
        return IDMetadata(id_value, record.type, record.created_at, record.prefix, record.context)

    def is_valid_id(self, id_value: str, id_type: IDType | None = None) -> bool:
        """Whether the ID is registered (as of that type) and not released."""
        called("UnifiedIDManager.is_valid_id")
        if not isinstance(id_value, str) or not self._records.is_active(id_value):
            return False
        record = self._records.get(id_value)
        return record is not None and id_type in (None, record.type)

    def release_id(self, id_value: str) -> bool:
        """True if the ID was active and is released now; what is known of it stays for an hour."""
        called("UnifiedIDManager.release_id")
        return isinstance(id_value, str) and self._records.release(id_value, time.time())

    def get_active_ids(self, id_type: IDType) -> set[str]:
        """A copy of the active IDs of a type. Looks at all active IDs."""
        called("UnifiedIDManager.get_active_ids")
        return self._records.active(id_type)

    def count_active_ids(self, id_type: IDType) -> int:
        called("UnifiedIDManager.count_active_ids")
        return self._records.count(id_type) if isinstance(id_type, IDType) else 0

    def cleanup_released_ids(self, max_age_seconds: float = 3600) -> int:
        """Forgets what was released that many seconds ago or earlier; how many that were.

        Nobody needs to call it: of the released IDs the last 10,000 are kept, for an hour.
        """
        called("UnifiedIDManager.cleanup_released_ids")
        return self._records.forget_released(time.time() - _number(max_age_seconds, "max_age_seconds"))

    def get_stats(self) -> dict[str, Any]:
        """`total_registered`, `total_active`, and by type `active_by_type` and `counters_by_type`."""
        called("UnifiedIDManager.get_stats")
        registered, active, by_type, counters = self._records.stats()
        return {
            "total_registered": registered,
            "active_by_type": {type_.value: by_type.get(type_, 0) for type_ in IDType},
            "counters_by_type": {type_.value: counters.get(type_, 0) for type_ in IDType},
            "total_active": active,
        }

    def reset_counters(self) -> None:
        """Counts from 1 again. The random part keeps new IDs apart from old ones."""
        called("UnifiedIDManager.reset_counters")
        self._records.reset_counters()

    def clear_all(self) -> None:
        """Forgets all IDs and counters."""
        called("UnifiedIDManager.clear_all")
        self._records.clear()

    # Formats

    def is_valid_id_format_compatible(self, id_value: str, id_type: IDType | None = None) -> bool:
        """Whether the text is written like an ID (of that type, if it names one); a UUID fits all types."""
        called("UnifiedIDManager.is_valid_id_format_compatible")
        return _fits(id_value, id_type)

    def validate_and_normalize_id(
        self, id_value: str, id_type: IDType | None = None
    ) -> tuple[bool, str | None]:
        """Whether it is an ID, and how it is written here: a UUID as a structured ID if a type is given.

        A pure function of the text and the type, but for a registered ID, which stays as it is.
        """
        called("UnifiedIDManager.validate_and_normalize_id")
        record = self._records.get(id_value) if isinstance(id_value, str) else None
        if record is not None and id_type in (None, record.type):
            return True, id_value
        if not _fits(id_value, id_type):
            return False, None
        if id_type is not None and texts.read_uuid(id_value):
            return True, self.convert_uuid_to_structured(id_value, id_type)
        return True, id_value

    @classmethod
    def convert_uuid_to_structured(cls, uuid_id: str, id_type: IDType, prefix: str | None = None) -> str:
        """`[{prefix}_]{type}_{counter}_{hex8}`, which holds all bits of the UUID.

        The random part is its first 8 hex digits, the counter its other 96 bits in decimal. ValueError for
        what is no UUID.
        """
        called("UnifiedIDManager.convert_uuid_to_structured")
        type_ = _type(id_type)
        digits = texts.read_uuid(uuid_id)
        if digits is None:
            raise InvalidId(f"Invalid UUID format: {_shown(uuid_id)}", text=uuid_id)
        counter, random = texts.structured_parts(digits)
        text = f"{type_.value}_{counter}_{random}"
        return f"{texts.part(prefix, 'prefix')}_{text}" if prefix else text

    @classmethod
    def convert_structured_to_uuid(cls, structured_id: str) -> str | None:
        """The UUID that these parts hold, the inverse of `convert_uuid_to_structured`; None for others."""
        called("UnifiedIDManager.convert_structured_to_uuid")
        if not cls._is_structured_id_format(structured_id):
            return None
        _, counter, random = structured_id.rsplit("_", 2)
        return texts.uuid_of_parts(counter, random)

    @staticmethod
    def _is_uuid_format(id_value: str) -> bool:
        return texts.read_uuid(id_value) is not None

    @staticmethod
    def _is_structured_id_format(id_value: str) -> bool:
        return any(reading.format in _STRUCTURED for reading in _readings(id_value))

    @staticmethod
    def _validate_structured_format(id_value: str, id_type: IDType | None = None) -> bool:
        return UnifiedIDManager._is_structured_id_format(id_value) and _fits(id_value, id_type)

    @staticmethod
    def _extract_id_type_from_structured(id_value: str) -> IDType | None:
        named = _types_named(id_value)
        return IDType(named[0]) if named else None

    # Runs and threads

    @classmethod
    def generate_run_id(cls, thread_id: str) -> str:
        """`run_{thread_id}_{ms % 100000}_{hex8}`; that the run belongs to the thread is recorded."""
        called("UnifiedIDManager.generate_run_id")
        thread = texts.named(thread_id, "thread_id")
        run = f"run_{thread}_{_short_time()}_{texts.random_hex()}"
        while state.lineage.knows(run):
            run = f"run_{thread}_{_short_time()}_{texts.random_hex()}"
        state.lineage.record(thread, run, kinds=("thread", "run"))
        return run

    @classmethod
    def extract_thread_id(cls, run_id: str) -> str:
        """The thread of a run: as it is recorded, else as it can be read in the text; never raises.

        What isn't a run gives itself, behind `thread_` if callers used to pass it for a thread.
        """
        called("UnifiedIDManager.extract_thread_id")
        return _thread_of(run_id)

    @classmethod
    def validate_run_id(cls, run_id: str) -> bool:
        """Whether the text has at least 4 parts, `run` first and 8 characters last."""
        called("UnifiedIDManager.validate_run_id")
        return _is_run(run_id)

    @classmethod
    def parse_run_id(cls, run_id: str) -> dict[str, Any]:
        """`thread_id`, `timestamp` and `uuid_part` as texts, and whether it is `valid`; empty if it isn't."""
        called("UnifiedIDManager.parse_run_id")
        if not _is_run(run_id):
            return {"thread_id": "", "timestamp": "", "uuid_part": "", "valid": False}
        _, timestamp, uuid_part = run_id.rsplit("_", 2)
        return {
            "thread_id": _thread_of(run_id),
            "timestamp": timestamp,
            "uuid_part": uuid_part,
            "valid": True,
        }

    @classmethod
    def generate_thread_id(cls) -> str:
        """`session_{ms % 100000}_{hex8}`, to which callers add `thread_`; it is not registered."""
        called("UnifiedIDManager.generate_thread_id")
        return f"session_{_short_time()}_{texts.random_hex()}"

    # Names that callers used although the original never had them

    @staticmethod
    def generate_connection_id() -> str:
        """A new connection ID, registered in the manager of the process."""
        called("UnifiedIDManager.generate_connection_id")
        return get_id_manager().generate_id(IDType.CONNECTION)

    @staticmethod
    def generate_request_id() -> str:
        """A new request ID, registered in the manager of the process."""
        called("UnifiedIDManager.generate_request_id")
        return get_id_manager().generate_id(IDType.REQUEST)

    @staticmethod
    def validate_thread_id(thread_id: str) -> bool:
        """Whether the text is written like the ID of a thread."""
        called("UnifiedIDManager.validate_thread_id")
        return _fits(thread_id, IDType.THREAD)

    @staticmethod
    def validate_id_pair(first_id: str, second_id: str) -> bool:
        """Whether the two name the same thing, or one lies below the other in recorded lineage."""
        called("UnifiedIDManager.validate_id_pair")
        below = state.lineage.at_or_below
        return below(first_id)(second_id) or below(second_id)(first_id)

    @staticmethod
    def get_format_info(id_value: str) -> dict[str, Any]:
        """`id_value`, whether it is `valid`, the `formats` and `kinds` it can be read as, and if not why."""
        called("UnifiedIDManager.get_format_info")
        found = legacy_registry(test_names=state.test_names).recognise(id_value)
        uuid = texts.read_uuid(id_value) is not None
        valid = _is_format(id_value)
        return {
            "id_value": id_value,
            "valid": valid,
            "formats": sorted({reading.format for reading in found.readings} | ({"uuid"} if uuid else set())),
            "kinds": sorted({reading.kind for reading in found.readings}),
            "reason": "" if valid else found.reason,
        }

    @staticmethod
    def migrate_to_canonical(id_value: str, id_type: IDType | None = None) -> str:
        """The canonical ID: by the store or the registry that was configured, else by the legacy formats.

        InvalidId if the text can't be read, AmbiguousId if it fits several types and none is given.
        """
        called("UnifiedIDManager.migrate_to_canonical")
        kind = None if id_type is None else _type(id_type).value
        if state.lineage.store is not None:
            return state.lineage.store.resolve(id_value, kind).canonical
        registry = state.lineage.registry or legacy_registry(test_names=state.test_names)
        return registry.canonical(id_value, kind)


def _type(value: object) -> IDType:
    if not isinstance(value, IDType):
        raise InvalidId(f"id_type is {_shown(value)}; expected a member of IDType", text=value)
    return value


def _shown(value: object) -> str:
    return repr(value)[:64] if isinstance(value, (str, bytes, int, float)) else type(value).__name__


def _number(value: object, what: str) -> float:
    if not isinstance(value, (int, float)) or value != value:
        raise InvalidId(f"{what} is {_shown(value)}; expected a number", text=value)
    return float(value)


def _short_time() -> int:
    return int(time.time() * 1000) % 100_000


def _readings(text: object) -> tuple[Reading, ...]:
    return legacy_registry(test_names=state.test_names).recognise(text).readings


def _is_format(text: object) -> bool:
    return is_known(text, state.lineage.registry, test_names=state.test_names)


def _fits(text: object, id_type: IDType | None) -> bool:
    if not _is_format(text):
        return False
    if id_type is None or texts.read_uuid(text):
        return True
    if not isinstance(id_type, IDType):
        return False
    named = _types_named(text)
    return not named or id_type.value in named


def _types_named(text: object) -> list[str]:
    """The types that a structured ID may be of, the likeliest first."""
    structured = texts.read_structured(text)
    read = [reading.kind for reading in _readings(text) if reading.format in _NAME_THEIR_TYPE]
    return [structured.type, *read] if structured else read


def _is_run(text: object) -> bool:
    if not isinstance(text, str) or not text.startswith("run_") or text.count("_") < 3:
        return False
    last = text.rpartition("_")[2]
    return len(last) == 8 and last.isprintable() and " " not in last


def _thread_of(run: object) -> str:
    if not isinstance(run, str) or not run:
        return ""
    if run.startswith("run_"):
        recorded = state.lineage.parent(run)
        if recorded is not None:
            return recorded
        if run.count("_") >= 3:
            return run[len("run_") :].rsplit("_", 2)[0]
    return f"thread_{run}" if run.startswith(_AS_THREADS) else run


# Functions of the module

_id_manager: UnifiedIDManager | None = None
_lock = ForkSafeLock()


def get_id_manager() -> UnifiedIDManager:
    """The manager of this process: the same object every time, whichever thread asks first."""
    global _id_manager
    called("unified_id_manager.get_id_manager")
    with _lock:
        if _id_manager is None:
            _id_manager = UnifiedIDManager()
        return _id_manager


def generate_id(id_type: IDType, **kwargs: Any) -> str:
    """A new ID of the process's manager; see `UnifiedIDManager.generate_id`."""
    called("unified_id_manager.generate_id")
    return get_id_manager().generate_id(id_type, **kwargs)


def generate_user_id() -> str:
    called("unified_id_manager.generate_user_id")
    return get_id_manager().generate_id(IDType.USER)


def generate_session_id() -> str:
    called("unified_id_manager.generate_session_id")
    return get_id_manager().generate_id(IDType.SESSION)


def generate_request_id() -> str:
    called("unified_id_manager.generate_request_id")
    return get_id_manager().generate_id(IDType.REQUEST)


def generate_agent_id() -> str:
    called("unified_id_manager.generate_agent_id")
    return get_id_manager().generate_id(IDType.AGENT)


def generate_websocket_id() -> str:
    called("unified_id_manager.generate_websocket_id")
    return get_id_manager().generate_id(IDType.WEBSOCKET)


def generate_execution_id() -> str:
    called("unified_id_manager.generate_execution_id")
    return get_id_manager().generate_id(IDType.EXECUTION)


def generate_thread_id() -> str:
    """A new, registered `thread_…` ID; not the same as the class method of this name."""
    called("unified_id_manager.generate_thread_id")
    return get_id_manager().generate_id(IDType.THREAD)


def generate_connection_id() -> str:
    called("unified_id_manager.generate_connection_id")
    return get_id_manager().generate_id(IDType.CONNECTION)


def is_valid_id(id_value: str, id_type: IDType | None = None) -> bool:
    called("unified_id_manager.is_valid_id")
    return get_id_manager().is_valid_id(id_value, id_type)


def is_valid_id_format_compatible(id_value: str, id_type: IDType | None = None) -> bool:
    called("unified_id_manager.is_valid_id_format_compatible")
    return get_id_manager().is_valid_id_format_compatible(id_value, id_type)


def is_valid_id_format(id_value: str) -> bool:
    """Whether the text is written like an ID: of either system, a UUID, a sign-in name, a name of a test."""
    called("unified_id_manager.is_valid_id_format")
    return _is_format(id_value)


def convert_uuid_to_structured(uuid_id: str, id_type: IDType, prefix: str | None = None) -> str:
    called("unified_id_manager.convert_uuid_to_structured")
    return UnifiedIDManager.convert_uuid_to_structured(uuid_id, id_type, prefix)


def convert_structured_to_uuid(structured_id: str) -> str | None:
    called("unified_id_manager.convert_structured_to_uuid")
    return UnifiedIDManager.convert_structured_to_uuid(structured_id)


def validate_and_normalize_id(id_value: str, id_type: IDType | None = None) -> tuple[bool, str | None]:
    called("unified_id_manager.validate_and_normalize_id")
    return get_id_manager().validate_and_normalize_id(id_value, id_type)


# Names that callers used although the original never had them, here as on the class


def validate_thread_id(thread_id: str) -> bool:
    called("unified_id_manager.validate_thread_id")
    return UnifiedIDManager.validate_thread_id(thread_id)


def validate_id_pair(first_id: str, second_id: str) -> bool:
    called("unified_id_manager.validate_id_pair")
    return UnifiedIDManager.validate_id_pair(first_id, second_id)


def get_format_info(id_value: str) -> dict[str, Any]:
    called("unified_id_manager.get_format_info")
    return UnifiedIDManager.get_format_info(id_value)


def migrate_to_canonical(id_value: str, id_type: IDType | None = None) -> str:
    called("unified_id_manager.migrate_to_canonical")
    return UnifiedIDManager.migrate_to_canonical(id_value, id_type)
