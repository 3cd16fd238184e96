"""What docs/compat.md says is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from canonid import compat
from canonid.compat import (
    claims,
    counting,
    lineage,
    records,
    sessions,
    texts,
    unified_id_generator,
    unified_id_manager,
)
from canonid.compat.texts import normalised

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "compat.md").read_text(encoding="utf-8")
REGISTRY = ROOT / "tests" / "registries" / "legacy.toml"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_code_on_the_page_does_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("canonid.toml").write_text(REGISTRY.read_text(encoding="utf-8"), encoding="utf-8")
    names: dict[str, object] = {}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"block {number}", "exec"), names)
    with names["store"]:
        assert list(names["pools"]["threads"]) == [names["other"]] and not names["pools"]["runs"]
        ancestry = names["store"].ancestry(names["run"], "run")
        assert [record.text for record in ancestry] == [names["run"], names["thread"], names["user"]]
        assert compat.stats().unrecorded == 0
        assert compat.stats().claims == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "run cancelled"
    assert re.fullmatch(r"backend UnifiedIdGenerator\.generate_base_id block \d:3 3", printed[1])


def test_normalising_is_as_the_page_shows_it():
    rows = re.findall(r"^\| `(\S+)` (?:\([^)]*\) )?\| `(\S+)` \|$", PAGE, re.MULTILINE)
    shown = [(text, normal) for text, normal in rows if normal.endswith(("deadbeef", "9a465325"))]
    assert len(shown) == 2
    for text, normal in shown:
        assert normalised(text) == normal


@pytest.mark.parametrize(
    "limit",
    [records.LIMIT, records.RELEASED_LIMIT, lineage.LIMIT, claims.LIMIT, sessions.LIMIT, counting.LIMIT,
     texts.LONGEST_PART],
)  # fmt: skip
def test_the_page_tells_the_limits(limit):
    assert f"{limit:,}" in PAGE


def test_every_name_that_never_existed_is_on_the_page_and_there():
    section = PAGE.split("### Names that callers used")[1].split("## ")[0]
    manager, generator = section.split("On `UnifiedIdGenerator`")
    for name in re.findall(r"`((?:generate|validate|get|migrate)_[a-z_]+)`", manager):
        assert hasattr(unified_id_manager.UnifiedIDManager, name)
    for name in re.findall(r"`([a-z]+_id)`", generator):
        full = name if name.startswith("generate_") else f"generate_{name}"
        assert hasattr(unified_id_generator.UnifiedIdGenerator, full)
