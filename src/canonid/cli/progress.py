"""How far a long run has come, on a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType

PATIENCE = 0.5  # seconds for which nobody needs to be told
EVERY = 0.1


class Bar:
    """A line on standard error that is gone at the end. Nothing, unless that is a terminal."""

    def __init__(self) -> None:
        self._wanted = sys.stderr is not None and sys.stderr.isatty()
        self._next = time.monotonic() + PATIENCE
        self._shown = False

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._wanted or now < self._next:
            return
        self._next, self._shown = now + EVERY, True
        count = f" {done:,} of {total:,} files"
        room = min(40, shutil.get_terminal_size().columns - len(count) - 1)
        filled = room * done // total if total else room
        full, empty = "█░" if sys.stderr.encoding.lower().startswith("utf") else "#."
        bar = full * filled + empty * (room - filled) if room >= 5 else ""
        sys.stderr.write(f"\r{bar}{count}\x1b[K")
        sys.stderr.flush()
