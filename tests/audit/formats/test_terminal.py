"""The report on a terminal."""

import re

import pytest

from canonid.audit.excerpts import width
from canonid.audit.formats.terminal import Screen, explanation, ignored, listed, terminal
from canonid.audit.rules import BY_CODE, RULES

NEXT = ["canonid audit --explain CID101", "canonid audit --update-baseline", "and so on"]
PAINT = re.compile(r"\x1b\[\d+m")


def lines(audited, screen):
    return "".join(terminal(audited.report, BY_CODE, audited.lines_of, screen, NEXT)).splitlines()


def crowd(audited):
    """A report with a thousand findings of each rule."""
    one = next(each for each in audited.report.findings if each.category == "hand-made")
    many = [
        one._replace(code=rule.code, category=rule.category, priority=rule.priority, line=number)
        for rule in RULES
        for number in range(1, 1001)
    ]
    return audited._replace(report=audited.report._replace(findings=many))


@pytest.mark.parametrize("columns", [80, 100, 200])
@pytest.mark.parametrize("rows", [24, 30, 40, 60])
def test_it_fits_the_screen(audited, columns, rows):
    for each in (audited, crowd(audited)):
        shown = lines(each, Screen(columns, rows))
        assert len(shown) < rows
        assert max(width(line) for line in shown) <= columns
        assert shown[-1].strip() == "and so on"


def test_a_narrow_terminal_gets_what_it_can_take(audited):
    assert max(width(line) for line in lines(crowd(audited), Screen(40, 24))) <= 40


def test_ten_are_shown_on_the_smallest_screen(audited):
    crowded = crowd(audited).report
    few = frozenset([rule.code for rule in RULES if rule.category not in ("broken-file", "suppression")][:10])
    some = crowded._replace(findings=[each for each in crowded.findings if each.code in few])
    shown = lines(audited._replace(report=some), Screen(80, 24))
    assert sum(line.startswith("  app/ids.py:") for line in shown) == 10
    assert len(shown) < 24


def test_where_there_is_no_end_nothing_is_left_out(audited):
    text = "\n".join(lines(audited, Screen(100)))
    for each in audited.report.findings:
        assert each.code in text
    assert "return f'user_{int(time.time())}_{uuid.uuid4().hex[:8]}'" in text
    assert BY_CODE["CID201"].why.split(",")[0] in text
    assert "broken.py" in text


def test_colours_only_where_they_are_shown(audited):
    plain, painted = (lines(audited, Screen(90, 30, colour)) for colour in (False, True))
    assert not any("\x1b" in line for line in plain)
    assert any(PAINT.search(line) for line in painted)
    assert [PAINT.sub("", line) for line in painted] == plain


def test_nothing_of_the_source_reaches_the_terminal_raw(audited):
    everything = [
        *lines(audited, Screen(200)),
        *listed(audited.report.findings, Screen()),
        *ignored(audited.report),
    ]
    assert all(line.rstrip("\n").isprintable() for line in everything)


def test_a_list_names_every_finding(audited):
    shown = list(listed(audited.report.findings, Screen()))
    assert len(shown) == len(audited.report.findings)
    assert any(line.startswith("app/ids.py:9:11: CID101 ") for line in shown)


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_a_rule_explains_itself(code):
    text = "".join(explanation(BY_CODE[code]))
    assert text.startswith(code)
    assert "Instead: " in text
    assert all(line in text for example in BY_CODE[code].invalid for line in example.splitlines())
