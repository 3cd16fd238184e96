"""What earlier audits found in files that are still the same."""

from __future__ import annotations

import marshal
import os
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from canonid.audit.examining import Stamp
from canonid.audit.packing import Packed

MAGIC = b"canonid audit 1\n"
SUFFIX = ".audit"
UNFINISHED = ".part"
FILES = 64
BYTES = 512 << 20
FORGOTTEN_SECONDS = 3600  # a file that was being written that long ago never will be


class Entry(NamedTuple):
    """The facts of one file: its content's digest, and the stamp that it had with that content, if any."""

    stamp: Stamp
    digest: bytes
    facts: Packed


Entries = Mapping[str, Entry]  # by path


class Cache:
    """A folder with one file for each set of paths that is audited, the 64 latest and 512 MB at most.

    It is never wrong and never in the way: what was written by another version of the audit or of Python, is
    damaged or can't be read counts as nothing, and what can't be written is not. Audits may use it at the
    same time; the last one's stays. Nothing in it is ever run. What another user has written, or could have,
    is not believed, wherever the folder is.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)

    def load(self, name: str) -> dict[str, Entry]:
        """What was saved under a name, or nothing."""
        try:
            with open(self._file(name), "rb") as file:
                content = file.read() if _is_ours(os.fstat(file.fileno())) else b""
            begin, payload = content[: len(_head(b""))], memoryview(content)[len(_head(b"")) :]
            if begin != _head(payload):
                return {}
            return {path: Entry(*entry) for path, entry in marshal.loads(payload).items()}  # noqa: S302
        except (OSError, ValueError, TypeError, EOFError, AttributeError):
            return {}

    def save(self, name: str, entries: Entries) -> None:
        """Takes about 2 ms for each MB."""
        payload = marshal.dumps({path: tuple(entry) for path, entry in entries.items()})
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(self._file(name), (_head(payload), payload))
            self._bound()

    def _file(self, name: str) -> Path:
        return self._folder / f"{blake2b(os.fsencode(name), digest_size=16).hexdigest()}{SUFFIX}"

    def _write(self, file: Path, parts: Iterable[bytes]) -> None:
        """All at once: another audit sees the old file or the new one."""
        import tempfile  # an audit of files that are all known needs none

        number, name = tempfile.mkstemp(UNFINISHED, dir=self._folder)
        try:
            with os.fdopen(number, "wb") as written:
                written.writelines(parts)
            os.replace(name, file)
        except BaseException:
            os.unlink(name)
            raise

    def _bound(self) -> None:
        now, left = time.time(), BYTES
        with os.scandir(self._folder) as listed:
            own = [entry for entry in listed if entry.name.endswith((SUFFIX, UNFINISHED))]
            files = sorted([(entry.stat().st_mtime, entry.path, entry.stat().st_size) for entry in own])
        for place, (changed, path, size) in enumerate(reversed(files)):
            left -= size
            kept = left >= 0 and place < FILES if path.endswith(SUFFIX) else changed + FORGOTTEN_SECONDS > now
            if not kept:
                os.unlink(path)


def default_folder() -> Path | None:
    """`canonid` in `$XDG_CACHE_HOME` or `~/.cache`; None where nobody has a home."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):
        return Path(named, "canonid")
    with suppress(RuntimeError):
        return Path.home() / ".cache" / "canonid"
    return None


def _is_ours(stat: os.stat_result) -> bool:
    return os.name != "posix" or (stat.st_uid == os.geteuid() and not stat.st_mode & 0o022)


def _head(payload: bytes | memoryview) -> bytes:
    return MAGIC + scanner() + blake2b(payload, digest_size=16).digest()


@cache
def scanner() -> bytes:
    """Tells this version of the audit, on this Python, from all others: by its own code."""
    digest = blake2b(f"{sys.version} {marshal.version}".encode(), digest_size=16)
    folder = Path(__file__).parent
    for file in sorted(folder.rglob("*.py")):
        code = file.read_bytes()
        digest.update(f"\n{file.relative_to(folder)} {len(code)}\n".encode())
        digest.update(code)
    return digest.digest()
