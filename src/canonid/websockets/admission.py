"""Letting in: from an accepted socket to a connection with its ID, its lineage and its scope."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from canonid.aliases import Lineage
from canonid.core import Identity
from canonid.errors import ClaimConflict, Fenced, LineageConflict, ScopeClosed
from canonid.scopes import LiveScope, Scope
from canonid.websockets.backplane import Backplane, user_channel
from canonid.websockets.codes import Code, Refusal, restarting
from canonid.websockets.connection import Connection, Host
from canonid.websockets.handshake import Authenticate, Handshake, authenticated
from canonid.websockets.limits import Limits
from canonid.websockets.logins import CLOSED, Logins
from canonid.websockets.presence import Presence
from canonid.websockets.records import Records
from canonid.websockets.sessions import Session
from canonid.websockets.socket import Socket
from canonid.websockets.tickets import Ticket

PATIENCE = 5.0  # seconds for another process to close the session that is to be entered
AGAIN = 0.05  # seconds between two tries


class Admitted(NamedTuple):
    """Who was let in, for how many seconds. What is told to the user is heard from now on.

    The session is kept for the ID of the connection, until that leaves it.
    """

    connection: Connection
    session: Session
    scope: LiveScope
    seconds: float


class Admission:
    """Asks who it is, and whether there is room; registers whoever may come in."""

    def __init__(
        self,
        host: Host,
        authenticate: Authenticate,
        records: Records,
        logins: Logins,
        present: Presence,
        backplane: Backplane | None,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._host = host
        self._authenticate = authenticate
        self._records = records
        self._logins = logins
        self._present = present
        self._backplane = backplane
        self._limits = limits
        self._clock = clock

    async def admit(self, socket: Socket, handshake: Handshake) -> Admitted:
        """Let in, or raise Refusal. StoreError."""
        ticket = await authenticated(handshake, self._authenticate, self._clock)
        assert ticket.issued_at is not None
        session = ticket.lineage or await self._session_of(ticket.principal, ticket.session)
        lineage = await self._records.born(session)
        channel = user_channel(session.principal)
        if self._backplane is not None:
            await self._backplane.listen(channel)  # first, so that nothing sent after "ready" is missed
        try:
            return await self._enter_when_closed(socket, session, lineage, ticket)
        except BaseException:
            if self._backplane is not None:
                await self._backplane.unlisten(channel)
            raise

    async def _enter_when_closed(
        self, socket: Socket, session: Lineage, lineage: Lineage, ticket: Ticket
    ) -> Admitted:
        """Waits while another process is closing the session. Refusal (1013) if that takes too long."""
        assert ticket.issued_at is not None
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while loop.time() < until:
            try:
                return await self._enter(socket, session, lineage, ticket.issued_at, ticket.expires_at)
            except ClaimConflict:
                if self._backplane is None:
                    raise
            except Fenced:
                raise self._restarting() from None
            except ScopeClosed:
                await self._logins.settled(session.child)
            await self._check_may_enter(session, ticket.issued_at)
            await asyncio.sleep(AGAIN)
        raise Refusal("the session is being closed; try again", Code.OVERLOADED)

    async def _session_of(self, principal: str, session: str) -> Lineage:
        try:
            return await asyncio.to_thread(self._records.session, principal, session)
        except LineageConflict:
            raise Refusal(code=Code.NOT_AUTHENTICATED) from None

    async def _enter(
        self, socket: Socket, session_lineage: Lineage, lineage: Lineage, issued_at: float, expires_at: float
    ) -> Admitted:
        await self._logins.settled(session_lineage.child)
        await self._check_may_enter(session_lineage, issued_at)
        if len(self._present.of_user[session_lineage.principal]) >= self._limits.connections_per_principal:
            raise Refusal("too many connections", limit="connections_per_principal")
        session = await self._logins.open(session_lineage, keeper=lineage.child)
        try:
            scope = await self._room(session, session_lineage, lineage, issued_at)
        except BaseException:
            session.leave(lineage.child)
            raise
        assert isinstance(scope.local, Scope)
        connection = Connection(
            socket,
            self._host,
            self._limits,
            scope.local,
            id=lineage.child,
            session=session.id,
            principal=session.principal,
        )
        return Admitted(connection, session, scope, expires_at - self._clock())

    async def _room(
        self, session: Session, session_lineage: Lineage, lineage: Lineage, issued_at: float
    ) -> LiveScope:
        """The scope of the connection."""
        identity = Identity("connection", lineage.child)
        try:
            scope = await session.scope.open("connection", lineage.text, identity=identity)
        except ScopeClosed:  # by another process, of which this one may not have heard yet
            await self._logins.close(session, CLOSED)
            raise
        try:
            if self._backplane is not None:
                await self._check_room(session, lineage.child)
            await self._check_may_enter(session_lineage, issued_at)
            if scope.closed:
                raise ScopeClosed(f"connection {lineage.child} was closed while it was let in")
        except BaseException:
            # Whoever is refused hears it, though the store may be slow to learn.
            await asyncio.wait({scope.close()}, timeout=self._limits.close_timeout)
            raise
        return scope

    async def _check_room(self, session: Session, connection: str) -> None:
        """Refusal if this connection is one too many, over all processes.

        Who came to the session after it does not count: of two at once for the last place, one has it.
        """
        ahead = 0
        for root in await self._logins.tree.live(session.principal):
            names = [node.canonical for node in root.children if node.kind == "connection"]
            own = root.canonical == session.id and connection in names
            ahead += names.index(connection) if own else len(names)
        if ahead >= self._limits.connections_per_principal:
            raise Refusal("too many connections", limit="connections_per_principal")

    async def _check_may_enter(self, session: Lineage, issued_at: float) -> None:
        if issued_at <= await self._logins.over_since(session.child):
            raise Refusal(code=Code.NOT_AUTHENTICATED)
        if self._host.stopping:
            raise self._restarting()

    def _restarting(self) -> Refusal:
        return Refusal(restarting(self._limits.draw_retry()).reason, Code.RESTARTING)
