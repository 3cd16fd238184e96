"""One clock for the heartbeats of all connections: a task each would cost more than the connection."""

from __future__ import annotations

import asyncio
import itertools
from typing import Protocol

SLOTS = 16  # of one heartbeat; the connections of a slot are pinged together


class Beating(Protocol):
    def beat(self, number: int) -> None:
        """Called once a heartbeat, with 1, 2, 3 … over all connections."""


class Heartbeats:
    """Calls `beat` of each that was added, once in `seconds`. Runs while there is one."""

    def __init__(self, seconds: float) -> None:
        self._step = seconds / SLOTS
        self._slots: list[dict[Beating, None]] = [{} for _ in range(SLOTS)]
        self._slot_of: dict[Beating, dict[Beating, None]] = {}
        self._turn = 0
        self._numbers = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None

    def add(self, beating: Beating) -> None:
        """Begin, with a beat after one heartbeat or up to a sixteenth less."""
        slot = self._slots[self._turn - 1]
        slot[beating] = None
        self._slot_of[beating] = slot
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._step, self._tick)

    def remove(self, beating: Beating) -> None:
        """End it, if it goes on."""
        slot = self._slot_of.pop(beating, None)
        if slot is None:
            return
        del slot[beating]
        if not self._slot_of and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._step, self._tick)
        due = self._slots[self._turn]
        self._turn = (self._turn + 1) % SLOTS
        number = next(self._numbers)
        for beating in list(due):
            beating.beat(number)
