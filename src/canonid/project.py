"""Finds and reads the registry file of a project."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from canonid.core import Registry
from canonid.core.declaring import MAX_REGISTRY
from canonid.errors import RegistryError, show

if TYPE_CHECKING:
    from pathlib import Path  # importing it takes 5 ms, which a service that mints need not pay

UNREADABLE = "file"  # in place of the TOML path of a fault: there is no text to find faults in
NAMES = ("canonid.toml", "pyproject.toml")


def find_registry(start: str | os.PathLike[str] = ".") -> Path | None:
    """The nearest `canonid.toml`, or `pyproject.toml` with [tool.canonid], in `start` or above it.

    Raises RegistryError where it can't be looked for.
    """
    from pathlib import Path

    try:
        folder = Path(start).resolve()
        for place in (folder, *folder.parents):
            for name in NAMES:
                path = place / name
                if path.is_file() and (name != "pyproject.toml" or _declares(path)):
                    return path
    except (OSError, ValueError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"{show(start)} is no path"
        raise RegistryError([(UNREADABLE, f"can't be looked for: {reason}")]) from None
    return None


def load_registry(path: str | os.PathLike[str] | None = None) -> Registry:
    """The registry in a file, by default the nearest one upwards. Raises RegistryError with every fault."""
    text, source = read_registry(path)
    return Registry.from_toml(text, source=source)


def read_registry(path: str | os.PathLike[str] | None = None) -> tuple[str, str]:
    """The text and the path of a registry file, by default the nearest one upwards. Raises RegistryError."""
    found = find_registry() if path is None else path
    if found is None:
        raise RegistryError(
            [(UNREADABLE, "there is no canonid.toml here or in any folder above; name one, or write one")]
        )
    if not isinstance(found, str | os.PathLike):
        # Not left to open(), which takes a number for an open file and closes it afterwards.
        raise RegistryError([(UNREADABLE, f"expected a path, got {type(found).__name__}")])
    try:
        with open(found, encoding="utf-8") as file:
            return file.read(MAX_REGISTRY + 1), str(found)  # a device may never end
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the name or the text is not valid"
        raise RegistryError([(UNREADABLE, f"can't be read: {reason}")], str(found)) from None


def _declares(path: Path) -> bool:
    import tomllib

    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool")
        return isinstance(tool, dict) and "canonid" in tool
    except (OSError, ValueError, RecursionError):
        # Somebody else's broken file above ours is not ours to report.
        return False
