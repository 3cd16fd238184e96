"""WebSocket connections over scopes, as one ASGI application."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress
from contextvars import Context
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from canonid.aliases import Lineage, Store
from canonid.core import Identity, Registry
from canonid.counters import Counters
from canonid.errors import LineageConflict, NotFound, ScopeClosed, UnknownName
from canonid.scopes import Scope, ScopeTree
from canonid.websockets import incidents
from canonid.websockets.backpressure import Backpressure, Policy, Sheddable
from canonid.websockets.cancelling import cancelled
from canonid.websockets.closes import Close, Closes
from canonid.websockets.codes import Code, Ending, Refusal, ending, restarting, sole
from canonid.websockets.connection import Connection
from canonid.websockets.handshake import Authenticate, Handshake, authenticated, check_origin
from canonid.websockets.limits import Limits
from canonid.websockets.parts import with_parts
from canonid.websockets.presence import Counts, Presence
from canonid.websockets.retention import Retention
from canonid.websockets.runs import CANCELLED, COMPLETED, FAILED, GONE, LOST, OnLastDetach, Run
from canonid.websockets.sessions import Session
from canonid.websockets.socket import Event, Gone, Receive, Send, Socket
from canonid.websockets.stopping import before_sigterm
from canonid.websockets.tickets import Ticket, Tickets
from canonid.websockets.wire import Message, count_field, encode, text_field

OnMessage = Callable[[Connection, Message], Awaitable[None]]
OnMessageT = TypeVar("OnMessageT", bound=OnMessage)
Execute = Callable[[Run], Awaitable[object]]
Mint = Callable[[str, Lineage], str]

DRAIN_TICK = 0.05  # seconds between two looks at what is left
LOGOUT_MEMORY = 600.0  # seconds; longer than any ticket lives and any handshake takes


class Hub:
    """Mount it, give it an `on_message`, and clients can connect with a ticket from `tickets.issue(...)`.

    Expects the kinds user, session (of a user), connection (of a session), thread (of a user) and run (of
    a thread). Without a `tree` it makes its own; a shared one must be `ScopeTree(with_parts(store.resolve))`.
    `authenticate` replaces tickets. `mint` gives the text of a new connection or run under its parent's
    lineage, by default in the kind's canonical format. `backpressure` says, by type of message, what may be
    dropped or coalesced for a client that reads too slowly. `drain_on_sigterm` keeps SIGTERM from the server
    until runs have ended, for at most `limits.shutdown_grace`; the lifespan must then run in the main thread.
    `clock` gives seconds since 1970. A hub belongs to one event loop; only its `tickets` are usable before
    that runs, and from other threads. A shared tree must let a cleanup take `2 * limits.close_timeout`.
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        tree: ScopeTree | None = None,
        *,
        origins: Collection[str] = (),
        allow_missing_origin: bool = True,
        authenticate: Authenticate | None = None,
        mint: Mint | None = None,
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
        self.backpressure = Backpressure(backpressure)
        self._store = store
        self._origins = frozenset(origins)
        self._allow_missing_origin = allow_missing_origin
        self._authenticate = authenticate or self._redeem
        self._mint: Mint = mint or (lambda kind, parent: registry.mint(kind))
        self._clock = clock
        self._limits = limits
        self._on_message: OnMessage | None = None
        self._present = Presence()
        self._ended_runs = Retention(limits, self._present.forget)
        self._logged_out: dict[str, float] = {}
        self._stopping = False
        self._drain_on_sigterm = drain_on_sigterm

    # What the application calls

    def on_message(self, receive: OnMessageT) -> OnMessageT:
        """Decorator: messages of clients go to this async function, one at a time per connection.

        It may raise Refusal (its code, else 1008) and NotFound or InvalidId (4404); anything else is
        an incident (1011). It is cancelled when its connection ends: what must outlive that is a run.
        """
        self._on_message = receive
        return receive

    async def send_to_connection(self, connection: str, message: Mapping[str, Any]) -> int:
        """How many connections a message was queued for: 1, or 0 if it has ended.

        Any text that resolves names it. Raises InvalidId for a malformed text or another kind's, NotFound for
        an unknown one; so do the other two.
        """
        entry = self._encoded(message)
        names, live = await self._known(connection, "connection"), self._present.connections
        return sum([live[name].put(entry) for name in names & live.keys()])

    async def send_to_user(self, user: str, message: Mapping[str, Any]) -> int:
        """How many of a user's connections a message was queued for. Never waits for a slow one."""
        entry = self._encoded(message)
        names = await self._known(user, "user")
        return sum([live.put(entry) for name in names for live in self._present.of_user[name]])

    async def send_to_thread(self, thread: str, message: Mapping[str, Any]) -> int:
        """How many connections that watch a thread a message was queued for. Never waits for a slow one."""
        entry = self._encoded(message)
        names = await self._known(thread, "thread")
        return sum([live.put(entry) for name in names for live in self._present.watching[name]])

    def _encoded(self, message: Mapping[str, Any]) -> str | Sheddable:
        return self.backpressure.apply(message, encode(message, self._limits.outbox_bytes))

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
        if self._stopping:
            raise ScopeClosed("the hub is shutting down; nothing can be started any more")
        session = self._present.sessions.get(session_lineage.child)
        if session is None and session_lineage.child in self._logged_out:
            raise ScopeClosed(f"session {session_lineage.child} was logged out; start runs in a live one")
        session = session or self._opened(session_lineage)
        scope = session.scope.open("run", lineage.text, identity=Identity("run", lineage.child))
        run = Run(
            id=lineage.child,
            text=lineage.text,
            thread=thread_lineage.child,
            principal=session.principal,
            on_last_detach=on_last_detach,
            limits=self._limits,
            clock=self._clock,
        )
        executor = asyncio.create_task(self._execute(run, execute, scope), name=f"executor of {run.id}")
        retire = partial(self._retire, run, session, executor)
        try:
            scope.claim("executor", run.id, retire, identity=Identity("executor", run.id))
        except BaseException:
            executor.cancel()
            scope.close()
            raise
        run.on_cancel(partial(self._cancel, run, executor, scope))
        session.keep(run)
        self._present.keep(run)
        for connection in self._present.watching[run.thread]:
            self._attach(connection, run)
        if isinstance(owner, Connection):
            self._attach(owner, run)
        return run

    def runs_of(self, thread: str) -> tuple[Run, ...]:
        """The runs of a thread, by its canonical ID, that go on here or are kept for replay; oldest first."""
        return self._present.runs_of_thread[thread]

    async def close_session(self, session: str) -> None:
        """Log out: its connections end with 4401, its runs are cancelled, its unspent tickets are void."""
        names = await asyncio.to_thread(self._names, session, "session")
        now = self._clock()
        self._logged_out = {key: at for key, at in self._logged_out.items() if now - at < LOGOUT_MEMORY}
        self._logged_out |= dict.fromkeys(names, now)
        live = [self._present.sessions[name] for name in names if name in self._present.sessions]
        why = ending(Code.NOT_AUTHENTICATED, "session closed")
        await asyncio.gather(*[self._close(session, why) for session in live])

    async def shutdown(self, grace: float = 0.0) -> None:
        """End every connection with 1012 and a hint when to come back, and let nobody in any more.

        Runs have `grace` seconds to end by themselves; then they are cancelled, and their last event says
        `"reason": "restarting"`. Who watches one stays until it has ended; no message is taken meanwhile.
        """
        self._stopping = True
        if not await self._runs_end(grace):
            for run in self._going():
                run.cancel()
            await self._runs_end(2 * self._limits.close_timeout)
        for connection in tuple(self._present.connections.values()):
            connection.restart()
        sessions = tuple(self._present.sessions.values())
        await asyncio.gather(*[self._close(session, ending(Code.RESTARTING)) for session in sessions])
        self._ended_runs.clear()

    @asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """For `FastAPI(lifespan=hub.lifespan)` or Starlette: shuts the hub down when the server stops."""
        self._stopping = False
        drain = partial(self.shutdown, self._limits.shutdown_grace)
        try:
            with before_sigterm(drain) if self._drain_on_sigterm else nullcontext():
                yield
        finally:
            await self.shutdown()

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
        connection = None
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
                why = self._refused(sole(error))
            await socket.close(why, self._limits.close_timeout)
            if cancelled(error):
                raise
        finally:
            identity, principal = (connection.id, connection.principal) if connection else (None, None)
            cut, at = socket.cut, self._clock()
            self.closes.add(Close(identity, principal, why.code, why.reason, why.ours, cut, at))

    def _refused(self, error: BaseException) -> Ending:
        if not isinstance(error, Refusal):
            return ending(Code.INCIDENT, incidents.report(error, "a handshake"))
        if error.limit is not None:
            self.counters.add("limit_exceeded", limit=error.limit, code=str(error.ending.code))
        return error.ending

    async def _admit(self, socket: Socket, handshake: Handshake) -> tuple[Connection, Session, Scope, float]:
        check_origin(handshake, self._origins, self._allow_missing_origin)
        ticket = await authenticated(handshake, self._authenticate, self._limits.auth_timeout, self._clock)
        try:
            session_lineage, lineage = await asyncio.to_thread(self._record_connection, ticket)
        except LineageConflict:
            raise Refusal(code=Code.NOT_AUTHENTICATED) from None
        await self._settled(session_lineage.child)
        # From here on nothing is waited for, so that no logout or shutdown can come in between.
        if ticket.issued_at is not None and ticket.issued_at <= self._logged_out.get(
            session_lineage.child, -1.0
        ):
            raise Refusal(code=Code.NOT_AUTHENTICATED)
        if self._stopping:
            raise self._restarting()
        if len(self._present.of_user[session_lineage.principal]) >= self._limits.connections_per_principal:
            raise Refusal("too many connections", limit="connections_per_principal")
        session = self._present.sessions.get(session_lineage.child) or self._opened(session_lineage)
        connection = Connection(
            socket, self, self._limits, id=lineage.child, session=session.id, principal=session.principal
        )
        await connection.send({"type": "ready", "connection": connection.id, "session": session.id})
        identity = Identity("connection", lineage.child)
        live = session.scope.open("connection", lineage.text, identity=identity)
        return connection, session, live, ticket.expires_at - self._clock()

    def _restarting(self) -> Refusal:
        wait = random.uniform(self._limits.retry_after_min, self._limits.retry_after_max)  # noqa: S311
        return Refusal(restarting(wait).reason, Code.RESTARTING)

    async def _serve_admitted(
        self, connection: Connection, session: Session, live: Scope, seconds: float
    ) -> Ending:
        self._present.arrive(connection)
        session.keep(connection)
        try:
            await connection.serve(live, seconds)
        finally:
            self._present.leave(connection)
            session.leave(connection)
        assert connection.ending is not None
        return connection.ending

    async def _redeem(self, handshake: Handshake) -> Ticket | None:
        return self.tickets.redeem_offer(handshake.subprotocols)

    # What connections ask of their hub

    async def deliver(self, connection: Connection, message: Message) -> None:
        """A message for the application, unless that is stopping: then the client is told to come back."""
        if self._stopping:
            connection.tell_restarting()
            return
        if self._on_message is None:
            raise Refusal("no such type of message")
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
                if run := await self._run(connection, message):
                    self._attach(connection, run, last_seq)
            case "unsubscribe":
                if run := await self._run(connection, message):
                    run.detach(connection)
            case "cancel":
                if run := await self._run(connection, message):
                    run.cancel()
            case _:
                return False
        return True

    async def _answer_watch(self, connection: Connection, thread: str) -> None:
        canonical = await self.watch(connection, thread)
        newest = self.runs_of(canonical)[-self._limits.runs_per_principal :]
        runs = [{"run": run.id, "seq": run.seq, "ended": run.ended} for run in newest]
        await connection.send({"type": "watching", "thread": canonical, "runs": runs})

    async def _run(self, connection: Connection, message: Message) -> Run | None:
        """The principal's run that a message names; if it lives here no more, the client is told."""
        lineage = await self._authorised(connection, text_field(message, "run"), "run")
        run = self._present.runs.get(lineage.child)
        if run is None:
            event = GONE if self._ended_runs.knew(lineage.child) else LOST
            told = {"type": "event", "run": lineage.child, "thread": lineage.parent, "event": event}
            await connection.send(told | {"final": True})
        return run

    def _attach(self, connection: Connection, run: Run, last_seq: int = 0) -> None:
        if connection.ending is None:
            run.attach(connection, last_seq)

    # Records, in worker threads

    async def _authorised(self, connection: Connection, text: str, kind: str) -> Lineage:
        return await asyncio.to_thread(self._store.authorise, text, kind=kind, principal=connection.principal)

    async def _known(self, text: str, kind: str) -> set[str]:
        return await asyncio.to_thread(self._recorded_names, text, kind)

    def _recorded_names(self, text: str, kind: str) -> set[str]:
        names = self._names(text, kind)
        self._store.lineage(text, kind=kind)
        return names

    def _names(self, text: str, kind: str) -> set[str]:
        """The canonical ID, and those that were so before a link: what is live keeps the one it came with."""
        canonical = self._store.resolve(text, kind=kind).canonical
        return {canonical, *[alias.text for alias in self._store.aliases(canonical=canonical, kind=kind)]}

    def _record_connection(self, ticket: Ticket) -> tuple[Lineage, Lineage]:
        record = self._store.record
        session = record(ticket.session, kind="session", parent=ticket.principal, parent_kind="user")
        text = self._mint("connection", session)
        return session, record(text, kind="connection", parent=session.child, parent_kind="session")

    def _record_run(self, session_id: str, thread_text: str) -> tuple[Lineage, Lineage, Lineage]:
        session = self._store.lineage(session_id, kind="session")
        thread = self._store.authorise(thread_text, kind="thread", principal=session.principal)
        text = self._mint("run", thread)
        run = self._store.record(text, kind="run", parent=thread.child, parent_kind="thread")
        return session, thread, run

    # Sessions and runs

    async def _settled(self, session_id: str) -> None:
        """Wait while a session of this ID is ending."""
        while (session := self._present.sessions.get(session_id)) is not None and session.over:
            await self._close(session, ending(Code.NOT_AUTHENTICATED, "session closed"))

    def _opened(self, lineage: Lineage) -> Session:
        identity = Identity("session", lineage.child)
        scope = self.tree.open("session", lineage.text, principal=lineage.principal, identity=identity)
        session = Session(scope, self._limits.session_grace, self._expire)
        self._present.sessions[session.id] = session
        return session

    def _expire(self, session: Session) -> None:
        self._close(session, ending(Code.NOT_AUTHENTICATED, "session closed"))

    def _close(self, session: Session, why: Ending) -> asyncio.Future[None]:
        """Begin to close a session; what it gives can be awaited, and cancelled, by as many as like."""
        if session.closing is None:
            # At once, so that nobody who is refused from now on has a connection that still looks open.
            for connection in self._present.of_session[session.id]:
                connection.end(why)
            # In a context of its own: called within a cleanup, closing a scope would not wait for its end.
            session.closing = asyncio.create_task(self._closing(session), context=Context())
        return asyncio.shield(session.closing)

    async def _closing(self, session: Session) -> None:
        session.stop_countdown()
        for entry in session.scope.entries:
            if isinstance(entry, Scope):
                # All at once, so that a stalled client delays no other.
                run = self._present.runs.get(entry.canonical)
                entry.close() if run is None else run.cancel()
        await session.scope.close()
        del self._present.sessions[session.id]

    async def _execute(self, run: Run, execute: Execute, scope: Scope) -> None:
        try:
            await execute(run)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError | GeneratorExit):
                raise
            if isinstance(error, ScopeClosed) and scope.closed:
                return  # it was to be cancelled anyway
            run.end(FAILED, {"incident": incidents.report(error, f"run {run.id}")})
        else:
            run.end(COMPLETED)
        finally:
            scope.close()

    def _cancel(self, run: Run, executor: asyncio.Task[None], scope: Scope) -> None:
        self._stop(run, executor)  # first, or it would go on while what it claimed is released under it
        scope.close()

    def _stop(self, run: Run, executor: asyncio.Task[None]) -> None:
        if not run.stopping:  # a second cancellation would interrupt how it ends after the first
            run.stopping = True
            executor.cancel()

    def _retire(self, run: Run, session: Session, executor: asyncio.Task[None]) -> Awaitable[None]:
        self._stop(run, executor)  # now, not in a later turn: until then it would go on in a closed scope
        return self._retired(run, session, executor)

    async def _retired(self, run: Run, session: Session, executor: asyncio.Task[None]) -> None:
        await asyncio.wait({executor}, timeout=self._limits.close_timeout)
        run.end(CANCELLED, {"reason": "restarting"} if self._stopping else None)
        session.leave(run)
        self._ended_runs.add(run)


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
