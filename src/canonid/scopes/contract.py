"""What every scope tree promises, and the values it answers with.

**Ownership.** An entry (a scope or a resource) has one canonical ID, one parent and one principal, all
recorded when it is opened or claimed and never guessed from a text later. While it is live nobody
else can claim that ID, in any writing. It is live until its cleanup has ended.

**Lookup.** An entry is found by its canonical ID and by any text that resolves to it. Another
principal's entry, an unknown one and a malformed text give one answer, by one path. Principals are
compared as they are written: pass the canonical ID of a user.

**Closing.** The call itself marks the whole scope closed, so nothing enters any more. Then the entries
at and below the scope are released one after the other, newest first (a child scope is an entry of
its parent), each exactly once, whoever else closes or releases meanwhile and whether or not the
callers are cancelled. A cleanup that fails or hangs is reported and doesn't stop the others.

**Cleanups.** A cleanup is a plain or async callable without arguments. Plain ones run at once, in the call
of `close`, up to the first async one; async ones have a time limit each, are then cancelled, and left
behind if they ignore that. A loop that shuts down cancels the cleanup under way and waits for the rest.

A cleanup may use the tree. `close` and `release` called from inside a cleanup start what is to be done,
finish it if no async cleanup stands in the way, and never wait. What a cleanup must not do is wait for
another task that itself waits for the scope being closed; the time limit ends that.

**Trees.** `Tree` and `LiveScope` are what every tree has. In a `ScopeTree`, the tree of one process, the
answers are there at once and need not be awaited. `canonid.scopes.valkey.ValkeyTree` is one tree of many
processes.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from canonid.core import Identity

Resolve = Callable[[str, str | None], Identity]
"""The identity that a text names, of the given kind; raises `InvalidId`. Called from any thread."""

Release = Callable[[], object]
"""The cleanup of a resource, called exactly once. If it returns an awaitable, that is awaited."""


class Failure(NamedTuple):
    """A cleanup that raised (its error), or took too long (a `TimeoutError`)."""

    identity: Identity
    error: BaseException


class Closed(NamedTuple):
    """What was live at and below the scope when it was closed, newest first, the scope itself last.

    Everything in `released` has left the tree; `failures` says for which of it the cleanup failed. `complete`
    is False where a store gave no answer: its part is done as soon as it answers again.
    """

    released: tuple[Identity, ...]
    failures: tuple[Failure, ...]
    complete: bool = True


class Snapshot(NamedTuple):
    """One live entry: `text` as it was claimed, `opened_at` by the tree's clock, children oldest first."""

    kind: str
    canonical: str
    text: str
    opened_at: int
    is_scope: bool
    closed: bool
    children: tuple[Snapshot, ...]


class Stats(NamedTuple):
    """Live scopes and resources now, and counts since the tree was made.

    `released` counts entries that have left the tree, `failures` those among them whose cleanup failed.
    `unknown` counts texts that `release` had no answer for, or that were not live there.
    `abandoned` is how many timed-out cleanups still run, having ignored their cancellation.
    """

    scopes: int
    resources: int
    released: int
    failures: int
    unknown: int
    abandoned: int


class LiveEntry(Protocol):
    """A live scope or resource."""

    @property
    def identity(self) -> Identity: ...
    @property
    def kind(self) -> str: ...
    @property
    def canonical(self) -> str: ...
    @property
    def text(self) -> str:
        """As it was opened or claimed."""

    @property
    def principal(self) -> str: ...
    @property
    def opened_at(self) -> int: ...
    @property
    def closed(self) -> bool:
        """True from the moment its closing or release begins, as far as this process knows."""


class LiveScope(LiveEntry, Protocol):
    """A live scope; as an async context manager it is closed at the end."""

    def open(self, kind: str, text: str, *, identity: Identity | None = None) -> Awaitable[LiveScope]:
        """A child scope. Errors as for `claim`."""

    def claim(
        self, kind: str, text: str, release: Release | None = None, *, identity: Identity | None = None
    ) -> Awaitable[LiveEntry]:
        """A resource. `InvalidId`, `ClaimConflict`, `ScopeClosed`; an error leaves nothing behind."""

    def release(self, kind: str, text: str) -> Awaitable[bool]:
        """True once what the text names below this scope is released; False if there is no such thing."""

    @property
    def local(self) -> LiveScope | None:
        """The scope as the tree of this process has it: what is claimed in it is of this process only.

        In process it is the scope itself; None where the scope lives in another process.
        """

    def leave(self) -> Awaitable[object]:
        """Like `close`, for what this process has of a joined scope; and all of it if no other holds it."""

    def close(self) -> Future[Closed]:
        """The call closes the scope; awaiting it waits until everything at and below it is released.

        Never raises for a cleanup that fails.
        """

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Tree(Protocol):
    """What is live now, for every principal."""

    def open(
        self, kind: str, text: str, *, principal: str, identity: Identity | None = None, joined: bool = False
    ) -> Awaitable[LiveScope]:
        """A root scope. `InvalidId`; `ClaimConflict` if the ID is live already.

        `joined` makes it one that several may hold: if it is live for that principal it is given as it is.
        """

    def find(self, kind: str, text: str, *, principal: str) -> Awaitable[LiveEntry]:
        """The principal's live entry; `NotFound` for foreign, unknown and malformed alike."""

    async def live(self, principal: str) -> tuple[Snapshot, ...]:
        """What is live for one principal, roots first, oldest first."""
