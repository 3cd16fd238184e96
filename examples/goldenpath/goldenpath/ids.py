"""The registry of this system and its shared store, from which every service reads IDs."""

from __future__ import annotations

from pathlib import Path

from canonid import Registry, load_registry
from canonid.aliases import SQLiteStore

from .settings import Settings

REGISTRY = Path(__file__).parents[1] / "canonid.toml"


def open_ids(settings: Settings) -> tuple[Registry, SQLiteStore]:
    """What canonid.toml declares, and the aliases and lineage that all processes on one data folder share."""
    registry = load_registry(REGISTRY)
    return registry, SQLiteStore(settings.data / "canonid.db", registry)
