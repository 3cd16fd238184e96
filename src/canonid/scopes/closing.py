"""Releasing entries in order: each once, newest first, whatever the cleanups and the callers do.

Everything here belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from inspect import isawaitable
from typing import Any, Final, Self
from weakref import ref

from canonid.core import Identity
from canonid.errors import show
from canonid.scopes.contract import Closed, Failure, Release

LAST_WORDS = 0.1
"""Seconds that a timed-out cleanup has to leave after it was cancelled, before the next one starts."""

log = logging.getLogger("canonid.scopes")


class Entry(ABC):
    """What a closing knows of a scope or resource: its identity, its cleanup, and how far its release is."""

    __slots__ = (
        "_closing",
        "_error",
        "_gone",
        "_part",
        "_release",
        "_waited",
        "canonical",
        "identity",
        "kind",
    )

    def __init__(self, identity: Identity, release: Release | None) -> None:
        self.identity: Final = identity
        self.kind: Final = identity.kind
        self.canonical: Final = identity.canonical
        self._release = release
        self._closing: Closing | None = None
        self._part: slice | None = None  # of the closing's plan: what is at and below this entry
        self._gone = False
        self._error: BaseException | None = None
        self._waited: asyncio.Future[Closed] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kind} {show(self.canonical)}>"

    def __await__(self) -> Generator[Any, None, Self]:
        """Itself, at once: what holds for any tree can be awaited, what holds for this one need not be."""
        yield from ()
        return self

    @property
    def closed(self) -> bool:
        """True from the moment its closing or release begins."""
        return self._closing is not None

    @abstractmethod
    def _newest_first(self) -> Iterator[Entry]:
        """The entries directly below."""

    @abstractmethod
    def _leave(self, error: BaseException | None) -> None:
        """Takes the entry out of its tree; its cleanup ended with `error` or well."""

    def _until_gone(self) -> asyncio.Future[Closed]:
        if self._waited is None:
            self._waited = asyncio.get_running_loop().create_future()
        return self._waited

    def _closed_so_far(self) -> Closed:
        assert self._closing is not None and self._part is not None
        gone = [entry for entry in self._closing.plan[self._part] if entry._gone]
        return Closed(
            tuple([entry.identity for entry in gone]),
            tuple([Failure(entry.identity, entry._error) for entry in gone if entry._error is not None]),
        )


class Closer:
    """Runs the closings of one tree."""

    def __init__(
        self,
        lock: AbstractContextManager[object],
        release_timeout: float,
        on_failure: Callable[[Failure], object] | None,
    ) -> None:
        self.release_timeout = release_timeout
        # The loop itself keeps only weak references to tasks.
        self.abandoned: set[asyncio.Future[Any]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = lock
        self._on_failure = on_failure

    def close(self, entry: Entry) -> asyncio.Future[Closed]:
        """What is released at and below the entry, once it is; inside a cleanup, what is released so far."""
        loop = asyncio.get_running_loop()
        with self._lock:
            fresh = Closing(self, entry) if entry._closing is None else None
        if fresh is not None:
            fresh.start()
        if entry._gone or inside_a_cleanup():
            answer = loop.create_future()
            answer.set_result(entry._closed_so_far())
            return answer
        return asyncio.shield(entry._until_gone())

    def keep_closing(self, closing: Closing, step: Step) -> None:
        """Goes on in a task, until the closing has finished."""
        task = asyncio.get_running_loop().create_task(_SureStart(closing.finish(step)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def abandon(self, cleanup: asyncio.Future[Any]) -> None:
        """Keeps a cleanup that ignored its cancellation until it ends after all."""
        self.abandoned.add(cleanup)

        def ended(cleanup: asyncio.Future[Any]) -> None:
            self.abandoned.discard(cleanup)
            if not cleanup.cancelled():
                cleanup.exception()

        cleanup.add_done_callback(ended)

    def report(self, failure: Failure) -> None:
        """Tells the log, then `on_failure`."""
        kind, canonical = failure.identity
        log.error("releasing %s %s failed", kind, show(canonical), exc_info=failure.error)
        if self._on_failure is None:
            return
        try:
            self._on_failure(failure)
        except Exception:
            log.exception("on_failure raised for %s %s", kind, show(canonical))


class Closing:
    """One release of an entry and all below it: the plan, newest first, and how far it has come.

    Made under the tree's lock, it marks every entry that isn't already being released by another closing.
    """

    __slots__ = ("__weakref__", "closer", "finished", "interrupt", "plan", "rest")

    def __init__(self, closer: Closer, top: Entry) -> None:
        self.closer = closer
        self.plan: list[Entry] = []
        self.finished = False
        self.interrupt: BaseException | None = None
        walk = [(top, top._newest_first(), 0)]
        while walk:
            entry, below, first = walk[-1]
            child = next(below, None)
            if child is not None:
                walk.append((child, child._newest_first(), len(self.plan)))
                continue
            walk.pop()
            self.plan.append(entry)
            if entry._closing is None:
                entry._closing, entry._part = self, slice(first, len(self.plan))
        self.rest = iter(self.plan)

    def start(self) -> None:
        """Releases at once what needs no awaiting, and leaves the rest to a task."""
        token = _surrounding.set(ref(self))
        try:
            step = self._advance()
            if step is not None:
                self.closer.keep_closing(self, step)
        finally:
            _surrounding.reset(token)

    async def finish(self, step: Step | None) -> None:
        """Releases what is left, beginning with what `step` awaits."""
        while step is not None:
            entry, awaited = step
            if entry._closing is self:
                self._let_go(entry, await self._outcome(entry, awaited))
            else:
                await _wait(awaited)
            step = self._advance()

    def _advance(self) -> Step | None:
        for entry in self.rest:
            if entry._gone:
                continue
            if entry._closing is not self:
                return entry, entry._until_gone()
            error = None
            try:
                answer = None if entry._release is None else entry._release()
                # An entry that a cleanup opened is awaitable too, but there is nothing to wait for.
                if answer is not None and isawaitable(answer) and not isinstance(answer, Entry):
                    return entry, asyncio.get_running_loop().create_task(_SureStart(_await(answer)))
            except BaseException as raised:  # noqa: BLE001 - whatever it raises, the others must be released
                error = raised
                if isinstance(raised, KeyboardInterrupt | SystemExit):
                    self.interrupt = raised
            self._let_go(entry, error)
        self.finished = True
        if self.interrupt is not None:
            raise self.interrupt
        return None

    def _let_go(self, entry: Entry, error: BaseException | None) -> None:
        entry._leave(error)
        entry._release = None  # frees what the callback holds on to
        entry._error = error
        entry._gone = True
        if error is not None:
            self.closer.report(Failure(entry.identity, error))
        if entry._waited is not None:
            entry._waited.set_result(entry._closed_so_far())

    async def _outcome(self, entry: Entry, cleanup: asyncio.Future[Any]) -> BaseException | None:
        limit = self.closer.release_timeout
        await _wait(cleanup, limit)
        if cleanup.done():
            try:
                return cleanup.exception()
            except asyncio.CancelledError as cancelled:
                return cancelled
        cleanup.cancel()
        self.closer.abandon(cleanup)
        await _wait(cleanup, LAST_WORDS)
        return TimeoutError(f"releasing {entry.kind} {show(entry.canonical)} took longer than {limit:g} s")


Step = tuple[Entry, "asyncio.Future[Any]"]
"""An entry that has to be awaited, and the future to wait for."""

# Weakly, since what a cleanup begins (a connection, a timer) may keep its context for long.
_surrounding: ContextVar[ref[Closing] | None] = ContextVar("canonid_surrounding_closing", default=None)


def inside_a_cleanup() -> bool:
    """Whether the caller is, or was begun by, a cleanup of a closing that goes on: it must not wait."""
    surrounding = _surrounding.get()
    closing = None if surrounding is None else surrounding()
    return closing is not None and not closing.finished


class _SureStart(Coroutine[Any, Any, Any]):
    """A coroutine whose task can't be cancelled before its first step, which would drop it without a trace.

    A loop that shuts down cancels every task, and then waits for them to end.
    """

    __slots__ = ("_begun", "_coroutine")

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._begun = False

    def send(self, value: Any) -> Any:
        self._begun = True
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine.throw(*error) if self._begun else self.send(None)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()


async def _await(answer: Awaitable[object]) -> object:
    return await answer


async def _wait(future: asyncio.Future[Any], seconds: float | None = None) -> None:
    """Waits through cancellation: it comes from a loop that shuts down, and the rest must be released."""
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    while not future.done():
        left = None if end is None else end - loop.time()
        if left is not None and left <= 0:
            return
        with suppress(asyncio.CancelledError):
            await asyncio.wait({future}, timeout=left)
