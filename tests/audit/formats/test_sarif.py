"""SARIF 2.1.0, and what GitHub asks beyond it."""

import json
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import pytest

from canonid.audit.formats.sarif import MOST, sarif
from canonid.audit.rules import BY_CODE

SCHEMA = json.loads((Path(__file__).parent / "sarif-2.1.0-rtm.5.json").read_text())


def log_of(report):
    return json.loads("".join(sarif(report, BY_CODE, "1.2.3")))


@pytest.mark.parametrize("empty", [False, True])
def test_it_is_valid(audited, empty):
    report = audited.report._replace(findings=[]) if empty else audited.report
    jsonschema.Draft4Validator(SCHEMA).validate(log_of(report))


def test_every_result_names_its_rule_and_place(audited):
    (run,) = log_of(audited.report)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == len(audited.report.findings)
    for result, finding in zip(run["results"], audited.report.findings, strict=True):
        place = result["locations"][0]["physicalLocation"]
        uri = place["artifactLocation"]["uri"]
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.code
        assert unquote(uri) == finding.path
        assert uri.isascii() and not uri.startswith("/") and not set(uri) & set(" <>`|&")
        assert place["region"]["startLine"] == finding.line
        assert place["region"]["startColumn"] == finding.column
    assert all(rule["help"]["text"] and rule["help"]["markdown"] for rule in rules)
    assert len({rule["id"] for rule in rules}) == len(rules)


def test_equals_of_a_file_have_fingerprints_of_their_own(audited):
    (run,) = log_of(audited.report)["runs"]
    seen = Counter(
        (
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            result["partialFingerprints"]["primaryLocationLineHash"],
        )
        for result in run["results"]
    )
    assert set(seen.values()) == {1}


def test_a_question_is_a_note(audited):
    finding = audited.report.findings[0]._replace(confidence="question")
    (run,) = log_of(audited.report._replace(findings=[finding]))["runs"]
    assert run["results"][0]["level"] == "note"


def test_of_too_many_the_gravest_stay(audited):
    one = next(each for each in audited.report.findings if each.path == "app/ids.py")
    grave, light = one._replace(priority="P0", path="z.py"), one._replace(priority="P2")
    many = [light._replace(line=number, path="a.py") for number in range(1, MOST + 5)]
    log = log_of(audited.report._replace(findings=[*many, grave]))
    (run,) = log["runs"]
    assert len(run["results"]) == MOST
    assert run["results"][-1]["level"] == "error"
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"].startswith("5 findings of less weight left out")
