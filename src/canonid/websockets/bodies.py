"""IDs inside messages: each is authorised for who sent it, before the application sees the message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from canonid.aliases import Store
from canonid.core import Registry
from canonid.counters import Counters
from canonid.errors import NotFound
from canonid.websockets.codes import Refusal
from canonid.websockets.wire import Message


class Spot(NamedTuple):
    """Where an ID stands: `holder[key]`, in an object or a list."""

    holder: Any
    key: Any
    kind: str


class Bodies:
    """Finds the IDs of messages by the names of their fields, at any depth, and makes them canonical.

    `ids` gives the kind that stands under a name, also as a list; None for a name that holds no ID to
    check. It adds to, and overrides, the names that every kind with lineage has: for thread, `thread`,
    `thread_id`, `threads` and `thread_ids`. Raises UnknownName for a kind that is not declared.
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        ids: Mapping[str, str | None],
        most: int,
        counters: Counters,
    ) -> None:
        for kind in ids.values():
            if kind is not None:
                registry.kind(kind)
        self._kinds = {name: kind for name, kind in {**_own_names(registry), **ids}.items() if kind}
        self._store = store
        self._most = most
        self._counters = counters

    def find(self, message: Message) -> list[Spot]:
        """Every ID in a message. Raises Refusal (1008) if it has too many."""
        found: list[Spot] = []
        unread: list[tuple[Any, str | None]] = [(message, None)]
        while unread:
            holder, listed = unread.pop()
            fields = isinstance(holder, dict)
            entries: Iterable[tuple[Any, Any]] = holder.items() if fields else enumerate(holder)
            for key, value in entries:
                kind = self._kinds.get(key) if fields else listed
                if isinstance(value, dict | list):
                    unread.append((value, kind))
                elif kind is not None and value is not None:
                    found.append(Spot(holder, key, kind))
        if len(found) > self._most:
            raise Refusal(f"a message may hold {self._most} IDs")
        return found

    def authorise(self, spots: list[Spot], principal: str) -> None:
        """Put canonical IDs into the spots, if all are the principal's; blocks on the store.

        Raises NotFound for foreign, unknown, ambiguous and malformed ones, numbers too, by the store's one
        path.
        """
        canonical: dict[tuple[str, str], str] = {}
        for holder, key, kind in spots:
            text = holder[key] if isinstance(holder[key], str) else ""
            if (kind, text) not in canonical:
                canonical[kind, text] = self._authorised(text, kind, principal)
            holder[key] = canonical[kind, text]

    def _authorised(self, text: str, kind: str, principal: str) -> str:
        try:
            lineage = self._store.authorise(text, kind=kind, principal=principal)
        except NotFound:
            self._counters.add("message_ids", kind=kind, reason="refused")
            raise
        self._counters.add("message_ids", kind=kind, reason="accepted")
        return lineage.child


def _own_names(registry: Registry) -> dict[str, str]:
    parents = {kind.parent for kind in registry.kinds.values()}
    recorded = [kind.name for kind in registry.kinds.values() if kind.parent or kind.name in parents]
    words = {kind.replace("-", "_"): kind for kind in recorded}
    names = {word + end: kind for end in ("_ids", "s", "_id") for word, kind in words.items()}
    return names | words  # a kind's own name is no other's plural
