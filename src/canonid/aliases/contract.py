"""What every store of aliases and lineage promises, and the values it answers with.

**Aliases** are rows that are only ever added, each in a batch. The newest row of a text (and kind) counts,
unless its batch is undone. So after `undo` the store answers as if the batch had never been. What is
linked may be linked on, and is followed. A text that also translates takes its derived ID along, so that
both always name the same. No link and no undo makes one thing of two that have different principals.

**Lineage** is written when a thing is created and never changed. It is found by any text that resolves to
the thing, also by those that were linked later. Where two recorded things have turned out to be one, the
older record counts.

A text of an alias or of lineage is 1 to 512 characters of visible ASCII; anything else is no ID.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """One batch: who said so, when, whether it was undone, and how many aliases it holds, derived IDs too."""

    id: str
    source: str
    note: str
    at: float
    undone_at: float | None
    links: int


class Lineage(NamedTuple):
    """Where a thing belongs. `text` is the writing it was recorded under, `at` seconds since 1970.

    The IDs are what they resolve to now. A thing without a parent is its own principal.
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

        What another batch says already is recorded again, so that each stands when the other is undone.
        InvalidId where the registry can't read `canonical`; AliasConflict if the text names something
        else and `replace` is false, if the link would close a circle, or if the two have different
        principals. Where the text also translates, its derived ID resolves to the target too.
        """


class Store(Protocol):
    """Durable aliases and lineage, for threads and processes. Calls may block on a disk or a network."""

    def resolve(self, text: str, kind: str | None = None, service: str | None = None) -> Identity:
        """What a text names: an explicit alias wins, else translation; aliases of the answer are followed.

        Raises InvalidId, AmbiguousId or Untranslatable as the registry does.
        """

    def link(
        self, text: str, canonical: str, *, kind: str | None = None, source: str, replace: bool = False
    ) -> Alias:
        """One alias in a batch of its own; see `Batch.link`. If it holds already, it is returned as it is."""

    def batch(self, source: str, note: str = "") -> AbstractContextManager[Batch]:
        """Links that count together or, if the block raises or the process dies, not at all.

        Other writers wait until the block ends. Readers don't, and see its links then.
        """

    def undo(self, batch_id: str) -> int:
        """Make a batch as if it had never been; how many aliases that takes back.

        UnknownName if there is no such batch, or it is undone already. AliasConflict, naming the batch to
        undo first, if an older alias that would count again closes a circle or joins two principals' things.
        """

    def batches(self) -> list[BatchRecord]:
        """Every batch, the oldest first."""

    def aliases(
        self,
        *,
        canonical: str | None = None,
        text: str | None = None,
        kind: str | None = None,
        batch: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Alias]:
        """The aliases that count, oldest first; with `canonical` every one that resolves to what it names.

        Streams, so what is recorded meanwhile may be seen or not. Raises as `resolve` does for `canonical`.
        """

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

        `parent_kind` is by default the one that the registry declares. InvalidId where a text names nothing;
        LineageConflict if the child is recorded elsewhere, the parent is missing, not recorded, or of another
        kind than declared, or the principal is not the parent's.
        """

    def record_minted(self, records: Sequence[Lineage]) -> None:
        """Write the lineage of things that were minted a moment ago, all in one transaction.

        As `record` for each, but quicker, since nobody can have recorded or linked them yet. The records are
        as `lineage` would give them; their parents must be recorded. LineageConflict, StoreError.
        """

    def lineage(self, text: str, kind: str | None = None) -> Lineage:
        """The record of a thing, by any text that resolves to it. NotFound."""

    def ancestry(self, text: str, kind: str | None = None) -> list[Lineage]:
        """The record of a thing, of its parent, and so on up to the root. NotFound."""

    def children(
        self, text: str, kind: str | None = None, *, kind_of_children: str | None = None
    ) -> list[Lineage]:
        """What was recorded directly below a thing, oldest first. NotFound."""

    def authorise(self, text: str, *, kind: str | None = None, principal: str) -> Lineage:
        """The principal's own record. NotFound for foreign, unknown, ambiguous, malformed, by one path."""

    def close(self) -> None:
        """Give back what the store holds open, once calls under way have ended. Closing twice is fine."""
