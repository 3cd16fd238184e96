"""What `python -m goldenpath` says when it starts, or can't."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from golden import ROOT, process


def refused(data: Path, *arguments: str, **env: str) -> str:
    """What is said on standard error by a start that fails."""
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "examples" / "goldenpath")])}
    ended = subprocess.run(
        [sys.executable, "-m", "goldenpath", "--port", "0", "--data", str(data), *arguments],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, env=os.environ | paths | env,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("auth.db", "file is not a database"),
        ("chat.db", "file is not a database"),
        ("canonid.db", "is not a SQLite database"),
    ],
)
def test_a_file_that_is_no_database_is_named(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / name).write_text("not a database at all\n" * 100)
    said = refused(tmp_path)
    assert said.startswith(f"goldenpath: {tmp_path / name}")
    assert sentence in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("delay", ["soon", "-1", "nan", "inf", "61"])
def test_a_token_delay_that_is_none_is_refused_by_name(tmp_path: Path, delay: str) -> None:
    said = refused(tmp_path, GOLDENPATH_TOKEN_DELAY=delay)
    expected = "expected seconds from 0 to 60, like 0.02"
    assert said == f"goldenpath: GOLDENPATH_TOKEN_DELAY is '{delay}'; {expected}\n"


def test_a_port_in_use_is_answered_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(tmp_path, "--port", str(port))
    assert (
        said == f"goldenpath: can't listen on 127.0.0.1:{port}: Address already in use; try another --port\n"
    )


def test_it_says_whose_pages_may_connect(tmp_path: Path) -> None:
    origins = {"GOLDENPATH_ORIGINS": "http://192.168.0.9:8100"}
    with process("--data", tmp_path, "--host", "0.0.0.0", **origins) as (server, url):
        port = url.rsplit(":", 1)[1]
        assert server.stdout is not None
        server.stdout.readline()
        own = ", ".join(f"http://{host}:{port}" for host in ("0.0.0.0", "127.0.0.1", "localhost"))
        assert server.stdout.readline() == (
            f"(pages of http://192.168.0.9:8100, {own} may connect; GOLDENPATH_ORIGINS adds others)\n"
        )
