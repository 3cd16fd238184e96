"""A mapping that forgets its oldest entries, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

V = TypeVar("V")

USUAL = 128  # characters of a text; longer ones use up the room of several


class Recent(Generic[V]):
    """The newest entries by text: at most `limit`, and at most `limit` × 128 characters. Not thread-safe.

    The oldest are forgotten several at a time: a dict from whose front single entries are taken would look
    at all the gaps again and again.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.forgotten = 0
        self._entries: dict[str, V] = {}
        self._characters = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, text: object) -> bool:
        return text in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def items(self) -> Iterator[tuple[str, V]]:
        """Oldest first."""
        return iter(self._entries.items())

    def get(self, text: str) -> V | None:
        return self._entries.get(text)

    def put(self, text: str, value: V) -> list[V]:
        """Make this the newest entry; the values that were forgotten for it."""
        self.pop(text)
        self._entries[text] = value
        self._characters += _length(text, value)
        gone: list[V] = []
        while len(self._entries) > self.limit or self._characters > self.limit * USUAL:
            oldest = list(islice(self._entries, max(1, len(self._entries) // 16)))
            gone += [entry for name in oldest if (entry := self.pop(name)) is not None]
        self.forgotten += len(gone)
        return gone

    def replace(self, text: str, value: V) -> None:
        """Another value of the same length for an entry that keeps its place."""
        self._entries[text] = value

    def pop(self, text: str) -> V | None:
        value = self._entries.pop(text, None)
        if value is not None:
            self._characters -= _length(text, value)
        return value

    def clear(self) -> None:
        self._entries.clear()
        self._characters = 0


def _length(text: str, value: object) -> int:
    """The characters of an entry: of the longer one, where the value is a text, too."""
    return max(len(text), len(value)) if isinstance(value, str) else len(text)
