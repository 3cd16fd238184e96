"""WebSocket connections over scopes, as one ASGI application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from traceback import format_exc
from types import MappingProxyType
from typing import Any, TypeVar

from canonid import incidents, logs
from canonid.aliases import Store
from canonid.core import Identity, Registry
from canonid.counters import Counters
from canonid.errors import NotFound, ScopeClosed, StoreError, UnknownName
from canonid.scopes import LiveScope, ScopeTree, Snapshot
from canonid.websockets.admission import Admission, Admitted
from canonid.websockets.background import Background
from canonid.websockets.backplane import Backplane, RunRecord, topic_channel, user_channel
from canonid.websockets.backpressure import Backpressure, Policy
from canonid.websockets.bodies import Bodies
from canonid.websockets.cancelling import cancelled
from canonid.websockets.closes import Close, Closes
from canonid.websockets.codes import Code, Ending, Refusal, ending, shown, sole, unavailable
from canonid.websockets.connection import Connection, Queued
from canonid.websockets.handshake import Authenticate, Handshake, check_origin, within
from canonid.websockets.hearing import Hearing
from canonid.websockets.heartbeats import Heartbeats
from canonid.websockets.limits import Limits, check_limits
from canonid.websockets.logins import CLOSED, Logins
from canonid.websockets.parts import with_parts
from canonid.websockets.presence import Counts, Presence
from canonid.websockets.records import Mint, Records
from canonid.websockets.running import Execute, Runs
from canonid.websockets.runs import Grace, OnLastDetach, Run
from canonid.websockets.sending import ScopeKind, Sending, checked_topic, scope_kind
from canonid.websockets.sessions import Session
from canonid.websockets.socket import Event, Gone, Receive, Send, Socket
from canonid.websockets.stopping import before_sigterm
from canonid.websockets.streams import Stream, gone_text
from canonid.websockets.tickets import Ticket, Tickets, check_expiry, new_token, offered
from canonid.websockets.traffic import Traffic
from canonid.websockets.wire import Message, count_field, text_field

OnMessage = Callable[[Connection, Message], Awaitable[None]]
OnMessageT = TypeVar("OnMessageT", bound=OnMessage)

DRAIN_TICK = 0.05  # seconds between two looks at what is left


class Hub:
    """Mount it, give it an `on_message`, and clients can connect with a ticket from `issue_ticket(...)`.

    Expects the kinds user, session (of a user), connection (of a session), thread (of a user) and run (of
    a thread). Without a `tree` it makes its own; a shared one must be `ScopeTree(with_parts(store.resolve))`.
    `authenticate` replaces tickets. `mint` gives the text of a new connection or run under its parent's
    lineage, by default in the kind's canonical format. `ids` says which kind of ID stands in which fields of
    messages, beside those named after their kind; None where there is none to check. `backpressure` says,
    by type of message, what may be dropped or coalesced for a client that reads too slowly.
    `drain_on_sigterm` keeps SIGTERM from the server until runs have ended, for at most
    `limits.shutdown_grace`; the lifespan must then run in the main thread. `clock` gives seconds since 1970.
    A hub belongs to one event loop; only its `tickets` are usable before that runs, and from other threads.
    A shared tree must let a cleanup take `2 * limits.close_timeout`.
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        tree: ScopeTree | None = None,
        *,
        backplane: Backplane | None = None,
        origins: Collection[str] = (),
        allow_missing_origin: bool = True,
        authenticate: Authenticate | None = None,
        mint: Mint | None = None,
        ids: Mapping[str, str | None] | None = None,
        backpressure: Mapping[str, Policy] = MappingProxyType({}),
        drain_on_sigterm: bool = False,
        clock: Callable[[], float] = time.time,
        limits: Limits = Limits(),  # noqa: B008 - immutable
    ) -> None:
        if isinstance(origins, str):
            raise TypeError("expected a collection of texts as origins=, got one text")
        check_limits(limits)
        # A writer has `close_timeout` for what is queued, and as long again to stop.
        self.tree = tree or ScopeTree(with_parts(store.resolve), release_timeout=2 * limits.close_timeout + 1)
        _check_knows_parts(self.tree)
        self.tickets = Tickets(clock, ttl=limits.ticket_ttl)
        self.closes = Closes(limits.closes)
        self.counters = Counters()
        self.traffic = Traffic()
        self.backpressure = Backpressure(backpressure)
        self.heartbeats = Heartbeats(limits.heartbeat)
        self._store = store
        self._origins = frozenset(origins)
        self._allow_missing_origin = allow_missing_origin
        self._clock = clock
        self._limits = limits
        self._bodies = Bodies(registry, store, ids or {}, limits.ids_per_message, self.counters)
        self._on_message: OnMessage | None = None
        self._backplane = backplane
        self._background = Background()
        self._present = Presence()
        self._records = Records(registry, store, mint, clock, self.counters)
        self._runs = Runs(self._present, limits, clock, self.counters, backplane, self._background)
        self._sending = Sending(
            self._records, self._present, self._runs, self.backpressure, backplane, limits.outbox_bytes
        )
        self._logins = Logins(self.tree, self._present, backplane, limits.session_grace, clock)
        self._admission = Admission(
            self,
            within(limits.auth_timeout, authenticate) if authenticate else self._redeem,
            self._records,
            self._logins,
            self._present,
            backplane,
            limits,
            clock,
        )
        self._hearing: Hearing | None = None
        if backplane is not None:
            self._hearing = Hearing(backplane, self._present, self._runs, self._sending, self._background)
        self._unjoined = "the hub has not joined its backplane: serve it with lifespan=hub.lifespan"
        self._drain_on_sigterm = drain_on_sigterm

    # What the application calls

    def on_message(self, receive: OnMessageT) -> OnMessageT:
        """Decorator: messages of clients go to this async function, one at a time per connection.

        It may raise Refusal (its code, else 1008), NotFound or InvalidId (4404) and StoreError (1013);
        anything else is an incident (1011). It is cancelled when its connection ends: what must outlive that
        is a run.
        """
        self._on_message = receive
        return receive

    async def issue_ticket(self, *, principal: str, session: str, expires_at: float) -> str:
        """A ticket for one handshake within `limits.ticket_ttl`, with whichever process. StoreError.

        `expires_at`, in seconds since 1970, is when the connection ends at the latest. Raises LineageConflict
        if the session is somebody else's.
        """
        check_expiry(expires_at)
        lineage = await asyncio.to_thread(self._records.session, principal, session)
        if self._backplane is None:
            return self.tickets.issue(
                principal=principal, session=session, expires_at=expires_at, lineage=lineage
            )
        token = new_token()
        ticket = Ticket(principal, session, expires_at, self._clock(), lineage)
        await self._backplane.keep_ticket(token, ticket, self._limits.ticket_ttl)
        return token

    async def send_to_connection(self, connection: str, message: Mapping[str, Any]) -> int:
        """How many connections a message was queued for in this process: 1, or 0 if it is not here.

        Any text that resolves names it. Raises InvalidId for a malformed text or another kind's, NotFound for
        an unknown one, StoreError where other processes can't be told; so do the others.
        """
        return await self._sending.send("connection", connection, message)

    async def send_to_user(self, user: str, message: Mapping[str, Any]) -> int:
        """How many of a user's connections a message was queued for here. Never waits for a slow one."""
        return await self._sending.send("user", user, message)

    async def send_to_thread(self, thread: str, message: Mapping[str, Any]) -> int:
        """How many connections that watch a thread a message was queued for here."""
        return await self._sending.send("thread", thread, message)

    async def send_to_scope(self, kind: ScopeKind, scope: str, message: Mapping[str, Any]) -> int:
        """How many connections of a session, or of those subscribed to a run, it was queued for here."""
        return await self._sending.send(scope_kind(kind), scope, message)

    async def send_to_topic(self, topic: str, message: Mapping[str, Any]) -> int:
        """How many connections that joined a topic a message was queued for here.

        A topic is no ID: a text of 1 to 256 characters that the application chooses. ValueError.
        """
        return await self._sending.send_to_topic(topic, message)

    async def join(self, connection: Connection, topic: str) -> None:
        """Make a connection receive what is sent to a topic, in whichever process. ValueError, StoreError."""
        if checked_topic(topic) in connection.topics or connection.ending is not None:
            return
        await self._listen(topic_channel(topic))
        if connection.ending is None and topic not in connection.topics:
            self._present.join(connection, topic)
        else:
            await self._unlisten(topic_channel(topic))

    async def part(self, connection: Connection, topic: str) -> None:
        """Make it receive that no more."""
        if topic in connection.topics:
            self._present.part(connection, topic)
            await self._unlisten(topic_channel(topic))

    async def start_run(
        self,
        owner: Connection | str,
        *,
        thread: str,
        execute: Execute,
        on_last_detach: OnLastDetach = "continue",
    ) -> Run:
        """A new run in a thread, executed as a task `execute(run)`; whoever watches the thread sees it.

        It belongs to the session of `owner` (a connection of it, or its ID) and ends with it, not with any
        connection. Raises NotFound unless the thread is the owner's; ScopeClosed if the session was logged
        out (remembered for 10 minutes at least) and is not live again, or if the hub shuts down; StoreError
        if it has not joined its backplane.
        """
        _check_run(execute, on_last_detach)
        self._check_joined()
        session_text = owner.session if isinstance(owner, Connection) else owner
        session_lineage, thread_lineage, lineage = await asyncio.to_thread(
            self._records.run, session_text, thread
        )
        self._check_goes_on()
        session = await self._logins.live(session_lineage)
        if self.stopping:  # it was opened too late to be closed with the others
            await self._logins.close(session, ending(Code.RESTARTING))
        self._check_goes_on()
        try:
            with session.kept():
                scope = await session.scope.open("run", lineage.text, identity=Identity("run", lineage.child))
                run = await self._runs.begin(session, scope, thread_lineage.child, execute, on_last_detach)
        except ScopeClosed:  # by another process, of which this one may not have heard yet
            self._logins.close(session, CLOSED)
            raise
        for connection in self._present.watching[run.thread]:
            self._runs.show(connection, run)
        if isinstance(owner, Connection):
            self._runs.show(owner, run)
        if self._hearing is not None:
            self._hearing.tell_of(run)
        return run

    async def runs_of(self, thread: str) -> list[RunRecord]:
        """The runs of a thread, by its canonical ID, that go on or are kept for replay; oldest first.

        In every process, where there is a backplane. StoreError.
        """
        return await self._runs.of_thread(thread)

    async def close_session(self, session: str) -> None:
        """Log out: its connections end with 4401, its runs are cancelled, its unspent tickets are void.

        In every process. StoreError where others can't be told yet; it may take effect later.
        """
        names, principal = await asyncio.to_thread(self._records.names_of_session, session)
        await self._logins.log_out(names, principal)

    async def shutdown(self, grace: float = 0.0) -> None:
        """End every connection with 1012 and a hint when to come back, and let nobody in any more.

        Runs have `grace` seconds to end by themselves; then they are cancelled, and their last event says
        `"reason": "restarting"`. Who watches one stays until it has ended; no message is taken meanwhile.
        """
        self._runs.stopping = True
        if not await self._runs_end(grace):
            for run in self._going():
                run.cancel()
            await self._runs_end(2 * self._limits.close_timeout)
        for connection in tuple(self._present.connections.values()):
            connection.restart()
        sessions = tuple(self._present.sessions.values())
        await asyncio.gather(*[self._logins.close(session, ending(Code.RESTARTING)) for session in sessions])
        self._runs.clear()

    @asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """For `FastAPI(lifespan=hub.lifespan)` or Starlette: shuts the hub down when the server stops."""
        self._runs.stopping = False
        drain = partial(self.shutdown, self._limits.shutdown_grace)
        try:
            if self._backplane is not None:
                try:
                    await self._join(self._backplane)
                except StoreError as error:
                    self._unjoined = f"the hub could not join its backplane: {error}"
                    raise StoreError(self._unjoined) from None
            with before_sigterm(drain) if self._drain_on_sigterm else nullcontext():
                yield
        finally:
            try:
                await self.shutdown()
            finally:
                await self._background.aclose()
                self._runs.clear()
                if self._backplane is not None:
                    await self._backplane.aclose()

    async def _runs_end(self, seconds: float) -> bool:
        """Whether every run ends in time. Connections end as soon as they wait for none."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            going = self._going()
            for connection in tuple(self._present.connections.values()):
                if connection.ending is None and going.isdisjoint(connection.subscriptions):
                    connection.restart()
            if not going or loop.time() >= until:
                return not going
            await asyncio.sleep(DRAIN_TICK)

    def _going(self) -> set[Run]:
        return {run for run in self._present.runs.values() if not run.ended}

    def counts(self) -> Counts:
        """What is live now."""
        return self._present.counts()

    def membership(self) -> Mapping[str, int] | None:
        """How often what befell this process among those of a backplane; None without one."""
        backplane = self._backplane
        return None if backplane is None or self._logins.tree is self.tree else backplane.membership()

    def queued(self) -> Queued:
        """What waits for all clients together. Takes 0.3 µs a connection."""
        each = [connection.queued for connection in tuple(self._present.connections.values())]
        return Queued(sum([queued.messages for queued in each]), sum([queued.bytes for queued in each]))

    async def live_of(self, user: str) -> list[Snapshot]:
        """The live sessions of a user with all below, in every process, oldest first.

        Raises as `send_to_user` does.
        """
        names, _ = await asyncio.to_thread(self._records.known, "user", user)
        roots = [root for name in names for root in await self._logins.tree.live(name)]
        return sorted(roots, key=lambda root: root.opened_at)

    def connection(self, id: str) -> Connection | None:
        """The open connection of a canonical ID."""
        return self._present.connections.get(id)

    def run(self, id: str) -> Run | None:
        """The run of a canonical ID that goes on here or is kept for replay."""
        return self._present.runs.get(id)

    # ASGI

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """The ASGI application. As the outermost one it answers the server's lifespan too."""
        if scope["type"] == "websocket":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            headers = [(b"upgrade", b"websocket"), (b"connection", b"upgrade"), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 426, "headers": headers})
            await send({"type": "http.response.body"})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        doing = "startup"
        try:
            async with self.lifespan(self):
                await send({"type": "lifespan.startup.complete"})
                doing = "shutdown"
                await receive()
        except Exception:
            # A server that only sees it raise takes it that there is no lifespan, and serves all the same.
            await send({"type": f"lifespan.{doing}.failed", "message": format_exc()})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    # One connection, from the handshake to its end

    async def _serve(self, scope: Event, receive: Receive, send: Send) -> None:
        socket = Socket(scope, receive, send)
        connection = None
        why = ending(Code.RESTARTING)  # the server cancels what runs too long after it was told to stop
        self._present.handshakes += 1
        try:
            try:
                connection, session, live, seconds = await self._let_in(socket, scope)
            finally:
                self._present.handshakes -= 1
            why = await self._serve_admitted(connection, session, live, seconds)
        except Gone as gone:
            why = gone.ending
        except GeneratorExit:
            raise  # nothing can be waited for in a loop that is closing
        except BaseException as error:
            if not cancelled(error):
                why = self._refused(sole(error))
            await socket.close(why, self._limits.close_timeout)
            if cancelled(error):
                raise
        finally:
            identity, principal = (connection.id, connection.principal) if connection else (None, None)
            cut, at = socket.cut, self._clock()
            self.closes.add(Close(identity, principal, why.code, why.reason, why.ours, cut, at))
            self.counters.add("closes", code=shown(why), ours=str(why.ours).lower())

    async def _let_in(self, socket: Socket, scope: Event) -> Admitted:
        await socket.accept()
        if self._present.handshakes > self._limits.handshakes:
            raise Refusal("too many handshakes", Code.OVERLOADED, limit="handshakes")
        headers = tuple(scope.get("headers") or ())
        handshake = Handshake(scope["path"], scope.get("query_string", b""), headers, socket.offered)
        check_origin(handshake, self._origins, self._allow_missing_origin)
        self._check_joined()
        return await self._admission.admit(socket, handshake)

    def _refused(self, error: BaseException) -> Ending:
        if isinstance(error, StoreError):
            return unavailable(error, "handshake", self.counters)
        if not isinstance(error, Refusal):
            self.counters.add("incidents", during="handshake")
            return ending(Code.INCIDENT, incidents.report(error, "a handshake"))
        if error.limit is not None:
            self.counters.add("limit_exceeded", limit=error.limit, code=str(error.ending.code))
        return error.ending

    async def _serve_admitted(
        self, connection: Connection, session: Session, live: LiveScope, seconds: float
    ) -> Ending:
        self._present.arrive(connection)
        try:
            logs.bind(connection.lineage)
            await connection.serve(seconds)
        finally:
            self._present.leave(connection)
            session.leave(connection.id)
            try:
                await live.close()
            finally:
                if self._backplane is not None:
                    channels = [user_channel(connection.principal), *map(topic_channel, connection.topics)]
                    # Also where the server cancels this task.
                    await asyncio.shield(self._background.do(self._unlisten(*channels)))
        assert connection.ending is not None
        return connection.ending

    async def _redeem(self, handshake: Handshake) -> Ticket | None:
        token = offered(handshake.subprotocols)
        if token is None:
            return None
        ticket = self.tickets.redeem(token)
        if ticket is None and self._backplane is not None:
            return await within(self._limits.auth_timeout, self._backplane.take_ticket)(token)
        return ticket

    # What connections ask of their hub

    @property
    def stopping(self) -> bool:
        """Whether nobody is let in and nothing is started any more."""
        return self._runs.stopping

    @property
    def may_send(self) -> bool:
        """Whether nobody else can have taken over what this process holds."""
        return self._backplane is None or self._backplane.may_send

    async def deliver(self, connection: Connection, message: Message) -> None:
        """A message for the application, unless that is stopping: then the client is told to come back."""
        if self.stopping:
            connection.tell_restarting()
            return
        if self._on_message is None:
            raise Refusal("no such type of message")
        if spots := self._bodies.find(message):
            await asyncio.to_thread(self._bodies.authorise, spots, connection.principal)
        await self._on_message(connection, message)

    async def watch(self, connection: Connection, thread: str) -> str:
        """Make a connection receive what is sent to a thread of its principal; gives the canonical ID."""
        lineage = await self._records.authorised(thread, "thread", connection.principal)
        if connection.ending is None:
            self._present.watch(connection, lineage.child)
        return lineage.child

    async def answer(self, connection: Connection, message: Message) -> bool:
        """Deal with the hub's own types of messages."""
        match message.get("type"):
            case "watch":
                await self._answer_watch(connection, text_field(message, "thread"))
            case "subscribe":
                last_seq = count_field(message, "last_seq")
                if run := await self._run(connection, message, last_seq):
                    self._attach(connection, run, last_seq)
            case "unsubscribe":
                if run := await self._run(connection, message):
                    run.detach(connection)
                    self._runs.drop(run)
            case "cancel":
                if run := await self._run(connection, message):
                    run.cancel()
                    self._runs.drop(run)
            case _:
                return False
        return True

    async def _answer_watch(self, connection: Connection, thread: str) -> None:
        canonical = await self.watch(connection, thread)
        started = connection.asking[canonical] = set()
        try:
            told = _going_and_last(await self.runs_of(canonical), self._limits.runs_per_principal)
        finally:
            del connection.asking[canonical]
        runs = [{"run": run.run, "seq": run.seq, "ended": run.ended} for run in told]
        for run in told:
            connection.note(run.run)
        await connection.send({"type": "watching", "thread": canonical, "runs": runs})
        for new in started:
            found = await self._runs.find(new, 0)
            if isinstance(found, Stream):
                self._runs.show(connection, found)
                self._runs.drop(found)

    async def _run(self, connection: Connection, message: Message, last_seq: int = 0) -> Stream | None:
        """The principal's run that a message names; if there is none any more, the client is told."""
        lineage = await self._records.authorised(text_field(message, "run"), "run", connection.principal)
        found = await self._runs.find(lineage.child, last_seq)
        if isinstance(found, Stream):
            return found
        await connection.send(gone_text(lineage.child, lineage.parent, found))
        return None

    def _attach(self, connection: Connection, run: Stream, last_seq: int = 0) -> None:
        try:
            if connection.ending is None:
                connection.note(run.id)
                run.attach(connection, last_seq)
        finally:
            self._runs.drop(run)  # unless it is attached now

    # Other processes

    async def _listen(self, channel: str) -> None:
        if self._backplane is not None:
            await self._backplane.listen(channel)

    async def _unlisten(self, *channels: str) -> None:
        if self._backplane is not None:
            for channel in channels:
                await self._backplane.unlisten(channel)

    async def _join(self, backplane: Backplane) -> None:
        """Become one of the processes that share the backplane."""
        assert self._hearing is not None
        await backplane.start(
            self._hearing.hear,
            self._hearing.relisten,
            with_parts(self._store.resolve),
            limits=self._limits,
            release_timeout=2 * self._limits.close_timeout + 1,
            on_fenced=self._fenced,
            on_rejoined=self._runs.put_back,
        )
        self.tree, self._logins.tree = backplane.tree.local, backplane.tree
        await self._hearing.begin()

    def _check_goes_on(self) -> None:
        if self.stopping:
            raise ScopeClosed("the hub is shutting down; nothing can be started any more")

    def _check_joined(self) -> None:
        if self._backplane is not None and self._logins.tree is self.tree:
            raise StoreError(self._unjoined)

    def _fenced(self) -> None:
        """Others have taken over what this process held; its clients come back, and find it there."""
        for connection in self._present.connections.values():
            connection.end(ending(Code.RESTARTING)._replace(flush=False))


def _check_run(execute: object, on_last_detach: object) -> None:
    if not callable(execute):
        raise TypeError(f"expected an async function as execute=, got {type(execute).__name__}")
    grace = isinstance(on_last_detach, Grace) and _is_time(on_last_detach.seconds)
    if not grace and on_last_detach not in ("continue", "cancel"):
        raise ValueError('expected on_last_detach="continue", "cancel" or Grace(seconds)')


def _going_and_last(runs: Sequence[RunRecord], most: int) -> list[RunRecord]:
    """The runs that go on, and so many of those that have ended, oldest first."""
    ended = [run.run for run in runs if run.ended]
    left_out = set(ended[: max(len(ended) - most, 0)])
    return [run for run in runs if run.run not in left_out]


def _is_time(seconds: object) -> bool:
    return isinstance(seconds, int | float) and seconds >= 0


def _check_knows_parts(tree: ScopeTree) -> None:
    try:
        with suppress(NotFound):
            tree.find("socket", "", principal="")
    except UnknownName:
        raise UnknownName(
            "the tree does not know a hub's parts; make it with ScopeTree(with_parts(store.resolve))",
            what="kind",
            name="socket",
        ) from None
