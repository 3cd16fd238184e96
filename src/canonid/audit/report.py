"""The answer of an audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from canonid.audit.findings import Finding, Ignored
from canonid.audit.kinds import Written
from canonid.audit.systems import System


class IgnoredAt(NamedTuple):
    """What looks like a finding and is none, with the name of the reason."""

    path: str
    what: Ignored


class Report(NamedTuple):
    """The same for the same files, whatever order they were read in, by how many workers, cached or not."""

    root: str
    files: int
    lines: int
    findings: Sequence[Finding]  # by path, line, column, code
    ignored: Sequence[IgnoredAt]  # in the same order
    broken: int  # files that could not be read or parsed; each is a finding as well
    systems: Sequence[System] = ()  # those that have a place first, the most widely used first
    written: Sequence[Written] = ()  # where IDs are made outside tests, by kind
    services: Sequence[str] = ()  # sorted; none where there are fewer than two
    notes: Sequence[str] = ()  # what could not be heeded, such as a registry with faults
