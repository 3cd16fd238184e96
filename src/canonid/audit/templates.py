"""The template of a text: what stands in it as it is, and what varies, with how hard that is to guess."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

FieldKind = Literal[
    "uuid", "strong", "random", "time", "counter", "hash", "len", "address", "pyhash", "id", "other"
]
GENERATED = frozenset({"uuid", "strong", "random", "time", "counter", "hash", "len", "address", "pyhash"})


class Field(NamedTuple):
    """A part that varies. `cut`: less than its source gave. `of`: for a hash, the kinds that went in.

    `bare`: for a UUID, whether it is written without its dashes.
    """

    kind: FieldKind
    name: str
    bits: float = 0.0
    cut: bool = False
    of: frozenset[str] = frozenset()
    bare: bool = False


Part = str | Field
Template = tuple[Part, ...]


def joined(parts: Iterable[Template]) -> Template:
    """Several after each other; texts that meet become one."""
    found: list[Part] = []
    for template in parts:
        for part in template:
            if isinstance(part, str) and found and isinstance(found[-1], str):
                found[-1] += part
            elif part != "":
                found.append(part)
    return tuple(found)


def shown(template: Template) -> str:
    """As people read it: `ws_{env}_{ms}_{hex8}`."""
    return "".join([part if isinstance(part, str) else f"{{{part.name}}}" for part in template])


def fields(template: Template) -> list[Field]:
    return [part for part in template if isinstance(part, Field)]


def literal(template: Template) -> str:
    """What stands in it as it is."""
    return "".join([part for part in template if isinstance(part, str)])


def bits(template: Template) -> float:
    """How many bits of it can't be guessed."""
    return sum([field.bits for field in fields(template)])


def cut_to(field: Field, digits: int | None, bits_a_digit: float = 4.0) -> Field:
    """The first or last so many digits of a field; None where that can't be told."""
    if digits is None:
        return field._replace(name=f"{field.name}_part", cut=True)
    is_hex = field.kind in ("uuid", "hash") or field.name.startswith("hex")
    name = f"hex{digits}" if is_hex else f"{field.name}{digits}"
    kept = 0.0 if field.name in ("uuid1", "uuid6", "uuid7") else min(field.bits, digits * bits_a_digit)
    return field._replace(name=name, bits=kept, cut=True)


def birthday(entropy: float) -> str:
    """The risk of a duplicate, in words: how many IDs make it as likely as not."""
    return f"50 % chance of a duplicate after {rounded(math.sqrt(2 * math.log(2) * 2.0**entropy))} IDs"


def rounded(number: float) -> str:
    """Two digits that count, with words for large ones: "77,000", "5.1 billion"."""
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if number >= size:
            return (
                f"{_two(number / size):,g} {word}" if number < size * 1e6 else f"10^{int(math.log10(number))}"
            )
    return f"{_two(number):,.0f}"


def _two(number: float) -> float:
    if number < 1:
        return 1.0
    digits = 1 - math.floor(math.log10(number))
    return round(number, digits)
