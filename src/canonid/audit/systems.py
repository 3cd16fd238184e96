"""The ID systems of a repository, beside each other: who makes IDs, how, and who relies on it."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from canonid.audit.calls import calls
from canonid.audit.facts import Definition, FileFacts, Part
from canonid.audit.findings import Place
from canonid.audit.paths import is_test
from canonid.audit.producers import shown
from canonid.audit.repository import Found, Repository
from canonid.audit.wording import CLASS, FUNCTION, kind_of_function

BARE = {"CID101": "bare UUIDs", "CID102": "bare UUIDs", "CID110": "bare secrets", "CID111": "other libraries"}
MODULE = re.compile(r"^(?:u?u?ids?|identifiers?|id_?gen\w*|\w*_id_(?:gen\w*|utils?|helpers?|factory))$")
ANY = frozenset(
    {"", "unique", "new", "next", "u", "object", "random", "short", "base", "generic", "simple"}
)  # kinds
STRONG = 64.0  # bits from which on nobody need think of duplicates
DEEP = 8  # classes above each other, followed this far


class System(NamedTuple):
    """One way in which IDs are made, and how far it has spread. Calls within its own file don't count."""

    name: str  # "IdManager", "shop/ids.py", or "bare UUIDs" for calls of `uuid` wherever they stand
    path: str  # "" where it has no place
    place: Place
    templates: Sequence[str]
    kinds: frozenset[str]  # of which it makes IDs, by the names of its functions; "" for any
    files: int  # that call it, outside tests
    calls: int
    test_files: int
    test_calls: int
    services: Sequence[tuple[str, int]]  # calls outside tests by service, most first
    bits: float  # that vary in the weakest of its templates
    primary: bool  # whether moving everything to it would be cheapest
    why: str  # why that is so, or ""

    @property
    def has_place(self) -> bool:
        return self.path != ""

    def competes_with(self, other: System) -> bool:
        """Whether both make IDs of the same kinds, or one is for any kind and the other one for several."""
        if self.kinds & other.kinds:
            return True
        return any(
            "" in one.kinds and CLASS.search(one.name) and len(two.kinds) > 1
            for one, two in ((self, other), (other, self))
        )


class Cluster(NamedTuple):
    """What belongs to one system: `symbols` by the file in which they are defined."""

    name: str
    path: str
    place: Place
    symbols: set[tuple[str, str]]
    templates: list[tuple[Part, ...]]
    kinds: set[str]


def systems(repository: Repository) -> list[System]:
    """Those that have a place first; the most widely used first."""
    clusters = _clusters(repository)
    owners = {each: number for number, cluster in enumerate(clusters) for each in cluster.symbols}
    counts: list[Counter[str]] = [Counter() for _ in clusters]
    for each, count in repository.once(calls).items():
        if each in owners:
            counts[owners[each]].update(count)
    whole = [_system(repository, cluster, count) for cluster, count in zip(clusters, counts, strict=True)]
    whole = [each for each in whole if each.files > 1 or CLASS.search(each.name) or _is_for_ids(each)]
    own = {path for cluster in clusters for path, _ in cluster.symbols}
    return _with_primary(sorted(whole, key=_order)) + _bare(repository, own)


def _clusters(repository: Repository) -> list[Cluster]:
    """Classes that are made from each other are one system."""
    found: dict[tuple[str, str], Cluster] = {}
    for path, facts in repository.files.items():
        for cluster in [] if not facts.definitions or is_test(path) else _defined(path, facts):
            root = _root(repository, cluster)
            first = found.setdefault(root, cluster)
            if first is not cluster:
                first.symbols.update(cluster.symbols)
                first.templates.extend(cluster.templates)
                first.kinds.update(cluster.kinds)
    return list(found.values())


def _root(repository: Repository, cluster: Cluster) -> tuple[str, str]:
    """The class of the repository from which the class of a cluster is made in the end."""
    path, name = cluster.path, cluster.name
    for _ in range(DEEP):
        definition = repository.definition(path, name)
        bases = definition.bases if definition is not None else ()
        above = [repository.find(base, path) for base in bases if not base.startswith("?")]
        classes = [each for each in above if isinstance(each, Found) and each.definition.form == "class"]
        if not classes:
            break
        path, name = classes[0].path, classes[0].definition.symbol
    return path, name


def _defined(path: str, facts: FileFacts) -> list[Cluster]:
    """The systems of one file: each class that makes IDs, else its functions."""
    members = {
        each.symbol: [one for one in facts.definitions if one.symbol.startswith(f"{each.symbol}.")]
        for each in facts.definitions
        if each.form == "class"
    }
    classes = [
        each
        for each in facts.definitions
        if CLASS.search(each.symbol)
        and each.symbol[:1] != "_"
        and any(one.source for one in members.get(each.symbol, ()))
    ]
    outside = [each for each in facts.definitions if each.form in ("function", "instance")]
    found = []
    for each in classes:
        own = members[each.symbol] + (outside if len(classes) == 1 else [])
        found.append(_cluster(each.symbol, path, each.place, [each, *own]))
    functions = [
        each
        for each in outside
        if each.makes and each.source and not each.symbol.startswith("_") and FUNCTION.search(each.symbol)
    ]
    if not classes and functions and (len(functions) > 1 or kind_of_function(functions[0].symbol) in ANY):
        found.append(_cluster(path, path, functions[0].place, functions))
    return found


def _cluster(name: str, path: str, place: Place, members: Sequence[Definition]) -> Cluster:
    makers = [each for each in members if each.makes and each.form not in ("class", "instance")]
    names = [each.symbol.rpartition(".")[2] for each in makers]
    kinds = {kind_of_function(name) for name in names if FUNCTION.search(name)} or {""}
    return Cluster(
        name,
        path,
        place,
        {(path, each.symbol) for each in members},
        [each.template for each in makers if each.template],
        {"" if kind in ANY else kind for kind in kinds},
    )


def _system(repository: Repository, cluster: Cluster, count: Counter[str]) -> System:
    outside = {each: number for each, number in count.items() if not is_test(each)}
    services: Counter[str] = Counter()
    for each, number in outside.items():
        if service := repository.service_of(each):
            services[service] += number
    bits = [sum([part.bits for part in template]) for template in cluster.templates]
    return System(
        cluster.name,
        cluster.path,
        cluster.place,
        tuple(sorted({shown(template) for template in cluster.templates})),
        frozenset(cluster.kinds),
        len(outside),
        sum(outside.values()),
        len(count) - len(outside),
        sum(count.values()) - sum(outside.values()),
        tuple(sorted(services.items(), key=lambda each: (-each[1], each[0]))),
        min(bits, default=0.0),
        False,
        "",
    )


def _adoption(system: System) -> int:
    return system.files + system.calls


def _order(system: System) -> tuple[int, float, str, str]:
    return (-_adoption(system), -system.bits, system.path, system.name)


def _is_for_ids(system: System) -> bool:
    return MODULE.match(posixpath.basename(system.path).removesuffix(".py")) is not None


def _with_primary(found: list[System]) -> list[System]:
    """The cheapest to move to is the most widely used one, or a strong one that comes near it."""
    if not found:
        return []
    strong = [each for each in found if each.bits >= STRONG and 2 * _adoption(each) >= _adoption(found[0])]
    best = (strong or found)[0]
    reasons = [f"{_adopted(best)} already"] if best.calls else []
    if best.bits >= STRONG:
        reasons.append(f"its IDs vary in {best.bits:.0f} bits or more")
    elif best.templates:
        reasons.append(f"its weakest IDs vary in {best.bits:.0f} bits, which a registry would mend")
    if best.templates and all(not each.startswith("{") for each in best.templates):
        reasons.append("each begins with a prefix, as those of a registry's kinds do")
    why = "; ".join(reasons) or "it has a place of its own"
    return [each._replace(primary=True, why=why) if each is best else each for each in found]


def _adopted(system: System) -> str:
    calls = "1 call" if system.calls == 1 else f"{system.calls:,} calls"
    return f"{calls} in {'1 file' if system.files == 1 else f'{system.files:,} files'}"


def _bare(repository: Repository, own: set[str]) -> list[System]:
    """IDs that are made on the spot, by what makes them."""
    counts: dict[str, Counter[str]] = {}
    for path, facts in repository.files.items():
        for draft in facts.drafts if path not in own else ():
            if draft.code in BARE and draft.confidence != "question":
                counts.setdefault(BARE[draft.code], Counter())[path] += 1
    nowhere = Place(1, 1, 1, 1)
    found = [
        _system(repository, Cluster(name, "", nowhere, set(), [], set()), count)
        for name, count in counts.items()
    ]
    return sorted(found, key=_order)
