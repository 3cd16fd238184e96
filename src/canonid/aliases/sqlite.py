"""The store on one SQLite file, with write-ahead logging: readers never wait for writers."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from canonid.aliases import links, queries
from canonid.aliases.connections import Connections
from canonid.aliases.contract import Alias, BatchRecord, Lineage
from canonid.aliases.lineages import Birth, Lineages
from canonid.aliases.resolving import Resolver
from canonid.aliases.texts import key, require_storable, require_words
from canonid.core import Identity, Registry
from canonid.errors import StoreError

PAGE = 1000

_OWN_KINDS = '[kinds.batch]\nprefix = "batch"\n'


class SQLiteStore:
    """Durable aliases and lineage in the file `path`, which is made if needed; keeps what `Store` promises.

    With `read_only` the file must exist and nothing is written. `clock` gives seconds since 1970. Writers
    wait up to 5 s for each other, then raise StoreError, as does whatever can't be read or written. What
    is committed survives the death of the process; a power cut may lose the newest, never half a batch.

    >>> import tempfile
    >>> registry = Registry.from_toml('[kinds.thread]\\nprefix = "thread"')
    >>> thread = registry.mint("thread")
    >>> with tempfile.TemporaryDirectory() as folder, SQLiteStore(f"{folder}/ids.db", registry) as store:
    ...     alias = store.link("old-thread-7", thread, source="import")
    ...     store.resolve("old-thread-7").canonical == thread
    True
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        registry: Registry,
        *,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._batch_ids = Registry.from_toml(_OWN_KINDS, clock=clock)
        self._resolver = Resolver(registry)
        self._lineages = Lineages(self._resolver)
        self._connections = Connections(path, read_only=read_only)

    def close(self) -> None:
        """Close the file, once calls under way have ended. Closing twice is fine."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Aliases

    def resolve(self, text: str, kind: str | None = None, service: str | None = None) -> Identity:
        """What a text names; see `Store.resolve`."""
        with self._connections.reading() as connection:
            return self._resolver.resolve(connection, text, kind, service)

    def link(
        self, text: str, canonical: str, *, kind: str | None = None, source: str, replace: bool = False
    ) -> Alias:
        """The alias by which `text` names `canonical`; see `Store.link`."""
        with self._connections.faults_told(), self._connections.writing() as connection:
            one = self._links(connection, source, note="")
            return one.link(text, canonical, kind, replace=replace, repeat=False)

    @contextmanager
    def batch(self, source: str, note: str = "") -> Iterator[SQLiteBatch]:
        """Links as one transaction; see `Store.batch`.

        The block holds the write lock: other writers, of this thread too, wait for it, up to 5 s.
        """
        with self._connections.writing() as connection:
            its_links = self._links(connection, source, note)
            batch = SQLiteBatch(its_links, self._connections)
            try:
                yield batch
            finally:
                batch.end()
            with self._connections.faults_told():
                its_links.record()

    def undo(self, batch_id: str) -> int:
        """How many links no longer count, since their batch is undone; see `Store.undo`."""
        with self._connections.faults_told(), self._connections.writing() as connection:
            return links.undo(connection, batch_id, self._clock())

    def batches(self) -> list[BatchRecord]:
        """All batches, the undone ones too, oldest first."""
        with self._connections.reading() as connection:
            return queries.batches(connection)

    def aliases(
        self,
        *,
        canonical: str | None = None,
        text: str | None = None,
        kind: str | None = None,
        batch: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Alias]:
        """The aliases that count, oldest first; see `Store.aliases`."""
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
            got = limit if isinstance(limit, int) else type(limit).__name__
            raise ValueError(f"expected None or a number from 0 as limit=, got {got}")
        if kind is not None:
            self._registry.kind(kind)
        identity = None if canonical is None else self.resolve(canonical, kind)
        asked = queries.Asked(identity, text and key(text), kind, batch and key(batch))
        return self._pages(asked, limit)

    def _pages(self, asked: queries.Asked, limit: int | None) -> Iterator[Alias]:
        after, left = 0, limit
        while left is None or left > 0:
            size = PAGE if left is None else min(left, PAGE)
            with self._connections.reading() as connection:
                page = queries.aliases(connection, asked, after, size)
            yield from (alias for _, alias in page)
            if len(page) < size:
                return
            after = page[-1][0]
            left = None if left is None else left - size

    def _links(self, connection: sqlite3.Connection, source: str, note: str) -> links.Links:
        require_words("source", source)
        require_words("note", note)
        batch_id = self._batch_ids.mint("batch")
        return links.Links(
            connection, self._registry, id=batch_id, source=source, note=note, at=self._clock()
        )

    # Lineage

    def record(
        self,
        child: str,
        *,
        kind: str | None = None,
        parent: str | None = None,
        parent_kind: str | None = None,
        principal: str | None = None,
    ) -> Lineage:
        """The lineage of a new thing, recorded once; see `Store.record`."""
        birth = Birth(child, kind, parent, parent_kind, principal)
        with self._connections.reading() as connection:  # so that no repetition waits for a writer
            existing = self._lineages.existing(connection, birth)
        if existing:
            return existing
        with self._connections.faults_told(), self._connections.writing() as connection:
            existing = self._lineages.existing(connection, birth)
            return existing or self._lineages.add(connection, birth, self._clock())

    def record_minted(self, records: Sequence[Lineage]) -> None:
        """The lineage of things that were minted a moment ago; see `Store.record_minted`."""
        for record in records:
            require_storable(record.text)
        try:
            with self._connections.faults_told(), self._connections.writing() as connection:
                if queries.add_minted(connection, records) != len(records):
                    raise sqlite3.IntegrityError("a parent goes by another name since a link")
        except StoreError as error:
            if not isinstance(error.__cause__, sqlite3.IntegrityError):
                raise
            births = [Birth(each.text, each.kind, each.parent, each.parent_kind, None) for each in records]
            with self._connections.faults_told(), self._connections.writing() as connection:
                for birth in births:
                    if not self._lineages.existing(connection, birth):
                        self._lineages.add(connection, birth, self._clock())

    def lineage(self, text: str, kind: str | None = None) -> Lineage:
        """The lineage of what a text names; see `Store.lineage`."""
        with self._connections.reading() as connection:
            return self._lineages.of(connection, text, kind)

    def ancestry(self, text: str, kind: str | None = None) -> list[Lineage]:
        """The lineage of what a text names, of its parent, and so on up; see `Store.ancestry`."""
        with self._connections.reading() as connection:
            return self._lineages.ancestry(connection, text, kind)

    def children(
        self, text: str, kind: str | None = None, *, kind_of_children: str | None = None
    ) -> list[Lineage]:
        """What was recorded directly under what a text names; see `Store.children`."""
        if kind_of_children is not None:
            self._registry.kind(kind_of_children)
        with self._connections.reading() as connection:
            return self._lineages.children(connection, text, kind, kind_of_children)

    def authorise(self, text: str, *, kind: str | None = None, principal: str) -> Lineage:
        """The lineage of what a text names, if it exists for `principal`; see `Store.authorise`."""
        with self._connections.reading() as connection:
            return self._lineages.authorise(connection, text, kind, principal)


class SQLiteBatch:
    """The links of one `SQLiteStore.batch` block."""

    def __init__(self, its_links: links.Links, connections: Connections) -> None:
        self.id = its_links.id
        self._links = its_links
        self._connections = connections
        self._ended = False

    def link(self, text: str, canonical: str, kind: str | None = None, replace: bool = False) -> Alias:
        """The alias by which `text` names `canonical`; see `Batch.link`. One that raises records nothing."""
        if self._ended:
            path, shown = self._connections.path, self._connections.shown
            raise StoreError(f"batch {self.id} of {shown} has ended; open another one", path=str(path))
        try:
            return self._links.link(text, canonical, kind, replace=replace, repeat=True)
        except sqlite3.Error as error:
            raise self._connections.fault(error) from error

    def end(self) -> None:
        """Take no more links: the connection is somebody else's from here on."""
        self._ended = True
