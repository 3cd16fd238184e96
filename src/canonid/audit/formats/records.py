"""JSON, for other programs: one object, or one finding a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from canonid.audit.findings import Finding
from canonid.audit.report import Report
from canonid.audit.systems import System


def jsonl(report: Report) -> Iterator[str]:
    """One finding a line, in the report's order."""
    for finding in report.findings:
        yield json.dumps(_finding(finding), separators=(", ", ": ")) + "\n"


def one_json(report: Report, *, ignored: bool = False) -> Iterator[str]:
    """One object: what was looked at, the ID `systems` beside each other, `findings` as in JSON Lines and, if
    wanted, what is none and why."""
    counts = {"files": report.files, "lines": report.lines, "broken": report.broken}
    systems = [_system(each) for each in report.systems]
    yield json.dumps({"root": report.root, **counts, "systems": systems, "findings": []})[:-2]
    yield from _listed([_finding(each) for each in report.findings])
    if ignored:
        yield '], "ignored": ['
        yield from _listed(
            [
                {
                    "path": path,
                    "line": what.place.line,
                    "column": what.place.column,
                    "code": what.code,
                    "symbol": what.symbol,
                    "reason": what.reason,
                }
                for path, what in report.ignored
            ]
        )
    yield "]}\n"


def _system(system: System) -> dict[str, object]:
    fields = system._asdict() | {"kinds": sorted(system.kinds), "services": dict(system.services)}
    return fields | {"place": None if not system.has_place else system.place._asdict()}


def _listed(objects: list[dict[str, object]]) -> Iterator[str]:
    for number, each in enumerate(objects):
        yield (",\n" if number else "\n") + json.dumps(each)


def _finding(finding: Finding) -> dict[str, object]:
    fields = finding._asdict()
    first = ("path", "line", "column", "code", "category", "confidence", "in_tests")
    return {key: fields[key] for key in first} | fields
