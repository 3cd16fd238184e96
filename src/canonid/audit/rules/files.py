"""Files that tell nothing."""

from __future__ import annotations

from canonid.audit.rule import Rule


class BrokenFile(Rule):
    """A file that can't be read or parsed."""

    code = "CID001"
    title = "a file that can't be read"
    category = "broken-file"
    priority = "P2"
    why = "What it does with IDs is unknown, and other findings may be missing for it."
    instead = "mend it, or leave it out"
    invalid = ("import uuid\ndef f(: return uuid.uuid4()",)
    valid = ("def f(): ...",)
