"""Settings, and the secret that every process must agree on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from goldenpath.settings import Settings

STARTS = """
import sys
from pathlib import Path
from goldenpath.settings import Settings
print("ready", flush=True)
sys.stdin.readline()
print(Settings.from_environment({}, data=Path(sys.argv[1])).secret.hex())
"""


def test_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    data = tmp_path / "data"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", STARTS, str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    secrets = [process.communicate(timeout=30)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert secrets == [(data / "secret").read_bytes().hex()] * 4
    assert [path.name for path in data.iterdir()] == ["secret"]


def test_the_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = Settings.from_environment({}, data=tmp_path / "data")
    assert Settings.from_environment({}, data=tmp_path / "data").secret == first.secret
    assert len(first.secret) == 32
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_the_environment_comes_before_the_kept_secret_and_overrides_before_both(tmp_path: Path) -> None:
    env = {
        "GOLDENPATH_DATA": str(tmp_path / "data"),
        "GOLDENPATH_SECRET": "e" * 32,
        "GOLDENPATH_ORIGINS": "https://a.example, http://b.example:8080",
    }
    settings = Settings.from_environment(env)
    assert settings == Settings(
        data=tmp_path / "data", secret=b"e" * 32, origins=("https://a.example", "http://b.example:8080")
    )
    assert not (tmp_path / "data" / "secret").exists()
    overridden = Settings.from_environment(env, secret=b"o" * 32, origins=(), token_seconds=5)
    assert (overridden.secret, overridden.origins, overridden.token_seconds) == (b"o" * 32, (), 5)


def test_data_is_below_the_current_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment({}).data == tmp_path / "var" / "goldenpath"


def test_a_short_secret_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has 5 bytes, 32 or more") as caught:
        Settings.from_environment({"GOLDENPATH_SECRET": "hello"}, data=tmp_path)
    assert "hello" not in str(caught.value)


@pytest.mark.parametrize("origin", ["*", "chat.example", "https://chat.example/", "ftp://chat.example"])
def test_what_is_no_origin_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        Settings.from_environment({"GOLDENPATH_ORIGINS": origin}, data=tmp_path)


def test_printing_settings_does_not_tell_the_secret() -> None:
    assert "ssss" not in repr(Settings(data=Path("nowhere"), secret=b"s" * 32))
