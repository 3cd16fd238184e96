"""The live tree of many processes, on Valkey or Redis."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from inspect import isawaitable
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from canonid.core import Identity
from canonid.core.system import milliseconds
from canonid.errors import (
    CanonidError,
    ClaimRefused,
    Fenced,
    InvalidId,
    NotFound,
    ScopeClosed,
    StoreError,
    UnknownName,
    show,
)
from canonid.scopes.closing import inside_a_cleanup
from canonid.scopes.contract import Closed, Failure, Release, Resolve, Snapshot
from canonid.scopes.memory import Resource, Scope
from canonid.scopes.valkey.effects import Effect, Effects
from canonid.scopes.valkey.entries import (
    JOINED,
    RESOURCE,
    SCOPE,
    SharedEntry,
    SharedResource,
    SharedScope,
    field_of,
)
from canonid.scopes.valkey.lease import Pulse, now
from canonid.scopes.valkey.local import LocalTree, taken
from canonid.scopes.valkey.membership import UNBOUNDED, Counts, Membership
from canonid.scopes.valkey.receipts import Receipt, receipt
from canonid.scopes.valkey.reservations import LASTS, Reservations
from canonid.scopes.valkey.store import Store, bucket_of, end_tasks

log = logging.getLogger("canonid.scopes")

Handle = TypeVar("Handle", SharedScope, SharedResource)


class ValkeyTree:
    """What is live now in all processes that share a store, for every principal. Made by `join`.

    `local` is the tree of what this process holds: the cleanups run here, and never depend on the store.
    """

    local: Final[LocalTree]

    def __init__(
        self,
        store: Store,
        resolve: Resolve,
        *,
        lease: float,
        label: str,
        namespace: str,
        buckets: int,
        release_timeout: float,
        on_failure: Callable[[Failure], object] | None,
        on_fenced: Callable[[], object] | None,
        on_rejoined: Callable[[], object] | None,
        effects: Mapping[str, Effect],
        clock: Callable[[], int],
    ) -> None:
        self.lease = lease
        self.label = label
        self.pulse = Pulse(lease)
        self.local = LocalTree(resolve, self._left, release_timeout, on_failure)
        self.milliseconds = clock
        self._store = store
        self._on_fenced = on_fenced
        self._on_rejoined = on_rejoined
        self._fences = 0
        prefixes = [f"{namespace}:{{{bucket}}}:" for bucket in range(buckets)]
        # With one bucket the claim itself sees every principal.
        reservations = (
            Reservations(store, namespace, lambda principal: prefixes[bucket_of(principal, buckets)])
            if buckets > 1
            else None
        )
        self._memberships = [Membership(self, store, prefix, reservations) for prefix in prefixes]
        self._effects = [
            Effects(store, membership.prefix, kind, effect, membership.process, lease)
            for membership in self._memberships
            for kind, effect in effects.items()
        ]
        self._lease_ends = float("inf")
        self._rejoined_at = float("-inf")
        self._joining: dict[Identity, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @classmethod
    async def join(
        cls,
        client: Any,
        resolve: Resolve,
        *,
        lease: float = 10.0,
        process: str | None = None,
        namespace: str = "canonid",
        buckets: int = 1,
        release_timeout: float = 5.0,
        on_failure: Callable[[Failure], object] | None = None,
        on_fenced: Callable[[], object] | None = None,
        on_rejoined: Callable[[], object] | None = None,
        effects: Mapping[str, Effect] | None = None,
        clock: Callable[[], int] = milliseconds,
    ) -> Self:
        """This process's handle of the tree. `StoreError` if the store gives no answer.

        `client` is a client of `redis.asyncio` (Redis, RedisCluster, or one of a Sentinel) that stays the
        caller's, or a URL. What a process holds is released by the others within two leases, in seconds, of
        its death. `process` names it for people. All processes of a `namespace` give the same number of
        `buckets`: 1, or some to spread the principals over a cluster, each with a connection.
        `on_fenced` is called after others have taken over what this process held, `on_rejoined` after a
        server that may have lost data was given back what is held. `effects`: for each kind what must happen
        when a thing of that kind was released, whoever owned it; one of the processes that name the kind
        awaits it, at least once. `resolve`, `release_timeout` (of each cleanup), `on_failure`
        and `clock` as for `ScopeTree`.
        """
        store = Store(client, timeout=lease / 2)
        tree = cls(
            store,
            resolve,
            lease=lease,
            label=process or f"{socket.gethostname()}-{os.getpid()}",
            namespace=namespace,
            buckets=buckets,
            release_timeout=release_timeout,
            on_failure=on_failure,
            on_fenced=on_fenced,
            on_rejoined=on_rejoined,
            effects=effects or {},
            clock=clock,
        )
        tree._begin(tree.pulse.keep())
        try:
            for membership in tree._memberships:
                await membership.ready()
            for effects_of_kind in tree._effects:
                await effects_of_kind.register()
                tree._begin(effects_of_kind.keep())
            tree._begin(tree._keep_reserved())
        except BaseException:
            await tree._stop()
            raise
        return tree

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Releases all that this process holds, and leaves the tree."""
        closings: list[Awaitable[object]] = []
        for membership in self._memberships:
            for entry in reversed(list(membership.held.values())):
                if entry.parent is not None and entry.parent.local is not None:
                    continue  # it goes with its parent
                if isinstance(entry, SharedScope) and entry.flags == JOINED:
                    closings.append(self.leave(entry, "left"))
                else:
                    closings.append(self.close_entry(entry, "left"))
        await asyncio.gather(*closings, return_exceptions=True)
        await self._stop()

    @property
    def may_send(self) -> bool:
        """Whether this process still has its lease, so that nobody has taken over what it holds."""
        return now() < self._lease_ends

    @property
    def may_lack(self) -> bool:
        """Whether a server may have lost data within the last lease, so that others still put back theirs."""
        return now() < self._rejoined_at + self.lease

    @property
    def counts(self) -> Counts:
        """How often this process was late, fenced, joined again, compared anew, and reaped others."""
        each = self._memberships
        return Counts(
            late=self.pulse.late,
            fenced=self._fences,
            rejoined=sum(membership.rejoined for membership in each),
            resynced=sum(membership.resynced for membership in each),
            reaped=sum(membership.reaped for membership in each),
        )

    async def open(
        self,
        kind: str,
        text: str,
        *,
        principal: str,
        identity: Identity | None = None,
        joined: bool = False,
        at_most: int | None = None,
    ) -> SharedScope:
        """A new root scope. One round trip. Errors as for `claim`.

        With `joined` it is held by every process that opens it so, until the last one leaves it or somebody
        closes it; where this process holds it already, it is that one. `at_most`: ClaimRefused if the
        principal has that many live root scopes of this kind.
        """
        if not isinstance(principal, str):
            raise InvalidId(f"expected a text as principal=, got {type(principal).__name__}", text=principal)
        _check_unicode(principal)
        identity = self._identify(kind, text, identity)
        if not joined:
            return await self._enter(SharedScope, identity, text, principal, None, None, SCOPE, at_most)
        while (under_way := self._joining.get(identity)) is not None:
            await asyncio.wait({under_way})
        self._joining[identity] = asyncio.get_running_loop().create_future()
        try:
            held = self._membership(principal).held.get(field_of(identity))
            if isinstance(held, SharedScope) and held.flags == JOINED and held.principal == principal:
                if not held.closed:
                    return held
                await self._ended(held)
            return await self._enter(SharedScope, identity, text, principal, None, None, JOINED, at_most)
        finally:
            self._joining.pop(identity).set_result(None)

    async def find(self, kind: str, text: str, *, principal: str) -> SharedScope | SharedResource:
        """The principal's live entry of that name; `NotFound` for foreign, unknown and malformed alike."""
        if not isinstance(kind, str):
            got = type(kind).__name__
            raise UnknownName(f"expected the name of a kind, got {got}", what="kind", name=got)
        try:
            if not isinstance(text, str) or not isinstance(principal, str):
                raise NotFound
            _check_unicode(principal)
            identity = self._identify(kind, text)
        except InvalidId:
            raise NotFound from None
        membership = self._membership(principal)
        answer = await self._store.look(membership.prefix, "find", principal, field_of(identity))
        if answer[0] != "ok":
            raise NotFound
        return self._handle(membership, identity, principal, answer)

    async def is_member(self, process: str, principal: str) -> bool:
        """Whether a process, as a `Released.owner` names it, still counts where that principal's things are.

        StoreError. One round trip.
        """
        key = f"{self._membership(principal).prefix}process:{process}"
        return bool(await self._store.command("EXISTS", key))

    async def live(self, principal: str) -> tuple[Snapshot, ...]:
        """What is live for one principal in all processes: its roots with all that is below, oldest first."""
        if not isinstance(principal, str):
            return ()
        return _snapshots(await self._store.look(self._membership(principal).prefix, "live", principal))

    async def receipt(self, kind: str, text: str) -> Receipt:
        """When, by whom and why the thing that the text names was last released.

        `InvalidId`; `NotFound` if the last 10,000 releases don't hold it. Meant for operators: it does not
        ask whose thing it is.
        """
        prefixes = [membership.prefix for membership in self._memberships]
        return await receipt(self._store, prefixes, self._identify(kind, text))

    # What the handles do

    async def open_in(
        self, parent: SharedScope, kind: str, text: str, identity: Identity | None
    ) -> SharedScope:
        """See `SharedScope.open`."""
        identity = self._identify(kind, text, identity)
        return await self._enter(SharedScope, identity, text, parent.principal, parent, None, SCOPE)

    async def claim_in(
        self, parent: SharedScope, kind: str, text: str, release: Release | None, identity: Identity | None
    ) -> SharedResource:
        """See `SharedScope.claim`."""
        if release is not None and not callable(release):
            raise TypeError(f"expected a callable as release=, got {type(release).__name__}")
        identity = self._identify(kind, text, identity)
        return await self._enter(SharedResource, identity, text, parent.principal, parent, release, RESOURCE)

    async def release_in(self, scope: SharedScope, kind: str, text: str) -> bool:
        """See `SharedScope.release`."""
        try:
            identity = self._identify(kind, text)
        except InvalidId:
            return False
        membership = scope._membership
        held = membership.held.get(field_of(identity))
        if held is not None and _is_above(scope, held):
            await self.close_entry(held, "released")
            return True
        answer = await self._store.call(
            membership.prefix, "below", scope.field, scope.nonce, field_of(identity)
        )
        if answer[0] != "ok":
            return False
        await self.close_entry(self._handle(membership, identity, scope.principal, answer), "released")
        return True

    def close_entry(self, entry: SharedEntry, why: str) -> asyncio.Future[Closed]:
        """See `SharedScope.close`."""
        if entry._closing is None:
            why = _kept(why)
            entry.covered = True
            entry.why = entry.why or why
            try:
                if entry.local is not None:
                    entry.local._begin_closing()
            finally:
                entry._closing = self._begin(self._close(entry, why))
        if inside_a_cleanup():
            so_far = asyncio.get_running_loop().create_future()
            so_far.set_result(Closed((), ()) if entry.local is None else entry.local._closed_so_far())
            return so_far
        return asyncio.shield(entry._closing)

    async def leave(self, scope: SharedScope, why: str) -> None:
        """See `SharedScope.leave`."""
        if scope.flags != JOINED:
            raise TypeError(f"expected a joined scope to leave, got {scope!r}: open it with joined=True")
        if scope.local is None:
            return
        if scope._leaving is None:
            scope._leaving = self._begin(self._leave(scope, _kept(why)))
        if not inside_a_cleanup():
            await asyncio.shield(scope._leaving)

    def renewed(self) -> None:
        """A membership has a new lease."""
        ends = [membership.lease_ends for membership in self._memberships if membership.is_joined]
        self._lease_ends = min(ends, default=float("inf"))

    def rejoined(self) -> None:
        """A bucket's server lost data, or may have: the keys of IDs that it held may belong to any bucket."""
        self._rejoined_at = now()
        self._reserve_again()
        self._tell("on_rejoined", self._on_rejoined)

    def _reserve_again(self) -> None:
        for membership in self._memberships:
            if membership.reservations is not None:
                self._begin(membership.reserve_again(membership.reservations))

    def fenced(self) -> None:
        """A membership was fenced."""
        self._fences += 1
        self._lease_ends = float("-inf")
        self._tell("on_fenced", self._on_fenced)

    def _tell(self, name: str, whom: Callable[[], object] | None) -> None:
        if whom is None:
            return
        try:
            answer = whom()
        except Exception:
            log.exception("%s raised", name)
            return
        if isawaitable(answer):
            self._begin(self._told(name, answer))

    async def _enter(
        self,
        cls: type[Handle],
        identity: Identity,
        text: str,
        principal: str,
        parent: SharedScope | None,
        release: Release | None,
        flags: int,
        at_most: int | None = None,
    ) -> Handle:
        if parent is not None and parent.closed:
            raise _closed(parent, identity, text)
        self.local.check_free(identity, text)
        membership = self._membership(principal)
        nonce = os.urandom(6).hex()
        entry = cls(self, membership, identity, text, principal, parent, nonce, self.milliseconds(), flags)
        joined = flags == JOINED
        try:
            answer = await membership.enter(entry, UNBOUNDED if at_most is None else max(at_most, 0))
        except (StoreError, asyncio.CancelledError):
            membership.owe(entry.field, "" if joined else nonce, "no answer to its claim", joined=joined)
            raise
        if answer[0] == "closed":
            raise _closed(parent, identity, text)
        if answer[0] == "full":
            raise ClaimRefused(f"there are {at_most} of kind {identity.kind} already", limit=at_most)
        if answer[0] == "conflict":
            raise taken(identity, text)
        entry.nonce = answer[1]
        above = None if parent is None else parent.local
        try:
            if parent is not None and parent.closed:
                raise _closed(parent, identity, text)
            entry.local = self.local.admit(above, identity, text, principal, release, flags)  # type: ignore[assignment]
        except CanonidError:
            membership.owe(entry.field, entry.nonce, "closed while it was claimed", joined=joined)
            raise
        membership.hold(entry)
        return entry

    async def _close(self, entry: SharedEntry, why: str) -> Closed:
        here = Closed((), ())
        in_store = asyncio.ensure_future(self._end(entry, why))
        if entry.local is not None:
            here = await entry.local._begin_closing()
        await asyncio.wait({in_store}, timeout=self.lease)
        gone = in_store.result() if in_store.done() else None
        if gone is None:
            return here._replace(complete=False)
        if not gone:
            return here
        everywhere = [Identity(*field.split("/", 1)) for field, _, _ in gone]
        rest = set(everywhere)
        parts = [identity for identity in here.released if identity not in rest]
        return Closed((*parts, *everywhere), here.failures)

    async def _end(self, entry: SharedEntry, why: str) -> list[tuple[str, str, str]] | None:
        """What left the store; None if that has to wait. An ID stays taken until its cleanup has ended."""
        membership = entry._membership
        try:
            if entry.local is not None and not entry.local._gone:
                await membership.begin(entry, why)
                await entry.local._begin_closing()
            return await membership.end(entry.field, entry.nonce, why)
        except Fenced:
            return []
        except StoreError:
            membership.owe(entry.field, entry.nonce, why)
            return None

    async def _leave(self, scope: SharedEntry, why: str) -> None:
        membership = scope._membership
        assert scope.local is not None
        scope.covered = True
        mine = [entry for entry in membership.held.values() if entry.parent is scope]
        closings = [self.close_entry(entry, why) for entry in reversed(mine)]
        scope.local._begin_closing()
        await asyncio.gather(*closings)
        try:
            last = await membership.give_up(scope.field, scope.nonce, why)
        except Fenced:
            return
        except StoreError:
            membership.owe(scope.field, scope.nonce, why, joined=True)
        else:
            if last:
                await self.close_entry(scope, why)
        await scope.local._begin_closing()

    async def _ended(self, entry: SharedEntry) -> None:
        under_way = {task for task in (entry._closing, entry._leaving) if task is not None}
        if under_way:
            await asyncio.wait(under_way)
        if entry.local is not None:
            await entry.local._begin_closing()

    def _left(self, local: Scope | Resource) -> None:
        """An entry has left the tree of this process: it is released in the store, unless that is done."""
        membership = self._membership(local.principal)
        entry = membership.held.get(field_of(local.identity))
        if entry is None or entry.local is not local:
            return
        above: SharedEntry | None = entry
        while above is not None and not above.covered:
            above = above.parent
        if above is None:
            membership.owe(entry.field, entry.nonce, joined=entry.flags == JOINED)

    def _handle(
        self, membership: Membership, identity: Identity, principal: str, answer: list[Any]
    ) -> SharedScope | SharedResource:
        _, nonce, opened_at, flags, text, _ = answer
        held = membership.held.get(field_of(identity))
        if held is not None and held.nonce == nonce:
            return held
        cls = SharedResource if flags == RESOURCE else SharedScope
        text = text or identity.canonical
        return cls(self, membership, identity, text, principal, None, nonce, opened_at, flags)

    def _identify(self, kind: str, text: str, identity: Identity | None = None) -> Identity:
        identity = self.local._identify(kind, text, identity)
        if "/" in kind:
            raise InvalidId(f"{show(kind)} can't name a kind here: it has a '/'", text=text)
        _check_unicode(text, identity.canonical)
        return identity

    def _membership(self, principal: str) -> Membership:
        return self._memberships[bucket_of(principal, len(self._memberships))]

    async def _keep_reserved(self) -> None:
        while True:
            await asyncio.sleep(LASTS / 4)
            self._reserve_again()

    async def _told(self, name: str, answer: Awaitable[object]) -> None:
        try:
            await answer
        except Exception:
            log.exception("%s raised", name)

    def _begin(self, work: Any) -> asyncio.Task[Any]:
        # Not in the context of the caller, who may be a cleanup: those never wait for closings.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _stop(self) -> None:
        for membership in self._memberships:
            await membership.aclose()
        self._lease_ends = float("-inf")
        await end_tasks(self._tasks)
        await self._store.aclose()


def _check_unicode(*texts: str) -> None:
    """InvalidId for half a surrogate pair, which no store can keep."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidId(f"{show(text)} is no Unicode text", text=text) from None


def _kept(why: str) -> str:
    """The reason, as a store can keep it: an error's text may hold half a surrogate pair."""
    return str(why).encode("utf-8", "backslashreplace").decode()


def _is_above(scope: SharedScope, entry: SharedEntry) -> bool:
    above = entry.parent
    while above is not None and above is not scope:
        above = above.parent
    return above is scope


def _closed(parent: SharedScope | None, identity: Identity, text: str) -> ScopeClosed:
    if parent is None:
        return ScopeClosed(f"{identity.kind} {show(text)} was closed while it was opened; open it again")
    return ScopeClosed(
        f"{parent.kind} {show(parent.canonical)} is closed, so {identity.kind} {show(text)} "
        "can't be put into it; open a new scope"
    )


def _snapshots(nodes: list[list[Any]]) -> tuple[Snapshot, ...]:
    """The tree of nodes that come depth first, each with its depth."""
    levels: list[list[Snapshot]] = [[]]
    for depth, field, opened_at, flags, text, closed, _ in reversed(nodes):
        while len(levels) <= depth + 1:
            levels.append([])
        children = tuple(reversed(levels[depth + 1]))
        levels[depth + 1] = []
        kind, canonical = field.split("/", 1)
        levels[depth].append(
            Snapshot(kind, canonical, text or canonical, opened_at, bool(flags), bool(closed), children)
        )
    return tuple(reversed(levels[0]))
