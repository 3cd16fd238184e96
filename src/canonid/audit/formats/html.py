"""One page that needs nothing else: every finding with its source, to be filtered, read and printed."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files

from canonid.audit.excerpts import Lines, line_at, printable
from canonid.audit.findings import Finding
from canonid.audit.formats.picture import picture
from canonid.audit.formats.totals import MEANINGS, by_gravity, by_priority, by_rule, number
from canonid.audit.report import Report
from canonid.audit.rule import Rule

_AROUND = 1  # lines shown before and after
_TALLEST = 12  # lines of a finding that are shown
_CODE = re.compile(r"`([^`]+)`")


def html(
    report: Report, rules: Mapping[str, type[Rule]], lines_of: Lines, *, ignored: bool = False
) -> Iterator[str]:
    """The whole page. It loads nothing and its content security policy lets it load nothing.

    What comes from the audited code is escaped, and is never part of a script, style or address.
    """
    style, script = (files("canonid.audit.formats").joinpath(name).read_text("utf-8") for name in _PARTS)
    name = _shown(report.root.rstrip("/").rpartition("/")[2] or report.root)
    yield f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src {_allowed(style)}; \
script-src {_allowed(script)}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Audit of {name}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>Identifiers in {name}</h1>
<p>{number(report.files, "file")}, {number(report.lines, "line")}{_broken(report)}</p>
<ul class="totals">{"".join(_priorities(report))}</ul>
</header>
<main>
"""
    yield from picture(report.systems)
    yield from _rules(report, rules)
    yield from _filters(report)
    # In the report's order each file is read once; the page has the gravest first.
    excerpts = {id(each): _excerpt(each, lines_of) for each in report.findings}
    yield '<section id="findings" aria-label="findings">\n'
    for each in by_gravity(report.findings):
        yield _finding(each, rules[each.code], excerpts[id(each)])
    yield '</section>\n<p><button type="button" id="more" hidden>Show more</button></p>\n'
    if ignored:
        yield from _ignored(report)
    yield f"</main>\n<script>{script}</script>\n</body>\n</html>\n"


_PARTS = ("page.css", "page.js")


def _allowed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _broken(report: Report) -> str:
    return f", <strong>{number(report.broken, 'file')} can’t be read</strong>" if report.broken else ""


def _priorities(report: Report) -> Iterator[str]:
    for priority, count in by_priority(report).items():
        yield f'<li class="{priority}"><b>{count:,}</b> {priority} {MEANINGS[priority]}</li>'


def _rules(report: Report, rules: Mapping[str, type[Rule]]) -> Iterator[str]:
    yield "<section><h2>Rules</h2>\n"
    for rule, found, tests, questions in by_rule(report, rules):
        extra = f", {tests:,} in tests" if tests else ""
        extra += f", {number(questions, 'question')}" if questions else ""
        yield (
            f'<details><summary><span class="code {rule.priority}">{rule.code}</span> {_prose(rule.title)} '
            f"<small>{found:,}{extra}</small></summary>"
            f"<p>{_prose(rule.why)}</p><p>Instead: {_prose(rule.instead)}</p></details>\n"
        )
    yield "</section>\n"


def _filters(report: Report) -> Iterator[str]:
    """Shown by the script alone, since without it they would do nothing."""
    yield (
        '<form id="filters" hidden><h2>Findings</h2>\n'
        '<label class="text">Containing <input type="search" id="text" autocomplete="off" '
        'placeholder="a path, a name, a word"></label>\n'
    )
    findings = report.findings
    yield _boxes("priority", Counter(each.priority for each in findings))
    yield _boxes("confidence", Counter(each.confidence for each in findings))
    yield _boxes("category", Counter(each.category for each in findings))
    yield _boxes("place", Counter(_place(each) for each in findings))
    yield '<p><output id="shown"></output> <button type="reset">Show all</button></p>\n</form>\n'


def _boxes(name: str, counted: Mapping[str, int]) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" name="{name}" value="{value}" checked> {value} '
        f"<small>{counted[value]:,}</small></label>"
        for value in sorted(counted)
    )
    return f"<fieldset><legend>{name}</legend>{boxes}</fieldset>\n"


def _place(finding: Finding) -> str:
    return "tests" if finding.in_tests else "production"


def _finding(finding: Finding, rule: type[Rule], excerpt: str) -> str:
    symbol = f" in <code>{_shown(finding.symbol)}</code>" if finding.symbol else ""
    template = f"<p>Template: <code>{_shown(finding.template)}</code></p>" if finding.template else ""
    return (
        f'<article data-priority="{finding.priority}" data-confidence="{finding.confidence}" '
        f'data-category="{finding.category}" data-place="{_place(finding)}">'
        f'<h3><span class="code {finding.priority}">{finding.code}</span> {_prose(rule.title)} '
        f"<small>{finding.category}, {finding.confidence}</small></h3>"
        f'<p class="path">{_shown(finding.path)}:{finding.line}{symbol}</p>'
        f"<p>{_prose(finding.message)}</p>{template}{excerpt}</article>\n"
    )


def _excerpt(finding: Finding, lines_of: Lines) -> str:
    lines = lines_of(finding.path)
    last = min(finding.end_line, finding.line + _TALLEST - 1)
    shown = range(max(1, finding.line - _AROUND), min(len(lines), last + _AROUND) + 1)
    rows = "".join(_row(lines, number, finding.line <= number <= last) for number in shown)
    return f"<pre>{rows}</pre>" if rows else ""


def _row(lines: Sequence[str], number: int, meant: bool) -> str:
    text = escape(line_at(lines, number)) or " "
    return f'<span class="row{" meant" if meant else ""}"><i>{number}</i>{text}</span>'


def _ignored(report: Report) -> Iterator[str]:
    yield f"<section><h2>{number(len(report.ignored), 'place')} that only look like findings</h2>\n<ul>"
    for path, what in report.ignored:
        where = f'<span class="path">{_shown(path)}:{what.place.line}</span>'
        yield f"<li>{where} {what.code}: {_shown(what.reason)}</li>\n"
    yield "</ul></section>\n"


def _prose(text: str) -> str:
    """A sentence of ours, with what stands between backticks as code."""
    return _CODE.sub(r"<code>\1</code>", _shown(text))


def _shown(text: str) -> str:
    return escape(printable(text))
