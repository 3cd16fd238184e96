"""The questions a store asks its tables, each one statement over a connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from canonid.aliases.contract import Alias, BatchRecord, Lineage
from canonid.core import Identity

# Statements are put together from the constants of this module alone; every value is bound.

# All names that lead to (:kind, :canonical), itself included.
_NAMES = """
WITH RECURSIVE names(text) AS (
    SELECT :canonical
    UNION
    SELECT active.text FROM names CROSS JOIN active ON active.via = names.text AND active.kind = :kind
)
"""


class Row(NamedTuple):
    """A row of lineage as it was recorded, before aliases are followed."""

    number: int
    kind: str
    child: str
    parent_kind: str | None
    parent: str | None
    principal_kind: str
    principal: str
    text: str
    at: float

    @property
    def identity(self) -> Identity:
        return Identity(self.kind, self.child)

    @property
    def parent_identity(self) -> Identity | None:
        if self.parent is None or self.parent_kind is None:
            return None
        return Identity(self.parent_kind, self.parent)

    @property
    def principal_identity(self) -> Identity:
        return Identity(self.principal_kind, self.principal)


class Way(NamedTuple):
    """The names that a name leads through, itself included, and the last of them, empty in a circle."""

    names: frozenset[str]
    end: str


def explicit(connection: sqlite3.Connection, text: str, kind: str | None) -> list[Identity]:
    """Where the aliases of a text lead next, one for each kind that has one."""
    found = connection.execute(
        "SELECT kind, via FROM active WHERE text = ? AND kind = coalesce(?, kind) ORDER BY kind", (text, kind)
    )
    return [Identity(*row) for row in found]


def way(connection: sqlite3.Connection, kind: str, name: str) -> Way:
    """Where a name leads."""
    return ways(connection, kind, name)[0]


def ways(connection: sqlite3.Connection, kind: str, *names: str) -> list[Way]:
    """Where each of some names leads."""
    starts = ", ".join([f"({start}, NULL, ?)" for start in range(len(names))])
    found = connection.execute(
        f"""
        WITH RECURSIVE way(start, last, text) AS (
            VALUES {starts}
            UNION
            SELECT way.start, way.text, active.via
            FROM way CROSS JOIN active ON active.text = way.text AND active.kind = ?
        )
        SELECT start, last, text FROM way
        """,
        (*names, kind),
    )
    reached: list[list[str]] = [[] for _ in names]
    left: list[list[str]] = [[] for _ in names]
    for start, last, text in found:
        reached[start].append(text)
        left[start].append(last)
    return [_way(*both) for both in zip(reached, left, strict=True)]


def _way(reached: list[str], left: list[str]) -> Way:
    if len(reached) == 1:
        return Way(frozenset(reached), reached[0])
    ends = set(reached) - set(left)
    return Way(frozenset(reached), ends.pop() if ends else "")


def current(connection: sqlite3.Connection, text: str, kind: str) -> Alias | None:
    """The alias of a text that counts."""
    row = connection.execute(
        "SELECT text, kind, canonical, source, batch, at FROM active WHERE text = ? AND kind = ?",
        (text, kind),
    ).fetchone()
    return Alias(*row) if row else None


class Asked(NamedTuple):
    """What narrows a list of aliases; None narrows nothing."""

    identity: Identity | None
    text: str | None
    kind: str | None
    batch: str | None


def aliases(connection: sqlite3.Connection, asked: Asked, after: int, limit: int) -> list[tuple[int, Alias]]:
    """The next aliases that count, after a row, each with its number."""
    wanted = {"text": asked.text, "kind": asked.kind, "batch": asked.batch}
    conditions = ["number > :after", *(f"{name} = :{name}" for name in wanted if wanted[name] is not None)]
    if asked.identity:
        wanted |= asked.identity._asdict()
        conditions += ["kind = :kind", "text IN (SELECT text FROM names)"]
    statement = f"""
        {_NAMES if asked.identity else ""}
        SELECT number, text, kind, canonical, source, batch, at FROM active
        WHERE {" AND ".join(conditions)} ORDER BY number LIMIT :limit
    """
    found = connection.execute(statement, {**wanted, "after": after, "limit": limit})
    return [(number, Alias(*rest)) for number, *rest in found]


def batches(connection: sqlite3.Connection) -> list[BatchRecord]:
    """All batches, oldest first."""
    found = connection.execute(
        """
        SELECT id, source, note, at, undone_at, (SELECT count(*) FROM alias WHERE alias.batch = batch.number)
        FROM batch ORDER BY number
        """
    )
    return [BatchRecord(*row) for row in found]


def oldest_row(connection: sqlite3.Connection, identity: Identity) -> Row | None:
    """The lineage of an identity: the oldest row under any name that leads to it."""
    row = connection.execute(
        f"""
        {_NAMES}
        SELECT lineage.* FROM names CROSS JOIN lineage ON lineage.child = names.text AND lineage.kind = :kind
        ORDER BY lineage.number LIMIT 1
        """,
        identity._asdict(),
    ).fetchone()
    return Row(*row) if row else None


def children(connection: sqlite3.Connection, parent: Identity, kind: str | None) -> list[Row]:
    """The rows whose parent leads to an identity, oldest first."""
    found = connection.execute(
        f"""
        {_NAMES}
        SELECT lineage.*
        FROM names CROSS JOIN lineage ON lineage.parent = names.text AND lineage.parent_kind = :kind
        WHERE lineage.kind = coalesce(:kind_of_children, lineage.kind) ORDER BY lineage.number
        """,
        {**parent._asdict(), "kind_of_children": kind},
    )
    return [Row(*row) for row in found]


def add_row(connection: sqlite3.Connection, row: Row) -> None:
    """Insert a row; its number is given anew."""
    connection.execute("INSERT INTO lineage VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row[1:])


def add_minted(connection: sqlite3.Connection, records: Iterable[Lineage]) -> int:
    """Insert the rows of things with the principals of their parents; how many of the parents were found.

    Raises IntegrityError where one of the things is recorded already.
    """
    return connection.executemany(
        """
        INSERT INTO lineage
        SELECT NULL, ?, ?, kind, child, principal_kind, principal, ?, ?
        FROM lineage WHERE child = ? AND kind = ?
        """,
        [(each.kind, each.child, each.text, each.at, each.parent, each.parent_kind) for each in records],
    ).rowcount


def owners(connection: sqlite3.Connection, identity: Identity) -> set[Identity]:
    """The principals of everything recorded under the names that lead to an identity.

    They are told apart by their own rows, since no two rows without a parent ever lead to one identity.
    """
    found = connection.execute(
        f"""
        {_NAMES}
        SELECT DISTINCT lineage.principal_kind, lineage.principal
        FROM names CROSS JOIN lineage ON lineage.child = names.text AND lineage.kind = :kind
        """,
        identity._asdict(),
    )
    return {Identity(*row) for row in found}


def extent(connection: sqlite3.Connection, batch_number: int) -> tuple[int, int, int]:
    """The first and last row of a batch, which follow on each other, and how many they are."""
    first, last, links = connection.execute(
        "SELECT coalesce(min(number), 0), coalesce(max(number), -1), count(*) FROM alias WHERE batch = ?",
        (batch_number,),
    ).fetchone()
    return first, last, links


def counting_for(connection: sqlite3.Connection, first: int, last: int) -> list[Alias]:
    """The aliases that count for the texts of the rows `first` to `last`."""
    found = connection.execute(
        """
        SELECT DISTINCT active.text, active.kind, active.canonical, source, active.batch, at
        FROM alias CROSS JOIN active ON active.text = alias.text AND active.kind = alias.kind
        WHERE alias.number BETWEEN ? AND ?
        """,
        (first, last),
    )
    return [Alias(*row) for row in found]


def circle(connection: sqlite3.Connection, kind: str, into: Way) -> frozenset[str]:
    """The names of the circle that a way leads into."""
    return min((way(connection, kind, name).names for name in into.names), key=len)


def newest_on(connection: sqlite3.Connection, kind: str, names: frozenset[str]) -> str:
    """The newest batch with an alias that counts for one of some names."""
    rows = [
        connection.execute(
            "SELECT number, batch FROM active WHERE text = ? AND kind = ?", (name, kind)
        ).fetchone()
        for name in names
    ]
    return str(max(row for row in rows if row)[1])
