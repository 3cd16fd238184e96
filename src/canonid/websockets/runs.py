"""Runs: what their executor does, and what happens when nobody watches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from canonid.errors import ScopeClosed, StoreError
from canonid.websockets.backplane import Journal, RunOver, RunRecord
from canonid.websockets.limits import Limits
from canonid.websockets.streams import LOST, Stream
from canonid.websockets.wire import encode

COMPLETED, FAILED, CANCELLED = "run_completed", "run_failed", "run_cancelled"

ANSWER = 3.0  # seconds for the store to take an event, when a client asks for it
LOOK_AGAIN = 1.0  # seconds between two looks whether another process still watches


class Grace(NamedTuple):
    """Cancel the run this many seconds after its last subscriber left, unless one comes back."""

    seconds: float


OnLastDetach = Literal["continue", "cancel"] | Grace


class Shared(NamedTuple):
    """How a run is shared with other processes."""

    journal: Journal
    process: str
    watched: Callable[[str], Awaitable[int]]
    """How many other processes watch the run of that ID. StoreError."""


class Run(Stream):
    """One run: the executor publishes, subscribers receive everything after the number they have seen.

    `text` is as it was minted. The last event carries `"final": true` and is one of `run_completed`,
    `run_failed`, `run_cancelled`, `run_lost`. With `shared` an event is stored for the other processes
    before anybody sees it.
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
        shared: Shared | None = None,
    ) -> None:
        super().__init__(id=id, thread=thread, principal=principal, limits=limits)
        self.text = text
        self.outcome = ""  # its final event
        self.stopping = False  # whether its executor was told to stop
        self._on_last_detach = on_last_detach
        self._clock = clock
        self._shared = shared
        self._order = asyncio.Lock()
        self._writing: set[asyncio.Task[int]] = set()
        self._countdown: asyncio.TimerHandle | None = None
        self._minding: asyncio.Task[None] | None = None
        self._cancel: Callable[[], object] = lambda: None
        if shared is not None and on_last_detach != "continue":
            self._minding = asyncio.create_task(self._mind(shared), name=f"watchers of {id}")

    async def publish(self, event: str, data: Mapping[str, Any] | None = None) -> int:
        """Send an event to every subscriber and keep it for replay; gives its number.

        In one process it never waits. Shared with others it waits until the event is stored, so that it
        reaches whoever resumes within the retention, in any process. If cancelled, it may count or not.
        Raises ScopeClosed once the run has ended, ValueError for data that is no JSON or too big.
        """
        return await self._add(event, data, final=False)

    async def end(self, event: str, data: Mapping[str, Any] | None = None) -> None:
        """Publish the final event. Once only; what comes later finds the run ended."""
        if not self.ended:
            try:
                await self._add(event, data, final=True)
            except ScopeClosed:
                assert self.ended

    def record(self) -> RunRecord:
        """The run as other processes know it. Only of a shared run."""
        assert self._shared is not None
        return RunRecord(self.id, self.thread, self.principal, self._shared.process, self.seq, self.ended)

    def cancel(self) -> None:
        """Ask the executor to stop; the run ends with `run_cancelled`. Returns at once."""
        self._stop_countdown()
        self._cancel()

    def on_cancel(self, cancel: Callable[[], object]) -> None:
        """What `cancel` calls."""
        self._cancel = cancel

    async def stored(self) -> None:
        """Wait for the events that are being stored: others may have seen them first. StoreError."""
        if self._writing:
            _, pending = await asyncio.wait(tuple(self._writing), timeout=ANSWER)
            if pending:
                raise StoreError(f"events of run {self.id} wait for the store", path="valkey")

    async def put_back(self) -> None:
        """Write again what the store has lost, for those who look before the next event or after the last."""
        shared = self._shared
        async with self._order:
            if shared is None:
                return
            try:
                if not self.ended:
                    await shared.journal.put_back(self.record(), self._kept)
                elif self._kept:
                    *before, last = self._kept
                    record = self.record()._replace(seq=self.seq - 1, ended=False)
                    await shared.journal.append(record, [last], before, True)
            except RunOver:
                if not self.ended:
                    await self._ended_elsewhere(shared.journal)

    def abandon(self) -> None:
        """Write nothing any more: the process ends, or is not allowed to."""
        for task in (*self._writing, self._minding):
            if task is not None:
                task.cancel()

    async def _add(self, event: str, data: Mapping[str, Any] | None, *, final: bool) -> int:
        if self._shared is None:
            self._check_open()
            self._add_here(self._text(event, data, final=final), event, final)
            return self.seq
        # A task of its own: an executor that is cancelled now must not leave it unknown whether it counts.
        task = asyncio.create_task(self._store(self._shared.journal, event, data, final=final))
        self._writing.add(task)
        task.add_done_callback(self._written)
        return await asyncio.shield(task)

    def _written(self, task: asyncio.Task[int]) -> None:
        self._writing.discard(task)
        if not task.cancelled():
            task.exception()  # whoever published may have been cancelled meanwhile

    async def _store(
        self, journal: Journal, event: str, data: Mapping[str, Any] | None, *, final: bool
    ) -> int:
        async with self._order:
            self._check_open()
            text = self._text(event, data, final=final)
            try:
                await journal.append(self.record(), [text], self._kept, final)
            except RunOver:
                await self._ended_elsewhere(journal)
            self._check_open()
            self._add_here(text, event, final)
            return self.seq

    def _add_here(self, text: str, event: str, final: bool) -> None:
        if final:
            self.outcome = event
        self._take(text, final=final)

    async def _ended_elsewhere(self, journal: Journal) -> None:
        kept = await journal.read(self.id, self.seq)
        for text in kept.texts[:-1] if kept is not None else ():
            self._take(text)
        if kept is not None and kept.texts:
            self._take(kept.texts[-1], final=True)
        self.ended, self.outcome = True, LOST

    def _take(self, text: str, *, final: bool = False) -> None:
        super()._take(text, final=final)
        if final:
            self._stop_countdown()
            if self._minding is not None:
                self._minding.cancel()

    def _check_open(self) -> None:
        if self.ended:
            raise ScopeClosed(f"run {self.id} has ended; nothing can be published any more")

    def _text(self, event: str, data: Mapping[str, Any] | None, *, final: bool) -> str:
        at, limit = self._clock(), self._limits.run_bytes
        return event_text(self.id, self.thread, self.seq + 1, event, data, at, limit, final=final)

    # When nobody watches

    def _came(self) -> None:
        self._stop_countdown()

    def _last_left(self) -> None:
        if self._shared is not None:
            return  # whoever minds it looks at all processes
        match self._on_last_detach:
            case Grace(seconds):
                self._countdown = asyncio.get_running_loop().call_later(seconds, self.cancel)
            case "cancel":
                self.cancel()

    def _stop_countdown(self) -> None:
        if self._countdown is not None:
            self._countdown.cancel()
            self._countdown = None

    async def _mind(self, shared: Shared) -> None:
        seconds = self._on_last_detach.seconds if isinstance(self._on_last_detach, Grace) else 0.0
        loop, since, watched = asyncio.get_running_loop(), 0.0, False
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            try:
                here = bool(self._subscribers) or await shared.watched(self.id) > 0
            except StoreError:
                continue  # nobody knows; the next look will tell
            if here:
                watched, since = True, 0.0
            elif watched:
                since = since or loop.time()
                if loop.time() - since >= seconds:
                    self.cancel()
                    return


def event_text(
    run: str,
    thread: str,
    seq: int,
    event: str,
    data: Mapping[str, Any] | None,
    at: float,
    limit: int,
    *,
    final: bool,
) -> str:
    """An event as it goes to clients. ValueError for data that is no JSON, or has more bytes than `limit`."""
    message: dict[str, Any] = {"type": "event", "run": run, "thread": thread, "seq": seq, "event": event}
    message["at"] = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    message["data"] = dict(data or {})
    return encode(message | ({"final": True} if final else {}), limit)
