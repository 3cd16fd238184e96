"""The report that people see first: on a terminal, as much as fits the screen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from canonid.audit.excerpts import Lines, around, line_at, printable, shortened, width
from canonid.audit.findings import Finding
from canonid.audit.formats.side_by_side import ending, systems_in_a_line, systems_in_full, systems_in_rows
from canonid.audit.formats.totals import MEANINGS, RuleTotal, by_priority, by_rule, number, worst
from canonid.audit.report import Report
from canonid.audit.rule import Rule

_COLOURS = {"P0": "31", "P1": "33", "P2": "36", "bold": "1", "dim": "2"}
_NARROWEST = 40
_TO_SPARE = 1  # rows that the prompt takes


class Screen(NamedTuple):
    """What is written on: columns, rows (None: no end, as in a pipe), and whether it shows colours."""

    columns: int = 100
    rows: int | None = None
    colour: bool = False

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self.colour and text else text


def terminal(
    report: Report,
    rules: Mapping[str, type[Rule]],
    lines_of: Lines,
    screen: Screen,
    next_steps: Sequence[str] = (),
) -> Iterator[str]:
    """The report in lines. With few rows, messages go first, then titles of rules, then what is told of
    systems, then the least grave."""
    screen = screen._replace(columns=max(screen.columns, _NARROWEST))
    tail = [f"  {screen.paint(shortened(each, screen.columns - 2), 'bold')}" for each in next_steps]
    body = _Body(report, worst(report), by_rule(report, rules), rules, lines_of, screen)
    gap = [""] if tail and screen.rows is None else []
    for line in [*_fitting(body, screen.rows, len(tail)), *gap, *tail]:
        yield line + "\n"


def explanation(rule: type[Rule], columns: int = 80) -> Iterator[str]:
    """A rule in full: why, what instead, examples."""
    yield f"{rule.code}  {rule.title}\n"
    yield f"  {rule.category} · {rule.priority} ({MEANINGS[rule.priority]})\n\n"
    for text in (rule.why, f"Instead: {rule.instead}"):
        yield textwrap.fill(text, min(columns, 100) - 2, initial_indent="  ", subsequent_indent="  ") + "\n\n"
    for title, examples in (("Found", rule.invalid), ("Not found", rule.valid)):
        if examples:
            yield f"  {title}:\n"
        for example in examples:
            yield "\n" + textwrap.indent(example, "    ") + "\n"
        yield "\n" if examples else ""


def ignored(report: Report) -> Iterator[str]:
    """What looks like a finding and is none, a line each, with the reason."""
    yield f"{number(len(report.ignored), 'place')} that only look like findings\n"
    for path, what in report.ignored:
        place = printable(f"{path}:{what.place.line}:{what.place.column}")
        yield f"  {place}  {what.code}  {printable(what.reason)}\n"


def listed(findings: Sequence[Finding], screen: Screen) -> Iterator[str]:
    """Every finding on a line of its own, as compilers tell them."""
    for each in findings:
        place = printable(f"{each.path}:{each.line}:{each.column}")
        sure = "" if each.confidence == "certain" else f" ({each.confidence})"
        yield f"{place}: {screen.paint(each.code, each.priority)} {printable(each.message)}{sure}\n"


class _Body(NamedTuple):
    report: Report
    findings: Sequence[Finding]
    totals: Sequence[RuleTotal]
    rules: Mapping[str, type[Rule]]
    lines_of: Lines
    screen: Screen


def _fitting(body: _Body, rows: int | None, taken: int) -> list[str]:
    """The fullest form that fits; the smallest if none does."""
    room = None if rows is None else rows - _TO_SPARE - taken
    for lines in _forms(body):
        if room is None or len(lines) <= room:
            return lines
    return lines


def _forms(body: _Body) -> Iterator[list[str]]:
    """The report, from its fullest form to its smallest."""
    head = list(_head(body.report, body.screen))
    systems, columns = body.report.systems, body.screen.columns
    full, table = list(systems_in_full(systems, columns)), list(systems_in_rows(systems, columns))
    gap = [""] if full else []
    ten = list(_worst(body, len(body.findings), True))
    for shown in (full, table):
        yield [*head, *gap, *shown, *ten, "", *_rules(body)]
    for totals in (_rules_in_columns, _rules_by_code):
        yield [*head, *gap, *table, *ten, "", *totals(body)]
    ten = list(_worst(body, len(body.findings), False))
    for totals in (_rules, _rules_in_columns, _rules_by_code):
        yield [*head, *table, *ten, *totals(body)]
    head, line = list(_short_head(body.report, body.screen)), list(systems_in_a_line(systems, columns))
    yield [*head, *table, *ten, *_rules_by_code(body)]
    for totals in (_rules, _rules_in_columns, _rules_by_code):
        yield [*head, *line, *ten, *totals(body)]
    for count in range(len(body.findings) - 1, 0, -1):
        yield [*head, *line, *_worst(body, count, False), *_rules_by_code(body)]


def _head(report: Report, screen: Screen) -> Iterator[str]:
    yield from _what(report, screen)
    counted = by_priority(report)
    told = ", ".join([number(sum(counted.values()), "finding"), *_beside(report)])
    yield shortened(told, screen.columns)
    full = [f"{count:,} {MEANINGS[priority]}" for priority, count in counted.items()]
    short = [f"{count:,}" for count in counted.values()]
    fits = sum([len(each) + 6 for each in full]) <= screen.columns
    yield "   ".join(
        f"{screen.paint(priority, priority)} {text}"
        for priority, text in zip(counted, full if fits else short, strict=True)
    )


def _short_head(report: Report, screen: Screen) -> Iterator[str]:
    yield from _what(report, screen)
    counted = by_priority(report)
    told = ", ".join([f"{priority} {count:,}" for priority, count in counted.items()])
    beside = "; ".join([told, ", ".join(_beside(report))]).removesuffix("; ")
    yield shortened(f"{number(sum(counted.values()), 'finding')}: {beside}", screen.columns)


def _what(report: Report, screen: Screen) -> Iterator[str]:
    """What was looked at, and what of it could not be read."""
    name = printable(report.root.rstrip("/").rpartition("/")[2] or report.root)
    size = f"{number(report.files, 'file')}, {number(report.lines, 'line')}"
    yield shortened(f"canonid audit  {name}: {size}", screen.columns)
    if broken := [each for each in report.findings if each.category == "broken-file"]:
        told = printable(f"{broken[0].path} ({broken[0].message})")
        more = f" and {len(broken) - 1:,} more" if len(broken) > 1 else ""
        yield shortened(f"can't be read: {told}", screen.columns - len(more)) + more


def _beside(report: Report) -> list[str]:
    """What is counted beside the findings themselves."""
    questions = sum([not each.counts for each in report.findings])
    tests = sum([each.in_tests and each.counts for each in report.findings])
    told = [f"{tests:,} in tests"] if tests else []
    told += [number(questions, "question")] if questions else []
    return told + ([f"{len(report.ignored):,} ignored"] if report.ignored else [])


def _worst(body: _Body, count: int, messages: bool) -> Iterator[str]:
    """Findings below their rules, and why those matter: in full, or without messages in what room is left."""
    screen = body.screen
    if messages and body.findings:
        yield ""
    for code, group in groupby(body.findings[:count], key=lambda each: each.code):
        rule = body.rules[code]
        title = shortened(f"{code} {rule.title}", screen.columns)
        why = "" if messages else shortened(f": {rule.why}", screen.columns - width(title))
        yield screen.paint(title, rule.priority) + screen.paint(why, "dim")
        if messages:
            for line in textwrap.wrap(rule.why, screen.columns - 2):
                yield f"  {screen.paint(line, 'dim')}"
        for finding in group:
            yield from _finding(finding, body, messages)


def _finding(finding: Finding, body: _Body, message: bool) -> Iterator[str]:
    """Where, and the code there; the place gives way first, since its end says most."""
    columns = body.screen.columns
    place = ending(printable(f"{finding.path}:{finding.line}"), columns * 9 // 20)
    line = line_at(body.lines_of(finding.path), finding.line).rstrip()
    end = finding.end_column if finding.end_line == finding.line else len(line) + 1
    excerpt = around(line, finding.column, end, columns - 4 - width(place))
    yield f"  {place}  {body.screen.paint(excerpt, 'bold')}".rstrip()
    if message and finding.message:
        yield f"      {shortened(printable(finding.message), columns - 6)}"


def _rules(body: _Body) -> Iterator[str]:
    for rule, found, tests, questions in body.totals:
        code = body.screen.paint(rule.code, rule.priority)
        extra = [f"{tests:,} in tests"] if tests else []
        extra += [number(questions, "question")] if questions else []
        tail = f" ({', '.join(extra)})" if extra else ""
        room = body.screen.columns - 19
        yield f"{found:>7,}  {code}  {shortened(rule.title + tail, room)}"


def _rules_in_columns(body: _Body) -> Iterator[str]:
    """Rules side by side, with as much of their titles as there is room for."""
    beside = max(1, body.screen.columns // 39)
    room = body.screen.columns // beside
    cells = []
    for rule, found, *_ in body.totals:
        title = shortened(rule.title, room - 16)
        text = f"{found:>6,} {body.screen.paint(rule.code, rule.priority)} {title}"
        cells.append(text + " " * (room - 14 - width(title)))
    height = -(-len(cells) // beside)
    for row in range(height):
        yield "".join(cells[row::height]).rstrip()


def _rules_by_code(body: _Body) -> Iterator[str]:
    """Codes and numbers alone, as many on a line as it takes."""
    texts = [f"{rule.code}:{found:,}" for rule, found, *_ in body.totals]
    yield from textwrap.wrap("  ".join(texts), body.screen.columns)
