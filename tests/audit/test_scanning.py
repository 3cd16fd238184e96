"""Where one file's findings stand, and what its path says of it."""

import pytest

from canonid.audit.paths import is_test
from canonid.audit.scanning import scan
from canonid.audit.suppressing import suppress


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_python_reads_them(end):
    lines = ["import uuid", "\f", 's = "é\x1c\u2028"; user_id = uuid.uuid4()', "", ""]
    (found,) = scan("a.py", end.join(lines).encode()).drafts
    assert (found.place.line, found.place.column) == (3, lines[2].index("uuid") + 1)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_comment_is_heeded_whatever_lines_end_with(end):
    lines = ["import uuid", "user_id = uuid.uuid4()  # canonid: ignore[CID101] a fixture", "x = 1", ""]
    facts = scan("a.py", end.join(lines).encode())
    assert suppress(facts.directives, facts.drafts).drafts == []


@pytest.mark.parametrize("path", ["tests/a.py", "app/tests.py", "tests.py", "app/test_a.py", "a/conftest.py"])
def test_what_a_test_is(path):
    assert is_test(path)


@pytest.mark.parametrize("path", ["app/latest.py", "modules/test.py", "app/tests.pyw/a.py", "contests.py"])
def test_what_no_test_is(path):
    assert not is_test(path)
