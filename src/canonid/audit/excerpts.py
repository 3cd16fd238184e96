"""The source beside a finding, made safe to show."""

from __future__ import annotations

import tokenize
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

Lines = Callable[[str], Sequence[str]]  # path relative to the root → its lines; none if it can't be read
LONGEST = 400  # characters of a line that are shown at most


def lines_below(root: str) -> Lines:
    """Reads the lines of files below a root, each file at most once in a row."""

    @lru_cache(maxsize=64)
    def lines_of(path: str) -> Sequence[str]:
        try:
            with tokenize.open(Path(root, path)) as source:
                return [line.rstrip("\n") for line in source]
        except (OSError, SyntaxError, ValueError, LookupError):
            return ()

    return lines_of


def line_at(lines: Sequence[str], number: int) -> str:
    """One line, counted from 1, as it may be shown; empty where there is none."""
    return printable(lines[number - 1][:LONGEST]) if 0 < number <= len(lines) else ""


def around(line: str, first: int, end: int, columns: int) -> str:
    """The part of a line that shows what stands from column `first` to before `end`, in so many columns.

    Columns of the line count from 1. What doesn't fit as a whole is shown from its beginning.
    """
    text = line.strip()
    indent = len(line) - len(line.lstrip())
    start, stop = first - 1 - indent, min(end - 1 - indent, len(text))
    if width(text) <= columns or width(text[:stop]) < columns:
        return shortened(text, columns)
    left = 0
    while left < start and width(text[left:stop]) > columns - 2:
        left += 1
    return "…" + shortened(text[left:], columns - 1)


def printable(text: str) -> str:
    """A text on one line in which nothing moves the cursor, hides or turns around what stands beside it."""
    if text.isascii() and text.isprintable():
        return text
    text = text.expandtabs(4)
    return "".join([each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text])


def width(text: str) -> int:
    """Columns that a printable text takes in a terminal."""
    return len(text) if text.isascii() else sum([_columns(each) for each in text])


def shortened(text: str, columns: int) -> str:
    """The text in at most that many columns, with `…` where something was cut off."""
    if width(text) <= columns:
        return text
    taken, room = [], columns - 1
    for each in text:
        room -= _columns(each)
        if room < 0:
            break
        taken.append(each)
    return "".join(taken).rstrip() + "…" if columns > 0 else ""


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
