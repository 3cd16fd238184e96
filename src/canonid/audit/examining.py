"""One file from the disk to its packed facts, unless it is the one that is known already."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import NamedTuple

from canonid.audit.facts import FileFacts
from canonid.audit.limits import TookTooLong, cpu_seconds
from canonid.audit.notebooks import code_of
from canonid.audit.packing import Packed, pack
from canonid.audit.scanning import scan

Stamp = tuple[int, ...]  # times in ns, size and inode: equal stamps mean equal bytes. () is equal to none.
SETTLED_NS = 2_000_000_000  # the coarsest clock of a file system that is in use (FAT)
LARGEST = 32 << 20
CPU_SECONDS = 60.0  # for one file; one of 5 MB takes some 5


class Task(NamedTuple):
    """A file to examine; `digest` is the one of its known facts, or b""."""

    path: str
    file: str
    digest: bytes


class Outcome(NamedTuple):
    """`facts` is None where the digest is still the known one. All but `path` is empty if there is no such
    file any more. Facts without a digest must not be kept."""

    path: str
    stamp: Stamp
    digest: bytes
    facts: Packed | None


def examine(task: Task, limit: float = CPU_SECONDS) -> Outcome:
    """Never raises for what the file is or holds: then its facts say what is wrong, as where it takes more
    than `limit` seconds of processor time."""
    try:
        with open(task.file, "rb") as source:
            stamp = stamp_of(os.fstat(source.fileno()))
            data = source.read(LARGEST + 1)
    except FileNotFoundError:
        return Outcome(task.path, (), b"", None)
    except OSError as error:
        return broken(task.path, f"can't be read: {error.strerror}")
    if len(data) > LARGEST:
        return broken(task.path, f"larger than {LARGEST >> 20} MB")
    digest = blake2b(data, digest_size=16).digest()
    if digest == task.digest:
        return Outcome(task.path, stamp, digest, None)
    try:
        with cpu_seconds(limit):
            facts = pack(_facts(task.path, data))
    except TookTooLong:
        return broken(task.path, f"took too long: more than {limit:g} s of processor time")
    return Outcome(task.path, stamp, digest, facts)


def broken(path: str, why: str) -> Outcome:
    """The outcome of a file that can't be examined."""
    return Outcome(path, (), b"", pack(FileFacts(path, 0, why)))


def stamp_of(stat: os.stat_result) -> Stamp:
    """What tells this content of a file from every other one, or () where that can't be known.

    Nobody can set the time of change (ctime) back, but two changes in one tick of the clock share it. So a
    file that was changed just now has no stamp (git's rule for its index), nor has any where ctime
    means something else (Windows).
    """
    changed = max(stat.st_mtime_ns, stat.st_ctime_ns)
    if os.name != "posix" or changed + SETTLED_NS > time.time_ns():
        return ()
    return (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)


def examine_all(tasks: Sequence[Task]) -> list[Outcome]:
    """The outcomes in order. Call it where `collecting_by_hand`."""
    _grow_old()
    outcomes = [examine(task) for task in tasks]
    gc.collect(0)  # all that is new is in the youngest generation
    return outcomes


@contextmanager
def collecting_by_hand() -> Iterator[None]:
    """No search for garbage in cycles while trees grow: it takes a quarter of the time, and finds nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        _grow_old()
        if was:
            gc.enable()


def _grow_old() -> None:
    """Puts all that is there into the oldest generation, without looking at it."""
    if not gc.get_freeze_count():  # else the program has frozen what must stay so
        gc.freeze()
        gc.unfreeze()


def _facts(path: str, data: bytes) -> FileFacts:
    try:
        code = code_of(data) if path.endswith(".ipynb") else data
    except ValueError as error:
        return FileFacts(path, 0, f"no notebook: {error}")
    except RecursionError:
        return FileFacts(path, 0, "no notebook: nested too deeply")
    try:
        return scan(path, code)
    except Exception as error:  # noqa: BLE001 - a fault in a rule must not end the run
        return FileFacts(path, data.count(b"\n") + 1, f"the audit failed on it: {error!r}"[:200])
