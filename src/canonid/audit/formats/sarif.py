"""SARIF 2.1.0, as code hosts and editors read it; within the bounds that GitHub sets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from canonid.audit.excerpts import printable
from canonid.audit.findings import Finding
from canonid.audit.formats.totals import by_gravity, number
from canonid.audit.report import Report
from canonid.audit.rule import Rule

MOST = 25_000  # results of a run that GitHub accepts
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"P0": "error", "P1": "warning", "P2": "note"}
_SEVERITIES = {"P0": "error", "P1": "warning", "P2": "recommendation"}


def sarif(report: Report, rules: Mapping[str, type[Rule]], version: str, above: str = "") -> Iterator[str]:
    """One log of one run. Of more findings than are accepted, the gravest stay, and the run says so.

    Paths are relative to the root of the audit, or to the folder from which `above` leads there, as "src/":
    code hosts take them from the root of the repository. `partialFingerprints` tell equals of a file apart by
    their number. Columns count characters.
    """
    kept = report.findings
    left_out = len(kept) - MOST
    if left_out > 0:
        chosen = frozenset(by_gravity(report.findings)[:MOST])
        kept = [each for each in report.findings if each in chosen]
    used = sorted({each.code for each in kept})
    places = {code: place for place, code in enumerate(used)}
    notes = [
        {
            "level": "warning",
            "message": {
                "text": f"{number(left_out, 'finding')} of less weight left out: too many for one run"
            },
        }
    ]
    run = {
        "tool": {
            "driver": {
                "name": "canonid",
                "semanticVersion": version,
                "rules": [_rule(rules[code]) for code in used],
            }
        },
        "automationDetails": {"id": "canonid/audit/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "What paths are relative to."}}},
        "invocations": [
            {"executionSuccessful": True, "toolExecutionNotifications": notes if left_out > 0 else []}
        ],
        "results": [],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    yield json.dumps(log).removesuffix("]}]}")
    for place, finding in enumerate(kept):
        yield (",\n" if place else "\n") + json.dumps(_result(finding, places[finding.code], above))
    yield "]}]}\n"


def _rule(rule: type[Rule]) -> dict[str, object]:
    examples = "".join(f"\n\n```python\n{example}\n```" for example in rule.invalid[:3])
    return {
        "id": rule.code,
        "name": rule.__name__,
        "shortDescription": {"text": f"{rule.title[0].upper()}{rule.title[1:]}."},
        "fullDescription": {"text": rule.why},
        "help": {
            "text": f"{rule.why}\n\nInstead: {rule.instead}",
            "markdown": f"{rule.why}\n\n**Instead:** {rule.instead}\n\n**Found, for example:**{examples}",
        },
        "defaultConfiguration": {"level": _LEVELS[rule.priority]},
        "properties": {
            "tags": ["identifiers", rule.category],
            "precision": "high",
            "problem.severity": _SEVERITIES[rule.priority],
        },
    }


def _result(finding: Finding, place: int, above: str) -> dict[str, object]:
    return {
        "ruleId": finding.code,
        "ruleIndex": place,
        "level": _LEVELS[finding.priority] if finding.counts else "note",
        "message": {"text": _sentence(finding)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {
                        "uri": quote(above + finding.path, errors="surrogateescape"),
                        "uriBaseId": "%SRCROOT%",
                    },
                    "region": {
                        "startLine": finding.line,
                        "startColumn": finding.column,
                        "endLine": finding.end_line,
                        "endColumn": finding.end_column,
                    },
                }
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": finding.fingerprint},
        "properties": {
            "category": finding.category,
            "priority": finding.priority,
            "confidence": finding.confidence,
            "inTests": finding.in_tests,
            "symbol": finding.symbol,
            "template": printable(finding.template),
            "entropyBits": finding.entropy_bits,
        },
    }


def _sentence(finding: Finding) -> str:
    message = printable(finding.message) or finding.category
    template = f" Template: {printable(finding.template)}." if finding.template else ""
    return message[0].upper() + message[1:].rstrip(".") + "." + template
