"""Every implementation of a store that the suite runs against, and the texts it uses."""

from collections.abc import Callable
from pathlib import Path

from canonid import Registry
from canonid.aliases import SQLiteStore, Store

STORES: dict[str, Callable[..., Store]] = {
    "sqlite": lambda folder, registry, **options: SQLiteStore(Path(folder) / "ids.db", registry, **options),
}


def typeid(kind: str, number: int) -> str:
    """A canonical ID that is the same in every run."""
    return f"{kind}_{number:026d}"


def legacy_user(number: int) -> str:
    """A user ID as one of the old systems writes it, which the registry translates."""
    return f"user_{number}_9f3c2b1a"


def resolved(store: Store, text: str, kind: str | None = None) -> str:
    return store.resolve(text, kind).canonical


def names_of(registry: Registry, text: str, kind: str) -> list[str]:
    """A legacy text and the derived ID that it translates to."""
    return [text, registry.canonical(text, kind)]
