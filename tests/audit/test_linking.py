"""What only all files together show."""

import tomllib
from pathlib import Path

import pytest

from canonid.audit.linking import link
from canonid.audit.rules import OF_REPOSITORIES
from canonid.audit.scanning import scan

PROJECTS = sorted((Path(__file__).parent / "projects").iterdir())
CODES = {rule.code for rule in OF_REPOSITORIES}


def linked(texts, root="."):
    facts = [scan(path, text.encode()) for path, text in texts.items()]
    assert not [each.error for each in facts if each.error]
    return link(root, facts)


def of_project(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*.py"))}


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_a_project_has_what_its_labels_say_and_nothing_else(project):
    texts = of_project(project)
    found = [each for each in linked(texts).findings if each.code in CODES]
    expected = [tuple(each) for each in tomllib.loads((project / "labels.toml").read_text())["findings"]]
    seen = []
    for each in found:
        line = texts[each.path].splitlines()[each.line - 1]
        label = next(
            (label for label in expected if label[:2] == (each.code, each.path) and label[2] in line), None
        )
        assert label, f"{each.code} {each.path}:{each.line} {each.message}: {line.strip()}"
        seen.append(label)
    assert sorted(set(expected) - set(seen)) == []
    assert len(seen) == len(expected)


def test_the_order_of_files_changes_nothing():
    texts = of_project(PROJECTS[1])
    facts = [scan(path, text.encode()) for path, text in texts.items()]
    assert link(".", facts) == link(".", reversed(facts))
