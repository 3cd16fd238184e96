"""`canonid registry …`."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Collection

from canonid.cli.ids import Command
from canonid.cli.output import line, record
from canonid.core import Registry
from canonid.core.checking import Check, check
from canonid.core.declaring import MAX_REGISTRY, overlap_declared
from canonid.core.diffing import Change, diff
from canonid.project import load_registry, read_registry

WIDTH = 60  # columns that a report takes at most, but for words that are longer

# check


def _check(options: argparse.Namespace) -> int:
    text, path = read_registry(options.registry)
    found = check(text)
    (_report_json if options.json else _report)(path, found)
    return 1 if found.faults or found.concerns else 0


def _report_json(path: str, found: Check) -> None:
    kinds, formats, services, _ = found.declarations
    record(
        registry=path,
        ok=not found.faults and not found.concerns,
        faults=[{"path": place, "fault": sentence} for place, sentence in found.faults],
        kinds=sorted(kinds),
        formats={form.name: form.source for form in formats.values()},
        services=sorted(services),
        overlaps=[
            overlap._asdict() | {"declared": overlap_declared(formats, overlap.first, overlap.second)}
            for overlap in found.overlaps
        ],
        strengths=[strength._asdict() | {"weak": strength.weak} for strength in found.strengths],
        leaks=[leak._asdict() for leak in found.leaks],
        retired={"kinds": _retired_kinds(found), "prefixes": _retired_prefixes(found)},
    )


def _report(path: str, found: Check) -> None:
    line(f"{path}: {_verdict(found)}")
    for place, sentence in found.faults:
        line(f"  {place}")
        _paragraph(sentence, 4)
    if not found.faults:
        _report_names(found)
    _report_overlaps(found)
    _report_strength(found)
    if found.leaks:
        line(f"  {_count(found.leaks, 'leak')} of private kinds:")
    for leak in found.leaks:
        line(f"    {leak.kind} in format {leak.format}")
        _paragraph(leak.sentence, 6)
    if not found.faults:
        _report_retired(found)


def _verdict(found: Check) -> str:
    if found.faults:
        return _count(found.faults, "fault")
    if found.concerns:
        return f"no faults, {_count(range(found.concerns), 'concern')}"
    return "no faults"


def _report_names(found: Check) -> None:
    kinds, formats, services, _ = found.declarations
    for what, names in (("kind", kinds), ("format", formats), ("service", services)):
        title = _count(names, what)
        _paragraph(f"{title}: {', '.join(names)}" if names else title, 2, hanging=4)


def _report_overlaps(found: Check) -> None:
    """The declared ones; the others are faults, and were told."""
    formats = found.declarations.formats
    declared = [o for o in found.overlaps if overlap_declared(formats, o.first, o.second)]
    if declared:
        _paragraph(f"{_count(declared, 'declared overlap')}; such a text needs its kind named:", 2, hanging=4)
    elif not found.faults:
        line("  no two formats of different kinds share a text")
    for overlap in declared:
        line(f"    {overlap.text}")
        first, second = f"{overlap.first_kind} ({overlap.first})", f"{overlap.second_kind} ({overlap.second})"
        _paragraph(f"{first} or {second}", 6)


def _report_strength(found: Check) -> None:
    strong = [strength for strength in found.strengths if not strength.weak]
    if strong:
        _paragraph(f"{_count(strong, 'rate')} with enough random bits", 2, hanging=4)
    if found.weak:
        _paragraph(f"{_count(found.weak, 'rate')} with too few random bits:", 2, hanging=4)
    for strength in found.weak:
        line(f"    {strength.kind} in format {strength.format}")
        _paragraph(strength.sentence, 6)


def _report_retired(found: Check) -> None:
    kinds, prefixes = _retired_kinds(found), _retired_prefixes(found)
    if kinds:
        _paragraph(f"{_count(kinds, 'retired kind')}, read but not minted: {', '.join(kinds)}", 2, hanging=4)
    if prefixes:
        shown = ", ".join(f"{prefix} ({kind})" for prefix, kind in prefixes.items())
        title = _count(prefixes, "retired prefix", "retired prefixes")
        _paragraph(f"{title}, read but not written: {shown}", 2, hanging=4)


def _retired_kinds(found: Check) -> list[str]:
    return [kind.name for kind in found.declarations.kinds.values() if kind.retired]


def _retired_prefixes(found: Check) -> dict[str, str]:
    """Each retired prefix and the kind that it still names."""
    kinds = found.declarations.kinds.values()
    return {prefix: kind.name for kind in kinds for prefix in kind.retired_prefixes}


# diff


def _diff_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help="the version to compare with; - is standard input")
    parser.add_argument(
        "new", metavar="NEW", nargs="?", help="the next version, or - (default: the registry in use)"
    )


def _diff(options: argparse.Namespace) -> int:
    old, new = _load(options.old), _load(options.new or options.registry)
    changes = diff(old, new)
    breaking = [change for change in changes if change.breaking]
    compatible = [change for change in changes if not change.breaking]
    if options.json:
        record(compatible=not breaking, changes=[change._asdict() for change in changes])
    else:
        _report_changes("breaks readers or producers", breaking)
        _report_changes("compatible", compatible)
        if not changes:
            line("no changes")
    return 1 if breaking else 0


def _load(path: str | None) -> Registry:
    if path != "-":
        return load_registry(path)
    sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape")  # type: ignore[union-attr]
    return Registry.from_toml(sys.stdin.read(MAX_REGISTRY + 1), source="standard input")


def _report_changes(title: str, changes: Collection[Change]) -> None:
    if changes:
        line(f"{title}: {_count(changes, 'change')}")
    for change in changes:
        line(f"  {change.path}")
        _paragraph(change.sentence, 4)


# Words


def _count(things: Collection[object], one: str, many: str | None = None) -> str:
    return f"{len(things)} {one if len(things) == 1 else many or one + 's'}"


def _paragraph(text: str, indent: int, hanging: int | None = None) -> None:
    """A sentence in as many lines as it takes; words, such as IDs, stay whole."""
    for wrapped in textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent if hanging is None else hanging),
        break_long_words=False,
        break_on_hyphens=False,
    ):
        line(wrapped)


COMMANDS = (
    Command(
        "check",
        "faults, overlaps, weak and leaking formats",
        "Reports every fault of the registry at once, each with its place in the file; every\n"
        "overlap of formats, declared or not, with the shortest text that can be confused; and\n"
        "what is unwise: too few random bits for the declared rate of a kind, and formats that\n"
        "tell when or for whom an ID of a private kind was made.",
        "canonid registry check\ncanonid registry check --registry canonid.toml --json",
        lambda parser: None,
        _check,
    ),
    Command(
        "diff",
        "what the next version of the registry breaks",
        "Compares two versions of the registry, for CI: what is compatible, and what breaks those\n"
        "who read IDs (a removed format, a grammar that refuses old texts, a re-used prefix) or\n"
        "mint them (another writer). A changed grammar is proven to read all that it did, or the\n"
        "shortest text that it refuses is shown.",
        "canonid registry diff released.toml canonid.toml\n"
        "git show origin/main:canonid.toml | canonid registry diff -",
        _diff_arguments,
        _diff,
    ),
)
