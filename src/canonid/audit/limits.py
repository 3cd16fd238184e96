"""A bound on the time that one file may take, so that no file stops a run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TookTooLong(BaseException):
    """Not an `Exception`: whoever expects faults in what a file holds must not take this for one."""


@contextmanager
def cpu_seconds(limit: float) -> Iterator[None]:
    """Raises `TookTooLong` in the body once this process has worked that long: waiting doesn't count.

    So a busy machine changes nothing. There is no bound in threads other than the main one, on systems
    without such a timer (Windows), or where the program uses that timer itself.
    """
    if not _can_be_bounded():
        yield
        return
    signal.signal(signal.SIGPROF, _raise)
    try:
        signal.setitimer(signal.ITIMER_PROF, limit)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)


def _can_be_bounded() -> bool:
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGPROF) == signal.SIG_DFL
        and signal.getitimer(signal.ITIMER_PROF)[0] == 0
    )


def _raise(number: int, frame: FrameType | None) -> None:
    raise TookTooLong
