"""Hostile arguments, standard input and files: clear lines, an exit code, nothing that harms a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from canonid.cli.main import main
from core.bad_input import BAD, MB, RICH, USER

TYPED = {name: text for name, text in BAD.items() if isinstance(text, str)} | {
    "not UTF-8": "\udcff",
    "a dash": "-",
    "an option": "--nothing",
    "an assignment": "=",
    "a control character within": "user\x1b[2J",
}
COMMANDS = {
    "mint": ["id", "mint"],
    "mint for a service": ["id", "mint", "user", "--service"],
    "mint in a format": ["id", "mint", "user", "--format"],
    "mint with a field": ["id", "mint", "user", "--format", "old", "--field"],
    "mint with another": ["id", "mint", "user", "--format", "old", "--field", "operation=a", "--field"],
    "mint many": ["id", "mint", "user", "-n"],
    "mint too much": ["id", "mint", "user"],
    "explain": ["id", "explain"],
    "explain of a service": ["id", "explain", USER, "--service"],
    "explain from a store": ["id", "explain", USER, "--store"],
    "check": ["id", "check"],
    "check a kind": ["id", "check", USER, "--kind"],
    "check a format": ["id", "check", USER, "--format"],
    "translate": ["id", "translate"],
    "translate to": ["id", "translate", USER, "--to"],
    "resolve": ["id", "resolve", USER, "--store"],
    "registry check": ["registry", "check", "--registry"],
    "registry diff": ["registry", "diff"],
    "registry diff to": ["registry", "diff", "good.toml"],
    "id": ["id"],
    "registry": ["registry"],
    "nothing": [],
}


@pytest.fixture
def canonid(tmp_path, monkeypatch):
    """A call of the command line in a folder with a registry: exit code, output, errors."""
    (tmp_path / "good.toml").write_text(RICH)
    monkeypatch.chdir(tmp_path)

    def call(*arguments, stdin=b""):
        streams = {
            name: io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for name in ("out", "err")
        }
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
            patch.setattr(sys, "stdout", streams["out"])
            patch.setattr(sys, "stderr", streams["err"])
            named = [] if "--registry" in arguments else ["--registry", "good.toml"]
            try:
                code = main([*arguments, *named])
            except SystemExit as stopped:  # argparse has refused
                code = stopped.code
        return code, *[stream.buffer.getvalue().decode() for stream in streams.values()]

    return call


def check_output(code, out, err, *, longest=320):
    assert code in (0, 1, 2, 3)
    assert (code == 0) <= (err == "")
    for line in (out + err).split("\n"):
        assert len(line) <= longest
        assert all(char.isprintable() for char in line)


@pytest.mark.parametrize("what", TYPED)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("json", [False, True], ids=["text", "json"])
def test_whatever_is_typed_gets_an_answer_and_an_exit_code(canonid, command, what, json):
    arguments = [*(["--json"] if json else []), *COMMANDS[command], TYPED[what]]
    code, out, err = canonid(*arguments)
    check_output(code, "" if json else out, err)
    if json:
        assert out.isascii()


@pytest.mark.parametrize("command", ["explain", "check", "translate"])
@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\0\n" * 10,
        b"a" * MB,
        b"_\n" * 1000,
        b"\r\n\r\r\n",
        b"\x1b[31m\n",
        "us\u0435r\u2028\n".encode(),
        b"\0",
    ],
    ids=["bytes", "1 MB", "lines", "returns", "escape", "look-alike", "nul"],
)
def test_whatever_comes_in_is_answered_line_by_line(canonid, command, data):
    code, out, err = canonid("id", command, stdin=data)
    assert code == 1
    check_output(code, out, err)
    if command == "translate":
        lines = data.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
        assert [line[:2] for line in out.splitlines()] == ["! "] * len(lines)


FILES = {
    "bytes": bytes(range(256)) * 100,
    "nul": b"\0" * 1000,
    "1 MB": b"a" * MB,
    "empty": b"",
    "escape": b'[kinds."\\u001b[31m"]',
    "another encoding": "[kinds.user] # \u00e9".encode("latin-1"),
    "deep": b"x = " + b"[" * 5000,
}


@pytest.mark.parametrize("what", FILES)
def test_whatever_is_in_a_file_is_reported(canonid, tmp_path, what):
    (tmp_path / "bad.toml").write_bytes(FILES[what])
    for arguments in (
        ["registry", "check", "--registry", "bad.toml"],
        ["registry", "diff", "bad.toml"],
        ["registry", "diff", "good.toml", "bad.toml"],
        ["id", "check", USER, "--registry", "bad.toml"],
    ):
        code, out, err = canonid(*arguments)
        assert code in (1, 3)
        check_output(code, out, err)
    check_output(*canonid("registry", "diff", "-", stdin=FILES[what]))
    (tmp_path / "bad.db").write_bytes(FILES[what])
    code, out, err = canonid("id", "resolve", USER, "--store", "bad.db")
    assert code == 3
    check_output(code, out, err)


def test_a_file_without_end_is_refused(canonid):
    code, out, _ = canonid("registry", "check", "--registry", "/dev/zero")
    assert code == 1
    assert "may have 262144 characters" in " ".join(out.split())


def test_a_clock_out_of_range_is_told_without_a_traceback(canonid, monkeypatch):
    def load(path):
        from canonid import Registry

        return Registry.from_toml(RICH, clock=lambda: 2.0**60)

    monkeypatch.setattr("canonid.cli.ids.load_registry", load)
    code, out, err = canonid("id", "mint", "user")
    assert (code, out) == (3, "")
    assert err.startswith("canonid: the clock says ")
    check_output(code, out, err)
