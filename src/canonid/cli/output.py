"""Texts in, lines out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta


def texts(arguments: Sequence[str]) -> Iterator[str]:
    """The texts of the arguments, or else the lines of standard input, as they come."""
    if arguments:
        yield from arguments
        return
    # Bytes that are not UTF-8 must reach the recogniser as they are and be refused there, not crash here.
    sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape", newline="\n")  # type: ignore[union-attr]
    for line in sys.stdin:
        yield line.removesuffix("\n").removesuffix("\r")


def line(text: str) -> None:
    """One line on standard output."""
    sys.stdout.write(text + "\n")


def record(**fields: object) -> None:
    """One JSON object on a line of its own."""
    sys.stdout.write(json.dumps(fields, separators=(", ", ": ")) + "\n")


def rows(title: str, values: Sequence[str]) -> None:
    """A titled block of an explanation; nothing if there is nothing to say."""
    for number, value in enumerate(values):
        line(f"  {title if number == 0 else '':<11} {value}")


def iso(milliseconds: int | None) -> str | None:
    """A time of an ID as RFC 3339, or None where the year is beyond 9999."""
    if milliseconds is None or milliseconds > 253_402_300_799_999:
        return None
    moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
