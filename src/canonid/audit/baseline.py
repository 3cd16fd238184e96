"""The ratchet: findings that were there before are tolerated, and no others."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from canonid.audit.findings import Finding
from canonid.audit.fingerprints import digest_of
from canonid.errors import CanonidError, show_path

DEFAULT = "canonid-baseline.json"
_SHELVES = [f"{number:02x}" for number in range(256)]


class BaselineError(CanonidError):
    """The file can't be read as a baseline."""


class Entry(NamedTuple):
    """A finding that is tolerated. Code and symbol are for the eyes; path and fingerprint are what counts."""

    path: str
    fingerprint: str
    code: str
    symbol: str


class Comparison(NamedTuple):
    """Findings beside a baseline."""

    new: list[Finding]  # not tolerated
    old: list[Finding]  # tolerated, where they were or moved from another file
    gone: int  # entries that nothing is left of
    moved: int  # how many of the old ones came from another file
    unseen: list[Entry]  # entries of files that nothing is known of this time; they are not gone


def compare(
    baseline: Iterable[Entry],
    findings: Iterable[Finding],
    is_unseen: Callable[[str], bool] = lambda path: False,
) -> Comparison:
    """Which findings are new. Among equals of a file, those that come first in `findings` are the old ones.

    One that is gone from one file and appears alike in another has moved. Questions never are new: they don't
    count as found. `is_unseen` tells the paths of files that could not be read, or were not to be.
    """
    known = frozenset(baseline)
    left = Counter((entry.path, digest_of(entry.fingerprint)) for entry in known)
    old, strange = [], []
    for finding in findings:
        if not finding.counts:
            continue
        key = finding.path, digest_of(finding.fingerprint)
        if left[key]:
            left[key] -= 1
            old.append(finding)
        else:
            strange.append(finding)
    gone: Counter[str] = Counter()
    for (path, digest), count in left.items():
        gone[digest] += 0 if is_unseen(path) else count
    new = []
    for finding in strange:
        digest = digest_of(finding.fingerprint)
        if gone[digest]:
            gone[digest] -= 1
            old.append(finding)
        else:
            new.append(finding)
    unseen = [each for each in known if is_unseen(each.path) and left[each.path, digest_of(each.fingerprint)]]
    return Comparison(new, old, gone.total(), len(strange) - len(new), sorted(unseen))


def entries(findings: Iterable[Finding]) -> list[Entry]:
    """The baseline that tolerates these findings."""
    counted = [each for each in findings if each.counts]
    return sorted({Entry(each.path, each.fingerprint, each.code, each.symbol) for each in counted})


def read(path: Path) -> list[Entry]:
    """The entries of a baseline, in whatever order a merge has left them. BaselineError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        told = f"there is no baseline {show_path(str(path))}; --update-baseline writes it the first time"
        raise BaselineError(told) from None
    except OSError as error:
        raise BaselineError(f"{show_path(str(path))} can't be read: {error.strerror}") from None
    try:
        found = json.loads(content)
        if found["version"] != 1:
            raise BaselineError(f"{path} is a baseline of version {found['version']!r}; this one knows 1")
        lines = [each for shelf in found["findings"].values() for each in shelf if each is not None]
        return sorted({Entry(*[_text(each[key]) for key in Entry._fields]) for each in lines})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        hint = "a merge may have left it broken; write it anew with --update-baseline --force"
        raise BaselineError(f"{path} is not a baseline ({error!r}); {hint}") from None


def write(path: Path, tolerated: Iterable[Entry]) -> None:
    """Replaces the file at once: sorted, one finding a line, no time stamp.

    Findings stand on 256 shelves, chosen by their file's name, with a line between them that never changes:
    git merges what two branches change in different files, as long as such a line is between them.
    BaselineError if it can't be written.
    """
    try:
        _replace(path, _text_of(tolerated))
    except OSError as error:
        raise BaselineError(f"{show_path(str(path))} can't be written: {error.strerror}") from None


def _text_of(tolerated: Iterable[Entry]) -> str:
    shelves: dict[str, list[str]] = {shelf: [] for shelf in _SHELVES}
    for entry in sorted(tolerated):
        shelves[_shelf(entry.path)].append(json.dumps(entry._asdict()) + ",\n")
    # The null is what lets the line of every finding end with a comma.
    text = "null], ".join(f'"{shelf}": [\n{"".join(lines)}' for shelf, lines in shelves.items())
    return f'{{"version": 1, "findings": {{{text}null]}}}}\n'


def _replace(path: Path, text: str) -> None:
    number, name = tempfile.mkstemp(dir=path.parent)
    try:
        with open(number, "w", encoding="ascii", newline="\n") as new:
            new.write(text)
        os.chmod(name, 0o644 & ~_umask())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _shelf(path: str) -> str:
    return hashlib.blake2b(
        path.encode("utf-8", "surrogatepass"), digest_size=1, usedforsecurity=False
    ).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {value!r}")
    return value
