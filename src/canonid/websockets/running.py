"""Runs of one hub: started and executed here, found here or in the other processes, ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from canonid import incidents, logs
from canonid.core import Identity
from canonid.counters import Counters
from canonid.errors import ScopeClosed, StoreError
from canonid.scopes import LiveScope, Scope
from canonid.websockets.background import Background
from canonid.websockets.backplane import Backplane, RunRecord
from canonid.websockets.connection import Connection
from canonid.websockets.limits import Limits
from canonid.websockets.mirrors import Mirrors
from canonid.websockets.presence import Presence
from canonid.websockets.retention import Retention
from canonid.websockets.runs import CANCELLED, COMPLETED, FAILED, OnLastDetach, Run, Shared
from canonid.websockets.sessions import Session
from canonid.websockets.streams import GONE, LOST, Stream, Subscriber

BETWEEN = 1.0  # seconds between two times that runs are put back

Execute = Callable[[Run], Awaitable[object]]


class Runs:
    """Where runs begin, are found, and end. IDs are canonical."""

    def __init__(
        self,
        present: Presence,
        limits: Limits,
        clock: Callable[[], float],
        counters: Counters,
        backplane: Backplane | None,
        background: Background,
    ) -> None:
        self._present = present
        self._limits = limits
        self._clock = clock
        self._counters = counters
        self._backplane = backplane
        self._background = background
        self._mirrors = None if backplane is None else Mirrors(backplane, limits, background)
        self.stopping = False  # whether runs that are cancelled are so because the hub shuts down
        self._lost = self._putting_back = False
        self._ended = Retention(limits, present.forget)

    async def begin(
        self,
        session: Session,
        live: LiveScope,
        thread: str,
        execute: Execute,
        on_last_detach: OnLastDetach,
    ) -> Run:
        """A run over a scope of its own, executed from now on. StoreError where others can't be told."""
        scope = live.local
        assert isinstance(scope, Scope)
        run = Run(
            id=scope.canonical,
            text=scope.text,
            thread=thread,
            principal=session.principal,
            on_last_detach=on_last_detach,
            limits=self._limits,
            clock=self._clock,
            shared=self._shared(),
        )
        if self._backplane is not None:
            try:
                await self._backplane.journal.begin(run.record())
            except BaseException:
                self._give_up(run, live)
                raise
        its = {"principal": run.principal, "session": session.id, "thread": run.thread, "run": run.id}
        with logs.bound(connection=None, **its):
            executor = asyncio.create_task(self._execute(run, execute, live), name=f"executor of {run.id}")
        retire = partial(self._retire, run, session, executor)
        try:
            scope.claim("executor", run.id, retire, identity=Identity("executor", run.id))
        except BaseException:
            executor.cancel()
            self._give_up(run, live)
            raise
        run.on_cancel(partial(self._cancel, run, executor, live))
        session.keep(run)
        self._present.keep(run)
        return run

    async def find(self, run: str, last_seq: int) -> Stream | str:
        """A run to attach to, by its canonical ID; `run_gone` or `run_lost` where there is none any more.

        StoreError.
        """
        here = self._present.runs.get(run)
        if here is not None:
            if last_seq > here.seq:
                await here.stored()
            return here
        mirror = None if self._mirrors is None else await self._mirrors.of(run, last_seq)
        if mirror is None:
            if self._ended.knew(run):
                return GONE
            if self._backplane is not None and self._backplane.may_lack:
                raise StoreError(f"run {run} may not have been put back yet", path="valkey")
            return LOST
        if mirror.ended and not mirror.kept:
            return GONE
        return mirror

    def cancel(self, run: str) -> None:
        """Cancel a run that is executed here."""
        if run in self._present.runs:
            self._present.runs[run].cancel()

    async def of_thread(self, thread: str) -> list[RunRecord]:
        """The runs of a thread that go on or are kept, in any process; oldest first. StoreError."""
        here = self._present.runs_of_thread[thread]
        if self._backplane is None:
            return [RunRecord(run.id, thread, run.principal, "", run.seq, run.ended) for run in here]
        return await self._backplane.journal.runs_of(thread)

    def show(self, connection: Connection, run: Stream) -> None:
        """Attach who watches its thread from the first event on.

        Not who knows of it already, and asks for what it lacks; nor, yet, who is just told what there is.
        """
        if run.thread in connection.asking:
            connection.asking[run.thread].add(run.id)
        elif connection.ending is None and not connection.knows(run.id):
            connection.note(run.id)
            run.attach(connection)

    def subscribers_of(self, run: str) -> Iterable[Subscriber]:
        """Who here is attached to a run."""
        stream: Stream | None = self._present.runs.get(run)
        if stream is None and self._mirrors is not None:
            stream = self._mirrors.get(run)
        return () if stream is None else stream.subscribers

    def hear(self, run: str, told: str) -> None:
        """An event of a run that another process executes."""
        if self._mirrors is not None:
            self._mirrors.hear(run, told)

    def relisten(self, run: str) -> None:
        """Events of a run may have been missed."""
        if self._mirrors is not None:
            self._mirrors.relisten(run)

    def drop(self, stream: Stream) -> None:
        """Whoever found it doesn't attach after all."""
        if self._mirrors is not None:
            self._mirrors.drop(stream)

    def put_back(self) -> None:
        """The store may have lost events of the runs that are kept here."""
        self._lost = True
        if not self._putting_back:
            self._putting_back = True
            self._background.do(self._put_back())

    def clear(self) -> None:
        """Keep nothing any more."""
        self._ended.clear()

    def _shared(self) -> Shared | None:
        backplane = self._backplane
        if backplane is None:
            return None
        return Shared(backplane.journal, backplane.process, backplane.watchers)

    async def _put_back(self) -> None:
        try:
            while self._lost:  # once for all buckets whose server was another one
                self._lost = False
                runs = tuple(self._present.runs.values())
                for run in runs:
                    if not run.ended:
                        self._background.do(run.put_back())
                for run in runs:
                    if run.ended:  # those nobody waits for, one at a time
                        await run.put_back()
                await asyncio.sleep(BETWEEN)
        finally:
            self._putting_back = False

    async def _execute(self, run: Run, execute: Execute, live: LiveScope) -> None:
        try:
            await execute(run)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError | GeneratorExit):
                raise
            if isinstance(error, ScopeClosed) and (run.ended or live.closed):
                return  # another process ended it, or it was to be cancelled anyway
            self._counters.add("incidents", during="run")
            await run.end(FAILED, {"incident": incidents.report(error, f"run {run.id}")})
        else:
            await run.end(COMPLETED)
        finally:
            live.close()

    def _give_up(self, run: Run, live: LiveScope) -> None:
        """It never ran; others who may know of it are told, as soon as the store answers."""
        live.close()
        self._background.do(self._end_unheard(run))

    async def _end_unheard(self, run: Run) -> None:
        try:
            await run.end(CANCELLED)
        finally:
            run.abandon()

    def _cancel(self, run: Run, executor: asyncio.Task[None], live: LiveScope) -> None:
        self._stop(run, executor)  # first, or it would go on while what it claimed is released under it
        live.close()

    def _stop(self, run: Run, executor: asyncio.Task[None]) -> None:
        if not run.stopping:  # a second cancellation would interrupt how it ends after the first
            run.stopping = True
            executor.cancel()

    def _retire(self, run: Run, session: Session, executor: asyncio.Task[None]) -> Awaitable[None]:
        self._stop(run, executor)  # now, not in a later turn: until then it would go on in a closed scope
        return self._retired(run, session, executor)

    async def _retired(self, run: Run, session: Session, executor: asyncio.Task[None]) -> None:
        await asyncio.wait({executor}, timeout=self._limits.close_timeout)
        # A store that is away is told as soon as it is back; the scope does not wait for that.
        ending = self._background.do(self._end(run))
        await asyncio.wait({ending}, timeout=self._limits.close_timeout)
        session.leave(run)

    async def _end(self, run: Run) -> None:
        try:
            await run.end(CANCELLED, {"reason": "restarting"} if self.stopping else None)
        finally:
            run.abandon()
            self._counters.add("runs_ended", event=run.outcome or "unknown")
            self._counters.add("run_events", run.seq)
            self._ended.add(run)
