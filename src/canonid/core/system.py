"""The machine's clock and entropy: the only module of `core` that touches them."""

from __future__ import annotations

import os
import time

entropy = os.urandom


def clock() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


process = os.getpid
