"""`# canonid: ignore[CODE] reason`."""

import pytest

from canonid.audit.facts import Directive
from canonid.audit.findings import Draft, Place
from canonid.audit.suppressing import directives, suppress


def draft(line, end_line=None, code="CID101"):
    place = Place(line, 1, end_line or line, 5)
    return Draft(code, place, "certain", "", "", "makes an ID", "uuid4()")


def codes(suppressed):
    return [each.code for each in suppressed.drafts]


def test_a_comment_hides_what_is_on_its_line():
    found = suppress(
        directives("x = uuid4()  # canonid: ignore[CID101] of a fixture\n"), [draft(1), draft(2)]
    )
    assert [each.place.line for each in found.drafts] == [2]
    assert [(each.code, each.reason) for each in found.ignored] == [("CID101", "comment: of a fixture")]


def test_several_rules_in_one_comment():
    found = suppress(
        directives("x = uuid4().hex[:8]  # canonid: ignore[CID101, CID301] shown only\n"),
        [draft(1), draft(1, code="CID301"), draft(1, code="CID201")],
    )
    assert codes(found) == ["CID201"]


@pytest.mark.parametrize("line", [1, 2, 3])
def test_any_line_of_the_place_will_do(line):
    lines = ["x = f(", "  uuid4(),", "  y)"]
    lines[line - 1] += "  # canonid: ignore[CID101] a fixture"
    assert codes(suppress(directives("\n".join(lines)), [draft(1, 3)])) == []


def test_a_comment_at_the_end_of_a_statement_is_about_all_of_it():
    text = "x = str(\n    uuid4()\n)  # canonid: ignore[CID101] where a formatter puts it\n"
    assert codes(suppress(directives(text), [draft(2)])) == []


def test_a_comment_in_the_middle_of_a_statement_is_about_its_line():
    text = "x = [\n  uuid4(),\n  uuid4(),  # canonid: ignore[CID101] this one\n]\n"
    found = suppress(directives(text), [draft(2), draft(3)])
    assert [each.place.line for each in found.drafts] == [2]


@pytest.mark.parametrize(
    "comment", ["ignore[CID101]", "ignore[CID101]   ", "ignore", "ignore[] why", "ignore why"]
)
def test_without_rule_or_reason_it_hides_nothing_and_is_reported(comment):
    found = suppress(directives(f"x = uuid4()  # canonid: {comment}\n"), [draft(1)])
    assert codes(found) == ["CID101", "CID002"]


def test_what_hides_nothing_is_reported():
    found = suppress(directives("x = 1  # canonid: ignore[CID101, CID301] once\n"), [draft(1, code="CID301")])
    assert codes(found) == ["CID003"]
    assert "CID101" in found.drafts[0].message
    assert "CID301" not in found.drafts[0].message


def test_a_text_that_only_looks_like_a_comment_hides_nothing():
    text = 's = "# canonid: ignore[CID101] no"\nt = """\n# canonid: ignore[CID101] no\n"""\n'
    assert directives(text) == ()


@pytest.mark.parametrize(
    "text", ["x = (  # canonid: ignore[A] b\n", "if x:\n  y\n z  # canonid: ignore[A] b\n", "'"]
)
def test_a_file_that_is_broken_has_none(text):
    assert directives(text + "# canonid:") == ()


def test_they_come_in_order():
    text = "# canonid: ignore[A] a\nx = 1  # canonid: ignore[B] b\n"
    assert directives(text) == (Directive(1, ("A",), "a"), Directive(2, ("B",), "b", 2))
