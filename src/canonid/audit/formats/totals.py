"""Counting a report, for the formats that people read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from canonid.audit.findings import Finding, Priority
from canonid.audit.report import Report
from canonid.audit.rule import Rule

MEANINGS: dict[Priority, str] = {
    "P0": "breaks at run time",
    "P1": "weak or competing",
    "P2": "style and tests",
}
WORST = 10
_MOST_OF_A_RULE = 3


class RuleTotal(NamedTuple):
    """How often a rule found something: in all, and how many of those in tests and as a question."""

    rule: type[Rule]
    found: int
    in_tests: int
    questions: int


def by_priority(report: Report) -> dict[Priority, int]:
    """How many findings count, by priority; all three keys, in order."""
    counted = Counter(finding.priority for finding in report.findings if finding.counts)
    return {priority: counted[priority] for priority in MEANINGS}


def by_rule(report: Report, rules: Mapping[str, type[Rule]]) -> list[RuleTotal]:
    """Rules that found something, the gravest first and then the most frequent."""
    all_of = Counter(finding.code for finding in report.findings)
    tests = Counter(finding.code for finding in report.findings if finding.in_tests)
    questions = Counter(finding.code for finding in report.findings if not finding.counts)
    totals = [RuleTotal(rules[code], number, tests[code], questions[code]) for code, number in all_of.items()]
    return sorted(totals, key=lambda each: (each.rule.priority, -each.found, each.rule.code))


def by_gravity(findings: Iterable[Finding]) -> list[Finding]:
    """The gravest and surest first, what runs in production before tests, questions last."""
    return sorted(findings, key=_gravity)


def worst(report: Report) -> Sequence[Finding]:
    """The ten to look at first, those of a rule together: the gravest, surest, those that run in production.

    At most three of a rule and one of a line, as long as there are others.
    """
    taken: Counter[str] = Counter()
    lines: set[tuple[str, int]] = set()
    chosen: list[Finding] = []
    others: list[Finding] = []
    for finding in by_gravity(report.findings):
        if not finding.counts or finding.category in _LAST:
            continue
        line = finding.path, finding.line
        if taken[finding.code] == _MOST_OF_A_RULE or line in lines:
            others.append(finding)
            continue
        taken[finding.code] += 1
        lines.add(line)
        chosen.append(finding)
    ten = by_gravity((chosen + others)[:WORST])
    codes = list(dict.fromkeys(each.code for each in ten))
    return sorted(ten, key=lambda each: codes.index(each.code))


def number(count: int, one: str, many: str | None = None) -> str:
    """`1 file`, `2,000 files`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


# Among those of one priority, the categories by what they put at risk.
_ORDER = (
    "conflict",
    "broken-call",
    "boundary",
    "competing-system",
    "time-only",
    "weak-source",
    "truncated",
    "reader",
    "hand-made",
    "direct-uuid",
    "strong-source",
    "broken-file",
    "suppression",
)
_LAST = frozenset({"broken-file", "suppression"})  # not about IDs


def _gravity(finding: Finding) -> tuple[object, ...]:
    return (
        not finding.counts,
        finding.in_tests,
        finding.priority,
        finding.confidence != "certain",
        _ORDER.index(finding.category),
        math.inf if finding.entropy_bits is None else finding.entropy_bits,
        finding.path,
        finding.line,
        finding.column,
        finding.code,
    )
