"""`canonid init` as people use it."""

import json
import os
import subprocess
import sys

import pytest

CODE = "import uuid\n\n\ndef make_user_id():\n    return f'user_{uuid.uuid4().hex}'\n"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "ids.py").write_text(CODE)
    monkeypatch.chdir(folder)
    return folder


def canonid(*arguments):
    command = [sys.executable, "-m", "canonid.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, encoding="utf-8")


def test_what_is_written_passes_the_check(repository):
    result = canonid("init")
    assert (result.returncode, result.stderr) == (0, "")
    assert "1 kind, 1 format, 0 services" in result.stdout
    checked = canonid("registry", "check")
    assert checked.returncode == 0
    assert "no faults" in checked.stdout
    assert canonid("id", "check", "--kind", "user", "user_" + "0" * 32).returncode == 0
    assert "ids.py:4 (make_user_id)" in (repository / "canonid.toml").read_text()


def test_a_file_that_is_there_stays_unless_it_is_said(repository):
    file = repository / "canonid.toml"
    file.write_text("[kinds.mine]\n")
    refused = canonid("init")
    assert refused.returncode == 3
    assert "--force" in refused.stderr
    assert file.read_text() == "[kinds.mine]\n"
    assert canonid("init", "--force").returncode == 0
    assert "[kinds.user]" in file.read_text()


def test_a_link_to_nowhere_is_not_followed(repository):
    (repository / "canonid.toml").symlink_to("../elsewhere.toml")
    assert canonid("init").returncode == 3
    assert not (repository.parent / "elsewhere.toml").exists()


def test_a_registry_in_another_place_is_not_hidden(repository):
    (repository / "pyproject.toml").write_text("[tool.canonid.kinds.mine]\n")
    refused = canonid("init")
    assert refused.returncode == 3
    assert "pyproject.toml" in refused.stderr
    assert not (repository / "canonid.toml").exists()
    assert canonid("init", "-o", "other.toml").returncode == 0


def test_a_dry_run_shows_the_file_and_writes_nothing(repository):
    shown = canonid("init", "--dry-run")
    assert shown.returncode == 0
    assert os.listdir(repository) == ["ids.py"]
    canonid("init")
    assert (repository / "canonid.toml").read_text() == shown.stdout


def test_of_one_file_the_registry_stands_beside_it(repository):
    assert canonid("init", "ids.py").returncode == 0
    assert sorted(os.listdir(repository)) == ["canonid.toml", "ids.py"]


def test_the_audit_names_it_until_there_is_a_registry(repository):
    assert "canonid init  # a first registry" in canonid("audit").stdout
    canonid("init")
    assert "canonid init" not in canonid("audit").stdout


def test_json_names_what_is_declared(repository):
    told = json.loads(canonid("init", "--json").stdout)
    assert told["registry"] == "canonid.toml"
    assert told["kinds"] == told["formats"] == ["user"]


def test_the_audit_takes_its_services_from_what_was_written(repository):
    """The registry that was written is the one by which the audit tells services from then on."""
    canonid("init")
    assert canonid("audit", "--exit-zero").returncode == 0


def test_where_nothing_is_found_nothing_is_written(repository):
    (repository / "ids.py").write_text("x = 1\n")
    result = canonid("init")
    assert result.returncode == 1
    assert os.listdir(repository) == ["ids.py"]


@pytest.mark.parametrize("arguments", [["nowhere"], ["-o", "no/such/folder.toml"]])
def test_what_can_not_be_done_is_said_on_standard_error(repository, arguments):
    result = canonid("init", *arguments)
    assert (result.returncode, result.stdout) == (3, "")
    assert "Traceback" not in result.stderr
    assert "canonid: " in result.stderr
