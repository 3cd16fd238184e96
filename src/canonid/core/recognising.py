"""Texts → readings: every declared one, and a reason where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from canonid.core import payload
from canonid.core.automata import expected_at
from canonid.core.declaring import did_you_mean
from canonid.core.language import members, runs
from canonid.core.values import Kind, Reading, Recognition, Service
from canonid.core.writing import Writing
from canonid.errors import show


class Recogniser:
    """Reads texts in every writing of a registry. Immutable once made, so safe to share."""

    def __init__(self, kinds: Mapping[str, Kind], writings: Sequence[Writing]) -> None:
        self._kinds = kinds
        self._writings = writings
        self._longest = max(writing.longest for writing in writings)
        self._canonical = {
            writing.kind: writing for writing in writings if writing.canonical and not writing.retired
        }
        self._by_first: dict[str, list[Writing]] = {}
        for writing in writings:
            for char in members(writing.first):
                self._by_first.setdefault(char, []).append(writing)

    def recognise(self, text: object, kind: str | None, service: Service | None) -> Recognition:
        """Every reading; `kind` and (where several kinds fit) the emitting `service` narrow them."""
        if not isinstance(text, str):
            return Recognition(show(text), (), None, lambda: f"expected a text, got {type(text).__name__}")
        readings = self.readings(text, kind)
        if service is not None and len({reading.key for reading in readings}) > 1:
            emitted = tuple(r for r in readings if r.format in service.emits.get(r.kind, ()))
            readings = emitted or readings
        if not readings:
            return Recognition(text, (), None, lambda: self._why_unknown(text, kind))
        identities = {reading.key: reading.identity for reading in readings}
        if len(identities) > 1:
            return Recognition(text, readings, None, lambda: _why_ambiguous(text, readings))
        (answer,) = identities.values()
        explain = str if answer else lambda: _why_unanswered(readings[0], self._kinds)
        return Recognition(text, readings, answer, explain)

    def readings(self, text: str, kind: str | None = None) -> tuple[Reading, ...]:
        """Every reading of a text. Within a kind, what is in the canonical format names itself."""
        found = tuple(self._each(text, kind)) if len(text) <= self._longest else ()
        if len(found) < 2:
            return found
        named = {r.kind: r.canonical for r in found if r.format == self._kinds[r.kind].canonical}
        return tuple([r._replace(canonical=named[r.kind]) if r.kind in named else r for r in found])

    def _each(self, text: str, kind: str | None) -> Iterable[Reading]:
        for writing in self._by_first.get(text[:1], ()):
            if kind is not None and writing.kind != kind:
                continue
            values = writing.fields_of(text)
            if values is not None:
                bits = writing.bits_of(values)
                canonical = self._canonical_text(writing, text, bits)
                time = writing.time_of(values)
                yield Reading(text, writing.format, writing.kind, values, bits, canonical, time)

    def _canonical_text(self, writing: Writing, text: str, bits: int | None) -> str | None:
        if writing.canonical:
            return text
        target = self._canonical[writing.kind]
        if target.payload is None:
            return None
        return target.write_bits(payload.derive(writing.kind, text) if bits is None else bits)

    # Reasons

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


def _why_unanswered(reading: Reading, kinds: Mapping[str, Kind]) -> str:
    return (
        f"{show(reading.text)} is a {reading.kind} in format {reading.format!r}, whose canonical format"
        f" {kinds[reading.kind].canonical!r} can't hold a derived ID; link an alias"
    )
