"""Who still calls an old name: counted for every call site, and said once to each if that is wanted."""

from __future__ import annotations

import sys
import warnings
from time import time  # by name: a test that gives `time.time` few answers needs them for itself
from types import CodeType
from typing import NamedTuple

from canonid.compat.locking import ForkSafeLock
from canonid.compat.replacements import REPLACEMENTS

LIMIT = 10_000  # call sites; the calls of further ones are counted together for each name
PACKAGE = "canonid.compat"
OTHERS = "other places"


class Use(NamedTuple):
    """The calls of one old name from one place, a file and a line. `last` is seconds since 1970."""

    service: str
    name: str
    place: str
    calls: int
    last: float


class _Site:
    __slots__ = ("code", "count", "last", "line", "name", "service", "warned")

    def __init__(self, service: str, name: str, code: CodeType | None, line: int) -> None:
        self.service = service
        self.name = name
        self.code = code  # kept, so that no other code gets its id
        self.line = line
        self.count = 0
        self.last = 0.0
        self.warned = False

    @property
    def place(self) -> str:
        return OTHERS if self.code is None else f"{self.code.co_filename}:{self.line}"


class Usage:
    """Counts of calls by service, name and place. Thread-safe; a forked child goes on counting for itself."""

    def __init__(self, service: str, *, warn: bool, limit: int = LIMIT) -> None:
        self.service = service
        self.warn = warn
        self._limit = limit
        self._lock = ForkSafeLock()
        self._sites: dict[tuple[str, str, int, int], _Site] = {}

    def count(self, name: str) -> None:
        """Count a call of the function that calls this one, unless a function of this package made it.

        Warns, if that is wanted, at the first call from each place. About 1 µs.
        """
        frame = sys._getframe(2).f_back
        if frame is not None and frame.f_globals.get("__package__") == PACKAGE:
            return
        code, line = (None, 0) if frame is None else (frame.f_code, frame.f_lineno)
        with self._lock:
            site = self._sites.get((self.service, name, id(code), line)) or self._add(name, code, line)
            site.count += 1
            site.last = time()
            said, site.warned = site.warned, site.warned or self.warn
        if self.warn and not said:
            replacement = REPLACEMENTS.get(name, "the registry")
            message = f"{name} stands in for a module that is to go; use {replacement} instead"
            warnings.warn(message, DeprecationWarning, stacklevel=4)

    def table(self) -> list[Use]:
        """All places, those that call most first."""
        with self._lock:
            sites = [Use(s.service, s.name, s.place, s.count, s.last) for s in self._sites.values()]
        return sorted(sites, key=lambda use: (-use.calls, use[:3]))

    def forget(self) -> None:
        with self._lock:
            self._sites.clear()

    def _add(self, name: str, code: CodeType | None, line: int) -> _Site:
        if len(self._sites) >= self._limit:
            code, line = None, 0
        return self._sites.setdefault(
            (self.service, name, id(code), line), _Site(self.service, name, code, line)
        )
