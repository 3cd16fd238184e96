"""The ID systems as a picture: a bar for each, as long as it has calls, in parts for services and tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

from canonid.audit.excerpts import printable
from canonid.audit.formats.side_by_side import adoption
from canonid.audit.systems import System

COLOURS = 6  # services that have one of their own; the others share the last
MOST_TEMPLATES = 6
_HEIGHT = 18


class _Part(NamedTuple):
    """A piece of a bar: how many calls, the class that colours it, and what it stands for."""

    calls: int
    colour: str
    name: str


def picture(systems: Sequence[System]) -> Iterator[str]:
    """A list in HTML with a bar in each entry, all on one scale. The page's style says what colours are."""
    if not systems:
        return
    longest = max([each.calls + each.test_calls for each in systems]) or 1
    colours = _colours(systems)
    yield '<section id="systems"><h2>ID systems, side by side</h2>\n<ol>\n'
    for each in systems:
        yield from _entry(each, longest, colours)
    yield "</ol>\n"
    yield from _legend(systems, colours)
    for each in systems:
        if each.primary:
            yield (
                f"<p>The cheapest to move everything to is <strong>{_shown(each.name)}</strong>: "
                f"{_shown(each.why)}.</p>\n"
            )
    yield "</section>\n"


def _entry(system: System, longest: int, colours: Mapping[str, str]) -> Iterator[str]:
    is_apart = system.has_place and system.path != system.name
    where = f" <code>{_shown(system.path)}:{system.place.line}</code>" if is_apart else ""
    primary = ' class="primary"' if system.primary else ""
    name = f"<strong>{_shown(system.name)}</strong>"
    yield f"<li{primary}><p>{name}{where} <small>{adoption(system)}</small></p>\n"
    yield from _bar(system, longest, colours)
    if system.templates:
        written = ", ".join([f"<code>{_shown(each)}</code>" for each in system.templates[:MOST_TEMPLATES]])
        yield f"<p>{written}</p>"
    yield "</li>\n"


def _bar(system: System, longest: int, colours: Mapping[str, str]) -> Iterator[str]:
    """Lengths are parts of the whole width, so that it fits every screen without being scaled."""
    parts = _parts(system, colours)
    told = ", ".join([f"{part.calls:,} {part.name}" for part in parts]) or "no calls"
    yield (
        f'<svg role="img" width="100%" height="{_HEIGHT}"><title>{_shown(f"{system.name}: {told}")}</title>'
        f'<rect class="whole" width="100%" height="{_HEIGHT}"/>'
    )
    start = 0.0
    for part in parts:
        length = 100 * part.calls / longest
        box = f'x="{start:.2f}%" width="{max(length, 0.4):.2f}%" height="{_HEIGHT}"'
        title = _shown(f"{part.calls:,} {part.name}")
        yield f'<rect class="{part.colour}" {box}><title>{title}</title></rect>'
        start += length
    yield "</svg>\n"


def _parts(system: System, colours: Mapping[str, str]) -> list[_Part]:
    parts = [_Part(calls, colours[name], f"in {name}") for name, calls in system.services]
    parts.append(_Part(_elsewhere(system), "elsewhere", "elsewhere" if colours else "outside tests"))
    parts.append(_Part(system.test_calls, "tests", "in tests"))
    return [part for part in parts if part.calls > 0]


def _elsewhere(system: System) -> int:
    """Calls outside tests that are in no service."""
    return system.calls - sum([calls for _, calls in system.services])


def _colours(systems: Sequence[System]) -> dict[str, str]:
    """A class for each service; those with the most calls have their own."""
    calls: Counter[str] = Counter()
    for each in systems:
        calls.update(dict(each.services))
    return {name: f"s{min(at, COLOURS - 1)}" for at, (name, _) in enumerate(calls.most_common())}


def _legend(systems: Sequence[System], colours: Mapping[str, str]) -> Iterator[str]:
    """What the colours stand for, those that are there."""
    entries = [(colour, name) for name, colour in list(colours.items())[: COLOURS - 1]]
    rest = len(colours) - len(entries)
    if rest:
        only = list(colours)[COLOURS - 1]
        entries.append((f"s{COLOURS - 1}", only if rest == 1 else f"{rest} other services"))
    if any(_elsewhere(each) for each in systems):
        entries.append(("elsewhere", "elsewhere" if colours else "outside tests"))
    if any(each.test_calls for each in systems):
        entries.append(("tests", "in tests"))
    square = '<svg width="12" height="12" aria-hidden="true"><rect class="{}" width="12" height="12"/></svg>'
    squares = [f"<span>{square.format(colour)} {_shown(name)}</span>" for colour, name in entries]
    if squares:
        yield f'<p class="legend">Calls: {" ".join(squares)}</p>\n'


def _shown(text: str) -> str:
    return escape(printable(text))
