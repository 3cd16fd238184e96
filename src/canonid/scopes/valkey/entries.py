"""Handles of what is live in a tree of many processes."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from canonid.core import Identity
from canonid.errors import show
from canonid.scopes.contract import Closed, Release
from canonid.scopes.memory import Resource, Scope

if TYPE_CHECKING:
    from canonid.scopes.valkey.membership import Membership
    from canonid.scopes.valkey.tree import ValkeyTree

RESOURCE, SCOPE, JOINED = 0, 1, 3
"""What a node is, as the store writes it."""


def field_of(identity: Identity) -> str:
    """The name of an identity in the store."""
    return f"{identity.kind}/{identity.canonical}"


class SharedEntry:
    """A live scope or resource. `local` is its entry in this process, None where it lives in another.

    `nonce` names this one claim of the ID, for ever. `why` is what its closing gave as the reason.
    """

    __slots__ = (
        "_closing",
        "_ended",
        "_leaving",
        "_membership",
        "_tree",
        "covered",
        "field",
        "flags",
        "identity",
        "local",
        "nonce",
        "opened_at",
        "parent",
        "principal",
        "text",
        "why",
    )

    local: Scope | Resource | None

    def __init__(
        self,
        tree: ValkeyTree,
        membership: Membership,
        identity: Identity,
        text: str,
        principal: str,
        parent: SharedScope | None,
        nonce: str,
        opened_at: int,
        flags: int,
    ) -> None:
        self._tree: Final = tree
        self._membership: Final = membership
        self.identity: Final = identity
        self.field: Final = field_of(identity)
        self.text: Final = text
        self.principal: Final = principal
        self.parent: Final = parent
        self.opened_at: Final = opened_at
        self.flags: Final = flags
        self.nonce = nonce
        self.why = ""
        self.covered = False  # a closing in the store takes it along
        self.local = None
        self._ended = False
        self._closing: asyncio.Task[Closed] | None = None
        self._leaving: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kind} {show(self.canonical)}>"

    @property
    def kind(self) -> str:
        return self.identity.kind

    @property
    def canonical(self) -> str:
        return self.identity.canonical

    @property
    def closed(self) -> bool:
        """True from the moment its closing or release begins, as far as this process knows."""
        return self._ended or (self.local is not None and self.local.closed)

    def end(self, why: str) -> None:
        """It is no longer in the store."""
        self._ended = True
        self.why = self.why or why


class SharedResource(SharedEntry):
    """A live thing in a scope."""

    __slots__ = ()
    local: Resource | None


class SharedScope(SharedEntry):
    """A live scope. As an async context manager it is closed at the end; a failing cleanup doesn't raise.

    Synchronous claims into `local` are parts of this process alone: not recorded in the store, and released
    with the scope.
    """

    __slots__ = ()
    local: Scope | None

    async def open(self, kind: str, text: str, *, identity: Identity | None = None) -> SharedScope:
        """A new child scope, with this scope's principal. `identity` and errors as for `claim`."""
        return await self._tree.open_in(self, kind, text, identity)

    async def claim(
        self, kind: str, text: str, release: Release | None = None, *, identity: Identity | None = None
    ) -> SharedResource:
        """A new resource in this scope; `release` is called once, here, whoever releases the resource.

        `identity` is what the text names, where the caller has resolved it already. `InvalidId`;
        `ClaimConflict` if the ID is live anywhere; `ScopeClosed`; `Fenced`; `StoreError` if the store gave no
        answer. An error leaves nothing behind, and never calls `release`. One round trip.
        """
        return await self._tree.claim_in(self, kind, text, release, identity)

    async def release(self, kind: str, text: str) -> bool:
        """True once the entry below this scope that the text names is released, a scope with all below it.

        False, releasing nothing, if the text has no answer or nothing live below this scope has that ID.
        """
        return await self._tree.release_in(self, kind, text)

    def close(self, why: str = "") -> asyncio.Future[Closed]:
        """What is released, in a future: the call closes what is here, awaiting it waits for the store too.

        Never raises. Where the store gives no answer the future is done after a lease, not `complete`, and
        its part is done as soon as it answers again. `why` goes into the receipt and to the other processes.
        """
        return self._tree.close_entry(self, why)

    async def leave(self, why: str = "") -> None:
        """Gives up this process's part of a joined scope, with what it put there; the last one closes it."""
        await self._tree.leave(self, why)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
