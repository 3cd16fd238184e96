"""Any text → what it names, over one connection."""

from __future__ import annotations

import sqlite3

from canonid.aliases import queries
from canonid.aliases.texts import key
from canonid.core import Identity, Registry
from canonid.errors import AmbiguousId, show


class Resolver:
    """Resolves by the aliases that a connection sees, else by the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def resolve(
        self, connection: sqlite3.Connection, text: str, kind: str | None = None, service: str | None = None
    ) -> Identity:
        """What a text names; raises like `Store.resolve`."""
        return self.follow(connection, self.start(connection, text, kind, service))

    def start(
        self, connection: sqlite3.Connection, text: str, kind: str | None = None, service: str | None = None
    ) -> Identity:
        """What a text names before links of that are followed; always one statement."""
        if kind is not None:
            self._registry.kind(kind)
        elif service is not None:
            kind = self._kind_settled_by(service, text)
        found = queries.explicit(connection, key(text), kind)
        if not found:
            return self._registry.identify(text, kind, service=service)
        if len(found) > 1:
            kinds = ", ".join(identity.kind for identity in found)
            raise AmbiguousId(
                f"{show(text)} is an alias for several kinds ({kinds}); say which is meant", text=text
            )
        return found[0]

    def follow(self, connection: sqlite3.Connection, identity: Identity) -> Identity:
        """The identity that another one leads to; always one statement."""
        return identity._replace(canonical=queries.way(connection, *identity).end)

    def own_name(self, connection: sqlite3.Connection, text: str, kind: str | None) -> Identity:
        """What a text names by itself: whatever links are made or undone later, it leads on from there."""
        start = self.start(connection, text, kind)
        return self._registry.recognise(text, start.kind).answer or start

    def parent_kind(self, kind: str) -> str | None:
        """The kind that things of this kind are declared to belong to."""
        return self._registry.kind(kind).parent

    def _kind_settled_by(self, service: str, text: str) -> str | None:
        """The kind that a text of several kinds has where `service` emitted it."""
        answer = self._registry.recognise(text, service=service).answer
        return answer.kind if answer and self._registry.recognise(text).ambiguous else None
