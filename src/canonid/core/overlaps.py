"""Proofs about the formats of a registry: which can be confused, and with which shortest text.

Two formats are confusable if one text can be read in both and the readings may name different
things: they are of different kinds, or of one kind but not derived alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

from canonid.core.automata import Automaton, automaton, shortest_common, two_readings
from canonid.core.grammar import fields
from canonid.core.writing import Writing


class Overlap(NamedTuple):
    """The shortest text that two formats both write, for the kinds that it may then name."""

    first: str
    second: str
    text: str
    first_kind: str
    second_kind: str


def overlaps(
    writings: Sequence[Writing], known: Callable[[str, str], bool] = lambda first, second: False
) -> list[Overlap]:
    """Every confusable pair of formats, in order of declaration, but those that are `known`.

    Complete: what is neither listed nor known is disjoint.
    """
    formats: dict[str, list[Writing]] = {}
    for writing in writings:
        formats.setdefault(writing.format, []).append(writing)
    wide: dict[str, Automaton] = {}

    def widened(group: Sequence[Writing]) -> Automaton:
        name = group[0].format
        if name not in wide:
            wide[name] = _union(group, exact=False)
        return wide[name]

    pairs = (
        (formats[first], formats[second])
        for first, second in combinations_with_replacement(formats, 2)
        if not known(first, second)
    )
    return [found for first, second in pairs if (found := _overlap(first, second, widened)) is not None]


def second_reading(writing: Writing) -> str | None:
    """The shortest text that the pattern splits into its fields in two ways, if there is one.

    The bounds of slugs don't count: a pattern that is only settled by the length of a slug is refused.
    """
    if writing.elastic <= 1:
        return None  # all other parts have fixed lengths, which leave one way to split
    return two_readings(writing.automaton)


def _overlap(
    first: Sequence[Writing], second: Sequence[Writing], widened: Callable[[Sequence[Writing]], Automaton]
) -> Overlap | None:
    if first is second and not _names_its_kind(first):
        return None  # written alike for every kind on purpose, like a bare UUID
    of_first, of_second = ({_tag(writing): writing for writing in group} for group in (first, second))

    def clash(left: str, right: str) -> bool:
        return may_differ(of_first[left], of_second[right])

    if not any(may_share_a_text(a, b) for a in first for b in second if may_differ(a, b)):
        return None
    found = shortest_common(widened(first), widened(second), clash)
    if found is None:
        return None
    text, left, right = found
    if of_first[left].fields_of(text) is None or of_second[right].fields_of(text) is None:
        # The short way ran through a slug outside its bounds: search again with the bounds built in.
        found = shortest_common(_union(first, exact=True), _union(second, exact=True), clash)
        if found is None:
            return None
        text, left, right = found
    return Overlap(first[0].format, second[0].format, text, of_first[left].kind, of_second[right].kind)


def may_differ(a: Writing, b: Writing) -> bool:
    """Whether one text may name different things in the two."""
    if a.kind != b.kind:
        return True
    if a.format == b.format:
        return a is not b  # the same ID, but split into different fields by two prefixes of the kind
    if a.payload is not None and b.payload is not None:
        return a.frame != b.frame  # a UUID is the same whether all versions are accepted or only some
    if a.payload is None and b.payload is None:
        # Derived IDs depend on kind and text only; but what is canonical names itself.
        return a.canonical != b.canonical
    return True


def may_share_a_text(a: Writing, b: Writing) -> bool:
    """False only if lengths or first characters rule it out; saves building most automata."""
    return a.first & b.first != 0 and a.shortest <= b.longest and b.shortest <= a.longest


def _union(writings: Sequence[Writing], *, exact: bool) -> Automaton:
    return automaton([path for writing in writings for path in writing.paths(_tag(writing))], exact=exact)


def _tag(writing: Writing) -> str:
    """Names a writing within its format."""
    return f"{writing.kind} {writing.prefix}" if writing.retired else writing.kind


def _names_its_kind(writings: Sequence[Writing]) -> bool:
    return any(field.type == "kind" for field in fields(writings[0].pattern))
