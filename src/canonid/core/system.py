"""The machine's clock and entropy: the only module of `core` that touches them."""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable
from types import MethodType
from weakref import ReferenceType, WeakMethod, ref

clock = time.time  # seconds since 1970
entropy = os.urandom

ONE_THREAD_RUNS: bool = getattr(sys, "_is_gil_enabled", lambda: True)()  # not so on a free-threaded build

_resets: set[ReferenceType[Callable[[], None]]] = set()


def reset_in_child(reset: Callable[[], None]) -> None:
    """Call `reset` in every forked child, before anything else runs there, as long as its owner lives."""
    weak = WeakMethod if isinstance(reset, MethodType) else ref
    _resets.add(weak(reset, _resets.discard))


def _reset_all() -> None:
    for weak in list(_resets):
        reset = weak()
        if reset is not None:
            reset()


os.register_at_fork(after_in_child=_reset_all)
atexit.register(_resets.clear)  # else owners that die with the interpreter may call back into what is gone


def milliseconds() -> int:
    """The clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
