"""One ID in every form that it is known by."""

from __future__ import annotations

from typing import Any

from canonid import Registry
from canonid.aliases import SQLiteStore


class Forms:
    """Shows IDs to people: `{"kind", "canonical", "text", "forms": {format: text}, "aliases": [text]}`."""

    def __init__(self, registry: Registry, store: SQLiteStore) -> None:
        self._registry = registry
        self._store = store

    def of(self, kind: str, text: str) -> dict[str, Any]:
        """The forms of a text just minted; no store is asked."""
        forms = self._registry.writings(kind, text)
        return {"kind": kind, "canonical": self._registry.canonical(text, kind), "text": text, "forms": forms}

    def recorded(self, kind: str, text: str) -> dict[str, Any]:
        """The same with the aliases that the store holds. Blocks: call it in a thread."""
        canonical = self._store.resolve(text, kind).canonical
        aliases = [alias.text for alias in self._store.aliases(canonical=canonical, kind=kind)]
        return self.of(kind, text) | {"canonical": canonical, "aliases": aliases}
