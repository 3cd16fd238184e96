"""A client of a hub over a real socket, as a good page is one, and as a bad network makes it."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from canonid.errors import MissingExtra
from canonid.testing.streams import Streams

try:
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.exceptions import ConnectionClosed
except ImportError as error:
    raise MissingExtra("canonid.testing needs: pip install 'uvicorn>=0.40' 'websockets>=16'") from error

PROTOCOL = "canonid.v1"

Message = dict[str, Any]
Issue = Callable[[], str | Awaitable[str]]


class ClosedEarly(AssertionError):
    """The connection was closed while something else was waited for. Fields: `code`, `reason`."""

    def __init__(self, code: int, reason: str, waited_for: str) -> None:
        super().__init__(f"closed with {code} ({reason}) instead of {waited_for}")
        self.code = code
        self.reason = reason


class Client:
    """Connects with a fresh ticket, reads on in the background, answers pings and keeps every message.

    `url` is the hub's, `http` or `ws`; `ticket` gives one, plain or async, for each connection. What comes of
    a run is checked: events that are lost, repeated or come after the end raise StreamBroken at the next
    `receive` or at the end of the block. `patience` is in seconds, for everything that is waited for.
    `options` are those of `websockets.connect`.

        async with Client(f"{url}/ws", issue) as client:
            await client.watch(thread)
            await client.send(type="say", text="hello")
            events = await client.events()
    """

    def __init__(
        self, url: str, ticket: Issue, *, pongs: bool = True, patience: float = 20.0, **options: Any
    ) -> None:
        self.streams = Streams()
        self.connection = self.session = ""
        self.pongs = pongs
        self.retry_after = 0.0  # seconds, as the server asked for when it restarted
        self._url = url.replace("http", "ws", 1) if url.startswith("http") else url
        self._ticket = ticket
        self._patience = patience
        self._options = {"ping_interval": None, "proxy": None, "close_timeout": 2} | options
        self._watched: dict[str, None] = {}
        self._unread: deque[Message] = deque()
        self._changed = asyncio.Event()
        self._failure: Exception | None = None
        self._raw: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()
        if error is None:
            self._raise_failure()

    @property
    def raw(self) -> ClientConnection:
        """The connection of the `websockets` library."""
        assert self._raw is not None, "not connected; use `async with Client(…)` or `connect()`"
        return self._raw

    # Coming and going

    async def connect(self) -> None:
        """Connect with a new ticket and wait until the hub says `ready`. ClosedEarly if it refuses."""
        ticket = self._ticket()
        offers = [PROTOCOL, f"ticket.{await ticket if inspect.isawaitable(ticket) else ticket}"]
        self._raw = await connect(self._url, subprotocols=offers, **self._options)  # type: ignore[arg-type]
        self._reader = asyncio.create_task(self._read(self._raw), name="reader of a test's client")
        self._reader.add_done_callback(lambda _: self._changed.set())
        ready = await self.receive("ready")
        self.connection, self.session = ready["connection"], ready["session"]

    async def reconnect(self) -> None:
        """Come back as a page does: wait as long as the server asked, connect, watch, resume every run."""
        await self._leave()
        await asyncio.sleep(self.retry_after)
        self.retry_after = 0.0
        await self.connect()
        for thread in list(self._watched):
            await self.watch(thread)
        for run, last_seq in self.streams.unfinished.items():
            await self.subscribe(run, last_seq)

    def vanish(self) -> None:
        """Cut the TCP connection without a word, as a dead network or a killed browser does."""
        self.raw.transport.abort()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, as a page that is left does."""
        await self.raw.close(code, reason)

    async def ended(self) -> tuple[int, str]:
        """Wait for the end: the close code and reason that this side saw; 1006 without a close frame."""
        async with asyncio.timeout(self._patience):
            await self.raw.wait_closed()
        return self._close()

    # Saying

    async def send(self, **message: Any) -> None:
        """Send a message of these fields."""
        await self.raw.send(json.dumps(message))

    async def send_frame(self, frame: str | bytes) -> None:
        """Send any text or binary frame, such as one that is no JSON."""
        await self.raw.send(frame)

    def send_bytes(self, data: bytes) -> None:
        """Write bytes to the TCP connection, where frames would stand."""
        self.raw.transport.write(data)

    async def watch(self, thread: str) -> Message:
        """Watch a thread, again after each reconnect; gives the hub's answer."""
        await self.send(type="watch", thread=thread)
        watching = await self.receive("watching")
        self._watched[thread] = None
        return watching

    async def subscribe(self, run: str, last_seq: int = 0) -> None:
        """Ask for everything of a run, by its canonical ID, after `last_seq`."""
        self.streams.begin(run, last_seq)
        await self.send(type="subscribe", run=run, last_seq=last_seq)

    # Hearing

    async def receive(self, type: str | None = None) -> Message:
        """The first unread message, or the first of a type; others stay for later calls. Pings are not shown.

        Raises ClosedEarly, StreamBroken, or TimeoutError after `patience`.
        """
        wanted = "a message" if type is None else f"a message of type {type!r}"
        return await self._next(lambda message: type in (None, message.get("type")), wanted)

    async def events(self, run: str | None = None) -> list[Message]:
        """Events and gaps of a run, the first that is told of if not named, until its final event."""
        told: list[Message] = []
        while not told or not told[-1].get("final"):
            told.append(await self._next(partial(_is_of, run), "an event"))
            run = told[0]["run"]
        return told

    def stall(self) -> None:
        """Stop reading from the network, as a client that is too slow; pings are not answered either."""
        self.raw.transport.pause_reading()

    def go_on(self) -> None:
        """Read again after `stall`."""
        self.raw.transport.resume_reading()

    async def _next(self, fits: Callable[[Message], bool], wanted: str) -> Message:
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    self._changed.clear()
                    self._raise_failure()
                    for message in self._unread:
                        if fits(message):
                            self._unread.remove(message)
                            return message
                    if self._reader is None or self._reader.done():
                        raise ClosedEarly(*self._close(), wanted)
                    await self._changed.wait()
        except TimeoutError:
            unread = [message.get("type") for message in self._unread]
            raise TimeoutError(f"waited for {wanted} for {self._patience:g} s; unread: {unread}") from None

    async def _read(self, raw: ClientConnection) -> None:
        try:
            async for frame in raw:
                await self._take(raw, json.loads(frame))
        except ConnectionClosed:
            return
        except Exception as failure:  # noqa: BLE001 - whatever is wrong with what came is for the test to see
            self._failure = failure

    async def _take(self, raw: ClientConnection, message: Message) -> None:
        if message.get("type") == "ping":
            if self.pongs:
                await raw.send(json.dumps({"type": "pong", "n": message["n"]}))
            return
        if message.get("type") == "restarting":
            self.retry_after = message["retry_after_ms"] / 1000
        self.streams.follow(message)
        self._unread.append(message)
        self._changed.set()

    def _raise_failure(self) -> None:
        """What the reader met, once."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _close(self) -> tuple[int, str]:
        return self.raw.close_code or 1006, self.raw.close_reason or ""

    async def _leave(self) -> None:
        if self._raw is None or self._reader is None:
            return
        await self._raw.close()
        self._reader.cancel()
        await asyncio.wait({self._reader})


def _is_of(run: str | None, message: Message) -> bool:
    return message.get("type") in ("event", "gap") and run in (None, message["run"])
