"""Our own record of how connections ended: a client that was cut off can't tell."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple


class Close(NamedTuple):
    """One end. `connection` and `principal` are None where nobody was let in; `at` is seconds since 1970.

    Not `ours` where the client, the network or the server below us ended it; `cut` where our close frame
    could not be sent.
    """

    connection: str | None
    principal: str | None
    code: int
    reason: str
    ours: bool
    cut: bool
    at: float


class Closes:
    """The last ends, oldest first, and how often each code occurred since the start."""

    def __init__(self, keep: int) -> None:
        self.by_code: Counter[int] = Counter()
        self._last: deque[Close] = deque(maxlen=keep)

    def __iter__(self) -> Iterator[Close]:
        return iter(tuple(self._last))

    def __len__(self) -> int:
        return len(self._last)

    def add(self, close: Close) -> None:
        self.by_code[close.code] += 1
        self._last.append(close)
