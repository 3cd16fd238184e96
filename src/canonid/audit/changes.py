"""Which lines have changed since a revision of git."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from canonid.audit.findings import Finding
from canonid.audit.sources import work_tree
from canonid.errors import CanonidError, show

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}

# What git sets for its hooks: relative to where they run, not to the folder that is asked about.
_OF_A_HOOK = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_DIFF_OPTS"}
)

_OF_THE_REPOSITORY = ("local", "worktree")  # scopes of settings
_NONE: Mapping[str, str] = MappingProxyType({})


class NoSuchRevision(CanonidError):
    """Git doesn't know the revision, or there is no git work tree."""


class Changes(NamedTuple):
    """Lines by path relative to the root, with `/`, as first and last; whole files that git doesn't
    track, and repositories in this one, with `/` at their end.

    Where lines were only removed, first is the line after them and last the one before.
    """

    lines: Mapping[str, list[tuple[int, int]]]
    untracked: frozenset[str]

    def touch(self, finding: Finding) -> bool:
        """Whether a finding stands on a line that has changed, or is about a whole file of which any has."""
        if not self.untracked.isdisjoint(_and_folders(finding.path)):
            return True
        if finding.category == "broken-file":
            return finding.path in self.lines
        ranges = self.lines.get(finding.path, ())
        return any(first <= finding.end_line and finding.line <= last for first, last in ranges)


def _and_folders(path: str) -> list[str]:
    """A path and the folders that it is in: of a repository in another one git names the folder alone."""
    return [path, *[path[: at + 1] for at, character in enumerate(path) if character == "/"]]


def changes_since(root: str, revision: str) -> Changes:
    """What differs in the work tree under `root` from where it left `revision`: from their merge base.

    Where there is none, as in a shallow clone, from the revision itself. A file that was only renamed has not
    changed. Before the first commit all differs from HEAD. NoSuchRevision, OSError.
    """
    commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None and revision == "HEAD" and _git(root, "symbolic-ref", "--quiet", "HEAD") is not None:
        commit = _git(root, "hash-object", "-t", "tree", "--stdin")  # of nothing: there is no commit yet
    if commit is None:
        if _git(root, "rev-parse", "--is-inside-work-tree") is None:
            if work_tree(root) is not None:  # most often it is another user's
                raise NoSuchRevision(f"git can't use the work tree of {root}; `git status` there says why")
            raise NoSuchRevision(f"{root} is in no git work tree, whose revisions --since could name")
        raise NoSuchRevision(f"git knows no revision {show(revision)} in {root}; a shallow clone may lack it")
    name = commit.decode().strip()
    base = _git(root, "merge-base", name, "HEAD") or commit
    patch = _git(
        root,
        "-c", "core.quotePath=false",
        "diff", "-U0", "--relative", "--find-renames", "--no-color", "--no-ext-diff", "--no-textconv",
        "--text", "--inter-hunk-context=0", "--ignore-submodules", "--src-prefix=a/", "--dst-prefix=b/",
        base.decode().strip(), "--", ".",
        settings=_without_filters(root),
    )  # fmt: skip
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    if patch is None or untracked is None:
        raise NoSuchRevision(f"git can't compare {root} with {show(revision)}")
    lines: dict[str, list[tuple[int, int]]] = {}
    for path, first, last in _changed(patch):
        lines.setdefault(path, []).append((first, last))
    return Changes(lines, frozenset(_shown(path) for path in untracked.split(b"\0") if path))


def _without_filters(root: str) -> dict[str, str]:
    """Settings that turn off the programs through which the repository itself wants its files to go."""
    asked = ["--show-scope", "--name-only", "-z", "--get-regexp", r"^filter\..*\.(clean|process)$"]
    told = os.fsdecode(_git(root, "config", *asked) or b"").split("\0")
    names = [name for scope, name in zip(told[::2], told[1::2], strict=False) if scope in _OF_THE_REPOSITORY]
    required = {f"{name.rpartition('.')[0]}.required": "false" for name in names}
    return dict.fromkeys(names, "") | required


def _git(root: str, *arguments: str, settings: Mapping[str, str] = _NONE) -> bytes | None:
    """What git says, or None if it fails."""
    try:
        result = _run(root, arguments, settings)
    except FileNotFoundError:
        raise NoSuchRevision("there is no git here, which knows what has changed") from None
    return result.stdout if result.returncode == 0 else None


def _run(
    root: str, arguments: tuple[str, ...], settings: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    count = int(environment.get("GIT_CONFIG_COUNT") or 0)
    for number, (name, value) in enumerate(settings.items(), count):
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    environment["GIT_CONFIG_COUNT"] = str(count + len(settings))
    # A file system monitor is a program that the repository names: an audit runs nothing of what it reads.
    return subprocess.run(  # noqa: S603
        ["git", "-C", root, "--no-optional-locks", "-c", "core.fsmonitor=false", *arguments],  # noqa: S607
        env=environment,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _changed(patch: bytes) -> Iterator[tuple[str, int, int]]:
    """Path, first and last line of each hunk. Lines of hunks are skipped by count."""
    path = ""
    skip = 0
    for line in patch.split(b"\n"):
        if skip and line[:1] in (b"+", b"-"):
            skip -= 1
        elif line.startswith(b"+++ "):
            path = _path(line[4:])
        elif hunk := _HUNK.match(line):
            removed, first, added = (int(each) if each is not None else 1 for each in hunk.groups())
            skip = removed + added
            yield (path, first, first + added - 1) if added else (path, first + 1, first)


def _path(text: bytes) -> str:
    """`b/some/path`, quoted as C does where it holds what is hard to read."""
    # A tab follows a name that has a space.
    name = text.rstrip(b"\t\r") if not text.startswith(b'"') else _unquoted(text.rstrip(b"\t\r")[1:-1])
    return _shown(name.removeprefix(b"b/"))


def _shown(path: bytes) -> str:
    """A name as the report has it."""
    return path.decode("utf-8", "backslashreplace")


def _unquoted(text: bytes) -> bytes:
    return _ESCAPE.sub(
        lambda found: bytes([int(found[1], 8)]) if len(found[1]) == 3 else _LETTERS.get(found[1], found[1]),
        text,
    )
