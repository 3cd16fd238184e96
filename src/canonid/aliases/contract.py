"""What every store of aliases and lineage promises, and the values it answers with.

**Aliases** are rows that are only ever added, each in a batch. The newest row of a text (and kind) counts,
unless its batch is undone. So after `undo` the store answers as if the batch had never been.

**Lineage** is written when a thing is created and never changed. It is found by any text that resolves to
the thing, also by those that were linked later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from canonid.core import Identity


class Alias(NamedTuple):
    """The recorded fact that `text` names `canonical`. `at` is seconds since 1970."""

    text: str
    kind: str
    canonical: str
    source: str
    batch: str
    at: float


class BatchRecord(NamedTuple):
    """One batch: who said so, when, whether it was undone, and how many aliases it holds."""

    id: str
    source: str
    note: str
    at: float
    undone_at: float | None
    links: int


class Lineage(NamedTuple):
    """Where a thing belongs. `text` is the writing it was recorded under, `at` seconds since 1970.

    A thing without a parent is its own principal.
    """

    child: str
    kind: str
    parent: str | None
    parent_kind: str | None
    principal: str
    text: str
    at: float


class Batch(Protocol):
    """A batch in the making; nothing of it is seen by others before it is complete."""

    @property
    def id(self) -> str: ...

    def link(self, text: str, canonical: str, *, kind: str | None = None, replace: bool = False) -> Alias:
        """Record that `text` names what `canonical` (in any of its writings) names.

        An alias that says the same already is returned as it is. AliasConflict if the text names something
        else and `replace` is false, if the link would close a circle, or if the two have different
        principals. Where the text also translates, its derived ID resolves to the target too.
        """


class Store(Protocol):
    """Durable aliases and lineage. Calls may block on a disk or a network."""

    def resolve(self, text: str, kind: str | None = None, service: str | None = None) -> Identity:
        """What a text names: an explicit alias wins, else translation; aliases of the answer are followed.

        Raises InvalidId, AmbiguousId or Untranslatable as the registry does.
        """

    def link(
        self, text: str, canonical: str, *, kind: str | None = None, source: str, replace: bool = False
    ) -> Alias:
        """One alias in a batch of its own; see `Batch.link`."""

    def batch(self, source: str, note: str = "") -> AbstractContextManager[Batch]:
        """Links that count together or, if the block raises or the process dies, not at all."""

    def undo(self, batch: str) -> int:
        """Make a batch as if it had never been; how many aliases that takes back. UnknownName."""

    def batches(self) -> list[BatchRecord]:
        """Every batch, the oldest first."""

    def aliases(
        self, *, canonical: str | None = None, text: str | None = None, batch: str | None = None
    ) -> Iterator[Alias]:
        """The aliases that count, oldest first; with `canonical` every one that resolves to it."""

    def record(
        self,
        child: str,
        *,
        kind: str | None = None,
        parent: str | None = None,
        parent_kind: str | None = None,
        principal: str | None = None,
    ) -> Lineage:
        """Write lineage, at the creation of the child. Recording the same again changes nothing.

        LineageConflict if the child is recorded elsewhere, the parent is not recorded or of the wrong kind,
        or the principal is not the parent's.
        """

    def lineage(self, text: str, kind: str | None = None) -> Lineage:
        """The record of a thing, by any text that resolves to it. NotFound."""

    def ancestry(self, text: str, kind: str | None = None) -> list[Lineage]:
        """The record of a thing, of its parent, and so on up to the root. NotFound."""

    def children(self, text: str, kind: str | None = None) -> list[Lineage]:
        """What was recorded directly below a thing, oldest first. NotFound."""

    def authorise(self, text: str, *, kind: str | None = None, principal: str) -> Lineage:
        """The principal's own record. NotFound for foreign, unknown, ambiguous and malformed alike, by one path."""
