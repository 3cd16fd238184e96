"""Markdown, for pull requests and job summaries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from canonid.audit.excerpts import Lines, line_at, printable
from canonid.audit.findings import Finding
from canonid.audit.formats.totals import MEANINGS, by_gravity, by_priority, by_rule, number, worst
from canonid.audit.report import Report
from canonid.audit.rule import Rule
from canonid.audit.systems import System

MOST_TEMPLATES = 5  # of a system
MOST = 500  # findings that are listed; job summaries end at a megabyte
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$@])")
_TICKS = re.compile(r"`+")


def markdown(
    report: Report, rules: Mapping[str, type[Rule]], lines_of: Lines, *, ignored: bool = False
) -> Iterator[str]:
    """Totals, the ten worst with their source, and a list of the others, the gravest first."""
    size = f"{number(report.files, 'file')}, {number(report.lines, 'line')}"
    found = number(sum(by_priority(report).values()), "finding")
    questions = sum([not each.counts for each in report.findings])
    yield f"# Audit of identifiers\n\n{found} and {number(questions, 'question')} in {size}.\n\n"
    yield "| priority | findings |\n|---|---:|\n"
    for priority, count in by_priority(report).items():
        yield f"| {priority}: {MEANINGS[priority]} | {count:,} |\n"
    yield "\n| rule | | all | in tests | questions |\n|---|---|---:|---:|---:|\n"
    for rule, all_of, tests, asked in by_rule(report, rules):
        yield f"| {rule.code} | {_text(rule.title)} | {all_of:,} | {tests:,} | {asked:,} |\n"
    yield from _systems(report.systems)
    yield from _worst(report, rules, lines_of)
    yield from _all(report)
    if ignored:
        yield "\n## Not findings\n\n"
        for path, what in report.ignored[:MOST]:
            yield f"- {_code(f'{path}:{what.place.line}')} {what.code}: {_text(what.reason)}\n"
        yield from _left_out(len(report.ignored) - MOST)


def _systems(systems: Sequence[System]) -> Iterator[str]:
    if not systems:
        return
    yield "\n## ID systems, side by side\n\n"
    yield "| system | writes | calls | files | calls in tests | by service |\n|---|---|---:|---:|---:|---|\n"
    for each in systems:
        place = f" in {_code(each.path)}" if each.has_place and each.path != each.name else ""
        writes = ", ".join([_code(template) for template in each.templates[:MOST_TEMPLATES]])
        services = ", ".join([f"{_text(name)} {calls:,}" for name, calls in each.services])
        numbers = f"{each.calls:,} | {each.files:,} | {each.test_calls:,}"
        yield f"| {_text(each.name)}{place} | {writes} | {numbers} | {services} |\n"
    for each in systems:
        if each.primary:
            yield f"\nThe cheapest to move everything to is **{_text(each.name)}**: {_text(each.why)}.\n"


def _worst(report: Report, rules: Mapping[str, type[Rule]], lines_of: Lines) -> Iterator[str]:
    ten = worst(report)
    if ten:
        yield "\n## Look at these first\n"
    for finding in ten:
        rule = rules[finding.code]
        excerpt = line_at(lines_of(finding.path), finding.line).strip()
        fence = _fence(excerpt, 3)
        yield f"\n**{finding.code} {_text(rule.title)}** in {_where(finding)}\n\n"
        yield f"{fence}python\n{excerpt}\n{fence}\n\n"
        yield f"Here: {_text(finding.message)}. {_text(rule.why)} Instead: {_text(rule.instead)}\n"


def _all(report: Report) -> Iterator[str]:
    if report.findings:
        yield "\n## All findings\n\n| | where | what |\n|---|---|---|\n"
    for each in by_gravity(report.findings)[:MOST]:
        sure = "" if each.confidence == "certain" else f" ({each.confidence})"
        yield f"| {each.priority} {each.code} | {_where(each)} | {_text(each.message)}{sure} |\n"
    yield from _left_out(len(report.findings) - MOST)


def _left_out(count: int) -> Iterator[str]:
    if count > 0:
        yield f"\n{count:,} more are not listed here.\n"


def _where(finding: Finding) -> str:
    return _code(f"{finding.path}:{finding.line}")


def _text(text: str) -> str:
    """Shown as it is, whatever is in it."""
    return _SPECIAL.sub(r"\\\1", printable(text)).replace("\\<", "&lt;").replace("\\&", "&amp;")


def _code(text: str) -> str:
    """A code span; in a table a bar has to be escaped even there."""
    shown = printable(text)
    fence = _fence(shown, 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return fence + pad + shown.replace("|", "\\|") + pad + fence


def _fence(text: str, least: int) -> str:
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
    return "`" * max(least, longest + 1)
