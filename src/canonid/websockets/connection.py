"""One live connection: its reader, its writer, its heartbeat, and the one place where it ends."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, Protocol

from canonid.core import Identity
from canonid.counters import Counters
from canonid.errors import InvalidId, NotFound, ScopeClosed
from canonid.scopes import Release, Scope
from canonid.websockets import incidents
from canonid.websockets.backpressure import Backpressure
from canonid.websockets.cancelling import cancelled
from canonid.websockets.codes import Code, Ending, Refusal, ending, restarting, sole
from canonid.websockets.limits import Limits
from canonid.websockets.outbox import Entry, Outbox
from canonid.websockets.rates import Bucket
from canonid.websockets.runs import Run
from canonid.websockets.socket import Gone, Socket
from canonid.websockets.wire import Message, decode, encode, size

DROPPING = (Code.OVERLOADED, Code.NOT_AUTHENTICATED)  # endings after which nothing queued is sent any more


class Host(Protocol):
    """What a connection asks of its hub."""

    counters: Counters
    backpressure: Backpressure

    async def answer(self, connection: Connection, message: Message) -> bool:
        """Whether the message was one of the hub's own; then it has been dealt with."""

    async def deliver(self, connection: Connection, message: Message) -> None:
        """Give the message to the application."""

    async def watch(self, connection: Connection, thread: str) -> str:
        """Make the connection receive what is sent to a thread of its principal."""


class Connection:
    """What the application gets of a connected client. `id` and `session` are canonical."""

    def __init__(
        self, socket: Socket, host: Host, limits: Limits, *, id: str, session: str, principal: str
    ) -> None:
        self.id = id
        self.session = session
        self.principal = principal
        self.watching: set[str] = set()
        self.subscriptions: set[Run] = set()
        self.ending: Ending | None = None
        self.incident: str | None = None
        self._socket = socket
        self._host = host
        self._limits = limits
        self._outbox = Outbox(limits.outbox_messages, limits.outbox_bytes, self._count_shed)
        self._inbox: asyncio.Queue[Message] = asyncio.Queue(limits.inbox_messages)
        self._ended = asyncio.Event()
        self._waiting_since: float | None = None
        now = self._active_at = asyncio.get_running_loop().time()
        byte_burst = max(limits.byte_burst, limits.max_message)
        self._messages = Bucket(limits.messages_per_second, limits.message_burst, now)
        self._received = Bucket(limits.bytes_per_second, byte_burst, now)

    def __repr__(self) -> str:
        return f"<Connection {self.id}>"

    # What the application calls

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
        """Seconds after which the client is to come back when the server restarts; not the same for all."""
        return random.uniform(self._limits.retry_after_min, self._limits.retry_after_max)  # noqa: S311

    def tell_restarting(self) -> None:
        """Say that nothing is taken any more, and when it will be again."""
        hint = {"type": "restarting", "retry_after_ms": round(self.retry_after * 1000)}
        self.put(encode(hint, self._limits.outbox_bytes))

    def restart(self) -> None:
        """Tell the client when to come back, and end."""
        self.tell_restarting()
        self.end(restarting(self.retry_after))

    def put(self, entry: Entry) -> bool:
        """Queue an encoded message or a replay of them. Never waits."""
        if self.ending is not None:
            return False
        if self._outbox.put(entry):
            return True
        self._host.counters.add("limit_exceeded", limit="outbox", code=str(int(Code.OVERLOADED)))
        self.end(ending(Code.OVERLOADED))
        return False

    def end(self, why: Ending) -> None:
        """Choose how the connection ends; only the first choice counts."""
        if self.ending is None:
            self.ending = why
            self._ended.set()

    async def serve(self, scope: Scope, seconds: float) -> None:
        """Run until it ends, for at most `seconds`. Closing the scope ends it, and it closes the scope."""
        try:
            self._claim(scope, "socket", self._close_socket)
            self._start(scope, "outbox", self._write, self._flush)
            self._start(scope, "inbox", self._work)
            self._start(scope, "heartbeat", self._beat)
            expiry = asyncio.get_running_loop().call_later(seconds, self.end, ending(Code.NOT_AUTHENTICATED))
            self._claim(scope, "expiry", expiry.cancel)
            self._claim(scope, "subscriptions", self._unsubscribe)
            if self._limits.idle_timeout is not None:
                self._start(scope, "idleness", partial(self._watch_idleness, self._limits.idle_timeout))
            self._start(scope, "reader", self._read)
            await self._ended.wait()
        except asyncio.CancelledError:
            self.end(ending(Code.RESTARTING))  # the server's last resort when it stops
            raise
        except Exception as error:  # noqa: BLE001 - somebody may have claimed a part under this ID
            self._fail(error, scope)
        finally:
            await scope.close()
            await self._close_socket()  # unless the scope has done so

    # Its tasks

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._waiting_since = loop.time()
            frame = await self._socket.receive()
            self._waiting_since = None
            self._check_rates(frame.get("text") or "", loop.time())
            message = decode(frame, self._limits.max_message)
            if message.get("type") == "pong":
                continue
            self._active_at = loop.time()
            if not await self._host.answer(self, message):
                await self._inbox.put(message)

    def _check_rates(self, text: str, now: float) -> None:
        if not self._messages.take(1, now):
            raise Refusal("too many messages", limit="messages_per_second")
        # One that is too big is refused for that alone, when it is decoded.
        if not self._received.take(min(size(text), self._limits.max_message), now):
            raise Refusal("too many bytes", limit="bytes_per_second")

    async def _work(self) -> None:
        while True:
            await self._host.deliver(self, await self._inbox.get())

    async def _write(self) -> None:
        while (text := await self._outbox.take()) is not None:
            try:
                await self._socket.send(text)
            except Gone:
                # The reader learns, and tells better, what happened; unless it waits for the application.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.close_timeout):
                        await self._ended.wait()
                raise

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        for number in itertools.count(1):
            await asyncio.sleep(self._limits.heartbeat)
            # While the application keeps the reader from reading, silence is not the client's.
            since = self._waiting_since
            if since is not None and loop.time() - since >= 2 * self._limits.heartbeat:
                raise Refusal("no heartbeat")
            await self.send({"type": "ping", "n": number})

    async def _watch_idleness(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        while (left := self._active_at + seconds - loop.time()) > 0:
            await asyncio.sleep(left)
            if self._waiting_since is None:  # the application keeps the reader from reading
                self._active_at = loop.time()
        raise Refusal(code=Code.IDLE, limit="idle_timeout")

    async def _guarded(self, scope: Scope, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except BaseException as error:
            if cancelled(error):
                raise
            self._end_by(sole(error), scope)

    def _end_by(self, error: BaseException, scope: Scope) -> None:
        match error:
            case Gone():
                self.end(error.ending)
            case Refusal():
                self._count(error)
                self.end(error.ending)
            case NotFound() | InvalidId():
                self.end(ending(Code.NOT_FOUND))
            case _:
                self._fail(error, scope)

    def _count(self, refusal: Refusal) -> None:
        if refusal.limit is not None and self.ending is None:
            code = str(refusal.ending.code)
            self._host.counters.add("limit_exceeded", limit=refusal.limit, code=code)

    def _count_shed(self, type: str, policy: str) -> None:
        self._host.counters.add("shed", type=type, policy=policy)

    def _fail(self, error: BaseException, scope: Scope) -> None:
        if isinstance(error, ScopeClosed) and (scope.closed or self.ending is not None):
            return  # whoever works for a connection may find it ended before they are stopped
        self.incident = incidents.report(error, f"connection {self.id}")
        self.end(ending(Code.INCIDENT, self.incident))

    # Its parts, and how each is given back

    def _start(
        self,
        scope: Scope,
        part: str,
        work: Callable[[], Coroutine[Any, Any, None]],
        stop: Callable[[asyncio.Task[None]], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        task = asyncio.create_task(self._guarded(scope, work), name=f"{part} of {self.id}")
        try:
            self._claim(scope, part, partial(stop or self._stop, task))
        except BaseException:
            task.cancel()
            raise

    def _claim(self, scope: Scope, part: str, release: Release) -> None:
        scope.claim(part, self.id, release, identity=Identity(part, self.id))

    async def _stop(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait({task}, timeout=self._limits.close_timeout)

    async def _flush(self, writer: asyncio.Task[None]) -> None:
        why = self._why()
        if why.ours and why.code not in DROPPING:
            self._outbox.finish()
            await asyncio.wait({writer}, timeout=self._limits.close_timeout)
        await self._stop(writer)

    def _unsubscribe(self) -> None:
        for run in list(self.subscriptions):
            run.detach(self)

    async def _close_socket(self) -> None:
        await self._socket.close(self._why(), self._limits.close_timeout)

    def _why(self) -> Ending:
        # A scope that others close, above or here, ends the connection without having named a code.
        self.end(ending(Code.NOT_AUTHENTICATED, "session closed"))
        assert self.ending is not None
        return self.ending
