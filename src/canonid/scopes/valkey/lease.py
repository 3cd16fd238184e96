"""The time by which a process is alive: its own, monotonic, and counting while the machine sleeps."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

log = logging.getLogger("canonid.scopes")


def _monotonic() -> Callable[[], float]:
    # CLOCK_MONOTONIC stands still while a machine is suspended, and others would take over meanwhile.
    which = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic if which is None else lambda: time.clock_gettime(which)


now = _monotonic()


class Pulse:
    """Notices that the event loop did not run: by blocking code, or because the process was stopped."""

    def __init__(self, lease: float) -> None:
        self.late = 0
        """How often the loop stood still for more than a quarter of a lease."""
        self._lease = lease
        self._last = now()
        self._frozen_until = float("-inf")

    async def keep(self) -> None:
        """Beats until it is cancelled."""
        while True:
            await asyncio.sleep(self._lease / 8)
            self._beat()

    def frozen_since(self, moment: float) -> bool:
        """Whether the loop once stood still for longer than a lease, after that moment."""
        self._beat()
        return self._frozen_until > moment

    def _beat(self) -> None:
        last, self._last = self._last, now()
        gap = self._last - last
        if gap > self._lease * 3 / 8:
            self.late += 1
            log.warning("the event loop stood still for %.3f s; the lease is %g s", gap, self._lease)
        if gap > self._lease:
            self._frozen_until = self._last
