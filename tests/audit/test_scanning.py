"""Where one file's findings stand, what its path says of it, and what is wrong with it."""

import pytest

from canonid.audit.paths import is_test
from canonid.audit.scanning import SMALL_BYTES, scan
from canonid.audit.suppressing import suppress

LONG = b"number = 1\n" * SMALL_BYTES


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"def broken(:\n    pass\n", "SyntaxError"),
        (b"print 'hello'\n", "SyntaxError"),
        (b"import uuid\nuser_id = uuid.uuid4(\n", "SyntaxError"),
        (LONG + b"import uuid\nuser_id = uuid.uuid4(\n", "SyntaxError"),
        (b"name = '\xe9'\n", "SyntaxError"),
        (LONG + b"name = '\xe9'\n", "UnicodeDecodeError"),
        (LONG + b"name = '\0'\n", "null bytes"),
        ("name = 1\n".encode("utf-16"), "null bytes"),
        (b"# coding: klingon\n" + LONG + b"name = '\xe9'\n", "SyntaxError"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, error: str) -> None:
    assert error in scan("a.py", data).error


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xef\xbb\xbfname = 1\n",
        LONG,
        LONG + "name = 'é'\n".encode(),
        b"# coding: latin-1\n" + LONG + b"# \xe9\n",
    ],
)
def test_what_is_right_is_not_wrong(data: bytes) -> None:
    assert scan("a.py", data).error == ""


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
