"""Runs that have ended: kept a while for those who come back, then their IDs only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from canonid.websockets.limits import Limits
from canonid.websockets.runs import Run


class Retention:
    """Ended runs, by principal in the order of their ends; `drop` is told each that is no longer kept."""

    def __init__(self, limits: Limits, drop: Callable[[Run], object]) -> None:
        self._seconds = limits.run_retention
        self._most, self._most_bytes = limits.runs_per_principal, limits.run_bytes_per_principal
        self._remembered = limits.runs_remembered
        self._drop = drop
        self._kept: dict[str, dict[Run, asyncio.TimerHandle]] = {}
        self._forgotten: dict[str, None] = {}  # IDs, oldest first

    def knew(self, run_id: str) -> bool:
        """Whether it is one of the last runs that were forgotten."""
        return run_id in self._forgotten

    def add(self, run: Run) -> None:
        """Keep a run that has ended; those of its principal that ended first may have to go."""
        own = self._kept.setdefault(run.principal, {})
        own[run] = asyncio.get_running_loop().call_later(self._seconds, self._forget, run)
        while len(own) > self._most or sum([run.size for run in own]) > self._most_bytes:
            self._forget(next(iter(own)))

    def clear(self) -> None:
        """Keep nothing any more."""
        for own in tuple(self._kept.values()):
            for run in tuple(own):
                self._forget(run)

    def _forget(self, run: Run) -> None:
        own = self._kept[run.principal]
        own.pop(run).cancel()
        if not own:
            del self._kept[run.principal]
        self._forgotten[run.id] = None
        if len(self._forgotten) > self._remembered:
            del self._forgotten[next(iter(self._forgotten))]
        self._drop(run)
