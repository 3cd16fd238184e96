"""Writes the lineage of connections: those that come in at the same time, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from canonid.aliases import Lineage, Store


class Recorder:
    """One writer in a worker thread; what arrives while it writes is written together next."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[Lineage, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def record(self, lineage: Lineage) -> None:
        """Return once it is written. LineageConflict, StoreError."""
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((lineage, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="lineage of connections")
        await written

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                error = await self._written([lineage for lineage, _ in batch])
                for lineage, written in batch:
                    # Together all or none; alone only the one that is at fault.
                    fault = error if error is None or len(batch) == 1 else await self._written([lineage])
                    if written.done():
                        continue  # nobody waits any more
                    if fault is None:
                        written.set_result(None)
                    else:
                        written.set_exception(fault)
        finally:
            self._writer = None

    async def _written(self, lineages: Sequence[Lineage]) -> Exception | None:
        try:
            await asyncio.to_thread(self._store.record_minted, lineages)
        except Exception as error:  # noqa: BLE001 - told to whoever waits for it
            return error
        return None
