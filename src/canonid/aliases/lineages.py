"""Lineage as it was recorded, and as it reads once aliases are followed, over one connection."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from canonid.aliases import queries
from canonid.aliases.contract import Lineage
from canonid.aliases.queries import Row
from canonid.aliases.resolving import Resolver
from canonid.aliases.texts import NEVER, require_storable
from canonid.core import Identity
from canonid.errors import InvalidId, LineageConflict, NotFound, show

_NOTHING = Identity(NEVER, NEVER)
_NO_ROW = Row(0, NEVER, NEVER, None, None, NEVER, NEVER, NEVER, 0.0)


class Birth(NamedTuple):
    """What the caller of `Store.record` says."""

    child: str
    kind: str | None
    parent: str | None
    parent_kind: str | None
    principal: str | None


class Lineages:
    """Lineage, found by any text that resolves to the thing now."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    # Reading

    def of(self, connection: sqlite3.Connection, text: str, kind: str | None) -> Lineage:
        """The lineage of what a text names. Raises NotFound."""
        return self._read(connection, self._row(connection, text, kind))

    def ancestry(self, connection: sqlite3.Connection, text: str, kind: str | None) -> list[Lineage]:
        """From what a text names up to its root. Raises NotFound."""
        row: Row | None = self._row(connection, text, kind)
        found = []
        # Ends, because a parent's oldest record is older than any record that names it.
        while row:
            found.append(self._read(connection, row))
            row = self._oldest(connection, row.parent_identity) if row.parent_identity else None
        return found

    def children(
        self, connection: sqlite3.Connection, text: str, kind: str | None, kind_of_children: str | None
    ) -> list[Lineage]:
        """What has its oldest record directly under what a text names. Raises NotFound."""
        row = self._row(connection, text, kind)
        parent = self._resolver.follow(connection, row.identity)
        rows = queries.children(connection, parent, kind_of_children)
        return [self._read(connection, row) for row in rows if row == self._oldest(connection, row.identity)]

    def authorise(
        self, connection: sqlite3.Connection, text: str, kind: str | None, principal: str
    ) -> Lineage:
        """The lineage of what a text names for this principal, else NotFound; the same statements always."""
        row = queries.oldest_row(connection, self._identity(connection, text, kind)) or _NO_ROW
        lineage = self._read(connection, row)
        asking = self._identity(connection, principal, row.principal_kind or None)
        if row is _NO_ROW or asking != Identity(row.principal_kind, lineage.principal):
            raise NotFound
        return lineage

    def _row(self, connection: sqlite3.Connection, text: str, kind: str | None) -> Row:
        row = queries.oldest_row(connection, self._identity(connection, text, kind))
        if row is None:
            raise NotFound
        return row

    def _oldest(self, connection: sqlite3.Connection, identity: Identity) -> Row | None:
        return queries.oldest_row(connection, self._resolver.follow(connection, identity))

    def _identity(self, connection: sqlite3.Connection, text: str, kind: str | None) -> Identity:
        """What a text names, or what is never recorded if it names nothing."""
        try:
            start = self._resolver.start(connection, text, kind)
        except InvalidId:
            start = _NOTHING
        return self._resolver.follow(connection, start)

    def _read(self, connection: sqlite3.Connection, row: Row) -> Lineage:
        child = self._resolver.follow(connection, row.identity)
        parent = self._resolver.follow(connection, row.parent_identity or _NOTHING)
        principal = self._resolver.follow(connection, row.principal_identity)
        return Lineage(
            child=child.canonical,
            kind=row.kind,
            parent=parent.canonical or None,
            parent_kind=row.parent_kind,
            principal=principal.canonical,
            text=row.text,
            at=row.at,
        )

    # Writing

    def existing(self, connection: sqlite3.Connection, birth: Birth) -> Lineage | None:
        """The lineage of the child if it has one already. Raises LineageConflict if that says otherwise."""
        child = self._resolver.resolve(connection, birth.child, birth.kind)
        row = queries.oldest_row(connection, child)
        if row is None:
            return None
        lineage = self._read(connection, row)
        parent = self._parent(connection, birth, child.kind)
        if parent != (row.parent_identity and self._resolver.follow(connection, row.parent_identity)):
            raise LineageConflict(
                f"{show(birth.child)} is recorded under {show(lineage.parent or 'no parent')}; it can't be"
                f" recorded under {show(birth.parent or 'no parent')} too"
            )
        self._require_principal(connection, birth, row.principal_identity)
        return lineage

    def add(self, connection: sqlite3.Connection, birth: Birth, at: float) -> Lineage:
        """The lineage of a child that has none yet."""
        child = self._resolver.own_name(connection, birth.child, birth.kind)
        require_storable(birth.child)
        require_storable(child.canonical)
        parent = self._parent(connection, birth, child.kind)
        above = parent and queries.oldest_row(connection, parent)
        if parent and not above:
            raise LineageConflict(f"parent {show(birth.parent)} is not recorded; record it first")
        principal = above.principal_identity if above else child
        self._require_principal(connection, birth, principal)
        row = Row(
            number=0,
            kind=child.kind,
            child=child.canonical,
            parent_kind=above and above.kind,
            parent=above and above.child,
            principal_kind=principal.kind,
            principal=principal.canonical,
            text=birth.child,
            at=at,
        )
        queries.add_row(connection, row)
        return self._read(connection, row)

    def _parent(self, connection: sqlite3.Connection, birth: Birth, kind: str) -> Identity | None:
        declared = self._resolver.parent_kind(kind)
        if birth.parent is None:
            if declared is not None:
                # Without this check a forgotten argument would make the thing its own principal.
                raise LineageConflict(
                    f"a {kind} belongs to a {declared}; name the parent of {show(birth.child)}"
                )
            return None
        if birth.parent_kind is not None:
            self._resolver.parent_kind(birth.parent_kind)  # raises UnknownName
        if declared is not None and birth.parent_kind not in (None, declared):
            raise LineageConflict(f"a {kind} belongs to a {declared}, not to a {birth.parent_kind}")
        return self._resolver.resolve(connection, birth.parent, birth.parent_kind or declared)

    def _require_principal(self, connection: sqlite3.Connection, birth: Birth, recorded: Identity) -> None:
        if birth.principal is None:
            return
        principal = self._resolver.follow(connection, recorded)
        if self._identity(connection, birth.principal, recorded.kind) != principal:
            raise LineageConflict(
                f"{show(birth.child)} belongs to {principal.canonical!r}, not to {show(birth.principal)}:"
                " the principal is the parent's, and a thing without a parent is its own"
            )
