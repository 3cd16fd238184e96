"""Texts → readings: every declared one, and a reason where there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import groupby

from canonid.core.automata import expected_at
from canonid.core.declaring import did_you_mean
from canonid.core.language import members, runs
from canonid.core.values import Kind, Reading, Recognition, Service, read_as
from canonid.core.writing import Writing, any_of
from canonid.errors import show


class Group:
    """Writings of one format that are tried together. Compiled when first tried."""

    def __init__(self, writings: tuple[Writing, ...]) -> None:
        self.writings = writings
        self.alike = len({writing.node for writing in writings}) == 1

    @cached_property
    def gate(self) -> Callable[[str], object]:
        """False for a text that no writing accepts. If they are alike, true for one that all accept."""
        return self.writings[0].accepts if self.alike else any_of(self.writings)


class Recogniser:
    """Reads texts in every writing of a registry. Immutable once made, so safe to share.

    Writings are found by the first word of a text: what stands before its first `_` settles which of those
    that begin with a fixed word can fit, and its first character which of the others.
    """

    def __init__(self, kinds: Mapping[str, Kind], writings: Sequence[Writing]) -> None:
        self._kinds = kinds
        self._writings = writings
        self._longest = max(writing.longest for writing in writings)
        self._by_first: dict[str, list[Writing]] = {}
        for writing in writings:
            for char in members(writing.first):
                self._by_first.setdefault(char, []).append(writing)
        words = {writing.first_word for writing in writings} - {None}
        self._by_word = {word: self._candidates(word[:1], word) for word in words if word}
        self._by_char = {char: self._candidates(char, None) for char in self._by_first}

    def _candidates(self, char: str, word: str | None) -> tuple[Group, ...]:
        fitting = [w for w in self._by_first[char] if w.first_word in (None, word)]
        return tuple([Group(tuple(group)) for _, group in groupby(fitting, key=lambda w: w.format)])

    def recognise(self, text: object, kind: str | None, service: Service | None) -> Recognition:
        """Every reading; `kind` and (where several kinds fit) the emitting `service` narrow them."""
        if not isinstance(text, str):
            return Recognition(show(text), (), lambda _: f"expected a text, got {type(text).__name__}")
        readings = self.readings(text, kind)
        if not readings:
            return Recognition(text, (), lambda _: self._why_unknown(text, kind))
        found = Recognition(text, readings, self._why_unanswered)
        if service is None or not found.ambiguous:
            return found
        emitted = tuple([r for r in readings if r.format in service.emits.get(r.kind, ())])
        return found._replace(readings=emitted) if emitted else found

    def readings(self, text: str, kind: str | None = None) -> tuple[Reading, ...]:
        """Every reading of a text."""
        if len(text) > self._longest:
            return ()
        groups = self._by_word.get(text[: max(0, text.find("_"))]) or self._by_char.get(text[:1], ())
        found = [
            writing
            for group in groups
            if group.gate(text)
            for writing in group.writings
            if (kind is None or writing.kind == kind) and (group.alike or writing.accepts(text))
        ]
        return tuple([read_as(text, writing) for writing in found])

    # Reasons

    def _why_unanswered(self, found: Recognition) -> str:
        if found.ambiguous:
            return _why_ambiguous(found.text, found.readings)
        reading = found.readings[0]
        held = "its 128 bits" if reading.exact else "a derived ID"
        return (
            f"{show(reading.text)} is a {reading.kind} in format {reading.format!r}, whose canonical format"
            f" {self._kinds[reading.kind].canonical!r} can't hold {held}; link an alias"
        )

    def _why_unknown(self, text: str, kind: str | None) -> str:
        shown = show(text)
        if not text:
            return "the text is empty"
        if len(text) > self._longest:
            return f"{shown} is too long: the longest declared ID has {self._longest} characters"
        odd = next((char for char in text if not "!" <= char <= "~"), None)
        if odd is not None:
            place = f"{odd!a} (U+{ord(odd):04X}) as character {text.index(odd) + 1}"
            return f"{shown} has {place}; IDs are visible ASCII"
        others = [] if kind is None else sorted({(r.kind, r.format) for r in self.readings(text)})
        if others:
            named = " or ".join(f"{other} (format {form!r})" for other, form in others)
            return f"{shown} names a {named}, not a {kind}"
        if hint := self._typeid_hint(text, kind, shown):
            return hint
        near = [w for w in self._by_first.get(text[0], ()) if kind in (None, w.kind)]
        if near:
            return self._nearest(text, near)
        names = sorted({writing.format for writing in self._writings if kind in (None, writing.kind)})
        return f"{shown} fits none of the declared formats {', '.join(names)}"

    def _typeid_hint(self, text: str, kind: str | None, shown: str) -> str:
        """What is wrong with a text that looks like a TypeID."""
        prefix, separator, suffix = text.rpartition("_")
        prefixes = {
            prefix: name
            for name, kind in self._kinds.items()
            for prefix in (kind.prefix, *kind.retired_prefixes)
        }
        if not separator or len(suffix) != 26:
            return ""
        if prefix not in prefixes:
            return f"{shown}: prefix {show(prefix)} is not a declared kind{did_you_mean(prefix, prefixes)}"
        typeids = [w for w in self._writings if w.format == "typeid" and w.kind == prefixes[prefix]]
        return self._nearest(text, typeids) if kind in (None, prefixes[prefix]) and typeids else ""

    def _nearest(self, text: str, writings: Sequence[Writing]) -> str:
        """Where the text leaves the writing that it fits longest."""
        fits = [(*expected_at(writing.exact_automaton, text), writing) for writing in writings]
        furthest = max(position for position, _, _ in fits)
        best = [(mask, writing) for position, mask, writing in fits if position == furthest]
        union = 0
        for mask, _ in best:
            union |= mask
        writing = best[0][1]
        begins = f"{show(text)} fits format {writing.format!r} ({writing.kind}) up to character {furthest}"
        if not union:
            return f"{begins}, but should end there"
        if furthest == len(text):
            return f"{begins} and ends too early; expected {_char_list(union)} next"
        return f"{begins}; expected {_char_list(union)} there, got {text[furthest]!a}"


def _char_list(mask: int) -> str:
    text = runs(mask)
    return repr(text) if len(text) == 1 else f"one of {text}"


def _why_ambiguous(text: str, readings: Sequence[Reading]) -> str:
    kinds = sorted({reading.kind for reading in readings})
    if len(kinds) > 1:
        return f"{show(text)} fits several kinds ({', '.join(kinds)}); say which is meant"
    formats = sorted({reading.format for reading in readings})
    return f"{show(text)} can be read in the formats {' and '.join(formats)}, which give different IDs"
