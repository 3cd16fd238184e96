"""What becomes of the texts of a format whose grammar has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from canonid.core.automata import Automaton, Path, automaton, shortest_resplit
from canonid.core.grammar import Field, Optional, Pattern, fields
from canonid.core.inclusion import Undecided, shortest_missing
from canonid.core.producing import needed_fields
from canonid.core.writing import Writing
from canonid.errors import show


class Rewrite(NamedTuple):
    """One thing that a changed grammar does to readers or producers; `text` shows it, where one can."""

    breaking: bool
    sentence: str
    text: str | None = None


def field_changes(old: Writing, new: Writing) -> Iterator[Rewrite]:
    """What changes for those who use the fields. Of two patterns, so for every kind alike."""
    was, now = ({f.name: f for f in fields(w.pattern) if f.type != "kind"} for w in (old, new))
    for name, field in was.items():
        if name not in now:
            yield Rewrite(True, f"field {name!r} is gone")
        elif (before := _type(field)) != (after := _type(now[name])):
            yield Rewrite(True, f"field {name!r} was {before} and is {after}")
    for name in now:
        if name not in was:
            yield Rewrite(False, f"field {name!r} is new")
    if (old.payload is None) != (new.payload is None):
        before, after = ("exact", "derived") if old.payload else ("derived", "exact")
        yield Rewrite(True, f"its IDs were {before} and are {after}, so every text names another thing")
    asked = needed_fields(old)
    for name in needed_fields(new):
        if name not in asked:
            yield Rewrite(True, f"minting needs {name}= now")


def refused(old: Sequence[Writing], new: Sequence[Writing]) -> Rewrite | None:
    """That the writings `new` of a kind refuse a text that `old` accepted, if they do."""
    try:
        text = shortest_missing(_union(old), _union(new))
    except Undecided:
        return Rewrite(True, "whether all old texts are still read is too much to prove")
    return None if text is None else Rewrite(True, f"{show(text)} is no longer read", text)


def widened(old: Sequence[Writing], new: Sequence[Writing]) -> Rewrite:
    """What `new`, which accepts all that `old` did, accepts beyond that."""
    try:
        text = shortest_missing(_union(new), _union(old))
    except Undecided:
        return Rewrite(False, "accepts everything it did")
    if text is None:
        return Rewrite(False, "accepts exactly what it did")
    return Rewrite(False, f"accepts everything it did, and more, such as {show(text)}", text)


def resplit(old: Writing, new: Writing) -> Rewrite | None:
    """That a text which both accept is split at other places into the fields that both have, if one is."""
    names = sorted({f.name for f in fields(old.pattern)} & {f.name for f in fields(new.pattern)})
    text = shortest_resplit(_labelled(old, names, exact=False), _labelled(new, names, exact=False))
    if text is not None and (old.fields_of(text) is None or new.fields_of(text) is None):
        # The short way ran through a slug outside its bounds: search again with the bounds built in.
        text = shortest_resplit(_labelled(old, names, exact=True), _labelled(new, names, exact=True))
    if text is None:
        return None
    return Rewrite(True, f"{show(text)} is split into its fields at other places", text)


def _type(field: Field) -> str:
    """The type as a pattern names it, without what only bounds its texts."""
    if field.type == "time":
        return f"time({field.unit} % {field.modulo})" if field.modulo else f"time({field.unit})"
    if field.layout is not None:
        parts = ", ".join(f"{name} {bits}" for name, bits in field.layout.parts)
        return f"snowflake(epoch {field.layout.epoch}, {parts})"
    return f"id({field.nested})" if field.type == "id" else field.type


def _union(writings: Sequence[Writing]) -> Automaton:
    return automaton([path for writing in writings for path in writing.paths("read")], exact=True)


def _labelled(writing: Writing, names: Sequence[str], *, exact: bool) -> Automaton:
    """The writing's automaton with one label for each of the names, and one for all else."""
    label = {name: number for number, name in enumerate(names, 1)}
    labels = [label.get(part.name, 0) if isinstance(part, Field) else 0 for part in _parts(writing.pattern)]
    return automaton(
        [
            Path([(labels[number], node) for number, node in path.items], path.tag)
            for path in writing.paths("read")
        ],
        exact=exact,
    )


def _parts(pattern: Pattern) -> Iterator[str | Field]:
    """Literals and fields in the order in which `Writing.paths` numbers them."""
    for item in pattern:
        if isinstance(item, Optional):
            yield from item.items
        else:
            yield item
