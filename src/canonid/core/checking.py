"""What can be said about a registry file without any ID: its faults, and what is unwise in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from canonid.core.declaring import Declarations, draft
from canonid.core.leaks import Leak, leaks
from canonid.core.overlaps import Overlap, overlaps
from canonid.core.strength import Strength, strengths


class Check(NamedTuple):
    """What `check` found.

    `faults` are (TOML path, sentence). If one of them is more than an undeclared overlap, nothing can be
    proven and the rest is empty. `overlaps` are all, declared or not; `strengths` are for every kind with
    a rate, weak or not.
    """

    declarations: Declarations
    faults: Sequence[tuple[str, str]]
    overlaps: Sequence[Overlap]
    strengths: Sequence[Strength]
    leaks: Sequence[Leak]

    @property
    def weak(self) -> list[Strength]:
        return [strength for strength in self.strengths if strength.weak]

    @property
    def concerns(self) -> int:
        """How many things load, and should still be changed."""
        return len(self.weak) + len(self.leaks)


def check(text: str) -> Check:
    """The check of a registry's TOML text. Never raises; takes some 50 to 100 ms, most of it proofs.

    >>> found = check('[kinds.invite]\\nprivate = true\\ncanonical = "ulid"\\n[formats.ulid]')
    >>> [(leak.kind, leak.format, leak.tells) for leak in found.leaks]
    [('invite', 'ulid', 'time')]
    """
    declarations, faults = draft(text)
    if not declarations.writings:
        return Check(declarations, faults, (), (), ())
    return Check(
        declarations,
        faults,
        overlaps(declarations.writings),
        strengths(declarations),
        leaks(declarations),
    )
