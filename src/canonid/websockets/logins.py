"""The live sessions of one hub: joined or opened, left, logged out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from contextvars import Context
from typing import cast

from canonid.aliases import Lineage
from canonid.core import Identity
from canonid.errors import NotFound, ScopeClosed, StoreError
from canonid.scopes import LiveScope, Scope, Tree
from canonid.websockets.backplane import Backplane
from canonid.websockets.codes import Code, Ending, ending
from canonid.websockets.presence import Presence
from canonid.websockets.sessions import Session

LOGOUT_MEMORY = 600.0  # seconds; longer than any ticket lives and any handshake takes
NEVER = -1.0
CLOSED = ending(Code.NOT_AUTHENTICATED, "session closed")


class Logins:
    """Where sessions begin and end. `tree` holds them, in this process or in all."""

    def __init__(
        self,
        tree: Tree,
        present: Presence,
        backplane: Backplane | None,
        grace: float,
        clock: Callable[[], float],
    ) -> None:
        self.tree = tree
        self._present = present
        self._backplane = backplane
        self._grace = grace
        self._clock = clock
        self._logged_out: dict[str, float] = {}
        self._opening: dict[str, asyncio.Event] = {}
        self._on_expiry = self._expire  # one for all

    async def settled(self, session_id: str) -> Session | None:
        """The live session, if there is one here; waits while one of this ID is ending."""
        while (session := self._present.sessions.get(session_id)) is not None and session.over:
            await self.close(session, CLOSED)
        return session

    async def live(self, lineage: Lineage) -> Session:
        """The live session, joined or opened. ScopeClosed if it was logged out and is live nowhere."""
        session = await self.settled(lineage.child)
        if session is not None:
            return session
        since = await self.over_since(lineage.child)
        if since == NEVER or await self._is_live_elsewhere(lineage):
            session = await self.open(lineage)
            with session.kept():
                if await self.over_since(lineage.child) == since:
                    return session
        raise ScopeClosed(f"session {lineage.child} was logged out; start runs in a live one")

    async def open(self, lineage: Lineage, keeper: object = None) -> Session:
        """The live session, joined or opened, logged out or not. ScopeClosed while others are closing it.

        With a `keeper` it stays open until that has left.
        """
        while (session := await self.settled(lineage.child)) is None:
            if (opening := self._opening.get(lineage.child)) is not None:
                await opening.wait()
                continue
            opening = self._opening[lineage.child] = asyncio.Event()
            try:
                return await self._opened(lineage, keeper)
            finally:
                del self._opening[lineage.child]
                opening.set()
        if keeper is not None:
            session.keep(keeper)
        return session

    async def _opened(self, lineage: Lineage, keeper: object) -> Session:
        identity = Identity("session", lineage.child)
        scope = await self.tree.open(
            "session", lineage.text, principal=lineage.principal, identity=identity, joined=True
        )
        session = Session(scope, self._grace, self._on_expiry, keeper)
        self._present.sessions[session.id] = session
        return session

    async def over_since(self, session_id: str) -> float:
        """When it was last logged out, in any process, within the last 10 minutes; else NEVER. StoreError."""
        elsewhere = None if self._backplane is None else await self._backplane.ended_at(session_id)
        here = self._logged_out.get(session_id, NEVER)
        if abs(self._clock() - here) >= LOGOUT_MEMORY:  # long ago, or the clock has stepped back since
            here = NEVER
        return max(here, NEVER if elsewhere is None else elsewhere)

    async def log_out(self, names: Collection[str], principal: str | None) -> None:
        """End the session of these canonical IDs, here and in every process.

        StoreError where others can't be told yet: it may take effect later.
        """
        now = self._clock()
        self._logged_out = {key: at for key, at in self._logged_out.items() if now - at < LOGOUT_MEMORY}
        self._logged_out |= dict.fromkeys(names, now)
        live = [self._present.sessions[name] for name in names if name in self._present.sessions]
        # One that is only being left here may go on elsewhere.
        ended_here = {session.id for session in live if session.closing is None}
        closing = [self.close(session, CLOSED, everywhere=True) for session in live]
        complete = True
        if self._backplane is not None:
            await self._backplane.end_session(tuple(names), now)
            for name in set(names) - ended_here if principal is not None else ():
                with suppress(NotFound):
                    entry = await self.tree.find("session", name, principal=str(principal))
                    complete &= (await cast(LiveScope, entry).close()).complete
        if not all((complete, *await asyncio.gather(*closing))):
            raise StoreError("the store does not know yet that the session was logged out", path="valkey")

    def close(self, session: Session, why: Ending, *, everywhere: bool = False) -> asyncio.Future[bool]:
        """Begin to close a session; what it gives can be awaited, and cancelled, by as many as like.

        False where a store gave no answer, so that other processes are told later.
        """
        if session.closing is None:
            # At once, so that nobody who is refused from now on has a connection that still looks open.
            for connection in self._present.of_session[session.id]:
                connection.end(why)
            # In a context of its own: called within a cleanup, closing a scope would not wait for its end.
            session.closing = asyncio.create_task(self._closing(session, everywhere), context=Context())
        return asyncio.shield(session.closing)

    async def _closing(self, session: Session, everywhere: bool) -> bool:
        session.stop_countdown()
        for entry in session.local.entries:
            if isinstance(entry, Scope):
                # All at once, so that a stalled client delays no other.
                run = self._present.runs.get(entry.canonical)
                entry.close() if run is None else run.cancel()
        try:
            if everywhere:
                return (await session.scope.close()).complete
            await session.scope.leave()
            return True
        finally:
            del self._present.sessions[session.id]

    def _expire(self, session: Session) -> None:
        self.close(session, CLOSED)

    async def _is_live_elsewhere(self, lineage: Lineage) -> bool:
        if self._backplane is None:
            return False
        with suppress(NotFound):
            await self.tree.find("session", lineage.child, principal=lineage.principal)
            return True
        return False
