"""The two older ID systems as they wrote, and the ways of matching that went with them."""

from __future__ import annotations

import itertools
import random
import re
import time

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Generator:
    """Static methods of a shared library: `{prefix}_{ms}_{counter}_{hex8}` and context IDs."""

    def __init__(self, seed: int = 0) -> None:
        self._counter = itertools.count(1)
        self._random = random.Random(seed)

    def base(self, prefix: str) -> str:
        return (
            f"{prefix}_{int(time.time() * 1000):013d}_{next(self._counter)}_{self._random.randbytes(4).hex()}"
        )

    def context(self, kind: str, operation: str) -> str:
        return f"{kind}_{operation}_{next(self._counter)}_{self._random.randbytes(4).hex()}"


class Manager:
    """A registry object: `{type}_{counter}_{hex8}`, threads as `session_{ms % 100000}_{hex8}`."""

    def __init__(self, seed: int = 1) -> None:
        self._counters: dict[str, itertools.count[int]] = {}
        self._random = random.Random(seed)

    def generate(self, kind: str) -> str:
        counter = self._counters.setdefault(kind, itertools.count(1))
        return f"{kind}_{next(counter)}_{self._random.randbytes(4).hex()}"

    def thread(self) -> str:
        return f"session_{int(time.time() * 1000) % 100000}_{self._random.randbytes(4).hex()}"

    def run(self, thread: str) -> str:
        return f"run_{thread}_{int(time.time() * 1000) % 100000}_{self._random.randbytes(4).hex()}"

    def is_structured(self, text: str) -> bool:
        """What it took for one of its own: `…_{digits}_{8 hex}` with a known type somewhere before."""
        parts = text.split("_")
        known = {"user", "session", "request", "agent", "tool", "websocket", "thread"}
        return len(parts) == 3 and parts[0] in known and parts[1].isdigit() and len(parts[2]) == 8


def look_alike(a: str, b: str) -> bool:
    """The first repair: equal first fields make two IDs one."""
    if a == b or (UUID.fullmatch(a) and UUID.fullmatch(b)):
        return True
    first, second = a.split("_"), b.split("_")
    return len(first) > 1 and first[:2] == second[:2]
