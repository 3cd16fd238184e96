"""WebSocket connections over scopes, as one ASGI application."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress
from contextvars import Context
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar, cast
from weakref import WeakValueDictionary

from canonid import incidents
from canonid.aliases import Lineage, Store
from canonid.core import Identity, Registry
from canonid.counters import Counters
from canonid.errors import (
    ClaimConflict,
    Fenced,
    LineageConflict,
    NotFound,
    ScopeClosed,
    StoreError,
    UnknownName,
)
from canonid.scopes import LiveScope, Release, Scope, ScopeTree, Snapshot, Tree
from canonid.websockets.backplane import (
    Backplane,
    RunRecord,
    process_channel,
    run_of,
    topic_channel,
    user_channel,
)
from canonid.websockets.backpressure import Backpressure, Policy
from canonid.websockets.bodies import Bodies
from canonid.websockets.cancelling import cancelled
from canonid.websockets.closes import Close, Closes
from canonid.websockets.codes import Code, Ending, Refusal, ending, restarting, shown, sole
from canonid.websockets.connection import Connection, Queued
from canonid.websockets.handshake import Authenticate, Handshake, authenticated, check_origin
from canonid.websockets.heartbeats import Heartbeats
from canonid.websockets.limits import Limits
from canonid.websockets.parts import with_parts
from canonid.websockets.presence import Counts, Presence
from canonid.websockets.recorder import Recorder
from canonid.websockets.running import Execute, Runs, gone_text
from canonid.websockets.runs import OnLastDetach, Run
from canonid.websockets.sending import ScopeKind, Sending, checked_topic, scope_kind
from canonid.websockets.sessions import Session
from canonid.websockets.socket import Event, Gone, Receive, Send, Socket
from canonid.websockets.stopping import before_sigterm
from canonid.websockets.streams import Stream
from canonid.websockets.tickets import Ticket, Tickets, new_token, offered
from canonid.websockets.traffic import Traffic
from canonid.websockets.wire import Message, count_field, text_field

OnMessage = Callable[[Connection, Message], Awaitable[None]]
OnMessageT = TypeVar("OnMessageT", bound=OnMessage)
Mint = Callable[[str, Lineage], str]

log = logging.getLogger("canonid.websockets")

TRIES = 100  # to open what another process is still closing
AGAIN = 0.5  # seconds until runs that can't be shown are looked for again
DRAIN_TICK = 0.05  # seconds between two looks at what is left
LOGOUT_MEMORY = 600.0  # seconds; longer than any ticket lives and any handshake takes


class Hub:
    """Mount it, give it an `on_message`, and clients can connect with a ticket from `tickets.issue(...)`.

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
        # A writer has `close_timeout` for what is queued, and as long again to stop.
        self.tree = tree or ScopeTree(with_parts(store.resolve), release_timeout=2 * limits.close_timeout + 1)
        _check_knows_parts(self.tree)
        self.tickets = Tickets(clock, ttl=limits.ticket_ttl)
        self.closes = Closes(limits.closes)
        self.counters = Counters()
        self.traffic = Traffic()
        self._registry = registry
        self.backpressure = Backpressure(backpressure)
        self._store = store
        self._recorder = Recorder(store)
        self._origins = frozenset(origins)
        self._allow_missing_origin = allow_missing_origin
        self._authenticate = authenticate or self._redeem
        self._mint: Mint = mint or (lambda kind, parent: registry.mint(kind))
        self._clock = clock
        self._limits = limits
        self._bodies = Bodies(registry, store, ids or {}, limits.ids_per_message, self.counters)
        self._on_message: OnMessage | None = None
        self._backplane = backplane
        self._heartbeats = Heartbeats(limits.heartbeat)
        self._present = Presence()
        self._runs = Runs(self._present, limits, clock, self.counters, backplane)
        self._shared_tree: Tree = self.tree
        self._sending = Sending(
            store, self._present, self._runs, self.backpressure, backplane, limits.outbox_bytes
        )
        self._logged_out: dict[str, float] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._fences = 0
        self._drain_on_sigterm = drain_on_sigterm

    # What the application calls

    def on_message(self, receive: OnMessageT) -> OnMessageT:
        """Decorator: messages of clients go to this async function, one at a time per connection.

        It may raise Refusal (its code, else 1008) and NotFound or InvalidId (4404); anything else is
        an incident (1011). It is cancelled when its connection ends: what must outlive that is a run.
        """
        self._on_message = receive
        return receive

    async def issue_ticket(self, *, principal: str, session: str, expires_at: float) -> str:
        """A ticket for one handshake within `limits.ticket_ttl`, with whichever process. StoreError.

        `expires_at`, in seconds since 1970, is when the connection ends at the latest. Raises LineageConflict
        if the session is somebody else's.
        """
        lineage = await asyncio.to_thread(self._record_session, principal, session)
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
        self._present.join(connection, topic)
        try:
            await self._listen(topic_channel(topic))
        except BaseException:
            self._present.part(connection, topic)
            raise

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
        out (remembered for 10 minutes at least) and is not live again, or if the hub shuts down.
        """
        session_id = owner.session if isinstance(owner, Connection) else owner
        session_lineage, thread_lineage, lineage = await asyncio.to_thread(
            self._record_run, session_id, thread
        )
        await self._settled(session_lineage.child)
        if self._runs.stopping:
            raise ScopeClosed("the hub is shutting down; nothing can be started any more")
        session = self._present.sessions.get(session_lineage.child)
        if session is None and session_lineage.child in self._logged_out:
            raise ScopeClosed(f"session {session_lineage.child} was logged out; start runs in a live one")
        session = session or await self._session(session_lineage)
        try:
            scope = await session.scope.open("run", lineage.text, identity=Identity("run", lineage.child))
            run = await self._runs.begin(session, scope, thread_lineage.child, execute, on_last_detach)
        except ScopeClosed:  # by another process, of which this one may not have heard yet
            self._close(session, ending(Code.NOT_AUTHENTICATED, "session closed"))
            raise
        for connection in self._present.watching[run.thread]:
            self._show(connection, run)
        if isinstance(owner, Connection):
            self._show(owner, run)
        await self._tell_of(run)
        return run

    async def runs_of(self, thread: str) -> list[RunRecord]:
        """The runs of a thread, by its canonical ID, that go on or are kept for replay; oldest first.

        In every process, where there is a backplane. StoreError.
        """
        return await self._runs.of_thread(thread)

    async def close_session(self, session: str) -> None:
        """Log out: its connections end with 4401, its runs are cancelled, its unspent tickets are void.

        In every process. StoreError where others can't be told.
        """
        names, principal = await asyncio.to_thread(self._names_of, session)
        now = self._clock()
        self._logged_out = {key: at for key, at in self._logged_out.items() if now - at < LOGOUT_MEMORY}
        self._logged_out |= dict.fromkeys(names, now)
        live = [self._present.sessions[name] for name in names if name in self._present.sessions]
        why = ending(Code.NOT_AUTHENTICATED, "session closed")
        closing = [self._close(session, why, everywhere=True) for session in live]
        if self._backplane is not None:
            await self._backplane.end_session(tuple(names), now)
            elsewhere = names - {session.id for session in live} if principal is not None else ()
            for name in elsewhere:
                with suppress(NotFound):
                    entry = await self._shared_tree.find("session", name, principal=str(principal))
                    await cast(LiveScope, entry).close()
        await asyncio.gather(*closing)

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
        await asyncio.gather(*[self._close(session, ending(Code.RESTARTING)) for session in sessions])
        await self._runs.clear()

    @asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """For `FastAPI(lifespan=hub.lifespan)` or Starlette: shuts the hub down when the server stops."""
        self._runs.stopping = False
        if self._backplane is not None:
            await self._join(self._backplane)
        drain = partial(self.shutdown, self._limits.shutdown_grace)
        try:
            with before_sigterm(drain) if self._drain_on_sigterm else nullcontext():
                yield
        finally:
            await self.shutdown()
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

    def queued(self) -> Queued:
        """What waits for all clients together. Takes 0.3 µs a connection."""
        each = [connection.queued for connection in tuple(self._present.connections.values())]
        return Queued(sum([queued.messages for queued in each]), sum([queued.bytes for queued in each]))

    async def live_of(self, user: str) -> list[Snapshot]:
        """The live sessions of a user with all below, in every process, oldest first.

        Raises as `send_to_user` does.
        """
        names, _ = await asyncio.to_thread(self._sending.known, "user", user)
        roots = [root for name in names for root in await self._shared_tree.live(name)]
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
        async with self.lifespan(self):
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    # One connection, from the handshake to its end

    async def _serve(self, scope: Event, receive: Receive, send: Send) -> None:
        socket = Socket(scope, receive, send)
        handshake = Handshake(scope["path"], scope.get("query_string", b""), socket.headers, socket.offered)
        connection, fences = None, self._fences
        why = ending(Code.RESTARTING)  # the server cancels what runs too long after it was told to stop
        self._present.handshakes += 1
        try:
            try:
                await socket.accept()
                if self._present.handshakes > self._limits.handshakes:
                    raise Refusal("too many handshakes", Code.OVERLOADED, limit="handshakes")
                connection, session, live, seconds = await self._admit(socket, handshake)
            finally:
                self._present.handshakes -= 1
            why = await self._serve_admitted(connection, session, live, seconds)
        except Gone as gone:
            why = gone.ending
        except GeneratorExit:
            raise  # nothing can be waited for in a loop that is closing
        except BaseException as error:
            if not cancelled(error):
                why = self._refused(sole(error), self._fences > fences)
            await socket.close(why, self._limits.close_timeout)
            if cancelled(error):
                raise
        finally:
            identity, principal = (connection.id, connection.principal) if connection else (None, None)
            cut, at = socket.cut, self._clock()
            self.closes.add(Close(identity, principal, why.code, why.reason, why.ours, cut, at))
            self.counters.add("closes", code=shown(why), ours=str(why.ours).lower())

    def _refused(self, error: BaseException, fenced: bool) -> Ending:
        away = fenced or not self.may_send
        if isinstance(error, Fenced) or (isinstance(error, StoreError) and away):
            return self._restarting().ending  # it is this process that can't serve now
        if not isinstance(error, Refusal):
            self.counters.add("incidents", during="handshake")
            return ending(Code.INCIDENT, incidents.report(error, "a handshake"))
        if error.limit is not None:
            self.counters.add("limit_exceeded", limit=error.limit, code=str(error.ending.code))
        return error.ending

    async def _admit(
        self, socket: Socket, handshake: Handshake
    ) -> tuple[Connection, Session, LiveScope, float]:
        check_origin(handshake, self._origins, self._allow_missing_origin)
        ticket = await authenticated(handshake, self._authenticate, self._limits.auth_timeout, self._clock)
        session_lineage = ticket.lineage or await self._checked(ticket)
        lineage = self._born(session_lineage)
        await self._recorder.record(lineage)
        channel = user_channel(session_lineage.principal)
        await self._listen(channel)  # before "ready", so that nothing sent after that is missed
        try:
            connection, session, live = await self._enter(socket, ticket, session_lineage, lineage)
        except BaseException:
            await self._unlisten(channel)
            raise
        return connection, session, live, ticket.expires_at - self._clock()

    async def _checked(self, ticket: Ticket) -> Lineage:
        try:
            return await asyncio.to_thread(self._record_session, ticket.principal, ticket.session)
        except LineageConflict:
            raise Refusal(code=Code.NOT_AUTHENTICATED) from None

    async def _enter(
        self, socket: Socket, ticket: Ticket, session_lineage: Lineage, lineage: Lineage
    ) -> tuple[Connection, Session, LiveScope]:
        if self._backplane is not None and self._shared_tree is self.tree:
            raise RuntimeError("the hub has not joined its backplane: serve it with lifespan=hub.lifespan")
        for _ in range(TRIES):
            await self._settled(session_lineage.child)
            # In one process nothing is waited for from here on, so no logout or shutdown can come in between.
            await self._check_may_enter(ticket, session_lineage)
            if (
                len(self._present.of_user[session_lineage.principal])
                >= self._limits.connections_per_principal
            ):
                raise Refusal("too many connections", limit="connections_per_principal")
            session = await self._session(session_lineage)
            try:
                live = await self._live_in(session, ticket, session_lineage, lineage)
                break
            except ScopeClosed:  # by another process
                await self._close(session, ending(Code.NOT_AUTHENTICATED, "session closed"))
            except ClaimConflict:  # with the try before, which is still being given back
                if self._backplane is None:
                    raise
                await asyncio.sleep(DRAIN_TICK)
        else:
            raise self._restarting()
        connection = Connection(
            socket, self, self._limits, id=lineage.child, session=session.id, principal=session.principal
        )
        return connection, session, live

    async def _live_in(
        self, session: Session, ticket: Ticket, session_lineage: Lineage, lineage: Lineage
    ) -> LiveScope:
        """The scope of a new connection. ScopeClosed if another process has closed the session meanwhile."""
        identity = Identity("connection", lineage.child)
        live = await session.scope.open("connection", lineage.text, identity=identity)
        if self._backplane is not None:
            try:
                await self._check_may_enter(ticket, session_lineage)
                await self._check_room(session_lineage.principal)
            except BaseException:
                await live.close()
                raise
        if live.closed:
            raise ScopeClosed("the session was closed while a connection was let in; open it again")
        return live

    async def _check_room(self, principal: str) -> None:
        """Refusal if this connection is one too many, over all processes."""
        roots = await self._shared_tree.live(principal)
        connections = [node for root in roots for node in root.children if node.kind == "connection"]
        if len(connections) > self._limits.connections_per_principal:
            raise Refusal("too many connections", limit="connections_per_principal")

    async def _check_may_enter(self, ticket: Ticket, session: Lineage) -> None:
        over = self._logged_out.get(session.child, -1.0)
        if self._backplane is not None:
            over = max(over, await self._backplane.ended_at(session.child) or -1.0)
        if ticket.issued_at is not None and ticket.issued_at <= over:
            raise Refusal(code=Code.NOT_AUTHENTICATED)
        if self._runs.stopping:
            raise self._restarting()

    def _restarting(self) -> Refusal:
        wait = random.uniform(self._limits.retry_after_min, self._limits.retry_after_max)  # noqa: S311
        return Refusal(restarting(wait).reason, Code.RESTARTING)

    async def _serve_admitted(
        self, connection: Connection, session: Session, live: LiveScope, seconds: float
    ) -> Ending:
        assert isinstance(live.local, Scope)
        self._present.arrive(connection)
        session.keep(connection)
        try:
            await connection.send({"type": "ready", "connection": connection.id, "session": session.id})
            with connection.bound():
                await connection.serve(live.local, seconds)
        finally:
            self._present.leave(connection)
            session.leave(connection)
            await live.close()
            for channel in (user_channel(connection.principal), *map(topic_channel, connection.topics)):
                await self._unlisten(channel)
        assert connection.ending is not None
        return connection.ending

    async def _redeem(self, handshake: Handshake) -> Ticket | None:
        token = offered(handshake.subprotocols)
        if token is None or self._backplane is None:
            return None if token is None else self.tickets.redeem(token)
        return await self._backplane.take_ticket(token)

    # What connections ask of their hub

    @property
    def may_send(self) -> bool:
        """Whether nobody else can have taken over what this process holds."""
        return self._backplane is None or self._backplane.may_send

    def beats(self, connection: Connection) -> Release:
        """Ping a connection once a heartbeat, until what this gives is called."""
        return self._heartbeats.add(connection)

    async def deliver(self, connection: Connection, message: Message) -> None:
        """A message for the application, unless that is stopping: then the client is told to come back."""
        if self._runs.stopping:
            connection.tell_restarting()
            return
        if self._on_message is None:
            raise Refusal("no such type of message")
        if spots := self._bodies.find(message):
            await asyncio.to_thread(self._bodies.authorise, spots, connection.principal)
        await self._on_message(connection, message)

    async def watch(self, connection: Connection, thread: str) -> str:
        """Make a connection receive what is sent to a thread of its principal; gives the canonical ID."""
        lineage = await self._authorised(connection, thread, "thread")
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
            newest = (await self.runs_of(canonical))[-self._limits.runs_per_principal :]
        finally:
            del connection.asking[canonical]
        runs = [{"run": run.run, "seq": run.seq, "ended": run.ended} for run in newest]
        for run in newest:
            connection.shown.add(run.run)
        await connection.send({"type": "watching", "thread": canonical, "runs": runs})
        if started:
            self._keep_doing(self._attach_watchers(canonical, started, (connection,)))

    async def _run(self, connection: Connection, message: Message, last_seq: int = 0) -> Stream | None:
        """The principal's run that a message names; if there is none any more, the client is told."""
        lineage = await self._authorised(connection, text_field(message, "run"), "run")
        found = await self._runs.find(lineage.child, last_seq)
        if isinstance(found, Stream):
            return found
        await connection.send(gone_text(lineage.child, lineage.parent, found))
        return None

    def _show(self, connection: Connection, run: Stream) -> None:
        """Attach who watches its thread, unless the client knows of the run, or is just being told of it."""
        if run.thread in connection.asking:
            connection.asking[run.thread].add(run.id)
        elif run.id not in connection.shown:
            self._attach(connection, run)

    def _attach(self, connection: Connection, run: Stream, last_seq: int = 0) -> None:
        try:
            if connection.ending is None:
                connection.shown.add(run.id)
                run.attach(connection, last_seq)
        finally:
            self._runs.drop(run)  # unless it is attached now

    # Other processes

    async def _listen(self, channel: str) -> None:
        if self._backplane is not None:
            await self._backplane.listen(channel)

    async def _unlisten(self, channel: str) -> None:
        if self._backplane is not None:
            await self._backplane.unlisten(channel)

    async def _join(self, backplane: Backplane) -> None:
        """Become one of the processes that share the backplane."""
        await backplane.start(
            self._hear,
            self._relisten,
            with_parts(self._store.resolve),
            release_timeout=2 * self._limits.close_timeout + 1,
            on_fenced=self._fenced,
        )
        self.tree, self._shared_tree = backplane.tree.local, backplane.tree
        await backplane.listen(process_channel(backplane.process))

    def _fenced(self) -> None:
        """Others have taken over what this process held; its clients come back, and find it there."""
        self._fences += 1
        for connection in self._present.connections.values():
            connection.end(ending(Code.RESTARTING)._replace(flush=False))

    async def _tell_of(self, run: Run) -> None:
        """Whoever watches the run's thread elsewhere sees it too."""
        if self._backplane is not None:
            told = json.dumps(["started", [run.id], run.thread])
            # The run goes on, even if who started it does not.
            await asyncio.shield(self._keep_doing(self._backplane.tell(user_channel(run.principal), told)))

    def _hear(self, channel: str, told: str) -> None:
        match channel.partition("/"):
            case ("user" | "topic", _, _):
                kind, names, text = json.loads(told)
                if kind == "started":
                    self._keep_doing(self._attach_watchers(text, names))
                else:
                    self._sending.hear(kind, names, text)
            case ("process", _, _):
                self._runs.cancel(told)
            case _:
                self._runs.hear(run_of(channel), told)

    def _relisten(self, channel: str) -> None:
        """What was told in a break is lost; what is kept can be caught up with."""
        match channel.partition("/"):
            case ("user", _, principal):
                threads = {thread for live in self._present.of_user[principal] for thread in live.watching}
                for thread in threads:
                    self._keep_doing(self._attach_watchers(thread))
            case ("topic" | "process", _, _):
                pass
            case _:
                self._runs.relisten(run_of(channel))

    async def _attach_watchers(
        self, thread: str, runs: Collection[str] | None = None, watchers: Collection[Connection] | None = None
    ) -> None:
        """Attach who watches a thread to its runs that go on elsewhere, and who does not know of them yet."""
        while True:
            try:
                going = runs or [run.run for run in await self._runs.of_thread(thread) if not run.ended]
                for run in going:
                    found = await self._runs.find(run, 0)
                    if isinstance(found, Stream):
                        for connection in watchers or self._present.watching[thread]:
                            self._show(connection, found)
                        self._runs.drop(found)
                return
            except StoreError as error:
                log.warning("runs of thread %s that go on elsewhere are not shown yet: %s", thread, error)
                await asyncio.sleep(AGAIN)

    def _keep_doing(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Records, in worker threads

    async def _authorised(self, connection: Connection, text: str, kind: str) -> Lineage:
        return await asyncio.to_thread(self._store.authorise, text, kind=kind, principal=connection.principal)

    def _names_of(self, session: str) -> tuple[set[str], str | None]:
        identity = self._store.resolve(session, kind="session")
        with suppress(NotFound):
            return self._sending.names(identity), self._store.lineage(session, kind="session").principal
        return self._sending.names(identity), None

    def _record_session(self, principal: str, session: str) -> Lineage:
        return self._store.record(session, kind="session", parent=principal, parent_kind="user")

    def _born(self, session: Lineage) -> Lineage:
        """The lineage of a new connection."""
        text = self._mint("connection", session)
        self.counters.add("minted", kind="connection")
        child = self._registry.identify(text, "connection").canonical
        return Lineage(child, "connection", session.child, "session", session.principal, text, self._clock())

    def _record_run(self, session_id: str, thread_text: str) -> tuple[Lineage, Lineage, Lineage]:
        session = self._store.lineage(session_id, kind="session")
        thread = self._store.authorise(thread_text, kind="thread", principal=session.principal)
        text = self._mint("run", thread)
        self.counters.add("minted", kind="run")
        run = self._store.record(text, kind="run", parent=thread.child, parent_kind="thread")
        return session, thread, run

    # Sessions and runs

    async def _settled(self, session_id: str) -> None:
        """Wait while a session of this ID is ending."""
        while (session := self._present.sessions.get(session_id)) is not None and session.over:
            await self._close(session, ending(Code.NOT_AUTHENTICATED, "session closed"))

    async def _session(self, lineage: Lineage) -> Session:
        """The live session, joined or opened."""
        async with self._opening.setdefault(lineage.child, asyncio.Lock()):
            await self._settled(lineage.child)
            session = self._present.sessions.get(lineage.child)
            if session is not None:
                return session
            session = Session(await self._session_scope(lineage), self._limits.session_grace, self._expire)
            self._present.sessions[session.id] = session
            return session

    async def _session_scope(self, lineage: Lineage) -> LiveScope:
        open_it = partial(
            self._shared_tree.open,
            "session",
            lineage.text,
            principal=lineage.principal,
            identity=Identity("session", lineage.child),
            joined=True,
        )
        for _ in range(TRIES if self._backplane is not None else 0):
            try:
                return await open_it()
            except (ClaimConflict, ScopeClosed):  # another process is still closing it
                await asyncio.sleep(DRAIN_TICK)
        return await open_it()

    def _expire(self, session: Session) -> None:
        self._close(session, ending(Code.NOT_AUTHENTICATED, "session closed"))

    def _close(self, session: Session, why: Ending, *, everywhere: bool = False) -> asyncio.Future[None]:
        """Begin to close a session; what it gives can be awaited, and cancelled, by as many as like."""
        if session.closing is None:
            # At once, so that nobody who is refused from now on has a connection that still looks open.
            for connection in self._present.of_session[session.id]:
                connection.end(why)
            # In a context of its own: called within a cleanup, closing a scope would not wait for its end.
            session.closing = asyncio.create_task(self._closing(session, everywhere), context=Context())
        return asyncio.shield(session.closing)

    async def _closing(self, session: Session, everywhere: bool) -> None:
        session.stop_countdown()
        for entry in session.local.entries:
            if isinstance(entry, Scope):
                # All at once, so that a stalled client delays no other.
                run = self._present.runs.get(entry.canonical)
                entry.close() if run is None else run.cancel()
        await (session.scope.close() if everywhere else session.scope.leave())
        del self._present.sessions[session.id]


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
