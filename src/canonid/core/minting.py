"""New 128-bit payloads: UUIDv7, strictly increasing within a process.

RFC 9562 §6.2, monotonic random: the first of a millisecond takes 74 fresh random bits, each further
one adds a random step to them, so a successor can't be guessed. If the clock stands still or steps
back, the last time is kept; if the random bits run over, the time is taken one millisecond ahead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from canonid.core import system

RANDOM_BITS = 74
STEP_BYTES = 7  # 2**56 per step: room for 2**17 IDs in a millisecond before the time moves ahead


class UUIDv7:
    """A source of UUIDv7 values as ints. Thread-safe; a forked child starts afresh."""

    def __init__(
        self, clock: Callable[[], int] = system.clock, entropy: Callable[[int], bytes] = system.entropy
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self.reset()
        system.reset_in_child(self)

    def reset(self) -> None:
        """Forget the last value. In a forked child also the lock, whose holder may not exist there."""
        self._lock = threading.Lock()
        self._time = -1
        self._random = 0

    def __call__(self) -> int:
        with self._lock:
            now = self._clock()
            if now > self._time:
                self._time = now
                self._random = int.from_bytes(self._entropy(10), "big") >> 6
            else:
                self._random += int.from_bytes(self._entropy(STEP_BYTES), "big") + 1
                if self._random >> RANDOM_BITS:
                    self._time += 1
                    self._random = int.from_bytes(self._entropy(10), "big") >> 6
            time, random = self._time, self._random
        if time >> 48:
            raise OverflowError(f"the clock says {time} ms; a UUIDv7 holds 48 bits of milliseconds")
        return time << 80 | 7 << 76 | random >> 62 << 64 | 2 << 62 | random & (1 << 62) - 1
