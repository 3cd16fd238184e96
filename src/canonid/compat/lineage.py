"""What the facades know about who belongs to whom: child → parent → principal.

Kept in memory, and in a store if there is one. Memory forgets its oldest records first; a forgotten thing is
looked up in the store, and without one it belongs to nobody: it is below nothing, and nothing releases it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from canonid.compat.locking import ForkSafeLock
from canonid.compat.recent import Recent
from canonid.compat.texts import key
from canonid.core import Identity, Registry
from canonid.errors import CanonidError, InvalidId, NotFound

if TYPE_CHECKING:  # who uses no store needn't wait for sqlite3 to be imported
    from canonid.aliases import Lineage as StoredLineage
    from canonid.aliases import Store

log = logging.getLogger("canonid.compat")

LIMIT = 150_000
PRINCIPAL = "user"  # the kind that a lineage begins with
RUN = "run"  # the kind whose texts callers bring along
DEEPEST = 64  # steps from a thing to its principal


class _Said(str):
    """A parent that a caller named; what the text turns out to be counts for more."""

    __slots__ = ()


class _Pin:
    """A link that is kept as long as somebody needs it."""

    __slots__ = ("count", "parent")

    def __init__(self, parent: str) -> None:
        self.parent = parent
        self.count = 0


class Lineage:
    """Records of child and parent, found by any writing of the child. Thread-safe.

    The first record of a child counts; nothing said later moves it. A store needs its registry, too.
    """

    def __init__(
        self, limit: int = LIMIT, *, registry: Registry | None = None, store: Store | None = None
    ) -> None:
        self.store = store
        self.registry = registry
        self.unrecorded = 0
        self._lock = ForkSafeLock()
        self._parents: Recent[str] = Recent(limit)
        self._tops: Recent[bool] = Recent(limit)  # what has something below it and nothing above
        self._pins: dict[str, _Pin] = {}

    def __len__(self) -> int:
        return len(self._parents) + len(self._pins)

    @property
    def forgotten(self) -> int:
        return self._parents.forgotten

    # Writing

    def record(self, *chain: str, kinds: Sequence[str] = (), said: bool = False) -> None:
        """Record a chain downwards: each text belongs to the one before it.

        `kinds` names their kinds for the store, where a text alone wouldn't tell. What the store refuses is
        kept in memory only, counted and logged.
        If it is only `said` that the children are runs, they may be users or threads that somebody else
        named so: as soon as one of them has a thread or a run of its own, it is below nothing. The store is
        told only of what can't be read as anything but a run.
        """
        if kinds and kinds[0] != RUN:
            self._withdraw(chain[0])
        for parent, child in pairwise(chain):
            self._add(child, _Said(parent) if said else parent)
        if self.store is not None and (not said or all(self._kinds(child) == {RUN} for child in chain[1:])):
            self._store(self.store, chain, kinds or [""] * len(chain))

    def _add(self, child: str, parent: str) -> None:
        below, above = key(child), key(parent)
        if below is None or above is None or self._stored(below):
            return
        with self._lock:
            if self._parent(below) is not None or below in self._up(above):
                return
            self._parents.put(below, parent)
            self._tops.pop(below)
            if self._parent(above) is None:
                self._tops.put(above, True)

    def _withdraw(self, text: str) -> None:
        """Forget what is above a text, if that was only said."""
        name = key(text)
        if name is None:
            return
        with self._lock:
            if isinstance(self._parents.get(name), _Said):
                self._parents.pop(name)

    def _store(self, store: Store, chain: Sequence[str], kinds: Sequence[str]) -> None:
        parent: str | None = None
        parent_kind: str | None = None
        try:
            for text, name in zip(chain, kinds, strict=True):
                kind = name or None
                # Only a user begins a lineage; a thread whose user isn't known would be its own principal.
                if parent is not None or (kind == PRINCIPAL and not self._is_principal(text)):
                    store.record(text, kind=kind, parent=parent, parent_kind=parent_kind)
                parent, parent_kind = text, kind
        except CanonidError as error:
            if not self.unrecorded:
                log.warning("lineage is kept in memory only, here and maybe later: %s", error)
            self.unrecorded += 1

    def pin(self, *chain: str) -> list[str]:
        """As `record`, in memory only, but not forgotten until `unpin` is called with what this gives.

        Where a child is recorded under something above its place in the chain, the chain is more precise
        and counts.
        """
        pinned = []
        with self._lock:
            for parent, child in pairwise(chain):
                below, above = key(child), key(parent)
                if below is None or above is None or below in self._up(above):
                    continue
                if below not in self._pins:
                    recorded = self._parents.get(below)
                    precise = recorded is None or any(name == key(recorded) for name in self._up(above))
                    self._pins[below] = _Pin(parent if recorded is None or precise else recorded)
                self._pins[below].count += 1
                pinned.append(below)
        return pinned

    def unpin(self, pinned: Iterable[str], *, keep: bool = True) -> None:
        """What nobody else has pinned may be forgotten again: some time, or at once if `keep` is false."""
        with self._lock:
            for name in pinned:
                pin = self._pins[name]
                pin.count -= 1
                if not pin.count:
                    del self._pins[name]
                    if keep:
                        self._parents.put(name, pin.parent)

    def forget(self) -> None:
        """Forget what is in memory, but for what is pinned."""
        with self._lock:
            self._parents.clear()
            self._tops.clear()
            self._parents.forgotten = self.unrecorded = 0

    # Reading

    def knows(self, text: str) -> bool:
        """Whether anything is recorded above or below a thing."""
        name = key(text)
        if name is None:
            return False
        with self._lock:
            if self._parent(name) is not None or name in self._tops:
                return True
        return bool(self._stored(name))

    def parent(self, text: str) -> str | None:
        """The text that a thing's parent was recorded under, from memory or the store."""
        below = key(text)
        if below is None:
            return None
        with self._lock:
            parent = self._parent(below)
        return self._stored_parent(below) if parent is None else parent

    def principal(self, text: str) -> str | None:
        """The one at the top of a thing's lineage, by key; itself if nothing is recorded above it."""
        top = key(text)
        for above in self.upwards(text):
            top = above
        return top

    def upwards(self, text: str) -> Iterator[str]:
        """The key of a thing, of its parent, and so on."""
        above = key(text)
        for _ in range(DEEPEST):
            if above is None:
                return
            yield above
            parent = self.parent(above)
            above = None if parent is None else key(parent)

    def at_or_below(self, target: object) -> Callable[[object], bool]:
        """A test of texts: does it name the same thing as `target`, or what lies below it?

        Costs a few microseconds for each text; a store is asked only where memory doesn't lead up to
        the target.
        """
        top = key(target)
        if top is None:
            return lambda text: False
        identity = self.identity(top)
        known: dict[str, bool] = {}

        def is_target(name: str) -> bool:
            return name == top or (identity is not None and self.identity(name) == identity)

        def test(text: object) -> bool:
            if not isinstance(text, str):
                return False
            passed = []
            answer = False
            for name in self.upwards(text):
                if name in known:
                    answer = known[name]
                    break
                passed.append(name)
                if is_target(name):
                    answer = True
                    break
            known.update(dict.fromkeys(passed, answer))
            return answer

        return test

    def identity(self, text: str) -> Identity | None:
        """What a text names by the team's own store or registry; None without one, or without an answer."""
        if self.store is not None:
            try:
                return self.store.resolve(text)
            except InvalidId:
                return None
        return None if self.registry is None else self.registry.recognise(text).answer

    def _parent(self, below: str) -> str | None:
        pin = self._pins.get(below)
        return self._parents.get(below) if pin is None else pin.parent

    def _up(self, name: str) -> Iterator[str]:
        """As `upwards`, in memory only."""
        above: str | None = name
        for _ in range(DEEPEST):
            if above is None:
                return
            yield above
            parent = self._parent(above)
            above = None if parent is None else key(parent)

    def _stored_parent(self, name: str) -> str | None:
        """The text of a parent as the store has it; None if the store knows several things of that name."""
        records = self._stored(name)
        if self.store is None or len(records) != 1 or records[0].parent is None:
            return None
        return self.store.lineage(records[0].parent, records[0].parent_kind).text

    def _stored(self, name: str) -> list[StoredLineage]:
        """What the store knows under a name, whichever of the kinds that it fits."""
        if self.store is None or self.registry is None:
            return []
        records = []
        for kind in self._kinds(name) or {None}:
            try:
                records.append(self.store.lineage(name, kind))
            except NotFound:
                continue
        return records

    def _is_principal(self, text: str) -> bool:
        return any(record.kind == PRINCIPAL for record in self._stored(text))

    def _kinds(self, text: str) -> set[str | None]:
        """The kinds that a text fits by the team's own registry."""
        return set() if self.registry is None else {r.kind for r in self.registry.recognise(text).readings}
