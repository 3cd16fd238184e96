"""Every rule finds one thing in each of its invalid examples, and nothing in the valid ones."""

from __future__ import annotations

import pytest

from canonid.audit.linking import link
from canonid.audit.rule import Rule
from canonid.audit.rules import RULES
from canonid.audit.scanning import scan


def files(example: str) -> dict[str, str]:
    """The files of an example: one, or several, each below a line that names it."""
    if not example.startswith("# file: "):
        return {"example.py": example}
    pieces = [piece.partition("\n") for piece in example.split("# file: ")[1:]]
    return {name.strip(): content for name, _, content in pieces}


def codes(example: str) -> list[str]:
    facts = [scan(path, text.encode()) for path, text in files(example).items()]
    return [finding.code for finding in link("/", facts).findings]


@pytest.mark.parametrize(
    ("rule", "example"), [pytest.param(rule, each, id=rule.code) for rule in RULES for each in rule.invalid]
)
def test_a_rule_finds_one_thing_in_an_invalid_example(rule: type[Rule], example: str) -> None:
    assert codes(example).count(rule.code) == 1


@pytest.mark.parametrize(
    ("rule", "example"), [pytest.param(rule, each, id=rule.code) for rule in RULES for each in rule.valid]
)
def test_a_rule_finds_nothing_in_a_valid_example(rule: type[Rule], example: str) -> None:
    assert rule.code not in codes(example)


def test_codes_are_given_once_and_each_rule_says_what_to_do() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.title and rule.why and rule.instead
        assert rule.invalid and rule.valid
