"""Runs that other processes execute, as far as somebody here watches them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any
from weakref import WeakValueDictionary

from canonid.errors import StoreError
from canonid.websockets.backplane import Backplane, Kept, RunRecord, process_channel, run_channel
from canonid.websockets.limits import Limits
from canonid.websockets.streams import Stream

log = logging.getLogger("canonid.websockets")

AGAIN = 0.5  # seconds until a journal that can't be read is tried again


class Mirror(Stream):
    """The events of another process's run, in step with its journal."""

    def __init__(self, record: RunRecord, limits: Limits, mirrors: Mirrors) -> None:
        super().__init__(id=record.run, thread=record.thread, principal=record.principal, limits=limits)
        self.process = record.process
        self._mirrors = mirrors
        self._missed = self._catching_up = False

    def cancel(self) -> None:
        """Ask the process that executes it."""
        self._mirrors.cancel(self)

    def hear(self, seq: int, text: str, *, final: bool) -> None:
        """An event as it happens."""
        if self.ended or seq <= self.seq:
            return
        if seq == self.seq + 1:
            self._take(text, final=final)
        else:
            self.fall_behind()

    def fall_behind(self) -> None:
        """Something may have been missed: read it from the journal."""
        self._missed = True
        if not self._catching_up and not self.ended:
            self._catching_up = True
            self._mirrors.keep_doing(self._catch_up())

    def read(self, kept: Kept) -> None:
        """What the journal has after some number that is not above `seq`."""
        last = kept.first + len(kept.texts) - 1
        if kept.first > self.seq + 1:
            self._skip_to(kept.first - 1)
        for seq, text in enumerate(kept.texts, kept.first):
            if seq == self.seq + 1:
                self._take(text, final=kept.record.ended and seq == last)

    def _last_left(self) -> None:
        self._mirrors.drop(self)

    def _take(self, text: str, *, final: bool = False) -> None:
        super()._take(text, final=final)
        if final:
            self._mirrors.drop(self)

    async def _catch_up(self) -> None:
        try:
            while self._missed and not self.ended:
                self._missed = False
                try:
                    kept = await self._mirrors.backplane.journal.read(self.id, self.seq)
                except StoreError as error:
                    log.warning("the events of run %s can't be read yet: %s", self.id, error)
                    self._missed = True
                    await asyncio.sleep(AGAIN)
                else:
                    if kept is not None:
                        self.read(kept)
        finally:
            self._catching_up = False


class Mirrors:
    """The mirrors of one process: made for the first who watches, gone with the last."""

    def __init__(self, backplane: Backplane, limits: Limits) -> None:
        self.backplane = backplane
        self._limits = limits
        self._mirrors: dict[str, Mirror] = {}
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._early: set[str] = set()  # runs that were told of while they were opened
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._mirrors)

    async def of(self, run: str, last_seq: int = 0) -> Mirror | None:
        """The mirror of a run, at least up to `last_seq` if there is so much; None if it is not known.

        StoreError. Whoever asks attaches to it or drops it.
        """
        async with self._opening.setdefault(run, asyncio.Lock()):
            mirror = self._mirrors.get(run) or await self._open(run)
        if mirror is not None and last_seq > mirror.seq and not mirror.ended:
            kept = await self.backplane.journal.read(run, mirror.seq)
            if kept is not None:
                mirror.read(kept)
        return mirror

    def hear(self, run: str, text: str) -> None:
        """An event that another process tells."""
        mirror = self._mirrors.get(run)
        if mirror is None:
            self._early.add(run)
            return
        seq, final, event = text.split(" ", 2)
        mirror.hear(int(seq), event, final=bool(final))

    def relisten(self, run: str) -> None:
        """Events of the run may have been missed."""
        if run in self._mirrors:
            self._mirrors[run].fall_behind()

    def get(self, run: str) -> Mirror | None:
        """The mirror of a run, if there is one."""
        return self._mirrors.get(run)

    def drop(self, mirror: Stream) -> None:
        """Nobody here watches it any more, or it has ended."""
        if self._mirrors.get(mirror.id) is mirror and (mirror.ended or not mirror.subscribers):
            del self._mirrors[mirror.id]
            self.keep_doing(self.backplane.unlisten(run_channel(mirror.id)))

    def cancel(self, mirror: Mirror) -> None:
        """Ask the process that executes the run to cancel it."""
        self.keep_doing(self._tell_to_cancel(mirror))

    def keep_doing(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in a task that is kept."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a mirror of a run failed", exc_info=error)

    async def aclose(self) -> None:
        """End what is going on."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _open(self, run: str) -> Mirror | None:
        channel = run_channel(run)
        await self.backplane.listen(channel)  # before reading, so that nothing falls in between
        self._early.discard(run)
        mirror = None
        try:
            kept = await self.backplane.journal.read(run, 0)
            if kept is not None:
                mirror = Mirror(kept.record, self._limits, self)
                mirror.read(kept)
                mirror.ended = kept.record.ended
        finally:
            if mirror is None or mirror.ended:
                await self.backplane.unlisten(channel)
        if mirror is not None and not mirror.ended:
            self._mirrors[run] = mirror
            if run in self._early:
                mirror.fall_behind()
        self._early.discard(run)
        return mirror

    async def _tell_to_cancel(self, mirror: Mirror) -> None:
        try:
            await self.backplane.tell(process_channel(mirror.process), mirror.id)
        except StoreError as error:
            log.warning("run %s could not be cancelled: %s", mirror.id, error)
