"""From the template of an ID, as code shows it, to a pattern in the grammar of the registry."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from canonid.audit.facts import Part

LITERAL = re.compile(r"[!-~]*")  # visible ASCII …
SPECIAL = re.compile(r"[{}\[\]]")  # … but these
CUT = re.compile(r"([a-z]+?)(\d+)$")
BIG = 10**20 - 1
TOKEN = "A-Za-z0-9_-"  # noqa: S105 - an alphabet
FIXED = {
    "ms": ("time", "time(ms)"),
    "s": ("time", "time(s)"),
    "us": ("time", f"int(0..{BIG})"),
    "ns": ("time", f"int(0..{BIG})"),
    "counter": ("counter", f"int(0..{BIG})"),
    "len": ("count", f"int(0..{BIG})"),
    "address": ("address", f"int(0..{BIG})"),
    "uuid": ("id", "uuid"),
    "ulid": ("id", "ulid"),
    "ksuid": ("id", "ksuid"),
    "nanoid": ("id", f"text({TOKEN}, 21..21)"),
    "shortuuid": ("id", "text(A-Za-z0-9, 22..22)"),
    "objectid": ("id", "hex(24)"),
    "cuid": ("id", "text(a-z0-9, 24..25)"),
    "typeid": ("id", "base32"),
    "snowflake": ("id", "snowflake(twitter)"),
}
UUIDS = re.compile(r"uuid[1-8]$")


class Pattern(NamedTuple):
    """`text` is "" where there is none, and `why` says so. `guessed` are values taken for a slug."""

    text: str
    why: str = ""
    guessed: tuple[str, ...] = ()


def pattern(template: Sequence[Part], prefix: str, kinds: Collection[str]) -> Pattern:
    """The pattern of a template, of a kind with that prefix; `kinds` are those whose IDs may be nested.

    Whether it has one reading is for the registry to say.
    """
    parts: list[str] = []
    names: set[str] = set()
    guessed: list[str] = []
    for at, part in enumerate(template):
        if not part.kind:
            if not LITERAL.fullmatch(part.text) or SPECIAL.search(part.text):
                return Pattern("", f"{part.text!r} can't stand in a pattern")
            parts.append(part.text)
            continue
        field = _field(part, kinds)
        if field is None and (at == 0 or part.kind not in ("other", "id")):
            return Pattern("", f"the code doesn't show what {{{part.text}}} looks like")
        name, form = field or (part.text, "slug")
        if field is None:
            guessed.append(part.text)
        name = _unique(name, names)
        parts.append(f"{{{name}:{form}}}")
    text = "".join(parts)
    begin = parts[0] if parts else ""
    if not template[0].kind and len(begin) > len(prefix) and begin.startswith(prefix):
        after = begin[len(prefix)]
        if not after.isalnum():
            text = f"{{kind}}{text[len(prefix) :]}"
    return Pattern(text, guessed=tuple(guessed))


def _field(part: Part, kinds: Collection[str]) -> tuple[str, str] | None:
    """The name and type of a field; None where the code doesn't show what is in it."""
    if part.kind == "id":
        kind = re.sub(r"_?(?:u?u?id|guid)$", "", part.text.lower())
        return (kind, f"id({kind})") if kind in kinds else None
    if part.kind in ("other", "pyhash"):
        return None
    if UUIDS.fullmatch(part.text):
        return "id", f"uuid({part.text[4:]})"
    if part.text in FIXED:
        return FIXED[part.text]
    found = CUT.fullmatch(part.text)
    if found is None:
        return _drawn(part)
    width = int(found[2])
    if not 1 <= width <= 255:
        return None
    if found[1] == "hex":
        return "id" if width == 32 else "random", f"hex({width})"
    return {
        "token": ("random", f"text({TOKEN}, {width}..{width})"),
        "random": ("random", f"text(A-Za-z0-9, {width}..{width})"),
    }.get(found[1])


def _drawn(part: Part) -> tuple[str, str] | None:
    """Of tokens only how much is in them is known: between the shortest way to write it and hexadecimal."""
    if part.text not in ("token", "random"):
        return None
    shortest, longest = max(1, int(part.bits // 6)), min(255, max(1, -int(-part.bits // 4)))
    return "random", f"text({TOKEN}, {shortest}..{max(shortest, longest)})"


def _unique(name: str, taken: set[str]) -> str:
    """A name of a field that is new."""
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower()).strip("_0123456789")[:40] or "value"
    plain = {"service": "of_service", "format": "of_format", "kind": "of_kind"}.get(plain, plain)
    number, found = 2, plain
    while found in taken:
        found, number = f"{plain}_{number}", number + 1
    taken.add(found)
    return found
