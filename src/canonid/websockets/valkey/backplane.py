"""The backplane over one Valkey client: its tree of scopes, its lines, its journal, its tickets."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any

from redis.asyncio import Redis, RedisCluster

from canonid.scopes import Resolve
from canonid.scopes.valkey import NotYet, Released, ValkeyTree
from canonid.scopes.valkey.store import Store
from canonid.websockets.backplane import Hear, RunRecord, run_channel
from canonid.websockets.limits import Limits
from canonid.websockets.runs import event_text
from canonid.websockets.streams import LOST
from canonid.websockets.tickets import Ticket
from canonid.websockets.valkey.journal import LAST, STEPS, ValkeyJournal
from canonid.websockets.valkey.lines import Lines
from canonid.websockets.valkey.tickets import ValkeyTickets

ANSWER = 3.0  # seconds


class ValkeyBackplane:
    """See `canonid.websockets.backplane.Backplane`."""

    def __init__(
        self,
        client: Redis | RedisCluster | str,
        *,
        lease: float = 10.0,
        process: str | None = None,
        namespace: str = "canonid",
        buckets: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`client`, `lease` (seconds), `process`, `namespace` and `buckets` as for `ValkeyTree.join`.

        `clock` gives seconds since 1970.
        """
        self._store = Store(client, ANSWER, STEPS)
        self._process = f"{process or f'{socket.gethostname()}-{os.getpid()}'}-{token_hex(4)}"
        self._options: dict[str, Any] = {"lease": lease, "namespace": namespace, "buckets": buckets}
        self._clock = clock
        self._prefix = prefix = f"{namespace}:"
        self._journal: ValkeyJournal | None = None
        self._tickets = ValkeyTickets(self._store, prefix)
        self._lines = Lines(self._store, self._process, prefix)
        self._tree: ValkeyTree | None = None

    @property
    def process(self) -> str:
        return self._process

    @property
    def journal(self) -> ValkeyJournal:
        assert self._journal is not None, "the backplane has not started"
        return self._journal

    @property
    def tree(self) -> ValkeyTree:
        assert self._tree is not None, "the backplane has not started"
        return self._tree

    def membership(self) -> Mapping[str, int]:
        return self.tree.counts._asdict()

    @property
    def may_send(self) -> bool:
        return self._tree is not None and self._tree.may_send

    @property
    def may_lack(self) -> bool:
        return self._tree is not None and self._tree.may_lack

    async def start(
        self,
        hear: Hear,
        relisten: Callable[[str], object],
        resolve: Resolve,
        *,
        limits: Limits,
        release_timeout: float,
        on_fenced: Callable[[], object],
        on_rejoined: Callable[[], object],
    ) -> None:
        self._limits = limits
        self._journal = ValkeyJournal(self._store, self._prefix, limits)
        try:
            self._tree = await ValkeyTree.join(
                self._store.client,
                resolve,
                process=self._process,
                release_timeout=release_timeout,
                on_fenced=on_fenced,
                on_rejoined=on_rejoined,
                effects={"run": self._end_lost},
                **self._options,
            )
        except BaseException:
            await self.aclose()
            raise
        self._lines.start(hear, relisten)

    async def _end_lost(self, released: Released) -> None:
        """Ends a run that was released, if its executor did not: by then it must be gone."""
        run = released.identity.canonical
        kept = await self.journal.read(run, LAST)
        if kept is None or kept.record.ended:
            return
        if await self.tree.is_member(released.owner, released.principal):
            raise NotYet("its executor is ending it")
        await self.journal.lose(run, self._lost_text)

    def _lost_text(self, record: RunRecord) -> str:
        at, limit = self._clock(), self._limits.run_bytes
        return event_text(record.run, record.thread, record.seq + 1, LOST, None, at, limit, final=True)

    async def aclose(self) -> None:
        await self._lines.aclose()
        if self._tree is not None:
            await self._tree.aclose()
        await self._store.aclose()

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
