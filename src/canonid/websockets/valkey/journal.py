"""The events of runs in Valkey: one stream a run, whose entries go by the events' numbers."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from importlib.resources import files
from typing import Any, Final, TypeVar

from canonid.errors import StoreError
from canonid.scopes.valkey.store import Argument, Steps, Store
from canonid.websockets.backplane import Kept, RunOver, RunRecord, run_channel, tag
from canonid.websockets.limits import Limits

Answer = TypeVar("Answer")

log = logging.getLogger("canonid.websockets")

STEPS: Final = Steps(files(__package__).joinpath("journal.lua").read_text())

AGAIN, LONGEST = 0.2, 2.0  # seconds between two tries: at first, and when the store stays away
LAST = 2**53  # above every number of an event
KNOWN = 24 * 3600.0  # seconds that a run is known after its events are gone, or after its last one


class ValkeyJournal:
    """See `canonid.websockets.backplane.Journal`. A run's keys share a hash tag, so each verb is atomic.

    `store` must be one with these `STEPS`.
    """

    def __init__(self, store: Store, prefix: str, limits: Limits) -> None:
        self._store = store
        self._prefix = prefix
        self._limits = limits
        self._retention = int(limits.run_retention * 1000)
        self._lasts = self._retention + int(KNOWN * 1000)

    async def begin(self, record: RunRecord) -> None:
        run, process = record.run, record.process
        await self._of(run, "begin", record.thread, record.principal, process, record.seq, self._lasts)
        await self._list(record)

    async def put_back(self, record: RunRecord, kept: Sequence[str]) -> None:
        await self.append(record, [], kept, False)
        await self._surely(self._list, record)  # in a cluster it may be on another server

    async def _list(self, record: RunRecord) -> None:
        most = self._limits.runs_per_principal
        surplus = await self._of(record.thread, "list", record.run, most, self._lasts)
        with suppress(StoreError):  # the next one looks again
            for run in surplus:
                known = _record(run, (await self._look(run, "known"))[0])
                if known is None or known.ended:
                    await self._store.command("ZREM", f"{self._of_whom(record.thread)}runs", run)

    async def append(self, record: RunRecord, texts: Sequence[str], kept: Sequence[str], final: bool) -> int:
        last = record.seq + len(texts)
        seq = record.seq  # of the last event that the store has, as far as is known
        while True:
            missing = texts if seq == record.seq else [*kept, *texts][seq - last :]
            what, at, *size = await self._surely(self._add, record.run, seq + 1, missing, final)
            if what == "ok":
                if final:
                    await self._retire(record, *size)
                return int(at)
            if what == "ended":
                raise RunOver
            if at >= last:
                return 0  # it was said before, and only the answer was lost
            if at < record.seq - len(kept):
                log.warning("the store has lost run %s, which goes on; writing it again", record.run)
                at = record.seq - len(kept)
                await self._surely(self.begin, record._replace(seq=at))
                await asyncio.sleep(AGAIN)
            seq = at

    async def lose(self, run: str, text_of: Callable[[RunRecord], str]) -> bool:
        """End a run whose executor is gone, unless it has ended; whether it was done. StoreError."""
        while (kept := await self.read(run, LAST)) is not None and not kept.record.ended:
            what, _, *size = await self._add(run, kept.record.seq + 1, [text_of(kept.record)], True)
            if what == "ok":
                await self._retire(kept.record, *size)
                return True
        return False

    async def read(self, run: str, after: int) -> Kept | None:
        fields, entries = await self._look(run, "read", after + 1)
        record = _record(run, fields)
        if record is None:
            return None
        first = int(entries[0][0].split("-")[0]) if entries else record.seq + 1
        return Kept(first, [entry[1][1] for entry in entries], record)

    async def runs_of(self, thread: str) -> list[RunRecord]:
        runs = await self._store.repeat("ZRANGE", f"{self._of_whom(thread)}runs", 0, -1)
        answers = await asyncio.gather(*(self._look(run, "known") for run in runs))
        records = [
            (record, there)
            for run, (fields, there) in zip(runs, answers, strict=True)
            if (record := _record(run, fields)) is not None
        ]
        return [record for record, there in records if there or not record.ended]

    async def _add(self, run: str, first: int, texts: Sequence[str], final: bool) -> Any:
        limits = self._limits
        return await self._of(
            run,
            "append",
            self._prefix + run_channel(run),
            first,
            "1" if final else "",
            limits.run_events,
            limits.run_bytes,
            self._retention,
            int(KNOWN * 1000),
            *texts,
        )

    async def _retire(self, record: RunRecord, size: int) -> None:
        """Forgets those of the principal's ended runs that are too many. Without it they expire later."""
        limits = self._limits
        bounds = (limits.runs_per_principal, limits.run_bytes_per_principal, self._retention)
        with suppress(StoreError):
            for run in await self._of(record.principal, "retire", record.run, size, *bounds):
                await self._store.command("UNLINK", f"{self._of_whom(run)}log")

    async def _surely(self, write: Callable[..., Awaitable[Answer]], *args: Any) -> Answer:
        """What the store answers, as soon as it does."""
        told, pause = False, AGAIN
        while True:
            try:
                return await write(*args)
            except StoreError as error:
                if not told:
                    log.warning("events wait for the store: %s", error)
                    told = True
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the runs
                pause = min(2 * pause, LONGEST)

    async def _look(self, whom: str, step: str, *arguments: Argument) -> Any:
        return await self._store.look(self._of_whom(whom), step, *arguments)

    async def _of(self, whom: str, step: str, *arguments: Argument) -> Any:
        return await self._store.call(self._of_whom(whom), step, *arguments)

    def _of_whom(self, name: str) -> str:
        return f"{self._prefix}{tag(name)}:"


def _record(run: str, fields: Iterable[str] | dict[str, str]) -> RunRecord | None:
    told = fields if isinstance(fields, dict) else dict(_pairs(fields))
    if not told:
        return None
    try:
        thread, principal, process = told["thread"], told["principal"], told["process"]
        return RunRecord(run, thread, principal, process, int(told["seq"]), "final" in told)
    except (KeyError, ValueError):
        raise StoreError(f"what the store knows of run {run} is malformed", path="valkey") from None


def _pairs(values: Iterable[str]) -> Iterable[tuple[str, str]]:
    each = iter(values)
    return zip(each, each, strict=True)
