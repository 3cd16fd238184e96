"""What one file says, found without looking at any other. It depends on the file's name and bytes alone."""

from __future__ import annotations

from typing import NamedTuple

from canonid.audit.findings import Draft, Ignored


class Directive(NamedTuple):
    """A comment `# canonid: ignore[CODE, …] reason` on a line of its own code."""

    line: int
    codes: tuple[str, ...]
    reason: str
    first: int = 0  # where the statement begins that ends on this line; 0 where the line is all it is about


class FileFacts(NamedTuple):
    """All of it is made of texts, numbers and tuples, so that it can be kept and sent by `marshal`."""

    path: str  # relative to the root, with `/`
    lines: int
    error: str = ""  # why it could not be parsed; then there is nothing else
    drafts: tuple[Draft, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    directives: tuple[Directive, ...] = ()
