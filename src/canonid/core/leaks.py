"""What IDs of a private kind tell to everybody who sees one: when they were made, or for whom."""

from __future__ import annotations

from typing import NamedTuple

from canonid.core.declaring import Declarations
from canonid.core.grammar import Field, fields
from canonid.core.producing import recurs, sent_formats

TIMED = {"ulid": "a ULID", "ksuid": "a KSUID", "snowflake": "a snowflake"}  # each of them begins with a time


class Leak(NamedTuple):
    """A field of a format that tells something of a private kind. `tells` is `time` or `id`."""

    kind: str
    format: str
    field: str
    tells: str
    sentence: str


def leaks(declarations: Declarations) -> list[Leak]:
    """Every field that gives away a private kind, in the formats that it is sent in.

    Those are the canonical one and whatever a service emits; old texts in other formats, which are only
    accepted, tell what they tell. UUIDs and TypeIDs of private kinds are minted without a time. A
    remainder of the time (`time(ms % 100000)`) does not count, if it recurs within a year.
    """
    kinds, formats, services, _ = declarations
    return [
        Leak(kind.name, form, field.name, *told)
        for kind in kinds.values()
        if kind.private
        for form in sent_formats(kind, services)
        for field in fields(formats[form].pattern)
        if (told := _told(field)) is not None
    ]


def holds_time(field: Field) -> bool:
    """Whether every text of the field holds its creation time in full."""
    timed_uuid = bool(field.versions) and {1, 6, 7} >= {*field.versions}
    return field.type in TIMED or timed_uuid or (field.type == "time" and not recurs(field))


def _told(field: Field) -> tuple[str, str] | None:
    if field.type == "id":
        return "id", f"field {field.name!r} holds the ID of another thing ({field.nested})"
    if not holds_time(field):
        return None
    if field.versions:
        versions = " or ".join(map(str, field.versions))
        return (
            "time",
            f"field {field.name!r} is a UUID of version {versions}, which holds the time it was made",
        )
    if field.type in TIMED:
        return "time", f"field {field.name!r} is {TIMED[field.type]}, which begins with the time it was made"
    return "time", f"field {field.name!r} is the time it was made"
