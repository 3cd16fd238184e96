"""One live connection: its reader, its writer, its heartbeat, and the one place where it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from canonid import incidents, logs
from canonid.core import Identity
from canonid.counters import Counters
from canonid.errors import ClaimConflict, Fenced, InvalidId, NotFound, ScopeClosed, StoreError
from canonid.scopes import Release, Scope
from canonid.websockets.backpressure import Backpressure, Sheddable
from canonid.websockets.cancelling import cancelled
from canonid.websockets.codes import Code, Ending, Refusal, ending, restarting, sole, unavailable
from canonid.websockets.heartbeats import Heartbeats
from canonid.websockets.limits import Limits
from canonid.websockets.outbox import Entry, Outbox
from canonid.websockets.rates import Bucket
from canonid.websockets.socket import Gone, Socket
from canonid.websockets.streams import Stream
from canonid.websockets.traffic import Traffic
from canonid.websockets.wire import Message, decode, encode, size

AT_ONCE = 16  # messages that are written without a task; who sends more in one go has to fit into the outbox
KNOWN = 1000  # runs of which a connection remembers that the client knows of them
NONE: frozenset[str] = frozenset()
PAUSE = 0.05  # seconds between two looks whether the process may send again
DROPPING = (Code.OVERLOADED, Code.NOT_AUTHENTICATED)  # endings after which nothing queued is sent any more


class Queued(NamedTuple):
    """What waits for clients to read. A replay counts as one message without bytes."""

    messages: int
    bytes: int


class Host(Protocol):
    """What a connection asks of its hub."""

    counters: Counters
    traffic: Traffic

    @property
    def stopping(self) -> bool:
        """Whether the hub shuts down."""

    @property
    def may_send(self) -> bool:
        """Whether this process may say something to clients: not when others may have taken over from it."""

    backpressure: Backpressure
    heartbeats: Heartbeats

    async def answer(self, connection: Connection, message: Message) -> bool:
        """Whether the message was one of the hub's own; then it has been dealt with."""

    async def deliver(self, connection: Connection, message: Message) -> None:
        """Give the message to the application."""

    async def watch(self, connection: Connection, thread: str) -> str:
        """Make the connection receive what is sent to a thread of its principal."""


class Connection:
    """What the application gets of a connected client. `id` and `session` are canonical."""

    def __init__(
        self,
        socket: Socket,
        host: Host,
        limits: Limits,
        scope: Scope,
        *,
        id: str,
        session: str,
        principal: str,
    ) -> None:
        self.id = id
        self.session = session
        self.principal = principal
        self.lineage = {"principal": principal, "session": session, "connection": id}  # as logs show it
        self.watching = self.topics = NONE
        self._subscriptions: set[Stream] | None = None  # from the first one on
        self.ending: Ending | None = None
        self.incident: str | None = None
        self._socket = socket
        self._scope = scope
        self._host = host
        self._limits = limits
        self._outbox: Outbox | None = None  # from the first message that could not be written at once
        self._inbox: asyncio.Queue[Message] | None = None  # while the application is busy
        self._readers: set[asyncio.Task[None]] = set()
        self._writer: asyncio.Task[None] | None = None  # while the client does not keep up
        self._at_once = 0
        self._known: dict[str, None] = {}  # runs, as `note` was told of them
        # By thread: what starts in it while the client is told what there is.
        self.asking: dict[str, set[str]] = {}
        self._expiry: asyncio.TimerHandle | None = None  # when it is near
        self._idleness: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting_since: float | None = None
        now = self._active_at = asyncio.get_running_loop().time()
        byte_burst = max(limits.byte_burst, limits.max_message)
        self._messages = Bucket(limits.messages_per_second, limits.message_burst, now)
        self._received = Bucket(limits.bytes_per_second, byte_burst, now)

    def __repr__(self) -> str:
        return f"<Connection {self.id}>"

    # What the application calls

    @property
    def queued(self) -> Queued:
        """What waits to be written to the client."""
        box = self._outbox
        return Queued(0, 0) if box is None else Queued(len(box), box.size)

    @property
    def subscriptions(self) -> Collection[Stream]:
        """The runs whose events the client receives."""
        return self._subscriptions or ()

    async def send(self, message: Mapping[str, Any]) -> bool:
        """Queue a message for the client, without waiting for it; False if the connection has ended.

        Raises ValueError for what is no JSON or too big. A full queue ends the connection with 1013, unless
        the message's type has a policy.
        """
        text = encode(message, self._limits.outbox_bytes)
        return self.put(self._host.backpressure.apply(message, text))

    async def watch(self, thread: str) -> str:
        """Receive what is sent to a thread, and the events of runs that start in it; gives its canonical ID.

        Raises NotFound unless the thread is the principal's.
        """
        return await self._host.watch(self, thread)

    def close(self, code: int = Code.NORMAL, reason: str = "") -> None:
        """Begin to end the connection; what is queued is still sent. The first call counts.

        Raises ValueError for a code that is not a `Code`.
        """
        self.end(ending(Code(code), reason))

    # What the hub calls

    @cached_property
    def retry_after(self) -> float:
        """Seconds after which this client is to come back when the server restarts."""
        return self._limits.draw_retry()

    def tell_restarting(self) -> None:
        """Say that nothing is taken any more, and when it will be again."""
        hint = {"type": "restarting", "retry_after_ms": round(self.retry_after * 1000)}
        self.put(encode(hint, self._limits.outbox_bytes))

    def restart(self) -> None:
        """Tell the client when to come back, and end."""
        self.tell_restarting()
        self.end(restarting(self.retry_after))

    def knows(self, run: str) -> bool:
        """Whether the client was told of a run already; then it asks for the events that it lacks."""
        return run in self._known

    def note(self, run: str) -> None:
        """The client is told of a run. The last 1,000 are remembered."""
        self._known[run] = None
        if len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]

    def put(self, entry: Entry) -> bool:
        """Queue an encoded message or a replay of them. Never waits."""
        if self.ending is not None:
            return False
        if self._writer is None and self._at_once < AT_ONCE:
            text = entry.text if isinstance(entry, Sheddable) else entry
            if isinstance(text, str) and self._host.may_send and self._socket.write(text):
                self._at_once += 1
                self._host.traffic.went(text)
                return True
        if self._outbox is None:
            if not self._claimed("outbox", self._flush):
                return False
            self._outbox = Outbox(self._limits.outbox_messages, self._limits.outbox_bytes, self._count_shed)
        if not self._outbox.put(entry):
            self._refuse(Refusal(code=Code.OVERLOADED, limit="outbox"))
            return False
        if self._writer is None:
            self._writer = asyncio.create_task(self._guarded(self._write), name=f"writer of {self.id}")
        return True

    def begins(self, stream: Stream) -> bool:
        """Told by a run to which it is attached; False if the connection has ended."""
        if self._subscriptions is None:
            if not self._claimed("subscriptions", self._unsubscribe):
                return False
            self._subscriptions = set()
        self._subscriptions.add(stream)
        return True

    def ends(self, stream: Stream) -> None:
        """Told by a run from which it is detached, or that has ended."""
        if self._subscriptions is not None:
            self._subscriptions.discard(stream)

    def end(self, why: Ending) -> None:
        """Choose how the connection ends; only the first choice counts."""
        if self.ending is None:
            self.ending = why
            if not self._ended.done():
                self._ended.set_result(None)

    async def serve(self, seconds: float) -> None:
        """Run until it ends, for at most `seconds`. Closing the scope ends it, and it closes the scope."""
        loop = asyncio.get_running_loop()
        try:
            self._claim("socket", self._close_socket)
            await self.send({"type": "ready", "connection": self.id, "session": self.session})
            self._start_clocks(seconds)
            self._claim("reader", self._stop_reading)
            self._read_on()
            await self._ended
        except asyncio.CancelledError:
            self.end(ending(Code.RESTARTING))  # the server's last resort when it stops
            raise
        except Exception as error:  # noqa: BLE001 - somebody may have claimed a part under this ID
            self._fail(error)
        finally:
            began = loop.time()
            await self._scope.close()
            await self._close_socket()  # unless the scope has done so
            self._host.traffic.closing.add(loop.time() - began)

    def _start_clocks(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._expires_at = loop.time() + seconds
        self._watch_expiry()
        self._host.heartbeats.add(self)
        if (idle := self._limits.idle_timeout) is not None:
            self._idleness = loop.call_later(idle, self._watch_idleness, idle)
        self._claim("heartbeat", self._stop_clocks)

    def _stop_clocks(self) -> None:
        self._host.heartbeats.remove(self)
        for timer in (self._expiry, self._idleness):
            if timer is not None:
                timer.cancel()

    def _watch_expiry(self) -> None:
        loop = asyncio.get_running_loop()
        # A timer of its own for each of thousands of connections would cost more than all their heartbeats.
        if self._expiry is None and self._expires_at - loop.time() < 2 * self._limits.heartbeat:
            self._expiry = loop.call_at(self._expires_at, self.end, ending(Code.NOT_AUTHENTICATED))

    def beat(self, number: int) -> None:
        """Ping the client, or end if it was silent for two heartbeats."""
        self._watch_expiry()
        since = self._waiting_since
        # While the application keeps the reader from reading, silence is not the client's.
        if since is not None and asyncio.get_running_loop().time() - since >= 2 * self._limits.heartbeat:
            self.end(ending(Code.POLICY, "no heartbeat"))
        else:
            self.put(encode({"type": "ping", "n": number}, self._limits.outbox_bytes))

    # Reading: one task reads, and calls the application itself. If that takes longer than a moment, another
    # task reads on, so that a client can cancel what it waits for; the first then delivers what comes in.

    def _read_on(self) -> None:
        self._readers.add(asyncio.create_task(self._guarded(self._read), name=f"reader of {self.id}"))

    async def _read(self) -> None:
        loop, me = asyncio.get_running_loop(), asyncio.current_task()
        while True:
            self._waiting_since = loop.time()
            frame = await self._socket.receive()
            self._waiting_since = None
            self._at_once = 0
            self._check_rates(frame.get("text") or "", loop.time())
            message = decode(frame, self._limits.max_message)
            self._host.traffic.came(frame["text"])
            if message.get("type") == "pong":
                continue
            self._active_at = loop.time()
            if await self._host.answer(self, message):
                continue
            if self._inbox is not None:
                await self._inbox.put(message)
                continue
            relief = loop.call_soon(self._relieve)
            await self._host.deliver(self, message)
            relief.cancel()
            if self._inbox is not None:
                await self._deliver(self._inbox)
                self._readers.discard(me)
                return

    def _check_rates(self, text: str, now: float) -> None:
        if not self._messages.take(1, now):
            raise Refusal("too many messages", limit="messages_per_second")
        # One that is too big is refused for that alone, when it is decoded.
        if not self._received.take(min(size(text), self._limits.max_message), now):
            raise Refusal("too many bytes", limit="bytes_per_second")

    def _watch_idleness(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._waiting_since is None:  # the application keeps the reader from reading
            self._active_at = loop.time()
        left = self._active_at + seconds - loop.time()
        if left <= 0:
            self._refuse(Refusal(code=Code.IDLE, limit="idle_timeout"))
        else:
            self._idleness = loop.call_later(left, self._watch_idleness, seconds)

    def _relieve(self) -> None:
        """The application takes its time: let another task read on."""
        if self.ending is None:
            self._inbox = asyncio.Queue(self._limits.inbox_messages)
            self._read_on()

    async def _deliver(self, inbox: asyncio.Queue[Message]) -> None:
        while not inbox.empty():
            await self._host.deliver(self, inbox.get_nowait())
            if inbox.empty():
                await asyncio.sleep(0)  # whoever waited for room has its turn
        self._inbox = None

    async def _write(self) -> None:
        assert self._outbox is not None
        logs.bind(self.lineage)  # whoever sends may have started it
        while (text := self._outbox.take()) is not None:
            while not self._host.may_send:  # noqa: ASYNC110 - a lease has no event
                await asyncio.sleep(PAUSE)
            try:
                await self._socket.send(text)
                self._host.traffic.went(text)
            except Gone:
                # The reader learns, and tells better, what happened; unless it waits for the application.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.close_timeout):
                        await asyncio.shield(self._ended)
                raise
        self._writer = None
        self._at_once = 0

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except BaseException as error:
            if cancelled(error):
                raise
            self._end_by(sole(error))

    def _end_by(self, error: BaseException) -> None:
        match error:
            case Gone():
                self.end(error.ending)
            case Refusal():
                self._refuse(error)
            case NotFound() | InvalidId():
                self.end(ending(Code.NOT_FOUND))
            case StoreError() if self.ending is None:
                self.end(unavailable(error, "connection", self._host.counters))
            case ScopeClosed() if self._host.stopping:
                self.restart()  # it wanted to start something
            case Fenced():
                self.restart()
            case _:
                self._fail(error)

    def _refuse(self, refusal: Refusal) -> None:
        if refusal.limit is not None and self.ending is None:
            code = str(refusal.ending.code)
            self._host.counters.add("limit_exceeded", limit=refusal.limit, code=code)
        self.end(refusal.ending)

    def _count_shed(self, type: str, policy: str) -> None:
        self._host.counters.add("shed", type=type, policy=policy)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, ScopeClosed | Fenced | StoreError) and (
            self._scope.closed or self.ending is not None
        ):
            return  # whoever works for a connection may find it ended before they are stopped
        self._host.counters.add("incidents", during="connection")
        self.incident = incidents.report(error, f"connection {self.id}")
        self.end(ending(Code.INCIDENT, self.incident))

    # Its parts, and how each is given back

    def _claim(self, part: str, release: Release) -> None:
        self._scope.claim(part, self.id, release, identity=Identity(part, self.id))

    def _claimed(self, part: str, release: Release) -> bool:
        """Whether a part that is needed only now could be claimed; else the connection ends."""
        try:
            self._claim(part, release)
        except (ClaimConflict, ScopeClosed) as error:
            self._fail(error)
            return False
        return True

    async def _stop_reading(self) -> None:
        for task in self._readers:
            task.cancel()
        if self._readers:
            await asyncio.wait(self._readers, timeout=self._limits.close_timeout)

    async def _flush(self) -> None:
        await self._stop_reading()  # which began earlier, and so would end later
        writer, why = self._writer, self._why()
        if writer is None:
            return
        if why.ours and why.flush and why.code not in DROPPING:
            await asyncio.wait({writer}, timeout=self._limits.close_timeout)
        writer.cancel()
        await asyncio.wait({writer}, timeout=self._limits.close_timeout)

    def _unsubscribe(self) -> None:
        for stream in tuple(self.subscriptions):
            stream.detach(self)

    async def _close_socket(self) -> None:
        await self._socket.close(self._why(), self._limits.close_timeout)

    def _why(self) -> Ending:
        # A scope that others close, above or here, ends the connection without having named a code.
        self.end(ending(Code.NOT_AUTHENTICATED, "session closed"))
        assert self.ending is not None
        return self.ending
