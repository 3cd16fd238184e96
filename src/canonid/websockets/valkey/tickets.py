"""Tickets and ended sessions in Valkey: keys that expire."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from canonid.aliases import Lineage
from canonid.errors import StoreError
from canonid.scopes.valkey.store import Store
from canonid.websockets.tickets import Ticket

REMEMBERED = 600.0  # seconds; longer than any ticket lives and any handshake takes


class ValkeyTickets:
    """Keeps a token's digest, so that who reads the store can't come in."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    async def keep(self, token: str, ticket: Ticket, seconds: float) -> None:
        """Good once, for so many seconds. StoreError."""
        await self._set(self._ticket(token), json.dumps(ticket), seconds)

    async def take(self, token: str) -> Ticket | None:
        """The ticket, exactly once; None for a used, forged or expired one. StoreError."""
        text = await self._store.command("GETDEL", self._ticket(token))
        if text is None:
            return None
        try:
            ticket = Ticket(*json.loads(text))
            return ticket._replace(lineage=ticket.lineage and Lineage(*ticket.lineage))
        except (ValueError, TypeError):
            raise StoreError("a ticket in the store is malformed", path="valkey") from None

    async def end_session(self, sessions: Sequence[str], at: float) -> None:
        """Tell every process that sessions were logged out at that time, seconds since 1970. StoreError."""
        for session in sessions:
            await self._set(self._ended(session), repr(at), REMEMBERED)

    async def ended_at(self, session: str) -> float | None:
        """When it was logged out, within the last 10 minutes. StoreError."""
        at = await self._store.repeat("GET", self._ended(session))
        try:
            return None if at is None else float(at)
        except ValueError:
            raise StoreError("the end of a session in the store is malformed", path="valkey") from None

    async def _set(self, key: str, value: str, seconds: float) -> None:
        await self._store.repeat("SET", key, value, "PX", max(1, int(seconds * 1000)))

    def _ticket(self, token: str) -> str:
        return f"{self._prefix}ticket:{hashlib.sha256(token.encode()).hexdigest()}"

    def _ended(self, session: str) -> str:
        return f"{self._prefix}ended:{session}"
