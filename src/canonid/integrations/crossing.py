"""IDs that cross the boundary of a service: read in what it accepts, written in what its peer accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from canonid.aliases import Store
from canonid.core import Identity, Registry
from canonid.counters import Counters
from canonid.errors import AmbiguousId, CanonidError, InvalidId, NotFound, show

PLAIN = re.compile(r"[!-~]{1,512}")  # what an ID can be at all
CROSSINGS = "boundary_ids"  # the name under which they are counted


class Place(NamedTuple):
    """Where an ID of a kind stands: `where` is header, query or claim."""

    where: str
    name: str
    kind: str

    def __str__(self) -> str:
        return f"{self.where} {self.name}"


class Refused(CanonidError):
    """An ID that does not cross. `reason` is one word for counting and programs.

    `malformed`: no text of 1 to 512 visible ASCII characters. `unknown`: no ID of the kind. `not-accepted`:
    in a format that the receiver doesn't accept. `ambiguous`: it names several things. `repeated`: several
    values where one is expected. `unwritable`: the receiver accepts no writing of it.
    """

    reason: str
    place: Place
    format: str

    def __init__(self, message: str, *, reason: str, place: Place, format: str = "") -> None:
        super().__init__(message, reason=reason, place=place, format=format)


class Crossing:
    """Reads for one service, and writes for any. Calls may block where there is a store."""

    def __init__(self, registry: Registry, service: str, store: Store | None, counters: Counters) -> None:
        self._registry = registry
        self._accepts = registry.service(service).accepts
        self._service = service
        self._store = store
        self._counters = counters

    def read(self, place: Place, values: Sequence[object], peer: str | None) -> Identity:
        """What the one value in a place names; `peer` settles what is ambiguous. Raises Refused."""
        try:
            identity, format = self._read(place, values, peer)
        except Refused as refused:
            self._count("in", place, refused.format, refused.reason)
            raise
        self._count("in", place, format, "accepted")
        return identity

    def write(self, place: Place, text: str, peer: str | None) -> str:
        """What `text` names, as `peer` accepts it; canonical where there is no known peer. Raises Refused."""
        try:
            written, format = self._write(place, text, peer)
        except Refused as refused:
            self._count("out", place, refused.format, refused.reason)
            raise
        self._count("out", place, format, "accepted")
        return written

    def _read(self, place: Place, values: Sequence[object], peer: str | None) -> tuple[Identity, str]:
        if len(values) != 1:
            sentence = f"{place}: expected one {place.kind} ID, got {len(values)}"
            raise Refused(sentence, reason="repeated", place=place)
        text = _plain(place, values[0])
        formats = [r.format for r in self._registry.recognise(text, place.kind, service=peer).readings]
        if not formats:
            raise _unknown(place, text)
        accepted = next((format for format in formats if format in self._accepts), None)
        if accepted is None:
            sentence = f"{place}: {self._service} does not accept {formats[0]} IDs, such as {show(text)}"
            raise Refused(sentence, reason="not-accepted", place=place, format=formats[0])
        return self._identity(place, text, peer, accepted), accepted

    def _write(self, place: Place, text: str, peer: str | None) -> tuple[str, str]:
        identity = self._identity(place, _plain(place, text), self._service, "")
        canonical = self._registry.kind(place.kind).canonical
        if peer is None:
            return identity.canonical, canonical
        accepts = self._registry.service(peer).accepts
        for written in self._writings(identity, text, canonical):
            readings = self._registry.recognise(written, place.kind).readings
            if format := next((r.format for r in readings if r.format in accepts), None):
                return written, format
        sentence = f"{place}: {peer} accepts no writing of {show(text)}; link an alias that it does"
        raise Refused(sentence, reason="unwritable", place=place)

    def _writings(self, identity: Identity, text: str, canonical: str) -> Iterator[str]:
        """Every text that is known to name a thing: the exact ones first, then those on record."""
        kind = identity.kind
        for format in (canonical, *self._registry.formats):
            try:
                yield self._registry.translate(identity.canonical, format, kind)
            except InvalidId:
                continue
        yield text
        if self._store is not None:
            with suppress(NotFound):
                yield self._store.lineage(identity.canonical, kind).text
            for alias in self._store.aliases(canonical=identity.canonical, kind=kind):
                yield alias.text

    def _identity(self, place: Place, text: str, service: str | None, format: str) -> Identity:
        resolve = self._registry.identify if self._store is None else self._store.resolve
        try:
            return resolve(text, place.kind, service=service)
        except AmbiguousId:
            sentence = f"{place}: {show(text)} can be read as several {place.kind} IDs"
            raise Refused(sentence, reason="ambiguous", place=place, format=format) from None
        except InvalidId:
            raise _unknown(place, text) from None

    def _count(self, direction: str, place: Place, format: str, reason: str) -> None:
        self._counters.add(
            CROSSINGS, direction=direction, place=str(place), kind=place.kind, format=format, reason=reason
        )


def _plain(place: Place, text: object) -> str:
    if not isinstance(text, str) or not PLAIN.fullmatch(text):
        sentence = f"{place}: expected a {place.kind} ID of visible ASCII characters, got {show(text)}"
        raise Refused(sentence, reason="malformed", place=place)
    return text


def _unknown(place: Place, text: str) -> Refused:
    return Refused(f"{place}: {show(text)} is no {place.kind} ID", reason="unknown", place=place)
