"""The events of runs in Valkey: one stream a run, whose entries go by the events' numbers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any, TypeVar

from redis.exceptions import RedisError

from canonid.errors import StoreError
from canonid.websockets.backplane import Kept, RunOver, RunRecord, run_channel
from canonid.websockets.limits import Limits
from canonid.websockets.valkey.lines import Client

Answer = TypeVar("Answer")

log = logging.getLogger("canonid.websockets")

ANSWER = 3.0  # seconds
AGAIN = 0.2
LAST = 2**53  # above every number of an event
KNOWN = 24 * 3600.0  # seconds that a run is known after its events are gone
FAILED = (RedisError, OSError, TimeoutError)


class ValkeyJournal:
    """See `canonid.websockets.backplane.Journal`. A run's keys share a hash tag, so each verb is atomic."""

    def __init__(
        self, client: Client, prefix: str, limits: Limits, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._limits = limits
        self._clock = clock
        self._append = client.register_script(files(__package__).joinpath("append.lua").read_text())

    async def begin(self, record: RunRecord) -> None:
        limits, run = self._limits, record.run
        fields: dict[Any, Any] = {"thread": record.thread, "principal": record.principal}
        fields |= {"process": record.process, "seq": record.seq, "bytes": 0}
        try:
            async with asyncio.timeout(ANSWER):
                async with self._client.pipeline(transaction=True) as pipe:
                    pipe.unlink(self._events(run))
                    pipe.hset(self._known(run), mapping=fields)
                    await pipe.execute()
                runs = self._runs(record.thread)
                async with self._client.pipeline(transaction=True) as pipe:
                    pipe.zadd(runs, {run: self._clock()}, nx=True)
                    pipe.zremrangebyrank(runs, 0, -limits.runs_per_principal - 1)
                    pipe.pexpire(runs, int((limits.run_retention + KNOWN) * 1000))
                    await pipe.execute()
        except FAILED as error:
            raise StoreError(f"run {run} can't be made known: {error}") from error

    async def append(self, record: RunRecord, texts: Sequence[str], kept: Sequence[str], final: bool) -> int:
        last = record.seq + len(texts)
        seq = record.seq  # of the last event that the store has, as far as is known
        while True:
            missing = texts if seq == record.seq else [*kept, *texts][seq - last :]
            what, at = await self._surely(self._add, record.run, seq + 1, missing, final)
            if what == "ok":
                return at
            if what == "ended":
                raise RunOver
            if at == last:
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
            try:
                what, _ = await self._add(run, kept.record.seq + 1, [text_of(kept.record)], True)
            except FAILED as error:
                raise StoreError(f"run {run} can't be ended: {error}") from error
            if what == "ok":
                return True
        return False

    async def read(self, run: str, after: int) -> Kept | None:
        try:
            async with asyncio.timeout(ANSWER):
                async with self._client.pipeline(transaction=True) as pipe:
                    pipe.hgetall(self._known(run))
                    pipe.xrange(self._events(run), f"{after + 1}-0")
                    fields, entries = await pipe.execute()
        except FAILED as error:
            raise StoreError(f"the events of run {run} can't be read: {error}") from error
        if not fields:
            return None
        record = _record(run, fields)
        first = int(_text(entries[0][0]).split("-")[0]) if entries else record.seq + 1
        return Kept(first, [_text(next(iter(entry[1].values()))) for entry in entries], record)

    async def runs_of(self, thread: str) -> list[RunRecord]:
        try:
            async with asyncio.timeout(ANSWER):
                members: list[Any] = await self._client.zrange(self._runs(thread), 0, -1)
                runs = [_text(run) for run in members]
                async with self._client.pipeline(transaction=False) as pipe:
                    for run in runs:
                        pipe.hgetall(self._known(run))
                        pipe.exists(self._events(run))
                    answers = await pipe.execute() if runs else []
        except FAILED as error:
            raise StoreError(f"the runs of thread {thread} can't be read: {error}") from error
        return [
            _record(run, fields)
            for run, fields, there in zip(runs, answers[::2], answers[1::2], strict=True)
            if fields and (there or (b"final" not in fields and "final" not in fields))
        ]

    async def _add(self, run: str, first: int, texts: Sequence[str], final: bool) -> tuple[str, int]:
        limits = self._limits
        what, number = await self._append(
            keys=[self._known(run), self._events(run)],
            args=[
                self._prefix + run_channel(run),
                first,
                "1" if final else "",
                limits.run_events,
                limits.run_bytes,
                int(limits.run_retention * 1000),
                int(KNOWN * 1000),
                *texts,
            ],
        )
        return _text(what), int(number)

    async def _surely(self, write: Callable[..., Awaitable[Answer]], *args: Any) -> Answer:
        """What the store answers, as soon as it does."""
        told = False
        while True:
            try:
                async with asyncio.timeout(ANSWER):
                    return await write(*args)
            except (*FAILED, StoreError) as error:
                if not told:
                    log.warning("events wait for the store: %s", error)
                    told = True
                await asyncio.sleep(AGAIN)

    def _known(self, run: str) -> str:
        return f"{self._prefix}{{{run}}}:run"

    def _events(self, run: str) -> str:
        return f"{self._prefix}{{{run}}}:log"

    def _runs(self, thread: str) -> str:
        return f"{self._prefix}{{{thread}}}:runs"


def _record(run: str, fields: dict[Any, Any]) -> RunRecord:
    told = {_text(name): _text(value) for name, value in fields.items()}
    return RunRecord(
        run, told["thread"], told["principal"], told["process"], int(told["seq"]), "final" in told
    )


def _text(data: bytes | str) -> str:
    return data.decode() if isinstance(data, bytes) else data
