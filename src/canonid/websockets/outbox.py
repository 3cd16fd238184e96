"""The bounded queue between those who send to a connection and the one task that writes to its socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class Outbox:
    """What waits to be written. Nothing waits here.

    A replay stands for many texts but counts as one without bytes, since its texts are held elsewhere
    and produced only as the socket takes them.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._entries: deque[str | Iterator[str]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        return self._bytes

    def put(self, entry: str | Iterator[str]) -> bool:
        """Whether there was room for a text (ASCII, so characters are bytes) or a replay."""
        size = len(entry) if isinstance(entry, str) else 0
        if len(self._entries) >= self._max_messages or self._bytes + size > self._max_bytes:
            return False
        self._entries.append(entry)
        self._bytes += size
        return True

    def take(self) -> str | None:
        """The next text, None if there is none."""
        while self._entries:
            entry = self._entries[0]
            if isinstance(entry, str):
                self._entries.popleft()
                self._bytes -= len(entry)
                return entry
            text = next(entry, None)
            if text is not None:
                return text
            self._entries.popleft()
        return None
