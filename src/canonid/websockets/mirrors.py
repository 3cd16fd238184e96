"""Runs that other processes execute, as far as somebody here watches them."""

from __future__ import annotations

import asyncio
import logging
from weakref import WeakValueDictionary

from canonid.errors import StoreError
from canonid.websockets.background import Background
from canonid.websockets.backplane import Backplane, Kept, RunRecord, process_channel, run_channel
from canonid.websockets.codes import Code, Refusal
from canonid.websockets.limits import Limits
from canonid.websockets.streams import GONE, LOST, Stream, gone_text
from canonid.websockets.wire import encode

log = logging.getLogger("canonid.websockets")

AGAIN = 0.5  # seconds until a journal that can't be read, or a process that can't be told, is tried again
PATIENCE = 60.0  # seconds in which a process is told to cancel a run; one that is dead for so long has none


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
        if self.ended:
            return
        if seq <= self.seq:
            if final:
                self._end_without(LOST)
        elif seq == self.seq + 1:
            self._take(text, final=final)
        else:
            self.fall_behind()

    def fall_behind(self) -> None:
        """Something may have been missed: read it from the journal."""
        self._missed = True
        if not self._catching_up and not self.ended:
            self._catching_up = True
            self._mirrors.background.do(self._catch_up())

    def read(self, kept: Kept) -> None:
        """What the journal has after some number that is not above `seq`."""
        last = kept.first + len(kept.texts) - 1
        if kept.first > self.seq + 1:
            self._skip_to(kept.first - 1)
        for seq, text in enumerate(kept.texts, kept.first):
            if seq == self.seq + 1:
                self._take(text, final=kept.record.ended and seq == last)

    def _end_without(self, event: str) -> None:
        """It has ended, but its last event can't be had, or its number was seen before a store lost it."""
        text = encode(gone_text(self.id, self.thread, event), self._limits.run_bytes)
        self._take(text, final=True)

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
                        lost = kept.record.seq < self.seq
                        self.read(kept)
                        if kept.record.ended and not self.ended:
                            self._end_without(LOST if lost else GONE)
        finally:
            self._catching_up = False


class Mirrors:
    """The mirrors of one process: made for the first who watches, gone with the last."""

    def __init__(self, backplane: Backplane, limits: Limits, background: Background) -> None:
        self.backplane = backplane
        self.background = background
        self._limits = limits
        self._mirrors: dict[str, Mirror] = {}
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._cancelling: set[str] = set()
        self._early: set[str] = set()  # runs that were told of while they were opened

    def __len__(self) -> int:
        return len(self._mirrors)

    async def of(self, run: str, last_seq: int = 0) -> Mirror | None:
        """The mirror of a run, at least up to `last_seq` if there is so much; None if it is not known.

        StoreError. Refusal (1013) where events up to `last_seq` are not there: a store that lost them gets
        them again from the run's process. Whoever asks attaches to it or drops it.
        """
        while True:
            async with self._opening.setdefault(run, asyncio.Lock()):
                mirror = self._mirrors.get(run) or await self._open(run)
            if mirror is None or mirror.ended or last_seq <= mirror.seq:
                return mirror
            try:
                kept = await self.backplane.journal.read(run, mirror.seq)
            except BaseException:
                self.drop(mirror)
                raise
            if self._mirrors.get(run) is mirror:  # else the last one who watched has left meanwhile
                if kept is not None:
                    mirror.read(kept)
                if last_seq > mirror.seq and not mirror.ended:
                    self.drop(mirror)
                    # No failure to log: the client may as well have made the number up.
                    raise Refusal("try again; events that were seen are not stored", Code.OVERLOADED)
                return mirror

    def hear(self, run: str, text: str) -> None:
        """An event that another process tells."""
        mirror = self._mirrors.get(run)
        if mirror is None:
            if run in self._opening:
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
            self.background.do(self.backplane.unlisten(run_channel(mirror.id)))

    def cancel(self, mirror: Mirror) -> None:
        """Ask the process that executes the run to cancel it."""
        if mirror.id not in self._cancelling:
            self._cancelling.add(mirror.id)
            self.background.do(self._tell_to_cancel(mirror))

    async def _open(self, run: str) -> Mirror | None:
        channel = run_channel(run)
        await self.backplane.listen(channel)  # before reading, so that nothing falls in between
        mirror = None
        try:
            kept = await self.backplane.journal.read(run, 0)
            if kept is not None:
                mirror = Mirror(kept.record, self._limits, self)
                mirror.read(kept)
                mirror.ended = kept.record.ended
        finally:
            told = run in self._early
            self._early.discard(run)
            if mirror is None or mirror.ended:
                await self.backplane.unlisten(channel)
        if mirror is not None and not mirror.ended:
            self._mirrors[run] = mirror
            if told:
                mirror.fall_behind()
        return mirror

    async def _tell_to_cancel(self, mirror: Mirror) -> None:
        loop = asyncio.get_running_loop()
        until, told = loop.time() + PATIENCE, False
        try:
            while loop.time() < until and not await self._settled_cancel(mirror, told):
                told = True
                await asyncio.sleep(AGAIN)
        finally:
            self._cancelling.discard(mirror.id)

    async def _settled_cancel(self, mirror: Mirror, again: bool) -> bool:
        """Whether the process was told, or there is nothing left to cancel."""
        problem: object = "its process does not hear"
        try:
            if mirror.ended or await self.backplane.tell(process_channel(mirror.process), mirror.id):
                return True
            if await self._is_over(mirror):
                return True
        except StoreError as error:
            problem = error
        if not again:
            log.warning("run %s can't be cancelled yet: %s", mirror.id, problem)
        return False

    async def _is_over(self, mirror: Mirror) -> bool:
        """Whether the run has ended; a mirror that nobody watches does not hear of it."""
        kept = await self.backplane.journal.read(mirror.id, mirror.seq)
        return kept.record.ended if kept is not None else not self.backplane.may_lack
