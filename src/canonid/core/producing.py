"""Who may mint a kind, in which formats, and what minting fills in by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from canonid.core.grammar import PAYLOADS, Field, Optional, fields
from canonid.core.values import Kind, Service
from canonid.core.writing import Writing

YEAR = 365.25 * 86400  # seconds
FILLED = frozenset({"time", "hex", "int", "ksuid", *PAYLOADS})


def producers(kind: Kind, services: Mapping[str, Service]) -> list[Service]:
    """The services that may mint the kind: they emit it, and it is not retired and has no other writer."""
    if kind.retired:
        return []
    return [
        service
        for service in services.values()
        if kind.name in service.emits and kind.writer in (None, service.name)
    ]


def minted_formats(kind: Kind, services: Mapping[str, Service]) -> list[str]:
    """The formats in which new IDs of the kind are written, canonical first. None, if it is retired."""
    if kind.retired:
        return []
    emitted = [form for service in producers(kind, services) for form in service.emits[kind.name]]
    return list(dict.fromkeys([kind.canonical, *emitted]))


def sent_formats(kind: Kind, services: Mapping[str, Service]) -> list[str]:
    """The formats in which IDs of the kind are shown to others, by whichever service, canonical first."""
    emitted = [form for service in services.values() for form in service.emits.get(kind.name, ())]
    return list(dict.fromkeys([kind.canonical, *emitted]))


def filled_fields(writing: Writing) -> Iterator[Field]:
    """The fields that minting fills in if the caller gives none.

    Of an optional part all or nothing: it is left out if one of its fields has to be given.
    """
    for item in writing.pattern:
        if isinstance(item, Optional):
            inner = [field for field in fields(item.items) if field.type != "kind"]
            if all(_filled(field, writing) for field in inner):
                yield from inner
        elif isinstance(item, Field) and _filled(item, writing):
            yield item


def needed_fields(writing: Writing) -> list[str]:
    """What the caller of `mint` has to give, by name: fields, and the machine's numbers of a snowflake."""
    return [
        name
        for item in writing.pattern
        if isinstance(item, Field) and item.type != "kind" and not _filled(item, writing)
        for name in (item.machine or (item.name,))
    ]


def minted_version(field: Field, private: bool) -> int | None:
    """Which UUIDs are minted for 128 bits: 7, or 4 for a private kind; None where only others are allowed."""
    # A ULID is a time first, so a private kind has none that fits; `registry check` says so.
    wanted = (4, 7) if private and field.type != "ulid" else (7, 4)
    return next((version for version in wanted if not field.versions or version in field.versions), None)


def recurs(field: Field) -> bool:
    """Whether the value of a time comes again within a year, so that it hardly tells when."""
    seconds = (field.modulo or 0) / (1000 if field.unit == "ms" else 1)
    return field.modulo is not None and seconds <= YEAR


def _filled(field: Field, writing: Writing) -> bool:
    if field.type == "int":
        return writing.distinct
    return field.type in FILLED and (field.type not in PAYLOADS or minted_version(field, False) is not None)
