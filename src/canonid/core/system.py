"""The machine's clock and entropy: the only module of `core` that touches them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

Owner = TypeVar("Owner")

clock = time.time  # seconds since 1970
entropy = os.urandom

ONE_THREAD_RUNS: bool = getattr(sys, "_is_gil_enabled", lambda: True)()  # not so on a free-threaded build

_resets: WeakKeyDictionary[Any, Callable[[Any], None]] = WeakKeyDictionary()


def reset_in_child(owner: Owner, reset: Callable[[Owner], None]) -> None:
    """Call `reset(owner)` in every forked child, as long as the owner lives.

    Hooks of `os.register_at_fork` run in their order, so only what was registered before canonid was imported
    comes earlier. `reset` must not refer to the owner, or it would live for ever.
    """
    _resets[owner] = reset


def _reset_all() -> None:
    for owner, reset in list(_resets.items()):
        reset(owner)


os.register_at_fork(after_in_child=_reset_all)


def milliseconds() -> int:
    """The clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
