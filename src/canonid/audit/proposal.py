"""A first registry, from what an audit found: as much of it as is proven to be without faults."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from canonid.audit.excerpts import printable, shortened
from canonid.audit.formats.totals import number
from canonid.audit.kinds import Written
from canonid.audit.patterns import pattern
from canonid.audit.producers import shown
from canonid.audit.report import Report
from canonid.audit.systems import System
from canonid.core.checking import Check, check
from canonid.core.declaring import BUILT_IN, LONGEST_NAME, MAX_REGISTRY, NAME, PREFIX

PLACES = 3  # that are named of each thing
WIDTH = 110
LONGEST_LINE = 300
_WHOLE = {text: name for name, text in BUILT_IN.items() if "{kind}" not in text}
_FIELD = re.compile(r"\{\w+(?::([^{}]*))?\}")


class Proposal(NamedTuple):
    """The text of a registry, and the names of what it declares. `left_out` is in it as comments alone."""

    text: str
    kinds: Sequence[str]
    formats: Sequence[str]
    services: Sequence[str]
    left_out: int


class _Kind(NamedTuple):
    name: str
    prefix: str
    made: Sequence[Written]  # the most widely used first


class _Format(NamedTuple):
    """`made` is where it is written, by kind."""

    name: str
    pattern: str
    made: Mapping[str, Sequence[Written]]
    guessed: Sequence[str]

    @property
    def uses(self) -> int:
        return sum([each.uses for made in self.made.values() for each in made])


class _LeftOut(NamedTuple):
    """What can't be declared, and why."""

    what: str
    why: str
    made: Sequence[Written]


def proposal(report: Report, name: str) -> Proposal | None:
    """The registry of what a repository called `name` makes; None where no kind of ID is found in it.

    `canonid registry check` accepts it: of formats that share a text the most widely used ones are declared.
    The others, and what no pattern can say, are left as comments with their places. Proving that takes some
    ms for each format.
    """
    made: dict[str, list[Written]] = {}
    for each in report.written:
        made.setdefault(each.kind, []).append(each)
    ordered = sorted(made.values(), key=lambda each: (-_uses(each), each[0].kind))
    while ordered:
        drafted = _Draft(ordered, report.services)
        text = "".join(drafted.text(name, report))
        if len(text) <= MAX_REGISTRY and drafted.kinds:
            return Proposal(
                text,
                [each.name for each in drafted.kinds],
                [each.name for each in drafted.formats],
                drafted.services,
                len(drafted.left_out),
            )
        ordered = ordered[: len(ordered) // 2]
    return None


class _Draft:
    """Kinds, formats and services that go together, after what doesn't is left out."""

    def __init__(self, ordered: Sequence[Sequence[Written]], services: Sequence[str]) -> None:
        self.left_out: list[_LeftOut] = []
        self.kinds = list(self._kinds(ordered))
        self.formats = sorted(self._formats(), key=lambda each: (-each.uses, each.name))
        self.services = [each for each in services if _is_name(each)]
        if self.kinds:
            self._take_out_faults()

    def text(self, name: str, report: Report) -> Iterator[str]:
        """The whole file."""
        yield from _head(name)
        yield from _systems(report.systems)
        yield from self._declared()
        yield from self._not_declared()

    # What can be declared

    def _kinds(self, ordered: Sequence[Sequence[Written]]) -> Iterator[_Kind]:
        own = {made[0].kind.replace("-", "_") for made in ordered}
        taken: set[str] = set()
        for made in ordered:
            name = made[0].kind
            if not _is_name(name):
                self.left_out.append(_LeftOut(f"kind {name}", "its name is none for a kind", made))
                continue
            others = taken | own - {name.replace("-", "_")}  # no kind takes the name of another one
            prefix = next((each for each in _prefixes(made) if each not in others), None)
            if prefix is None:
                self.left_out.append(_LeftOut(f"kind {name}", "no prefix is left for it", made))
                continue
            taken.add(prefix)
            yield _Kind(name, prefix, made)

    def _formats(self) -> Iterator[_Format]:
        names = frozenset([each.name for each in self.kinds])
        grouped: dict[str, dict[str, list[Written]]] = {}
        guessed: dict[str, tuple[str, ...]] = {}
        for kind in self.kinds:
            for each in kind.made if kind.made[0].template or len(kind.made) > 1 else ():
                if not each.template:
                    continue
                found = pattern(each.template, kind.prefix, names)
                if not found.text:
                    self._leave_out(kind.name, each, found.why)
                    continue
                # With a prefix of its own in it, a pattern is of one kind; a bare one of all that it writes.
                own = "" if "{kind}" in found.text or _is_bare(found.text) else kind.name
                group = grouped.setdefault(f"{own} {found.text}", {})
                group.setdefault(kind.name, []).append(each)
                guessed[f"{own} {found.text}"] = found.guessed
        taken = {*BUILT_IN}
        for key, made in sorted(grouped.items(), key=lambda item: (-_uses_of(item[1]), item[0])):
            text = key.partition(" ")[2]
            name = _WHOLE.get(text) or _free_name(text, made, taken)
            taken.add(name)
            yield _Format(name, text, made, guessed[key])

    def _leave_out(self, kind: str, each: Written, why: str) -> None:
        what = f"{kind}: {shown(each.template)}"
        for at, known in enumerate(self.left_out):
            if known[:2] == (what, why):
                self.left_out[at] = known._replace(made=[*known.made, each])
                return
        self.left_out.append(_LeftOut(what, why, [each]))

    def _take_out_faults(self) -> None:
        """Asks the registry until it has nothing to say against what is left."""
        while faults := (found := check("".join(self._declared()))).faults:
            wrong = _wrong_formats(faults) or _confused(found, [each.name for each in self.formats])
            assert wrong, faults
            for each in self.formats:
                if each.name in wrong:
                    made = [one for group in each.made.values() for one in group]
                    self.left_out.append(_LeftOut(f"{each.name}: {each.pattern}", wrong[each.name], made))
            self.formats = [each for each in self.formats if each.name not in wrong]

    # The text

    def _declared(self) -> Iterator[str]:
        for kind in self.kinds:
            yield from _comment(_places(kind.made))
            yield f"[kinds.{kind.name}]\n"
            if kind.prefix != kind.name.replace("-", "_"):
                yield f"prefix = {json.dumps(kind.prefix)}\n"
            yield "\n"
        for each in self.formats:
            yield from _comment(_places([one for made in each.made.values() for one in made]))
            if each.guessed:
                yield from _comment(f"taken for words of a-z, 0-9 and _: {', '.join(each.guessed)}")
            yield f"[formats.{each.name}]\n"
            if each.name not in BUILT_IN:
                yield f"pattern = {json.dumps(each.pattern)}\n"
            yield f"kinds = {_list(sorted(each.made))}\n\n"
        for service in self.services:
            yield from self._service(service)

    def _service(self, service: str) -> Iterator[str]:
        """What a service writes; of several formats of a kind the most widely used one is how it mints."""
        written: dict[str, list[str]] = {}
        for each in self.formats:
            for kind, made in each.made.items():
                if any(one.service == service for one in made):
                    written.setdefault(kind, []).append(each.name)
        yield f"[services.{service}{'.emits' if written else ''}]\n"
        for kind, names in sorted(written.items()):
            yield f"{kind} = {json.dumps(names[0]) if len(names) == 1 else _list(names)}\n"
        yield "\n"

    def _not_declared(self) -> Iterator[str]:
        if self.left_out:
            yield from _comment("Found too, and not declared:")
        for what, why, made in self.left_out:
            yield "#\n"
            yield from _comment(what, 2)
            yield from _comment(why, 4)
            yield from _comment(_places(made), 4)


def _head(name: str) -> Iterator[str]:
    yield from _comment(f"A first registry of the IDs in {name}, as `canonid init` found them.")
    yield from _comment(
        "It is yours to change: names, prefixes, parents, and which formats you go on reading."
    )
    yield from _comment(
        "Every kind has the canonical format typeid; the formats below are how IDs are written today."
    )
    yield "\n"


def _systems(systems: Sequence[System]) -> Iterator[str]:
    if not systems:
        return
    yield from _comment("ID systems, side by side:")
    for each in systems:
        where = f" in {each.path}" if each.has_place and each.name != each.path else ""
        adoption = f"{number(each.calls, 'call')} in {number(each.files, 'file')}"
        yield from _comment(f"{each.name}{where}: {adoption}", 2)
        if each.primary:
            yield from _comment(f"the cheapest to move to: {each.why}", 4)
    yield "\n"


# Kinds


def _prefixes(made: Sequence[Written]) -> Iterator[str]:
    """What a kind may have as its prefix: what most of its IDs begin with, or its name, or any beginning."""
    begun: Counter[str] = Counter()
    for each in made:
        if each.template:
            first = each.template[0]
            begin = "" if first.kind else re.split(r"[^A-Za-z_]", first.text)[0]
            begun[begin.rstrip("_")] += each.uses
    most = [begin for begin, uses in begun.most_common(1) if 2 * uses > begun.total()]
    plain = re.sub(r"[^a-z_]", "", made[0].kind.replace("-", "_")).strip("_")
    for prefix in [*most, plain, *begun]:
        if PREFIX.fullmatch(prefix):
            yield prefix


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and NAME.fullmatch(text) is not None


def _uses(made: Iterable[Written]) -> int:
    return sum([each.uses for each in made])


def _uses_of(made: Mapping[str, Sequence[Written]]) -> int:
    return sum([_uses(each) for each in made.values()])


# Formats


def _is_bare(text: str) -> bool:
    """Whether a pattern has no text of its own."""
    return not _FIELD.sub("", text)


def _free_name(text: str, made: Mapping[str, object], taken: set[str]) -> str:
    """Named after its kind, or after its fields where it is of several."""
    words = [re.sub(r"[^a-z0-9]", "", (form or "kind").lower()) for form in _FIELD.findall(text)]
    name = next(iter(made)) if len(made) == 1 else "-".join(words)[:40].strip("-")
    found, count = name[: LONGEST_NAME - 4], 2
    while found in taken or not _is_name(found):
        found, count = f"{name[: LONGEST_NAME - 4].rstrip('_-')}-{count}", count + 1
    return found


def _wrong_formats(faults: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Formats that are wrong by themselves, with what is said of them."""
    found: dict[str, str] = {}
    for place, sentence in faults:
        table, _, rest = place.partition(".")
        name, _, key = rest.partition(".")
        if table == "formats" and key:
            found.setdefault(name, sentence)
    return found


def _confused(found: Check, names: Sequence[str]) -> dict[str, str]:
    """Formats that share a text with more widely used ones, in the order of `names`, or with typeid."""
    kept: set[str] = set(BUILT_IN) - set(names)
    wrong: dict[str, str] = {}
    for name in names:
        for overlap in found.overlaps:
            pair = {overlap.first, overlap.second}
            other = (pair - {name} or pair).pop()
            if name in pair and (other == name or other in kept):
                first, second = overlap.first_kind, overlap.second_kind
                wrong[name] = (
                    f"{overlap.text!r} would be both {first} in format {overlap.first} and {second} in "
                    f"format {overlap.second}; change a pattern, or declare it with overlaps"
                )
                break
        else:
            kept.add(name)
    return wrong


# Comments


def _places(made: Sequence[Written]) -> str:
    widest = sorted(made, key=lambda each: (-each.uses, each.path, each.line))
    named = [f"{each.path}:{each.line}" + (f" ({each.name})" if each.name else "") for each in widest]
    few = list(dict.fromkeys(named))
    more = f" and {len(few) - PLACES:,} more" if len(few) > PLACES else ""
    return f"made in {', '.join(few[:PLACES])}{more}"


def _comment(text: str, indent: int = 0) -> Iterator[str]:
    """In as many lines as it takes; paths stay whole."""
    room = WIDTH - 2 - indent
    for line in textwrap.wrap(printable(text), room, break_long_words=False, break_on_hyphens=False):
        yield f"# {' ' * indent}{shortened(line, LONGEST_LINE)}\n"


def _list(names: Sequence[str]) -> str:
    """An array, on a line or on several."""
    line = json.dumps(names)
    if len(line) <= WIDTH - 20:
        return line
    wrapped = textwrap.wrap(line[1:-1], WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return "[\n" + "".join(f"  {each}\n" for each in wrapped) + "]"
