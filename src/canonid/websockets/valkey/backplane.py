"""The backplane over one Valkey client: its tree of scopes, its lines, its journal, its tickets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from redis.asyncio import Redis

from canonid.websockets.backplane import Hear, run_channel
from canonid.websockets.limits import Limits
from canonid.websockets.tickets import Ticket
from canonid.websockets.valkey.journal import ValkeyJournal
from canonid.websockets.valkey.lines import Client, Lines
from canonid.websockets.valkey.tickets import ValkeyTickets


class ValkeyBackplane:
    """See `canonid.websockets.backplane.Backplane`."""

    def __init__(
        self, client: Client | str, process: str, *, namespace: str = "canonid", limits: Limits
    ) -> None:
        self._own = isinstance(client, str)
        self._client: Client = Redis.from_url(client) if isinstance(client, str) else client
        self._process = process
        self._prefix = f"{namespace}:"
        self._journal = ValkeyJournal(self._client, self._prefix, limits)
        self._tickets = ValkeyTickets(self._client, self._prefix)
        self._lines = Lines(self._client, process, self._prefix)

    @property
    def process(self) -> str:
        return self._process

    @property
    def journal(self) -> ValkeyJournal:
        return self._journal

    async def start(self, hear: Hear, relisten: Callable[[str], object]) -> None:
        self._lines.start(hear, relisten)

    async def aclose(self) -> None:
        await self._lines.aclose()
        if self._own:
            await self._client.aclose()

    async def listen(self, channel: str) -> None:
        await self._lines.listen(channel)

    async def unlisten(self, channel: str) -> None:
        await self._lines.unlisten(channel)

    async def tell(self, channel: str, text: str) -> int:
        return await self._lines.tell(channel, text)

    async def watchers(self, run: str) -> int:
        return await self._lines.listeners(run_channel(run))

    async def keep_ticket(self, token: str, ticket: Ticket, seconds: float) -> None:
        await self._tickets.keep(token, ticket, seconds)

    async def take_ticket(self, token: str) -> Ticket | None:
        return await self._tickets.take(token)

    async def end_session(self, sessions: Sequence[str], at: float) -> None:
        await self._tickets.end_session(sessions, at)

    async def ended_at(self, session: str) -> float | None:
        return await self._tickets.ended_at(session)
