"""What is wrong with a file is said, also where nothing in it could be an ID."""

import pytest

from canonid.audit.scanning import SMALL_BYTES, scan

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
