"""Which files an audit reads."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from typing import NamedTuple

SUFFIXES = (".py", ".pyw", ".ipynb")
SKIPPED = frozenset(
    [
        *(".bzr", ".git", ".git-rewrite", ".hg", ".svn"),
        *(".cache", ".hypothesis", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache"),
        *(".direnv", ".eggs", ".nox", ".tox", ".venv", "__pycache__", "__pypackages__"),
        *("bower_components", "dist-packages", "node_modules", "site-packages"),
    ]
)
BUILT = frozenset(["build", "dist", "_build"])  # skipped beside one of PROJECT, unless they are packages
PROJECT = frozenset(["pyproject.toml", "setup.py", "setup.cfg"])
ENVIRONMENT = frozenset(["pyvenv.cfg", "conda-meta"])  # what a virtual environment can be told by
GIT_SECONDS = 20


class Source(NamedTuple):
    """A file: `path` is relative to the root with `/` and safe to print, `file` opens it."""

    path: str
    file: str


class Sources(NamedTuple):
    """What there is to read, by path. `unreadable` are folders that can't be listed, with the reason."""

    root: str
    files: Sequence[Source]
    unreadable: Sequence[tuple[str, str]]


def sources(paths: Sequence[str | os.PathLike[str]], root: str | os.PathLike[str] | None = None) -> Sources:
    """The Python files and notebooks under some paths, in the same order on every machine.

    A file that is named is read whatever it is called. The root is the folder that is named, or the nearest
    one that holds all paths. Symbolic links in it are not followed. Left out are caches, virtual
    environments, installed packages and build output; and what `.gitignore` excludes and git does not track,
    where the folder is in a git work tree and git is there (one call of git for each folder named).

    Raises `FileNotFoundError` for a path that is not there.
    """
    named = [os.path.abspath(path) for path in paths]
    top = root_of(paths, root)
    found: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    for path in named:
        relative = os.path.relpath(path, top).replace(os.sep, "/")
        if os.path.isdir(path):
            _collect(path, "" if relative == "." else f"{relative}/", found, unreadable)
        else:
            found[relative] = path
    files = sorted([Source(_printable(path), file) for path, file in found.items()])
    return Sources(top, files, sorted([(_printable(path), why) for path, why in unreadable.items()]))


def root_of(paths: Sequence[str | os.PathLike[str]], root: str | os.PathLike[str] | None = None) -> str:
    """What paths of an audit are relative to. Raises as `sources` does."""
    named = [os.path.abspath(path) for path in paths]
    for path in [*named, *([] if root is None else [os.path.abspath(root)])]:
        if not os.path.exists(path):
            raise FileNotFoundError(f"no such file or folder: {path}")
    if root is not None:
        return os.path.abspath(root)
    return os.path.commonpath([path if os.path.isdir(path) else os.path.dirname(path) for path in named])


def work_tree(folder: str) -> str | None:
    """The nearest folder, this one or above it, that is a git work tree."""
    here = os.path.abspath(folder)
    while not os.path.exists(os.path.join(here, ".git")):
        here, before = os.path.dirname(here), here
        if here == before:
            return None
    return here


def _printable(path: str) -> str:
    """A name that is no UTF-8 is escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace") if not path.isascii() else path


def _collect(folder: str, prefix: str, found: dict[str, str], unreadable: dict[str, str]) -> None:
    """Git tells what it ignores while the folder is listed."""
    asked = _ask_git(folder)
    listed = list(_listed(folder, prefix, unreadable))
    ignored = _ignored(asked)
    shut: dict[str, bool] = {"": "./" in ignored}
    if shut[""]:  # named although it is ignored: it is meant
        ignored, shut = frozenset(), {"": False}
    for inner, path, names in listed:
        parent = inner[: inner.rfind("/", 0, -1) + 1]
        shut[inner] = shut.get(parent, False) or inner in ignored
        if shut[inner]:
            unreadable.pop(f"{prefix}{inner}"[:-1], None)
            continue
        for name in names:
            if f"{inner}{name}" not in ignored:
                found[f"{prefix}{inner}{name}"] = os.path.join(path, name)


def _listed(folder: str, prefix: str, unreadable: dict[str, str]) -> Iterator[tuple[str, str, list[str]]]:
    """This folder and each below it: its name from here ("" or with a `/` at its end), its path, the names of
    its files. Parents come first."""
    waiting = [("", folder)]
    while waiting:
        inner, path = waiting.pop()
        files: list[str] = []
        folders: list[os.DirEntry[str]] = []
        seen: set[str] = set()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    seen.add(entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry)
                    elif entry.name.endswith(SUFFIXES) and entry.is_file(follow_symlinks=False):
                        files.append(entry.name)
        except FileNotFoundError:  # it vanished
            continue
        except OSError as error:
            unreadable[f"{prefix}{inner}"[:-1] or "."] = f"can't be listed: {error.strerror}"
            continue
        if inner and not seen.isdisjoint(ENVIRONMENT):
            continue
        yield inner, path, files
        project = not seen.isdisjoint(PROJECT)
        for entry in folders:
            if entry.name in SKIPPED or (project and _is_built(entry)):
                continue
            waiting.append((f"{inner}{entry.name}/", entry.path))


def _is_built(folder: os.DirEntry[str]) -> bool:
    return folder.name in BUILT and not os.path.exists(os.path.join(folder.path, "__init__.py"))


def _ask_git(folder: str) -> subprocess.Popen[bytes] | None:
    """Starts to list what git ignores in a folder. None where it is in no work tree, or there is no git."""
    if work_tree(folder) is None:
        return None
    # Inside a hook, variables of git's own would name another folder. A file system monitor is a program
    # that the repository names: an audit runs nothing of what it reads.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    listing = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"]
    command = ["git", "-C", folder, "--no-optional-locks", "-c", "core.fsmonitor=false", *listing]
    quiet = subprocess.DEVNULL
    try:
        return subprocess.Popen(  # noqa: S603
            command, env=environment, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet
        )
    except OSError:
        return None


def _ignored(asked: subprocess.Popen[bytes] | None) -> frozenset[str]:
    """Files, and folders with a `/` at their end. None at all where git gives no answer."""
    if asked is None:
        return frozenset()
    with asked:
        try:
            answer, _ = asked.communicate(timeout=GIT_SECONDS)
        except subprocess.TimeoutExpired:
            asked.kill()
            return frozenset()
        except BaseException:
            asked.kill()
            raise
    return frozenset(os.fsdecode(answer).split("\0")[:-1]) if asked.returncode == 0 else frozenset()
