"""A lock that a forked child finds free."""

from __future__ import annotations

import threading
from types import TracebackType

from canonid.core.system import reset_in_child


class ForkSafeLock:
    """A reentrant lock. In a forked child it begins afresh: whoever held it may not exist there."""

    def __init__(self) -> None:
        self.reset()
        reset_in_child(self, ForkSafeLock.reset)

    def reset(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
