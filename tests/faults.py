"""The table of faults: what is promised for each, and what its test saw.

A test of a fault carries `@fault("name", promised="…")`, takes the fixture `seen`, and says at its end what
it saw, in words that are the same in every run. `pytest --write-faults` writes docs/faults.md from those that
passed.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "faults.md"
HEAD = """\
# Faults

What happens when something breaks. Each row is a test on real servers, processes and sockets; this page is
written by `pytest --write-faults`.

| fault | promised | seen | test |
|---|---|---|---|
"""


class Fault(NamedTuple):
    """One row without what was seen."""

    name: str
    promised: str
    test: str


def fault(name: str, *, promised: str) -> pytest.MarkDecorator:
    """Marks the test of a fault."""
    return pytest.mark.fault(name, promised=promised)


def declared() -> dict[str, Fault]:
    """Every fault that the source of a test declares, by its name."""
    found: dict[str, Fault] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text()
        if "@fault(" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            for mark in getattr(node, "decorator_list", ()):
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "fault":
                    name = ast.literal_eval(mark.args[0])
                    promised = ast.literal_eval(mark.keywords[0].value)
                    assert name not in found, f"two tests of the fault {name!r}"
                    found[name] = Fault(name, promised, f"{path.relative_to(ROOT).as_posix()}::{node.name}")
    return found


def rows() -> dict[str, list[str]]:
    """The cells of docs/faults.md, by the name of the fault."""
    if not PAGE.exists():
        return {}
    lines = PAGE.read_text().removeprefix(HEAD).splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")
    ]
    return {row[0]: row for row in cells}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-faults", action="store_true", help="write docs/faults.md from what tests saw")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(name, promised): the test of a fault, a row of docs/faults.md")
    config.stash[SEEN] = {}


@pytest.fixture
def seen(request: pytest.FixtureRequest):
    """Says what the test of a fault saw: `seen("released within 2 leases, each once")`."""
    mark = request.node.get_closest_marker("fault")
    assert mark is not None, "only the test of a fault sees one: mark it with @fault"

    def say(sentence: str) -> None:
        assert "|" not in sentence
        request.config.stash[SEEN][mark.args[0]] = sentence

    yield say
    assert mark.args[0] in request.config.stash[SEEN] or request.node.stash.get(FAILED, True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    mark = item.get_closest_marker("fault")
    if mark is not None and report.when == "call":
        item.stash[FAILED] = not report.passed
        if not report.passed:
            item.config.stash[SEEN].pop(mark.args[0], None)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not session.config.getoption("--write-faults"):
        return
    before, saw = rows(), session.config.stash[SEEN]
    lines = []
    for name, row in sorted(declared().items()):
        sentence = saw.get(name) or (before[name][2] if name in before else None)
        if sentence is not None:
            lines.append(f"| {name} | {row.promised} | {sentence} | `{row.test}` |\n")
    PAGE.write_text(HEAD + "".join(lines))


SEEN = pytest.StashKey[dict[str, str]]()
FAILED = pytest.StashKey[bool]()
