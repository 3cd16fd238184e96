"""JSON and JSON Lines."""

import json

from canonid.audit.formats.records import jsonl, one_json

KEYS = (
    "path line column code category confidence in_tests symbol template message fingerprint priority"
    " end_line end_column entropy_bits"
)


def test_a_finding_is_a_line(audited):
    lines = "".join(jsonl(audited.report)).splitlines()
    found = [json.loads(line) for line in lines]
    assert len(found) == len(audited.report.findings)
    assert all(set(each) == set(KEYS.split()) for each in found)
    assert [(each["path"], each["line"]) for each in found] == [
        (each.path, each.line) for each in audited.report.findings
    ]
    assert {each["in_tests"] for each in found} == {True, False}


def test_bits_are_said_of_ids_that_are_made(audited):
    found = [json.loads(line) for line in jsonl(audited.report)]
    of = {each["code"]: each["entropy_bits"] for each in found}
    assert of["CID101"] == 122
    assert of["CID301"] == 32
    assert all(each["entropy_bits"] is None for each in found if each["category"] == "reader")


def test_nothing_found_is_no_line_and_an_empty_list(audited):
    empty = audited.report._replace(findings=[], ignored=[])
    assert "".join(jsonl(empty)) == ""
    assert json.loads("".join(one_json(empty, ignored=True)))["findings"] == []


def test_one_object_says_what_was_looked_at(audited):
    found = json.loads("".join(one_json(audited.report, ignored=True)))
    assert (found["files"], found["broken"]) == (4, 1)
    assert found["findings"] == [json.loads(line) for line in jsonl(audited.report)]
    assert [(each["path"], each["reason"]) for each in found["ignored"]] == [("app/ids.py", "nonce")]
    assert "ignored" not in json.loads("".join(one_json(audited.report)))
