"""What must happen when a thing is released, though its owner may be dead: at least once, by anybody left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from canonid.errors import StoreError, show
from canonid.scopes.valkey.receipts import Released, group_of, read
from canonid.scopes.valkey.store import Entry, Store, entry_of

log = logging.getLogger("canonid.scopes")

BLOCK = 1000  # milliseconds
PAGE = 20
START = "0-0"
SILENT = 3600.0  # seconds after which a process that asks for no work is no longer one of those who do it

Effect = Callable[[Released], Awaitable[object]]
"""Called with each released thing of its kind, at least once: `released.key` tells a repetition."""


class NotYet(Exception):
    """An effect raises it to be called again after a lease."""


class Effects:
    """Runs the effect of one kind in one bucket, beside the other processes that registered it."""

    def __init__(
        self, store: Store, prefix: str, kind: str, effect: Effect, process: str, lease: float
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._key = f"{prefix}released"
        self._kind = kind
        self._group = group_of(kind)
        self._effect = effect
        self._process = process
        self._lease = lease
        self._looked_at = START  # up to which record, of those that were begun

    async def register(self, since: str = "$") -> None:
        """From now on releases wait for this effect. `StoreError`."""
        try:
            await self._store.command("XGROUP", "CREATE", self._key, self._group, since, "MKSTREAM")
        except StoreError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def keep(self) -> None:
        """Runs effects until it is cancelled."""
        while True:
            try:
                await self.register("0")  # if the group is gone, so is the stream: all that is in it is new
                await self._store.call(self._prefix, "dismiss", self._group, int(SILENT * 1000))
                while True:
                    begun = await self._begun()
                    await self._run_each(begun)
                    at_rest = not begun and self._looked_at == START
                    await self._run_each(await self._new(BLOCK if at_rest else 1))
            except StoreError as error:
                log.debug("effects of %s wait for the store: %s", self._kind, error)
                await asyncio.sleep(self._lease / 4)

    async def _begun(self) -> list[Entry]:
        """The next ones that somebody began a lease ago and did not end."""
        # The server looks at some hundred in one call: from the start each time, it would never see the rest.
        idle, after = int(self._lease * 1000), self._looked_at
        self._looked_at, taken, *_ = await self._store.command(
            "XAUTOCLAIM", self._key, self._group, self._process, idle, after, "COUNT", PAGE
        )
        return [entry_of(entry) for entry in taken if entry[1]]

    async def _new(self, block: int) -> list[Entry]:
        within = block / 1000 + self._lease
        return await self._store.read_group(
            self._key, self._group, self._process, count=PAGE, block=block, within=within
        )

    async def _run_each(self, entries: list[Entry]) -> None:
        for entry in entries:
            try:
                every = [released for released in read(entry) if released.identity.kind == self._kind]
            except StoreError:
                log.exception("a record of what was released is left out")
                every = []
            if all([await self._is_done(released) for released in every]):
                await self._store.command("XACK", self._key, self._group, entry[0])

    async def _is_done(self, released: Released) -> bool:
        try:
            await self._effect(released)
        except NotYet as reason:
            log.debug("an effect of %s has to wait: %s", show(self._kind), reason)
            return False
        except Exception:
            log.exception("an effect of %s failed; it is tried again", show(self._kind))
            return False
        return True
