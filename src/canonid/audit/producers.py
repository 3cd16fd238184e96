"""Who writes IDs of a kind, in which format, over a whole repository; and what shape such a text has."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

from canonid.audit.facts import Part
from canonid.audit.findings import Place
from canonid.audit.paths import is_test
from canonid.audit.repository import Repository
from canonid.audit.wording import kind_of_function
from canonid.core.language import DIGIT, HEX, Alt, Node, Repeat, Seq, Text, times

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
MANIFOLD = frozenset(  # kinds of which one program has several that have nothing to do with each other
    {"session", "request", "client", "call", "message", "event", "trace", "task", "job", "group", "device"}
)
WIDTH = re.compile(r"hex(\d+)$")
PLAIN_FIELDS = frozenset(  # digits and nothing else
    {"ms", "us", "ns", "ms_part", "us_part", "ns_part", "counter", "len", "address"}
)


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
    def is_public(self) -> bool:
        """Whether it is a function for others."""
        return self.name != "" and not any(part.startswith("_") for part in self.name.split("."))

    @property
    def called(self) -> str:
        """As a message names it."""
        return self.name or f"{self.path}:{self.place.line}"


def producers(repository: Repository) -> dict[str, list[Producer]]:
    """By kind, those outside tests, in order."""
    found: dict[str, list[Producer]] = {}
    for path, facts in repository.files.items():
        if not (facts.definitions or facts.productions) or is_test(path):
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


def near(producer: Producer, path: str) -> bool:
    """Whether what it writes is known in a file: that of a public function everywhere, else in its folder."""
    return producer.is_public or posixpath.dirname(producer.path) == posixpath.dirname(path)


def meant(written: Iterable[Producer], path: str) -> list[Producer]:
    """The producers that a file may count on: those near it, or else those of the thing itself."""
    everywhere = list(written)
    return [each for each in everywhere if near(each, path)] or [
        each for each in everywhere if _is_of_thing(each)
    ]


def _is_of_thing(producer: Producer) -> bool:
    """Whether an ID is written where its thing is made, as in `Cart.save`."""
    named = producer.kind.replace("_", "") in producer.symbol.replace("_", "").lower()
    return named and not producer.name and producer.kind not in MANIFOLD


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


def samples(template: tuple[Part, ...]) -> list[str]:
    """Texts that it may give, one for each way to write its fields; none where that can't be told."""
    choices = [_samples(part) for part in template]
    return ["".join(texts) for texts in product(*choices)] if len(template) <= 8 else []


def _samples(part: Part) -> tuple[str, ...]:
    if not part.kind:
        return (part.text,)
    if part.text == "uuid":
        return ("0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5bd9cb469fa16570867728950e")
    if found := WIDTH.match(part.text):
        return (("0f8fad5bd9cb469fa16570867728950e" * 4)[: int(found[1])],)
    clocks = {"ms": "1700000000123", "us": "1700000000123456", "ns": "1700000000123456789"}
    return (clocks[part.text],) if part.text in clocks else ()


def language(template: tuple[Part, ...]) -> Node | None:
    """All texts that it may give; None where that can't be told."""
    nodes = [_language(part) for part in template]
    known = [node for node in nodes if node is not None]
    return Seq(tuple(known)) if len(known) == len(nodes) and len(nodes) <= 12 else None


def _language(part: Part) -> Node | None:
    if not part.kind:
        return Text(part.text) if part.text.isascii() else None
    if part.text == "uuid":
        groups = [times(HEX, width) for width in (8, 4, 4, 4, 12)]
        dashed = [node for group in groups for node in (Text("-"), group)][1:]
        return Alt((times(HEX, 32), Seq(tuple(dashed))))
    if found := WIDTH.match(part.text):
        return times(HEX, int(found[1]))
    return Repeat(DIGIT, 1, 20) if part.text in PLAIN_FIELDS else None


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
