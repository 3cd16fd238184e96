"""An audit: from paths to the report."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from canonid.audit.cache import Cache, Entry
from canonid.audit.examining import Stamp, Task, collecting_by_hand, stamp_of
from canonid.audit.facts import FileFacts
from canonid.audit.linking import link
from canonid.audit.packing import unpack
from canonid.audit.report import Report
from canonid.audit.sources import Source, Sources, sources
from canonid.audit.workers import examine_across, examine_here

SMALL_BYTES = 600_000  # takes about as long here as it takes to start a process
MOST_WORKERS = 8

Progress = Callable[[int, int], None]


def audit(
    paths: Sequence[str | os.PathLike[str]],
    *,
    root: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    cache: Cache | None = None,
    progress: Progress | None = None,
    registry: str | os.PathLike[str] | None = None,
) -> Report:
    """What the Python code under some paths does with IDs; see `sources` for which files that is.

    The report is the same from the cache, from any number of worker processes (as many as there are cores, at
    most 8, if none is given; none are started for little work), and in any order of paths. Files that
    can't be read or parsed are in it. `progress` is called with the number of files that are done and of
    all, in this thread. `registry` is the file that declares services and what they accept, by default the
    nearest one above the root; what can't be used of it is in the report's notes.

    Raises `FileNotFoundError` for a path that is not there. Whatever ends it, Ctrl-C too, no process is left.
    """
    found = sources(paths, root)
    with collecting_by_hand():
        entries = _examine(found, _name(found, paths), workers or _cores(), cache, progress)
        facts = [unpack(entry.facts) for entry in entries.values()]
        facts += [FileFacts(path, 0, why) for path, why in found.unreadable]
        return link(found.root, facts, registry)


def _examine(
    found: Sources, name: str, workers: int, cache: Cache | None, progress: Progress | None
) -> dict[str, Entry]:
    """The facts of every file that is there, from the cache where it is the same."""
    known = cache.load(name) if cache is not None else {}
    entries: dict[str, Entry] = {}
    tasks: list[tuple[Task, int]] = []
    for source in found.files:
        stamp, size = _stat(source)
        entry = known.get(source.path)
        if entry is not None and stamp and entry.stamp == stamp:
            entries[source.path] = entry
        else:
            tasks.append((Task(source.path, source.file, entry.digest if entry else b""), size))
    here = workers == 1 or len(tasks) == 1 or sum([size for _, size in tasks]) < SMALL_BYTES
    done = len(entries)
    for outcomes in examine_here(tasks) if here else examine_across(tasks, workers):
        for path, stamp, digest, packed in outcomes:
            if packed is not None:
                entries[path] = Entry(stamp, digest, packed)
            elif digest:
                entries[path] = Entry(stamp, digest, known[path].facts)
        done += len(outcomes)
        if progress is not None:
            progress(done, len(found.files))
    kept = {path: entry for path, entry in entries.items() if entry.digest}
    if cache is not None and kept != known:
        cache.save(name, kept)
    return entries


def _stat(source: Source) -> tuple[Stamp, int]:
    try:
        stat = os.stat(source.file)
    except OSError:  # whoever opens it says why
        return (), 0
    return stamp_of(stat), stat.st_size


def _name(found: Sources, paths: Sequence[str | os.PathLike[str]]) -> str:
    """Audits of the same paths share what they know."""
    return "\0".join([found.root, *sorted([os.path.abspath(path) for path in paths])])


def _cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, MOST_WORKERS)
