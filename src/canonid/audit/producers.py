"""Who writes IDs of a kind, in which format, over a whole repository; and what shape such a text has."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from canonid.audit.facts import Part
from canonid.audit.findings import Place
from canonid.audit.paths import is_test
from canonid.audit.repository import Repository
from canonid.audit.wording import kind_of_function

# Kinds that say nothing: whatever is one of them may be anything.
VAGUE = frozenset(
    {
        "",
        "unique",
        "new",
        "next",
        "u",
        "object",
        "obj",
        "item",
        "entity",
        "node",
        "element",
        "entry",
        "internal",
    }
    | {
        "random",
        "test",
        "fake",
        "tmp",
        "temp",
        "default",
        "base",
        "instance",
        "external",
        "resource",
        "record",
    }
    | {"short", "custom", "my", "some", "a", "the", "parent", "child", "source", "target", "old", "current"}
)
WIDTH = re.compile(r"hex(\d+)$")
PLAIN_FIELDS = frozenset({"ms", "us", "ns", "counter", "len", "address"})  # digits and nothing else


class Producer(NamedTuple):
    """A place that writes IDs of a kind. `name` is the function that does it, or ""."""

    path: str
    kind: str
    name: str
    template: tuple[Part, ...]
    place: Place
    symbol: str
    normal: str

    @property
    def called(self) -> str:
        """As a message names it."""
        return self.name or f"{self.path}:{self.place.line}"


def producers(repository: Repository) -> dict[str, list[Producer]]:
    """By kind, those outside tests, in order."""
    found: dict[str, list[Producer]] = {}
    for path, facts in repository.files.items():
        if is_test(path):
            continue
        within = set()
        for each in facts.definitions:
            name = each.symbol.rpartition(".")[2]
            kind = kind_of_function(name)
            if each.makes and each.template and kind not in VAGUE:
                within.add(each.symbol)
                found.setdefault(kind, []).append(
                    Producer(path, kind, each.symbol, each.template, each.place, each.symbol, f"def {name}")
                )
        for made in facts.productions:
            if made.kind not in VAGUE and made.symbol not in within:
                found.setdefault(made.kind, []).append(
                    Producer(path, made.kind, "", made.template, made.place, made.symbol, made.normal)
                )
    return found


def known_to(producer: Producer, path: str) -> bool:
    """Whether what a producer writes may be meant in a file: by all if it is a function, else nearby."""
    return producer.name != "" or posixpath.dirname(producer.path) == posixpath.dirname(path)


def shown(template: tuple[Part, ...]) -> str:
    """As people read it: `ws_{env}_{ms}`."""
    return "".join([f"{{{part.text}}}" if part.kind else part.text for part in template])


def parts_between(template: tuple[Part, ...], separator: str) -> tuple[int, bool]:
    """How many parts it has, at least; and whether it has never more."""
    count = 1 + sum([part.text.count(separator) for part in template if not part.kind])
    return count, not any(_may_hold(part, separator) for part in template if part.kind)


def beginning(template: tuple[Part, ...]) -> str:
    """What it begins with as it stands in the code."""
    return template[0].text if template and not template[0].kind else ""


def begins_with(template: tuple[Part, ...], prefix: str) -> bool:
    """Whether it may."""
    head = beginning(template)
    return head.startswith(prefix) or (prefix.startswith(head) and len(template) > 1)


def width(template: tuple[Part, ...]) -> int | None:
    """How many characters it has, where that is always the same."""
    total = 0
    for part in template:
        found = WIDTH.match(part.text)
        if part.kind and not found:
            return None
        total += int(found[1]) if part.kind and found else len(part.text)
    return total


def same_shape(first: tuple[Part, ...], second: tuple[Part, ...]) -> bool:
    """Whether both are the same format, whatever their fields are called."""
    return [_shape(part) for part in first] == [_shape(part) for part in second]


def _shape(part: Part) -> str:
    if not part.kind:
        return part.text
    return "{}" if part.kind in ("id", "other") else f"{{{part.text}}}"


def _may_hold(part: Part, separator: str) -> bool:
    if WIDTH.match(part.text) or part.text in PLAIN_FIELDS:
        return False
    if part.kind == "uuid":
        return separator == "-"
    return part.kind != "hash"
