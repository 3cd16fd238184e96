"""The newest of many names."""

from __future__ import annotations


class Recent:
    """A set that forgets the oldest of more than `most` members."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._members: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def add(self, name: str) -> None:
        self._members[name] = None
        if len(self._members) > self._most:
            del self._members[next(iter(self._members))]
