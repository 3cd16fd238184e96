"""Failed log-ins per name, so that nobody can try passwords one after the other."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from .passwords import Busy


class Throttled(Exception):
    """Too many failures; the next attempt may be made in `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Attempts:
    """Those of one name: failures, oldest first, whose turn it is, and how many wait or have it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.turn = asyncio.Lock()
        self.pending = 0
        self.failures: list[float] = []
        self._clock = clock

    def fail(self) -> int:
        """Count a failure; how many there are now."""
        self.failures.append(self._clock())
        return len(self.failures)

    def succeed(self) -> None:
        self.failures.clear()

    def forget(self, before: float) -> None:
        self.failures = [at for at in self.failures if at > before]


class Throttle:
    """Refuses a name after `failures` within `seconds`, whether or not anybody has that name.

    Remembers the `names` that failed last, so that it costs as many hashes to make it forget one. Each
    process counts for itself.
    """

    def __init__(
        self,
        failures: int = 5,
        seconds: float = 300,
        names: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failures = failures
        self._seconds = seconds
        self._names = names
        self._clock = clock
        self._under_way: dict[str, Attempts] = {}
        self._failed: dict[str, Attempts] = {}

    @asynccontextmanager
    async def attempt(self, name: str) -> AsyncIterator[Attempts]:
        """One attempt at a time for each name, as all that run at once could fail. Raises Throttled."""
        attempts = self._under_way.get(name) or self._failed.pop(name, None) or Attempts(self._clock)
        self._under_way[name] = attempts
        attempts.pending += 1
        try:
            async with attempts.turn:
                now = self._clock()
                attempts.forget(now - self._seconds)
                if len(attempts.failures) >= self.failures:
                    raise Throttled(math.ceil(attempts.failures[0] + self._seconds - now))
                yield attempts
        finally:
            attempts.pending -= 1
            if not attempts.pending:
                del self._under_way[name]
                self._remember(name, attempts)

    def _remember(self, name: str, attempts: Attempts) -> None:
        if not attempts.failures:
            return
        self._failed[name] = attempts
        if len(self._failed) > self._names:
            del self._failed[min(self._failed, key=lambda name: self._failed[name].failures[-1])]


class Places:
    """So many for each client, so that one alone can't keep everybody else waiting."""

    def __init__(self, each: int = 10) -> None:
        self._each = each
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, client: str) -> Iterator[None]:
        """A place for the length of the block. Raises Busy."""
        if self._taken[client] >= self._each:
            raise Busy
        self._taken[client] += 1
        try:
            yield
        finally:
            self._taken[client] -= 1
            if not self._taken[client]:
                del self._taken[client]
