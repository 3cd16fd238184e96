"""Runs: numbered events, kept for those who come back, and what happens when nobody watches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Protocol

from canonid.errors import ScopeClosed
from canonid.websockets.codes import Refusal
from canonid.websockets.limits import Limits
from canonid.websockets.wire import encode

COMPLETED, FAILED, CANCELLED = "run_completed", "run_failed", "run_cancelled"
GONE, LOST = "run_gone", "run_lost"  # told in place of events: they are no longer kept; never known here


class Grace(NamedTuple):
    """Cancel the run this many seconds after its last subscriber left, unless one comes back."""

    seconds: float


OnLastDetach = Literal["continue", "cancel"] | Grace


class Subscriber(Protocol):
    subscriptions: set[Run]

    def put(self, entry: str | Iterator[str]) -> bool: ...


class Run:
    """One run: the executor publishes, subscribers receive everything after the number they have seen.

    `id` and `thread` are canonical, `text` is as it was minted. Events are numbered from 1; the last one
    carries `"final": true` and is one of `run_completed`, `run_failed`, `run_cancelled`.
    """

    def __init__(
        self,
        *,
        id: str,
        text: str,
        thread: str,
        principal: str,
        on_last_detach: OnLastDetach,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self.id = id
        self.text = text
        self.thread = thread
        self.principal = principal
        self.seq = 0
        self.ended = False
        self.outcome = ""  # its final event
        self.stopping = False  # whether its executor was told to stop
        self._on_last_detach = on_last_detach
        self._limits = limits
        self._clock = clock
        self._kept: deque[str] = deque()
        self._bytes = 0
        self._subscribers: dict[Subscriber, None] = {}
        self._countdown: asyncio.TimerHandle | None = None
        self._cancel: Callable[[], object] = lambda: None

    @property
    def size(self) -> int:
        """Bytes of the events kept."""
        return self._bytes

    # The executor's side

    def publish(self, event: str, data: Mapping[str, Any] | None = None) -> int:
        """Send an event to every subscriber and keep it for replay; gives its number, never waits.

        Raises ScopeClosed once the run has ended, ValueError for data that is no JSON or too big.
        """
        return self._append(event, data, final=False)

    def end(self, event: str, data: Mapping[str, Any] | None = None) -> None:
        """Publish the final event. Once only; what comes later finds the run ended."""
        if self.ended:
            return
        self._append(event, data, final=True)
        self.ended = True
        self.outcome = event
        self._stop_countdown()
        for subscriber in self._subscribers:
            subscriber.subscriptions.discard(self)
        self._subscribers.clear()

    def _append(self, event: str, data: Mapping[str, Any] | None, *, final: bool) -> int:
        if self.ended:
            raise ScopeClosed(f"run {self.id} has ended; nothing can be published any more")
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        message = {
            "type": "event",
            "run": self.id,
            "thread": self.thread,
            "seq": self.seq + 1,
            "event": event,
        }
        message |= {"at": at, "data": dict(data or {})} | ({"final": True} if final else {})
        text = encode(message, self._limits.run_bytes)
        self.seq += 1
        self._kept.append(text)
        self._bytes += len(text)
        while len(self._kept) > self._limits.run_events or self._bytes > self._limits.run_bytes:
            self._bytes -= len(self._kept.popleft())
        for subscriber in list(self._subscribers):
            subscriber.put(text)
        return self.seq

    # The subscribers' side

    def attach(self, subscriber: Subscriber, last_seq: int = 0) -> None:
        """Everything after `last_seq` in order, then live. Nothing changes for one who is attached already.

        Events that are no longer kept are told by one `gap` message in their place. Raises Refusal
        (1008) where `last_seq` lies ahead of the run.
        """
        if last_seq > self.seq:
            raise Refusal("last_seq is ahead of the run")
        if subscriber in self._subscribers:
            return
        self._stop_countdown()
        if last_seq < self.seq:
            subscriber.put(self._replay(last_seq + 1, self.seq))
        if not self.ended:
            self._subscribers[subscriber] = None
            subscriber.subscriptions.add(self)

    def detach(self, subscriber: Subscriber) -> None:
        """Stop receiving. When the last one leaves, the run goes on, ends, or starts its countdown."""
        if subscriber not in self._subscribers:
            return
        del self._subscribers[subscriber]
        subscriber.subscriptions.discard(self)
        if self._subscribers or self.ended:
            return
        match self._on_last_detach:
            case Grace(seconds):
                self._countdown = asyncio.get_running_loop().call_later(seconds, self.cancel)
            case "cancel":
                self.cancel()

    def _replay(self, seq: int, until: int) -> Iterator[str]:
        # Lazy, so that a slow reader holds no second copy; what is trimmed meanwhile becomes a gap.
        while seq <= until:
            first = self.seq - len(self._kept) + 1
            if seq < first:
                gap = {"type": "gap", "run": self.id, "from": seq, "to": min(first - 1, until)}
                seq = first
                yield encode(gap, self._limits.run_bytes)
            else:
                text = self._kept[seq - first]
                seq += 1
                yield text

    # Ending it

    def cancel(self) -> None:
        """Ask the executor to stop; the run ends with `run_cancelled`. Returns at once."""
        self._stop_countdown()
        self._cancel()

    def on_cancel(self, cancel: Callable[[], object]) -> None:
        """What `cancel` calls."""
        self._cancel = cancel

    def _stop_countdown(self) -> None:
        if self._countdown is not None:
            self._countdown.cancel()
            self._countdown = None
