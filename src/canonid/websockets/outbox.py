"""The bounded queue between those who send to a connection and the one task that writes to its socket."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator

from canonid.websockets.backpressure import Sheddable

FEW = 16  # places of shed messages that are not worth tidying up

Entry = str | Sheddable | Iterator[str]


class Place:
    """Where a sheddable message is queued; empty once it was shed."""

    __slots__ = ("message",)

    def __init__(self, message: Sheddable) -> None:
        self.message: Sheddable | None = message


class Outbox:
    """What waits to be written. Nothing waits here; putting takes constant time.

    A replay stands for many texts but counts as one without bytes, since its texts are held elsewhere
    and produced only as the socket takes them. `on_shed` is called with the type and policy of what was
    dropped or coalesced.
    """

    def __init__(
        self, max_messages: int, max_bytes: int, on_shed: Callable[[str, str], None] = lambda *_: None
    ) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._on_shed = on_shed
        self._entries: deque[str | Place | Iterator[str]] = deque()
        self._bytes = 0
        self._droppable: deque[Place] = deque()
        self._coalescing: dict[tuple[str, str], Place] = {}
        self._empty_places = 0
        self._dropped: Counter[str] = Counter()  # since the client was told

    def __len__(self) -> int:
        return len(self._entries) - self._empty_places

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._bytes

    def put(self, entry: Entry) -> bool:
        """Whether there was room for a text (ASCII, so characters are bytes) or a replay.

        A message that may be dropped always has: it makes room, or is dropped itself.
        """
        if isinstance(entry, str):
            size = len(entry)
        elif isinstance(entry, Sheddable):
            return self._put_sheddable(entry)
        else:
            size = 0
        return self._append(entry, size)

    def take(self) -> str | None:
        """The next text, None if there is none."""
        while self._entries:
            if self._dropped:
                return self._tell_dropped()
            entry = self._entries[0]
            if isinstance(entry, str):
                self._entries.popleft()
                self._bytes -= len(entry)
                return entry
            if isinstance(entry, Place):
                text = self._take_place(entry)
            else:
                text = next(entry, None)
                if text is None:
                    self._entries.popleft()
            if text is not None:
                return text
        return None

    def _append(self, entry: str | Place | Iterator[str], size: int) -> bool:
        while (
            len(self._entries) - self._empty_places >= self._max_messages
            or self._bytes + size > self._max_bytes
        ):
            if not self._droppable:
                return False
            self._count_dropped(self._vacate(self._droppable.popleft()))
        self._entries.append(entry)
        self._bytes += size
        return True

    def _put_sheddable(self, message: Sheddable) -> bool:
        key = None if message.key is None else (message.type, message.key)
        if key is not None and (older := self._coalescing.pop(key, None)) is not None:
            self._vacate(older)
            self._on_shed(message.type, "coalesce")
        place = Place(message)
        has_room = self._append(place, len(message.text))
        if key is not None:
            if has_room:
                self._coalescing[key] = place
            return has_room
        if has_room:
            self._droppable.append(place)
        else:
            self._count_dropped(message)
        return True

    def _count_dropped(self, message: Sheddable) -> None:
        self._dropped[message.type] += 1
        self._on_shed(message.type, "drop_oldest")

    def _vacate(self, place: Place) -> Sheddable:
        message, place.message = place.message, None
        assert message is not None
        self._bytes -= len(message.text)
        self._empty_places += 1
        if self._empty_places > len(self) + FEW:
            self._entries = deque(e for e in self._entries if not isinstance(e, Place) or e.message)
            self._empty_places = 0
        return message

    def _take_place(self, place: Place) -> str | None:
        self._entries.popleft()
        message = place.message
        if message is None:
            self._empty_places -= 1
            return None
        self._bytes -= len(message.text)
        if message.key is None:
            self._droppable.popleft()  # in the same order as the entries
        else:
            del self._coalescing[message.type, message.key]
        return message.text

    def _tell_dropped(self) -> str:
        kind, n = self._dropped.popitem()
        return json.dumps({"type": "dropped", "of": kind, "n": n}, separators=(",", ":"))
