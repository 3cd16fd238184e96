"""The ID systems side by side, in lines of a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from canonid.audit.excerpts import printable, shortened, width
from canonid.audit.formats.totals import number
from canonid.audit.systems import System

MOST = 5  # that are shown where there is little room
_NUMBERS = 25  # columns of calls, files and tests
_LEAST = 16  # columns in which it makes sense to begin a template


def systems_in_full(systems: Sequence[System], columns: int) -> Iterator[str]:
    """Each with its file, its templates and its services; then which to move to, and why."""
    if systems:
        yield "ID systems, side by side"
    for each in systems:
        where = f"  {each.path}" if each.has_place and each.path != each.name else ""
        yield shortened(f"{_mark(each)}{printable(each.name)}{printable(where)}: {adoption(each)}", columns)
        for line in textwrap.wrap(printable(", ".join(each.templates)), columns - 6)[:3]:
            yield f"      {shortened(line, columns - 6)}"
        if by_service := ", ".join([f"{name} {calls:,}" for name, calls in each.services]):
            yield shortened(f"      by service: {printable(by_service)}", columns)
    yield from _advice(systems, columns)


def systems_in_rows(systems: Sequence[System], columns: int) -> Iterator[str]:
    """A line each, as a table, for the most widely used ones."""
    if not systems:
        return
    longest = max([width(printable(each.name)) for each in systems[:MOST]])
    room = min(longest, columns // 3, columns - 3 - _NUMBERS)
    left = columns - 3 - room - _NUMBERS - 2
    templates = left >= _LEAST
    yield f"{'ID systems':<{3 + room}}{'calls':>8}{'files':>7}{'in tests':>10}" + (
        "  writes" if templates else ""
    )
    for each in systems[:MOST]:
        name = ending(printable(each.name), room)
        numbers = f"{each.calls:>8,}{each.files:>7,}{each.test_calls:>10,}"
        writes = f"  {shortened(printable(', '.join(each.templates)), left)}" if templates else ""
        yield f"{_mark(each)}{name}{' ' * (room - width(name))}{numbers}{writes}".rstrip()
    if len(systems) > MOST:
        yield f"   and {len(systems) - MOST:,} more"
    yield from _advice(systems, columns, lines=1)


def systems_in_a_line(systems: Sequence[System], columns: int) -> Iterator[str]:
    """Names and calls alone; the one to move to is marked."""
    if systems:
        told = [f"{_mark(each).strip()}{printable(each.name)} {each.calls:,}" for each in systems]
        yield shortened(f"ID systems, by calls: {', '.join(told)}", columns)


def adoption(system: System) -> str:
    """`10 calls in 2 files, 3 in tests`."""
    tests = f", {system.test_calls:,} in tests" if system.test_calls else ""
    return f"{number(system.calls, 'call')} in {number(system.files, 'file')}{tests}"


def ending(text: str, columns: int) -> str:
    """The end of a text, in at most that many columns: of a path it says most."""
    if width(text) <= columns:
        return text
    while width(text) > columns - 1:
        text = text[1:]
    return f"…{text}"


def _mark(system: System) -> str:
    return " * " if system.primary else "   "


def _advice(systems: Sequence[System], columns: int, lines: int = 4) -> Iterator[str]:
    for each in systems:
        if each.primary:
            told = printable(f"* cheapest to move to: {each.why}")
            wrapped = textwrap.wrap(told, columns, initial_indent=" ", subsequent_indent="   ")
            yield from wrapped[:lines] if len(wrapped) <= lines else [shortened(f" {told}", columns)]
