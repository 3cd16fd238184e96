"""What a project says itself about what is an ID."""

from __future__ import annotations

from pathlib import Path

import pytest

from canonid.audit.auditing import audit
from canonid.audit.report import Report
from canonid.audit.settings import settings
from canonid.core import Registry

CODE = """\
import uuid
nonce = uuid.uuid4().hex
etag_id = uuid.uuid4().hex
user_id = uuid.uuid4().hex
def f(etag_id):
    return etag_id.split("_")[1]
"""
KIND = '[kinds.user]\nprefix = "user"\n'


def report(folder: Path, text: str, name: str = "canonid.toml") -> Report:
    (folder / "ids.py").write_text(CODE)
    (folder / name).write_text(text)
    return audit([folder])


def found(report: Report) -> list[tuple[int, str]]:
    return [(each.line, each.code) for each in report.findings]


@pytest.mark.parametrize(
    ("name", "before"),
    [("canonid.toml", ""), ("canonid.toml", KIND), ("pyproject.toml", '[project]\nname = "x"\n')],
)
def test_a_project_says_what_is_no_id_and_what_is(tmp_path: Path, name: str, before: str) -> None:
    table = "[tool.canonid.audit]" if name == "pyproject.toml" else "[audit]"
    assert found(report(tmp_path, before, name)) == [(3, "CID101"), (4, "CID101"), (6, "CID401")]
    told = report(tmp_path, f'{before}{table}\nnot_ids = ["etag_*"]\nids = ["nonce"]\n', name)
    assert told.notes == []
    assert found(told) == [(2, "CID101"), (4, "CID101")]
    assert [(each.what.place.line, each.what.reason) for each in told.ignored] == [
        (3, "audit.not_ids"),
        (6, "audit.not_ids"),
    ]
    assert told.findings[0].message == "nonce is an ID by audit.ids, though it looks like a nonce"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("audit = 1", "audit: expected a table"),
        ("[audit]\nno_ids = []", "audit.no_ids: there is no such setting"),
        ("[audit]\nids = 'x'", "audit.ids: expected a list of names"),
        ("[audit]\nids = [1]", "audit.ids: expected a list of names"),
        ("[audit]\nids = ['']", "audit.ids: expected a list of names"),
    ],
)
def test_what_cannot_be_used_is_told_and_the_rest_is(tmp_path: Path, text: str, fault: str) -> None:
    assert list(settings(text).faults) == [fault]
    told = report(tmp_path, text + "\n")
    assert told.notes == [f"{tmp_path / 'canonid.toml'}: {fault}; it is not heeded"]
    assert len(told.findings) == 3


def test_a_registry_lets_it_stand_beside_its_kinds() -> None:
    assert [*Registry.from_toml(KIND + "[audit]\nids = ['x']\n").kinds] == ["user"]


@pytest.mark.parametrize("name", ["trace_id", "TRACE_ID", "self.trace_id"])
def test_names_are_compared_whole_by_their_last_part_in_any_case(name: str) -> None:
    said = settings("[audit]\nids = ['Trace_?d']")
    assert said.insists(name)
    assert not said.insists(f"{name}s")
    assert not said.denies(name)
    assert not said.insists("")
