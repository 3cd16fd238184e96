"""One source of truth for every identifier in a system of Python services."""

from canonid.core import Format, Identity, Kind, Reading, Recognition, Registry, Service
from canonid.errors import (
    AliasConflict,
    AmbiguousId,
    CanonidError,
    ClaimConflict,
    ClaimRefused,
    Fenced,
    InvalidId,
    LineageConflict,
    MissingExtra,
    NotFound,
    RegistryError,
    ScopeClosed,
    StoreError,
    UnknownName,
    Untranslatable,
)
from canonid.project import find_registry, load_registry

__all__ = [
    "AliasConflict",
    "AmbiguousId",
    "CanonidError",
    "ClaimConflict",
    "ClaimRefused",
    "Fenced",
    "Format",
    "Identity",
    "InvalidId",
    "Kind",
    "LineageConflict",
    "MissingExtra",
    "NotFound",
    "Reading",
    "Recognition",
    "Registry",
    "RegistryError",
    "ScopeClosed",
    "Service",
    "StoreError",
    "UnknownName",
    "Untranslatable",
    "find_registry",
    "load_registry",
]
