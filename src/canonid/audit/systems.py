"""The ID systems of a repository, beside each other: who makes IDs, how, and who relies on it."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from canonid.audit.facts import Definition, FileFacts, Part
from canonid.audit.findings import Place
from canonid.audit.paths import is_test
from canonid.audit.producers import VAGUE, shown
from canonid.audit.repository import Found, Repository
from canonid.audit.wording import CLASS, FUNCTION, kind_of_function

BARE = {"CID101": "bare UUIDs", "CID102": "bare UUIDs", "CID110": "bare secrets", "CID111": "other libraries"}
MODULE = re.compile(r"^(?:u?u?ids?|identifiers?|id_?gen\w*|\w*_id_(?:gen\w*|utils?|helpers?|factory))$")
STRONG = 64.0  # bits from which on nobody need think of duplicates
MADE = frozenset({"uuid", "strong", "random", "time", "counter", "hash"})


class System(NamedTuple):
    """One way in which IDs are made, and how far it has spread. Calls within its own file don't count."""

    name: str  # "IdManager", "shop/ids.py", or "bare UUIDs" for calls of `uuid` wherever they stand
    path: str  # "" where it has no place
    place: Place
    templates: Sequence[str]
    files: int  # that call it, outside tests
    calls: int
    test_files: int
    test_calls: int
    services: Sequence[tuple[str, int]]  # calls outside tests by service, most first
    bits: float  # that vary in the weakest of its templates
    primary: bool  # whether moving everything to it would be cheapest
    why: str  # why that is so, or ""

    @property
    def competes(self) -> bool:
        return self.path != ""


def systems(repository: Repository) -> list[System]:
    """The most widely used first."""
    found = [
        each
        for path, facts in repository.files.items()
        if not is_test(path)
        for each in _defined(path, facts)
    ]
    owners = {
        (path, symbol): number for number, (path, _, _, symbols, _) in enumerate(found) for symbol in symbols
    }
    calls: list[Counter[str]] = [Counter() for _ in found]
    for facts in repository.files.values():
        for mention in facts.mentions:
            if mention.how != "call":
                continue
            target = repository.find(mention.target, facts.path)
            if isinstance(target, Found) and target.path != facts.path:
                number = owners.get((target.path, target.definition.symbol))
                if number is not None:
                    calls[number][facts.path] += 1
    whole = [
        _system(repository, name, path, place, templates, count)
        for (path, name, place, _, templates), count in zip(found, calls, strict=True)
    ]
    whole = [
        each
        for each in whole
        if each.calls or each.test_calls or CLASS.search(each.name) or _is_for_ids(each)
    ]
    return _with_primary(sorted(whole, key=_order)) + _bare(repository, {each.path for each in whole})


def _defined(path: str, facts: FileFacts) -> list[tuple[str, str, Place, list[str], list[tuple[Part, ...]]]]:
    """Systems of one file: each class that makes IDs, and the functions, with the class if it is one."""
    made = [each for each in facts.definitions if each.makes and _really(each)]
    classes = [
        each
        for each in facts.definitions
        if each.form == "class"
        and "." not in each.symbol
        and (
            CLASS.search(each.symbol)
            or any(
                one.symbol.startswith(f"{each.symbol}.") and FUNCTION.search(one.symbol.rpartition(".")[2])
                for one in made
            )
        )
        and _has_making_method(each, facts)
    ]
    functions = [each for each in made if each.form == "function" and not each.symbol.startswith("_")]
    found = []
    for each in classes:
        own = [one for one in facts.definitions if one.symbol.startswith(f"{each.symbol}.")]
        symbols = [each.symbol, *[one.symbol for one in own]]
        templates = [one.template for one in own if one.template and one.makes]
        if len(classes) == 1:
            symbols += [one.symbol for one in facts.definitions if one.form in ("function", "instance")]
        found.append((path, each.symbol, each.place, symbols, templates))
    if not classes and functions and (len(functions) > 1 or kind_of_function(functions[0].symbol) in VAGUE):
        templates = [each.template for each in functions if each.template]
        found.append((path, path, functions[0].place, [each.symbol for each in functions], templates))
    return found


def _really(definition: Definition) -> bool:
    return any(part.kind in MADE for part in definition.template) and (
        FUNCTION.search(definition.symbol.rpartition(".")[2]) is not None
    )


def _has_making_method(definition: Definition, facts: FileFacts) -> bool:
    """Whether it makes something itself, rather than hand it on or look it up."""
    return any(
        each.symbol.startswith(f"{definition.symbol}.")
        and (
            any(part.kind in MADE for part in each.template)
            or FUNCTION.search(each.symbol.rpartition(".")[2])
        )
        for each in facts.definitions
    )


def _system(
    repository: Repository,
    name: str,
    path: str,
    place: Place,
    templates: Sequence[tuple[Part, ...]],
    count: Counter[str],
) -> System:
    outside = {each: number for each, number in count.items() if not is_test(each)}
    services: Counter[str] = Counter()
    for each, number in outside.items():
        if service := repository.service_of(each):
            services[service] += number
    bits = [sum([part.bits for part in template]) for template in templates]
    return System(
        name,
        path,
        place,
        tuple(sorted({shown(template) for template in templates})),
        len(outside),
        sum(outside.values()),
        len(count) - len(outside),
        sum(count.values()) - sum(outside.values()),
        tuple(sorted(services.items(), key=lambda each: (-each[1], each[0]))),
        min(bits, default=0.0),
        False,
        "",
    )


def _order(system: System) -> tuple[int, int, float, str, str]:
    return (-system.files, -system.calls, -system.bits, system.path, system.name)


def _is_for_ids(system: System) -> bool:
    return MODULE.match(posixpath.basename(system.path).removesuffix(".py")) is not None


def _with_primary(found: list[System]) -> list[System]:
    """The one that is cheapest to move to is the most widely used of those that are strong enough."""
    if not found:
        return found
    strong = [each for each in found if each.bits >= STRONG]
    best = (strong or found)[0]
    reasons = [f"{best.files} files and {best.calls} calls use it already"]
    if strong:
        reasons.append(f"its IDs vary in {best.bits:.0f} bits or more")
    if best.templates and all(not each.startswith("{") for each in best.templates):
        reasons.append("each begins with a prefix, as a kind of the registry does")
    return [each._replace(primary=True, why="; ".join(reasons)) if each is best else each for each in found]


def _bare(repository: Repository, own: set[str]) -> list[System]:
    """IDs that are made on the spot, by what makes them."""
    counts: dict[str, Counter[str]] = {}
    for path, facts in repository.files.items():
        for draft in facts.drafts if path not in own else ():
            if draft.code in BARE and draft.confidence != "question":
                counts.setdefault(BARE[draft.code], Counter())[path] += 1
    found = [_system(repository, name, "", Place(1, 1, 1, 1), (), count) for name, count in counts.items()]
    return sorted(found, key=_order)
