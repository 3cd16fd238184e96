"""The live tree of one process.

`open`, `claim`, `find` and `snapshot` may be called from any thread. `close` and `release` belong to
one event loop. The lock guards the structure only; it is never held while foreign code runs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

from canonid.core import Identity
from canonid.core.system import milliseconds
from canonid.errors import ClaimConflict, InvalidId, NotFound, ScopeClosed, UnknownName, show
from canonid.scopes.closing import Closer, Entry
from canonid.scopes.contract import Closed, Failure, Release, Resolve, Snapshot, Stats


class ScopeTree:
    """What is live now, for every principal.

    `release_timeout` is in seconds, for each async cleanup. `on_failure` is told every failed cleanup, after
    it was logged. `clock` gives the `opened_at` of entries, by default milliseconds since 1970.

    >>> from canonid.core import Identity
    >>> tree = ScopeTree(lambda text, kind: Identity(kind, text.lower()))
    >>> session = tree.open("session", "session_1", principal="user_1")
    >>> tool = session.claim("tool", "tool_1", release=lambda: print("bye"))
    >>> tree.find("tool", "TOOL_1", principal="user_1") is tool
    True
    >>> async def leave():
    ...     return await session.close()
    >>> import asyncio
    >>> [identity.canonical for identity in asyncio.run(leave()).released]
    bye
    ['tool_1', 'session_1']
    """

    def __init__(
        self,
        resolve: Resolve,
        *,
        release_timeout: float = 5.0,
        on_failure: Callable[[Failure], object] | None = None,
        clock: Callable[[], int] = milliseconds,
    ) -> None:
        self._resolve = resolve
        self._clock = clock
        # Reentrant, because the garbage collector may run somebody's finaliser while it is held.
        self._lock = threading.RLock()
        self._closer = Closer(self._lock, release_timeout, on_failure)
        self._live: dict[tuple[str, str], Scope | Resource] = {}
        self._roots: dict[str, dict[tuple[str, str], Scope | Resource]] = {}
        self._scopes = self._released = self._failures = self._unknown = 0

    def open(
        self, kind: str, text: str, *, principal: str, identity: Identity | None = None, joined: bool = False
    ) -> Scope:
        """A new root scope. `InvalidId`; `ClaimConflict` if the ID is live already.

        `identity` is what the text names, where the caller has resolved it already. With `joined` an open
        root of that principal is given instead of a conflict.
        """
        if not isinstance(principal, str):
            raise InvalidId(f"expected a text as principal=, got {type(principal).__name__}", text=principal)
        identity = self._identify(kind, text, identity)
        while True:
            if joined and (live := self._joinable(identity, principal)) is not None:
                return live
            scope = Scope(self, identity, text, principal, None)
            try:
                self._admit(scope)
            except ClaimConflict:
                if not joined or self._joinable(identity, principal) is None:
                    raise  # else another thread was first
            else:
                return scope

    def _joinable(self, identity: Identity, principal: str) -> Scope | None:
        live = self._live.get(identity)
        own = isinstance(live, Scope) and live.parent is None and live.principal == principal
        return live if isinstance(live, Scope) and own and not live.closed else None

    def find(self, kind: str, text: str, *, principal: str) -> Scope | Resource:
        """The principal's live entry of that name; `NotFound` for foreign, unknown and malformed alike."""
        entry = self._lookup(kind, text, principal)
        if entry is None:
            raise NotFound
        return entry

    def snapshot(self, principal: str) -> tuple[Snapshot, ...]:
        """What is live for one principal: its root scopes with all that is below, oldest first."""
        if not isinstance(principal, str):
            return ()
        with self._lock:
            return tuple([root._snapshot() for root in self._roots.get(principal, {}).values()])

    async def live(self, principal: str) -> tuple[Snapshot, ...]:
        """As `snapshot`."""
        return self.snapshot(principal)

    @property
    def stats(self) -> Stats:
        """Counts of what is live and of what happened, over all principals."""
        with self._lock:
            return Stats(
                scopes=self._scopes,
                resources=len(self._live) - self._scopes,
                released=self._released,
                failures=self._failures,
                unknown=self._unknown,
                abandoned=len(self._closer.abandoned),
            )

    def _identify(self, kind: str, text: str, identity: Identity | None = None) -> Identity:
        if identity is None:
            identity = self._resolve(text, kind)
        elif not isinstance(identity, Identity):
            raise TypeError(f"expected an Identity as identity=, got {type(identity).__name__}")
        if identity.kind != kind:
            raise InvalidId(f"{show(text)} names a {identity.kind}; expected a {kind}", text=text)
        return identity

    def _lookup(self, kind: str, text: str, principal: str) -> Scope | Resource | None:
        if not isinstance(kind, str):
            got = type(kind).__name__
            raise UnknownName(f"expected the name of a kind, got {got}", what="kind", name=got)
        if not isinstance(text, str):
            return None
        entry = self._live.get((kind, text))
        if entry is not None and entry.principal == principal:
            return entry
        # A foreign canonical ID goes the way of an unknown text, so that the time taken tells nothing.
        try:
            entry = self._live.get(self._identify(kind, text))
        except InvalidId:
            return None
        return entry if entry is not None and entry.principal == principal else None

    def _admit(self, entry: Scope | Resource) -> None:
        parent = entry.parent
        with self._lock:
            if parent is not None and parent.closed:
                raise ScopeClosed(
                    f"{parent.kind} {show(parent.canonical)} is closed, so {entry.kind} {show(entry.text)} "
                    "can't be put into it; open a new scope"
                )
            if entry.identity in self._live:
                raise ClaimConflict(
                    f"{entry.kind} {show(entry.text)} already has an owner; expected an ID that is not live, "
                    "so release it there or use another one"
                )
            self._live[entry.identity] = entry
            siblings = self._roots.setdefault(entry.principal, {}) if parent is None else parent._entries
            siblings[entry.identity] = entry
            self._scopes += isinstance(entry, Scope)

    def _count_unknown(self) -> None:
        with self._lock:
            self._unknown += 1

    def _remove(self, entry: Scope | Resource, failed: bool) -> None:
        parent = entry.parent
        with self._lock:
            del self._live[entry.identity]
            siblings = self._roots[entry.principal] if parent is None else parent._entries
            del siblings[entry.identity]
            if parent is None and not siblings:
                del self._roots[entry.principal]
            self._scopes -= isinstance(entry, Scope)
            self._released += 1
            self._failures += failed


class _TreeEntry(Entry):
    __slots__ = ("_tree", "opened_at", "parent", "principal", "text")

    def __init__(
        self,
        tree: ScopeTree,
        identity: Identity,
        text: str,
        principal: str,
        parent: Scope | None,
        release: Release | None = None,
    ) -> None:
        super().__init__(identity, release)
        self._tree = tree
        self.text: Final = text
        self.principal: Final = principal
        self.parent: Final = parent
        self.opened_at: Final = tree._clock()

    def _begin_closing(self) -> asyncio.Future[Closed]:
        return self._tree._closer.close(self)


class Resource(_TreeEntry):
    """A live thing in a scope: its identity, the text it was claimed under, its principal and parent."""

    __slots__ = ()

    def _newest_first(self) -> Iterator[Entry]:
        return iter(())

    def _leave(self, error: BaseException | None) -> None:
        self._tree._remove(self, error is not None)

    def _snapshot(self) -> Snapshot:
        return Snapshot(self.kind, self.canonical, self.text, self.opened_at, False, self.closed, ())


class Scope(_TreeEntry):
    """A live scope. As an async context manager it is closed at the end; a failing cleanup doesn't raise."""

    __slots__ = ("_entries",)

    def __init__(
        self, tree: ScopeTree, identity: Identity, text: str, principal: str, parent: Scope | None
    ) -> None:
        super().__init__(tree, identity, text, principal, parent)
        self._entries: dict[tuple[str, str], Scope | Resource] = {}

    @property
    def entries(self) -> tuple[Scope | Resource, ...]:
        """What is live directly in this scope, oldest first."""
        with self._tree._lock:
            return tuple(self._entries.values())

    def open(self, kind: str, text: str, *, identity: Identity | None = None) -> Scope:
        """A new child scope, with this scope's principal. `identity` and errors as for `claim`."""
        scope = Scope(self._tree, self._tree._identify(kind, text, identity), text, self.principal, self)
        self._tree._admit(scope)
        return scope

    def claim(
        self, kind: str, text: str, release: Release | None = None, *, identity: Identity | None = None
    ) -> Resource:
        """A new resource in this scope; `release` is called exactly once, when the resource is released.

        `identity` is what the text names, where the caller has resolved it already.
        `InvalidId`; `ClaimConflict` if the ID is live anywhere in the tree; `ScopeClosed`. An error
        leaves nothing behind.
        """
        if release is not None and not callable(release):
            raise TypeError(f"expected a callable as release=, got {type(release).__name__}")
        tree = self._tree
        resource = Resource(tree, tree._identify(kind, text, identity), text, self.principal, self, release)
        tree._admit(resource)
        return resource

    async def release(self, kind: str, text: str) -> bool:
        """True once the entry below this scope that the text names is released, a scope with all below it.

        False, releasing nothing, if the text has no answer or nothing live below this scope has that ID.
        """
        tree = self._tree
        entry = tree._lookup(kind, text, self.principal)
        if entry is None or not self._is_above(entry):
            tree._count_unknown()
            return False
        await entry._begin_closing()
        return True

    def close(self) -> asyncio.Future[Closed]:
        """What is released, in a future: the call closes the scope, awaiting it waits for the cleanups.

        Never raises for a failing cleanup. Every call gives the same answer. Cancelling a caller doesn't stop
        the closing. From inside a cleanup the future is done at once and holds what is released so far.
        A KeyboardInterrupt or SystemExit from a plain cleanup is raised again after the last one.
        """
        return self._begin_closing()

    @property
    def local(self) -> Scope:
        """The scope itself, which is all of it."""
        return self

    def leave(self) -> asyncio.Future[Closed]:
        """As `close`: no other process holds it."""
        return self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _newest_first(self) -> Iterator[Entry]:
        return reversed(self._entries.values())

    def _leave(self, error: BaseException | None) -> None:
        self._tree._remove(self, error is not None)

    def _snapshot(self) -> Snapshot:
        children = tuple([entry._snapshot() for entry in self._entries.values()])
        return Snapshot(self.kind, self.canonical, self.text, self.opened_at, True, self.closed, children)

    def _is_above(self, entry: Scope | Resource) -> bool:
        above = entry.parent
        while above is not None and above is not self:
            above = above.parent
        return above is self
