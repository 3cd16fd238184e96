"""Bounds on the time and the depth that one file may take, so that no file stops a run."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

FRAMES = 1000
AGAIN = 1.0  # seconds after which it is raised once more, if something swallowed it


class TookTooLong(BaseException):
    """Not an `Exception`: whoever expects faults in what a file holds must not take this for one."""


@contextmanager
def cpu_seconds(limit: float) -> Iterator[None]:
    """Raises `TookTooLong` once this process has worked that long in the body: waiting doesn't count.

    So a busy machine changes nothing. There is no bound in threads other than the main one, on systems
    without such a timer (Windows), or where the program uses that timer itself.
    """
    if not _can_be_bounded():
        yield
        return
    passed = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal passed
        passed = True
        raise TookTooLong

    signal.signal(signal.SIGPROF, stop)
    try:
        signal.setitimer(signal.ITIMER_PROF, limit, AGAIN)
        yield
    except (Exception, TookTooLong):
        if not passed:
            raise
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
    if passed:  # C code may have turned it into another error, or a finaliser swallowed it
        raise TookTooLong


def _can_be_bounded() -> bool:
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGPROF) == signal.SIG_DFL
        and signal.getitimer(signal.ITIMER_PROF)[0] == 0
    )


@contextmanager
def calls_deep(frames: int = FRAMES) -> Iterator[None]:
    """Lets calls in the body nest that deep and no deeper, however deep those that led to it are.

    So the same files are nested too deeply in every process.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(before + frames - _room())
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _room() -> int:
    """How many calls are left. Tried, since what counts as one differs between versions of Python."""
    try:
        return 1 + _room()
    except RecursionError:
        return 0
