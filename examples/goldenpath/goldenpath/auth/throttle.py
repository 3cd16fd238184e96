"""Failed log-ins per name, so that nobody can try passwords one after the other."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Throttled(Exception):
    """Too many failures; the next attempt may be made in `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Attempts:
    """Those of one name: failures, oldest first, and whose turn it is."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.turn = asyncio.Lock()
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

    Remembers the last `names` that were tried. Each process counts for itself.
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
        self._attempts: OrderedDict[str, Attempts] = OrderedDict()

    @asynccontextmanager
    async def attempt(self, name: str) -> AsyncIterator[Attempts]:
        """One attempt at a time for each name, as all that run at once could fail. Raises Throttled."""
        attempts = self._attempts.setdefault(name, Attempts(self._clock))
        self._attempts.move_to_end(name)
        if len(self._attempts) > self._names:
            self._attempts.popitem(last=False)
        async with attempts.turn:
            now = self._clock()
            attempts.forget(now - self._seconds)
            if len(attempts.failures) >= self.failures:
                raise Throttled(math.ceil(attempts.failures[0] + self._seconds - now))
            yield attempts
