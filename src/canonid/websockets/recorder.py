"""Writes the lineage of connections: those that come in at the same time, in one transaction."""

from __future__ import annotations

import asyncio

from canonid.aliases import Lineage, Store


class Recorder:
    """One writer in a worker thread; what arrives while it writes is written together next."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[Lineage] = []
        self._next: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    async def record(self, lineage: Lineage) -> None:
        """Return once it is written. LineageConflict, StoreError."""
        self._waiting.append(lineage)
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        written = self._next
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="lineage of connections")
        await asyncio.shield(written)

    async def _write(self) -> None:
        while self._next is not None:
            batch, written = self._waiting, self._next
            self._waiting, self._next = [], None
            try:
                await asyncio.to_thread(self._store.record_minted, batch)
            except Exception as error:  # noqa: BLE001 - told to those who wait for it
                written.set_exception(error)
                written.exception()  # somebody may have gone meanwhile
            except BaseException:
                written.cancel()
                raise
            else:
                written.set_result(None)
        self._writer = None
