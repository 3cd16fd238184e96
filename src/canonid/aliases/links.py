"""Linking and undoing, within a write transaction that the caller holds."""

from __future__ import annotations

import sqlite3

from canonid.aliases import queries
from canonid.aliases.contract import Alias
from canonid.aliases.texts import require_storable, storable
from canonid.core import Identity, Registry
from canonid.errors import AliasConflict, UnknownName, show


class Links:
    """The links of one batch. The batch itself is recorded with its first link, or by `record`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        registry: Registry,
        *,
        id: str,
        source: str,
        note: str,
        at: float,
    ) -> None:
        self.id = id
        self._connection = connection
        self._registry = registry
        self._values = (id, source, note, at)
        self._source = source
        self._at = at
        self._number: int | None = None

    def record(self) -> int:
        """The number of the batch, recorded if it was not yet."""
        if self._number is None:
            added = self._connection.execute(
                "INSERT INTO batch (id, source, note, at) VALUES (?, ?, ?, ?)", self._values
            )
            self._number = added.lastrowid
        assert self._number is not None, "SQLite numbers every row it inserts"
        return self._number

    def link(self, text: str, canonical: str, kind: str | None, *, replace: bool, repeat: bool) -> Alias:
        """The alias that `Store.link` promises; what held before is recorded again if `repeat`."""
        require_storable(text)
        target = self._registry.identify(canonical, kind)
        require_storable(target.canonical)
        name = self._name(text, target.kind)

        told, translated, there = queries.ways(self._connection, target.kind, text, name, target.canonical)
        linked = len(told.names) > 1
        existing = queries.current(self._connection, text, target.kind) if linked else None
        here = told if linked else translated
        joined = here.end == there.end
        if existing and joined and (text in there.names or existing.batch == self.id or not repeat):
            return existing
        if text in there.names:
            raise AliasConflict(
                f"{show(text)} can't be an alias of {target.canonical!r}: that would close a circle"
            )
        if len(here.names) > 1 and not joined and not replace:
            holder = queries.current(self._connection, name, target.kind) or existing
            said = f" since batch {holder.batch} ({show(holder.source)})" if holder else ""
            raise AliasConflict(
                f"{show(text)} names {here.end!r}{said}, not {target.canonical!r};"
                " undo that batch, or link with replace=True"
            )
        if not joined:
            self._require_one_owner(Identity(target.kind, name), Identity(target.kind, there.end))

        # Where the target leads to the text's translation, that is what stays true whatever is undone.
        stored = name if name in there.names else target.canonical
        self._insert(text, target.kind, stored, via=stored if name == text else name)
        if name not in (text, stored):
            self._insert(name, target.kind, stored, via=stored)
        return Alias(text, target.kind, stored, self._source, self.id, self._at)

    def _name(self, text: str, kind: str) -> str:
        """What the registry takes a text for, or the text itself where it has no answer."""
        answer = self._registry.recognise(text, kind).answer
        return text if answer is None else answer.canonical

    def _insert(self, text: str, kind: str, canonical: str, *, via: str) -> None:
        self._connection.execute(
            "INSERT INTO alias (batch, text, kind, canonical, via) VALUES (?, ?, ?, ?, ?)",
            (self.record(), text, kind, canonical, via),
        )

    def _require_one_owner(self, here: Identity, there: Identity) -> None:
        mine = queries.owners(self._connection, here)
        if mine and not queries.owners(self._connection, there) <= mine:
            raise AliasConflict(
                f"{show(here.canonical)} and {there.canonical!r} are recorded for different principals;"
                " an alias can't join them"
            )


def undo(connection: sqlite3.Connection, batch_id: str, at: float) -> int:
    """How many links no longer count; see `Store.undo`."""
    marked = (
        storable(batch_id)
        and connection.execute(
            "UPDATE batch SET undone_at = ? WHERE id = ? AND undone_at IS NULL RETURNING number",
            (at, batch_id),
        ).fetchone()
    )
    if not marked:
        sentence = f"batch {show(batch_id)} is unknown or undone already; name one that `batches` lists"
        raise UnknownName(sentence, what="batch", name=batch_id)
    first, last, links = queries.extent(connection, *marked)
    for alias in queries.counting_for(connection, first, last):
        way = queries.way(connection, alias.kind, alias.text)
        if not way.end:
            circle = queries.circle(connection, alias.kind, way)
            raise _undo_first(batch_id, queries.newest_on(connection, alias.kind, circle), "close a circle")
        if len(queries.owners(connection, Identity(alias.kind, way.end))) > 1:
            raise _undo_first(batch_id, alias.batch, "join what belongs to two principals")
    return links


def _undo_first(batch_id: str, first: str, harm: str) -> AliasConflict:
    return AliasConflict(f"undoing batch {batch_id} would {harm}; undo batch {first} first")
