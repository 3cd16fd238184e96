"""Numbered events, kept for those who come back, and passed on to those who are here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from canonid.websockets.codes import Refusal
from canonid.websockets.limits import Limits
from canonid.websockets.outbox import Entry
from canonid.websockets.wire import encode

LOST = "run_lost"  # its executor died; or, in place of events, it is not known here
GONE = "run_gone"  # in place of events: they are no longer kept


class Subscriber(Protocol):
    def put(self, entry: Entry) -> bool: ...

    def begins(self, stream: Stream) -> bool:
        """It is told what comes from now on; False if it has ended."""

    def ends(self, stream: Stream) -> None:
        """It is told no more."""


class Stream(ABC):
    """The events of one run, as this process has them. `id`, `thread` and `principal` are canonical.

    Events are numbered from 1; `seq` is the number of the newest.
    """

    def __init__(self, *, id: str, thread: str, principal: str, limits: Limits, seq: int = 0) -> None:
        self.id = id
        self.thread = thread
        self.principal = principal
        self.seq = seq
        self.ended = False
        self._limits = limits
        self._kept: deque[str] = deque()
        self._bytes = 0
        self._subscribers: dict[Subscriber, None] = {}

    @property
    def size(self) -> int:
        """Bytes of the events kept."""
        return self._bytes

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """Who is attached."""
        return tuple(self._subscribers)

    @property
    def kept(self) -> Sequence[str]:
        """The newest events as texts, the last one numbered `seq`."""
        return self._kept

    def attach(self, subscriber: Subscriber, last_seq: int = 0) -> None:
        """Everything after `last_seq` in order, then live. Nothing changes for one who is attached already.

        Events that are no longer kept are told by one `gap` message in their place. Raises Refusal
        (1008) where `last_seq` lies ahead of the run.
        """
        if last_seq > self.seq:
            raise Refusal("last_seq is ahead of the run")
        if subscriber in self._subscribers:
            return
        self._came()
        if last_seq < self.seq:
            subscriber.put(self._replay(last_seq + 1, self.seq))
        if not self.ended and subscriber.begins(self):
            self._subscribers[subscriber] = None

    def detach(self, subscriber: Subscriber) -> None:
        """Stop receiving."""
        if subscriber not in self._subscribers:
            return
        del self._subscribers[subscriber]
        subscriber.ends(self)
        if not self._subscribers and not self.ended:
            self._last_left()

    @abstractmethod
    def cancel(self) -> None:
        """Ask the executor to stop. Returns at once."""

    def _take(self, text: str, *, final: bool = False) -> None:
        """The next event: keep it, pass it on."""
        self.seq += 1
        self._kept.append(text)
        self._bytes += len(text)
        while len(self._kept) > self._limits.run_events or self._bytes > self._limits.run_bytes:
            self._bytes -= len(self._kept.popleft())
        for subscriber in list(self._subscribers):
            subscriber.put(text)
        if final:
            self.ended = True
            for subscriber in self._subscribers:
                subscriber.ends(self)
            self._subscribers.clear()

    def _skip_to(self, seq: int) -> None:
        """Go on after the event of that number; those up to it can't be had any more."""
        gap = self._gap(self.seq + 1, seq)
        self.seq, self._bytes = seq, 0
        self._kept.clear()
        for subscriber in list(self._subscribers):
            subscriber.put(gap)

    def _replay(self, seq: int, until: int) -> Iterator[str]:
        # Lazy, so that a slow reader holds no second copy; what is trimmed meanwhile becomes a gap.
        while seq <= until:
            first = self.seq - len(self._kept) + 1
            if seq < first:
                yield self._gap(seq, min(first - 1, until))
                seq = first
            else:
                text = self._kept[seq - first]
                seq += 1
                yield text

    def _gap(self, first: int, last: int) -> str:
        return encode({"type": "gap", "run": self.id, "from": first, "to": last}, self._limits.run_bytes)

    def _came(self) -> None:  # noqa: B027 - not every stream cares
        """Somebody attaches."""

    @abstractmethod
    def _last_left(self) -> None:
        """Nobody is attached any more, and there is more to come."""


def gone_text(run: str, thread: str | None, event: str) -> dict[str, Any]:
    """What is told in place of the events of a run that has none any more."""
    return {"type": "event", "run": run, "thread": thread, "event": event, "final": True}
