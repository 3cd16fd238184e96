"""Which files an audit reads."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from canonid.audit.sources import sources


def write(root, *paths):
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x = 1\n")


def paths(*named, root=None):
    return [source.path for source in sources(named, root).files]


@pytest.fixture
def repository(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("there is no git here")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def test_python_and_notebooks_in_order(tmp_path):
    write(tmp_path, "b.py", "a/z.py", "a.pyw", "a/n.ipynb", "a/readme.md", "stub.pyi", ".github/x.py")
    assert paths(tmp_path) == [".github/x.py", "a.pyw", "a/n.ipynb", "a/z.py", "b.py"]


@pytest.mark.parametrize(
    "folder", [".git", "__pycache__", "node_modules", "lib/site-packages", ".venv", ".mypy_cache"]
)
def test_caches_and_installed_packages_are_left_out(tmp_path, folder):
    write(tmp_path, f"src/{folder}/x.py", "src/y.py")
    assert paths(tmp_path) == ["src/y.py"]


def test_a_virtual_environment_of_any_name_is_left_out(tmp_path):
    write(tmp_path, "py311/bin/x.py", "py311/pyvenv.cfg", "y.py")
    assert paths(tmp_path) == ["y.py"]


def test_build_output_is_left_out_but_a_package_of_that_name_is_not(tmp_path):
    write(
        tmp_path,
        "one/pyproject.toml",
        "one/build/x.py",
        "two/setup.py",
        "two/build/__init__.py",
        "build/x.py",
    )
    assert paths(tmp_path) == ["build/x.py", "two/build/__init__.py", "two/setup.py"]


def test_links_are_not_followed(tmp_path):
    write(tmp_path, "a/x.py")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again.py").symlink_to(tmp_path / "a" / "x.py")
    assert paths(tmp_path) == ["a/x.py"]


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    assert paths(tmp_path) == []


def test_a_named_file_is_read_whatever_it_is_called(tmp_path):
    write(tmp_path, "bin/tool")
    assert paths(tmp_path / "bin" / "tool") == ["tool"]
    assert paths(tmp_path / "bin" / "tool", root=tmp_path) == ["bin/tool"]


def test_the_root_of_several_paths_holds_them_all(tmp_path):
    write(tmp_path, "src/a.py", "tests/b.py", "other/c.py")
    assert paths(tmp_path / "tests", tmp_path / "src", tmp_path / "src" / "a.py") == [
        "src/a.py",
        "tests/b.py",
    ]


def test_a_missing_path_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        sources([tmp_path, tmp_path / "nowhere"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_told(tmp_path):
    write(tmp_path, "shut/x.py")
    (tmp_path / "shut").chmod(0)
    assert sources([tmp_path]).unreadable == [("shut", "can't be listed: Permission denied")]


def test_a_name_that_is_no_text_can_be_printed(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.py")).write_text("x = 1\n")
    (source,) = sources([tmp_path]).files
    assert source.path == "caf\\xe9.py"
    assert Path(source.file).read_text() == "x = 1\n"


def test_what_git_ignores_is_left_out_unless_it_is_tracked(repository):
    write(repository, "a/x.py", "var/y.py", "var/kept.py", "a/one_gen.py", "nested/n.py")
    subprocess.run(["git", "init", "-q", repository / "nested"], check=True)
    (repository / ".gitignore").write_text("var/\n*_gen.py\n")
    subprocess.run(["git", "-C", repository, "add", "-f", "var/kept.py"], check=True)
    assert paths(repository) == ["a/x.py", "nested/n.py", "var/kept.py"]
    assert paths(repository / "a") == ["x.py"]


def test_an_ignored_folder_that_is_named_is_read(repository):
    write(repository, "var/y.py", "var/sub/z.py")
    (repository / ".gitignore").write_text("var/\n")
    assert paths(repository) == []
    assert paths(repository / "var") == ["sub/z.py", "y.py"]


def test_git_runs_no_program_of_the_repository(repository, tmp_path):
    write(repository, "x.py")
    monitor = repository / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    monitor.chmod(0o755)
    subprocess.run(["git", "-C", repository, "config", "core.fsmonitor", str(monitor)], check=True)
    assert paths(repository) == ["x.py"]
    assert not (tmp_path / "ran").exists()


def test_the_variables_of_a_git_hook_do_not_mislead(repository, monkeypatch):
    write(repository, "x.py", "y.py")
    (repository / ".gitignore").write_text("y.py\n")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert paths(repository) == ["x.py"]
