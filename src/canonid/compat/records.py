"""The IDs that one UnifiedIDManager has registered. Memory is bounded; the oldest are forgotten first."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

from canonid.compat.locking import ForkSafeLock
from canonid.compat.recent import Recent

T = TypeVar("T")

LIMIT = 150_000  # IDs that are active
RELEASED_LIMIT = 10_000
RELEASED_AGE = 3600.0  # seconds that a released ID is remembered
RELEASED_AT = "released_at"  # where its context says when it was released


class Record(NamedTuple, Generic[T]):
    """One registered ID. Times are seconds since 1970; `context` is a dict as soon as anybody asks for it."""

    type: T
    created_at: float
    prefix: str | None
    context: dict[str, Any] | None
    released_at: float | None = None


class Records(Generic[T]):
    """Registered IDs, the active and the lately released ones apart. Thread-safe."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._lock = ForkSafeLock()
        self._active: Recent[Record[T]] = Recent(limit)
        self._released: Recent[Record[T]] = Recent(RELEASED_LIMIT)
        self._released_since = 0.0  # when the oldest of them was released, or earlier
        self._counters: dict[T, int] = {}
        self._active_by_type: dict[T, int] = {}

    def __len__(self) -> int:
        return len(self._active) + len(self._released)

    def next(self, type: T) -> int:
        """The next number of this type, from 1."""
        with self._lock:
            number = self._counters.get(type, 0) + 1
            self._counters[type] = number
            return number

    def add(self, text: str, record: Record[T]) -> bool:
        """Register an ID as active; False if it is known already."""
        with self._lock:
            if text in self._active or text in self._released:
                return False
            self._count(record.type, 1)
            for forgotten in self._active.put(text, record):
                self._count(forgotten.type, -1)
            return True

    def get(self, text: str) -> Record[T] | None:
        with self._lock:
            return self._active.get(text) or self._released.get(text)

    def open(self, text: str) -> Record[T] | None:
        """As `get`, with a context that the caller may write into: the record keeps it."""
        with self._lock:
            for kept in (self._active, self._released):
                record = kept.get(text)
                if record is not None and record.context is None:
                    record = record._replace(context={})
                    kept.replace(text, record)
                if record is not None:
                    return record
            return None

    def is_active(self, text: str) -> bool:
        return text in self._active

    def release(self, text: str, now: float) -> bool:
        """Make an active ID a released one; False if it isn't active."""
        with self._lock:
            record = self._active.pop(text)
            if record is None:
                return False
            self._count(record.type, -1)
            if self._released_since <= now - RELEASED_AGE:
                self._forget_released(now - RELEASED_AGE)
                self._released_since = next((r.released_at or now for _, r in self._released.items()), now)
            context = {} if record.context is None else record.context
            context[RELEASED_AT] = now
            self._released.put(text, record._replace(released_at=now, context=context))
            return True

    def forget_released(self, until: float) -> int:
        """Forget what was released up to that time; how many that were.

        Goes by what stands in the contexts, where callers may have written another time.
        """
        with self._lock:
            old = [text for text, record in self._released.items() if _released_at(record) <= until]
            for text in old:
                self._released.pop(text)
            return len(old)

    def _forget_released(self, until: float) -> None:
        old: list[str] = []
        for text, record in self._released.items():
            if record.released_at is None or record.released_at > until:
                break
            old.append(text)
        for text in old:
            self._released.pop(text)

    def active(self, type: T) -> set[str]:
        """A copy. Looks at every active ID."""
        with self._lock:
            return {text for text, record in self._active.items() if record.type is type}

    def count(self, type: T) -> int:
        return self._active_by_type.get(type, 0)

    def stats(self) -> tuple[int, int, dict[T, int], dict[T, int]]:
        """How many are registered and active, active by type, and how far was counted by type."""
        with self._lock:
            return len(self), len(self._active), dict(self._active_by_type), dict(self._counters)

    def reset_counters(self) -> None:
        with self._lock:
            self._counters.clear()

    def clear(self) -> None:
        with self._lock:
            self._active.clear()
            self._released.clear()
            self._counters.clear()
            self._active_by_type.clear()

    def _count(self, type: T, by: int) -> None:
        self._active_by_type[type] = self._active_by_type.get(type, 0) + by


def _released_at(record: Record[T]) -> float:
    written = (record.context or {}).get(RELEASED_AT)
    return written if isinstance(written, (int, float)) else record.released_at or 0.0
