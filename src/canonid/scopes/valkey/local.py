"""What one process holds of a tree of many."""

from __future__ import annotations

from collections.abc import Callable

from canonid.core import Identity
from canonid.errors import ClaimConflict, show
from canonid.scopes.contract import Failure, Release, Resolve
from canonid.scopes.memory import Resource, Scope, ScopeTree
from canonid.scopes.valkey.entries import RESOURCE


class LocalTree(ScopeTree):
    """What this process holds. Whatever way an entry leaves it, the tree of all processes is told."""

    def __init__(
        self,
        resolve: Resolve,
        told: Callable[[Scope | Resource], None],
        release_timeout: float,
        on_failure: Callable[[Failure], object] | None,
    ) -> None:
        super().__init__(resolve, release_timeout=release_timeout, on_failure=on_failure)
        self._told = told

    def admit(
        self,
        parent: Scope | None,
        identity: Identity,
        text: str,
        principal: str,
        release: Release | None,
        flags: int,
    ) -> Scope | Resource:
        """A new entry; one whose parent lives in another process has none here. Errors as of `claim`."""
        entry: Scope | Resource
        if flags == RESOURCE:
            entry = Resource(self, identity, text, principal, parent, release)
        else:
            entry = Scope(self, identity, text, principal, parent)
        self._admit(entry)
        return entry

    def check_free(self, identity: Identity, text: str) -> None:
        """`ClaimConflict` if the ID is live in this process."""
        if identity in self._live:
            raise taken(identity, text)

    def _remove(self, entry: Scope | Resource, failed: bool) -> None:
        super()._remove(entry, failed)
        self._told(entry)


def taken(identity: Identity, text: str) -> ClaimConflict:
    """The error of a claim whose ID is live already."""
    return ClaimConflict(
        f"{identity.kind} {show(text)} already has an owner; expected an ID that is not live, "
        "so release it there or use another one"
    )
