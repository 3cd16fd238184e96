"""The machine's clock and entropy: the only module of `core` that touches them."""

from __future__ import annotations

import os
import time
from typing import Protocol
from weakref import WeakSet

entropy = os.urandom


class Forgetful(Protocol):
    """What must not go on in a forked child where its parent was."""

    def reset(self) -> None: ...


_forgetful: WeakSet[Forgetful] = WeakSet()


def reset_in_child(thing: Forgetful) -> None:
    """Call `thing.reset()` in every forked child, before anything else runs there."""
    _forgetful.add(thing)


def _reset_all() -> None:
    for thing in list(_forgetful):
        thing.reset()


os.register_at_fork(after_in_child=_reset_all)


def clock() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
