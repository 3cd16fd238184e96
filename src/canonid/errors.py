"""Every error canonid raises, in one tree.

    CanonidError
    ├── RegistryError        (ValueError)   a registry file has faults; all of them are listed
    ├── UnknownName          (LookupError)  a kind, format, service or batch that is not declared
    ├── InvalidId            (ValueError)   a text has no reading that fits
    │   ├── AmbiguousId                     it has several that name different things
    │   └── Untranslatable                  it was read, but the wanted format can't hold it
    ├── NotFound             (LookupError)  unknown, or not yours: deliberately one answer
    ├── Conflict                            a record already says something else
    │   ├── AliasConflict
    │   ├── LineageConflict
    │   └── ClaimConflict
    ├── ClaimRefused                        as many are live already as may be
    ├── ScopeClosed                         nothing can be put into a closed scope
    ├── Fenced                              this process lost what it held; others released it
    ├── StoreError                          a store can't be opened, read or written
    └── MissingExtra         (ImportError)  an optional dependency is not installed

Each error carries named fields beside its sentence, can be pickled, and cuts untrusted text to
64 characters.
"""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 64
FEW = 12  # of those that take an escape of up to ten
LONGEST_PATH = 255


def show(text: object) -> str:
    """Untrusted input made safe for a message: escaped, at most 64 characters of it, never raising.

    Fewer, where their escapes would take more than twice as many.
    """
    if not isinstance(text, str):
        return type(text).__name__
    begin = text[:SHOWN]
    if len(ascii(begin)) > 2 * SHOWN:
        begin = text[:FEW]
    return f"{begin!a}… ({len(text)} characters)" if len(text) > len(begin) else ascii(text)


def show_path(path: str) -> str:
    """The name of a file as it is, unless it is one that nobody gives to a file."""
    return path if path.isprintable() and len(path) <= LONGEST_PATH else show(path)


class CanonidError(Exception):
    """Base of every error canonid raises on purpose."""

    def __init__(self, message: str, **fields: object) -> None:
        super().__init__(message)
        self.message = message
        self.__dict__.update(fields)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.__dict__)


def _rebuild(cls: type[CanonidError], message: str, state: dict[str, object]) -> CanonidError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class RegistryError(CanonidError, ValueError):
    """A registry file has faults. `faults` lists all of them as (path, sentence)."""

    faults: Sequence[tuple[str, str]]
    source: str

    def __init__(self, faults: Sequence[tuple[str, str]], source: str = "registry") -> None:
        count = f"{len(faults)} fault" + ("" if len(faults) == 1 else "s")
        lines = [f"{show_path(source)}: {count}", *(f"  {path}: {sentence}" for path, sentence in faults)]
        super().__init__("\n".join(lines), faults=tuple(faults), source=source)


class UnknownName(CanonidError, LookupError):
    """A kind, format, service or batch that is not declared. Fields: `what`, `name`."""

    what: str
    name: str


class InvalidId(CanonidError, ValueError):
    """A text has no reading that fits what was asked. Field: `text` (cut to 64 characters)."""

    text: str

    def __init__(self, message: str, *, text: object = "", **fields: object) -> None:
        shown = text[:SHOWN] if isinstance(text, str) else type(text).__name__
        super().__init__(message, text=shown, **fields)


class AmbiguousId(InvalidId):
    """A text can be read as several different things; the caller must say which kind is meant."""


class Untranslatable(InvalidId):
    """A text was read, but the wanted format can't hold what it says."""


class NotFound(CanonidError, LookupError):
    """Unknown, malformed, or another principal's: one answer, so that nothing can be probed."""

    def __init__(self, message: str = "no such ID") -> None:
        super().__init__(message)


class Conflict(CanonidError):
    """A record already says something else."""


class AliasConflict(Conflict):
    """The text is already an alias of another canonical ID, or the link would close a circle."""


class LineageConflict(Conflict):
    """The child is already recorded under another parent or principal, or the parent is not recorded."""


class ClaimConflict(Conflict):
    """The resource is already live in a scope, or belongs to another principal."""


class ClaimRefused(CanonidError):
    """As many are live in scopes as the caller allows, or as canonid.compat keeps. Field: `limit`."""

    limit: int


class ScopeClosed(CanonidError):
    """The scope is closed or closing; nothing can be claimed into it."""


class Fenced(CanonidError):
    """This process was away for longer than its lease, and what it held was released by others.

    Everything that it held is closed here too; what it opens now is new.
    """


class StoreError(CanonidError):
    """A store can't be opened, read or written. Field: `path`."""


class MissingExtra(CanonidError, ImportError):
    """An optional dependency is not installed; the message holds the exact install line."""
