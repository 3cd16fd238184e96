"""Tickets and ended sessions in Valkey: keys that expire."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Sequence
from typing import Any

from redis.exceptions import RedisError

from canonid.aliases import Lineage
from canonid.errors import StoreError
from canonid.websockets.tickets import Ticket
from canonid.websockets.valkey.lines import Client

ANSWER = 3.0  # seconds
REMEMBERED = 600.0  # seconds; longer than any ticket lives and any handshake takes


class ValkeyTickets:
    """Keeps a token's digest, so that who reads the store can't come in."""

    def __init__(self, client: Client, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def keep(self, token: str, ticket: Ticket, seconds: float) -> None:
        """Good once, for so many seconds. StoreError."""
        await _answer(
            self._client.set(self._ticket(token), json.dumps(ticket), px=max(1, int(seconds * 1000)))
        )

    async def take(self, token: str) -> Ticket | None:
        """The ticket, exactly once; None for a used, forged or expired one. StoreError."""
        text = await _answer(self._client.getdel(self._ticket(token)))
        if text is None:
            return None
        ticket = Ticket(*json.loads(text))
        return ticket._replace(lineage=ticket.lineage and Lineage(*ticket.lineage))

    async def end_session(self, sessions: Sequence[str], at: float) -> None:
        """Tell every process that sessions were logged out at that time, seconds since 1970. StoreError."""
        for session in sessions:
            await _answer(self._client.set(self._ended(session), repr(at), px=int(REMEMBERED * 1000)))

    async def ended_at(self, session: str) -> float | None:
        """When it was logged out, within the last 10 minutes. StoreError."""
        at = await _answer(self._client.get(self._ended(session)))
        return None if at is None else float(at)

    def _ticket(self, token: str) -> str:
        return f"{self._prefix}ticket:{hashlib.sha256(token.encode()).hexdigest()}"

    def _ended(self, session: str) -> str:
        return f"{self._prefix}ended:{session}"


async def _answer(answer: Awaitable[Any]) -> Any:
    try:
        async with asyncio.timeout(ANSWER):
            return await answer
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreError(f"the store of tickets does not answer: {error}") from error
