"""The registry: all kinds, formats and services of a system, and the verbs over them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from canonid.core import payload, system
from canonid.core.declaring import Declarations, declare, did_you_mean
from canonid.core.grammar import Field, Value
from canonid.core.minting import UUIDv7
from canonid.core.overlaps import Overlap, overlaps
from canonid.core.recognising import Recogniser
from canonid.core.values import Format, Identity, Kind, Reading, Recognition, Service
from canonid.core.writing import Writing
from canonid.errors import AmbiguousId, InvalidId, UnknownName, Untranslatable, show

Declared = TypeVar("Declared", Kind, Format, Service)


class Registry:
    """One source of truth for the IDs of a system. Make one with `Registry.from_toml` and pass it in.

    Reading and translating are pure functions of the declarations; only `mint` uses the clock and
    entropy. Thread-safe.

    >>> registry = Registry.from_toml('''
    ... [kinds.user]
    ... [kinds.thread]
    ... [formats.uuid]
    ... [formats.old]
    ... pattern = "{kind}_{operation:slug}_{counter:int}_{random:hex(8)}"
    ... ''')
    >>> registry.mint("user")[:6]
    'user_0'
    >>> registry.translate("user_01h455vb4pex5vsknk084sn02q", "uuid")
    '01890a5d-ac96-774b-bcce-b302099a8057'
    >>> registry.canonical("thread_chat_41_9f3c2b1a")
    'thread_1rb4qa5k7hg0evmg59tnbdvhs9'
    >>> registry.recognise("01890a5d-ac96-774b-bcce-b302099a8057").reason[-54:]
    ' fits several kinds (thread, user); say which is meant'
    """

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        formats: Mapping[str, Format],
        services: Mapping[str, Service],
        writings: tuple[Writing, ...],
        clock: Callable[[], int] = system.clock,
        entropy: Callable[[int], bytes] = system.entropy,
    ) -> None:
        self.kinds = MappingProxyType(dict(kinds))
        self.formats = MappingProxyType(dict(formats))
        self.services = MappingProxyType(dict(services))
        self.declarations = Declarations(self.kinds, self.formats, self.services, writings)
        self._writings = {(w.format, w.kind): w for w in writings if not w.retired}
        self._recogniser = Recogniser(kinds, writings)
        self._clock = clock
        self._entropy = entropy
        self._uuid7 = UUIDv7(clock, entropy)
        self._counters: dict[tuple[str, str, str], itertools.count[int]] = {}

    @classmethod
    def from_toml(
        cls,
        text: str,
        *,
        source: str = "registry",
        clock: Callable[[], int] = system.clock,
        entropy: Callable[[int], bytes] = system.entropy,
    ) -> Registry:
        """The registry that a TOML text declares, at the top or under [tool.canonid].

        Raises RegistryError with every fault. `clock` gives milliseconds since 1970, `entropy` n random
        bytes; `source` names the text in errors. Takes some 20 to 50 ms, most of it proving disjointness.
        """
        return cls(*declare(text, source), clock=clock, entropy=entropy)

    # Names

    def kind(self, name: str) -> Kind:
        """The declared kind. Raises UnknownName."""
        return _named("kind", name, self.kinds)

    def format(self, name: str) -> Format:
        """The declared format. Raises UnknownName."""
        return _named("format", name, self.formats)

    def service(self, name: str) -> Service:
        """The declared service. Raises UnknownName."""
        return _named("service", name, self.services)

    def overlaps(self) -> list[Overlap]:
        """Every pair of formats that can be confused (all of them declared), with the shortest such text."""
        return overlaps(self.declarations.writings)

    # Minting

    def mint(
        self, kind: str, /, *, service: str | None = None, format: str | None = None, **fields: Value
    ) -> str:
        """A new ID in the kind's canonical format, in what `service` emits, or in `format`.

        Times, counters, random digits and UUIDs are filled in, other fields are given by name. Raises
        UnknownName, and InvalidId where fields don't fit or the kind is retired or belongs to another writer.
        """
        declared = self.kind(kind)
        if declared.retired:
            raise InvalidId(f"kind {kind!r} is retired: its IDs are still read, but none are minted", text="")
        writing = self._writing(self._emitted(declared, service, format), kind)
        unknown = sorted(fields.keys() - writing.names)
        if unknown:
            hint = did_you_mean(unknown[0], writing.names)
            raise InvalidId(f"format {writing.format!r} has no field {unknown[0]!r}{hint}", text="")
        try:
            text = writing.write(writing.fill(fields, lambda field: self._fill(field, writing)))
        except KeyError as error:
            raise InvalidId(
                f"minting a {kind} in format {writing.format!r} needs {error.args[0]}=", text=""
            ) from None
        read = writing.fields_of(text)
        if read is None or not writing.same_fields(fields, read):
            raise InvalidId(
                f"{show(text)} is not a {kind} in format {writing.format!r}; check the fields", text=text
            )
        return text

    def _emitted(self, kind: Kind, service: str | None, format: str | None) -> str:
        if service is None:
            return format or kind.canonical
        emits = self.service(service).emits.get(kind.name, ())
        if kind.writer not in (None, service) or not emits:
            writer = f"; {kind.writer!r} does" if kind.writer else ""
            raise InvalidId(f"service {service!r} does not write {kind.name} IDs{writer}", text="")
        if format is not None and format not in emits:
            raise InvalidId(
                f"service {service!r} emits {kind.name} IDs as {', '.join(emits)}, not {format!r}", text=""
            )
        return format or emits[0]

    def _fill(self, field: Field, writing: Writing) -> Value | None:
        match field.type:
            case "uuid" | "base32" | "ulid":
                return payload.write(field.type, self._uuid7())
            case "time":
                now = self._clock() // (1000 if field.unit == "s" else 1)
                return now % field.modulo if field.modulo else now
            case "hex":
                return self._entropy((field.width or 1) // 2 + 1).hex()[: field.width]
            case "int":
                # A counter alone would begin anew in every process.
                return self._count(writing, field) if writing.distinct else None
            case _:
                return None

    def _count(self, writing: Writing, field: Field) -> int:
        key = writing.format, writing.kind, field.name
        return next(self._counters.setdefault(key, itertools.count(max(1, field.low))))

    # Reading

    def recognise(self, text: object, kind: str | None = None, *, service: str | None = None) -> Recognition:
        """Every declared reading of a text. Never raises for a text; UnknownName for undeclared names."""
        if kind is not None:
            self.kind(kind)
        return self._recogniser.recognise(text, kind, None if service is None else self.service(service))

    def parse(self, text: object, kind: str, format: str | None = None) -> Reading:
        """The one reading of a text as `kind`, in `format` if given. Raises InvalidId or AmbiguousId."""
        found = self.recognise(text, kind)
        readings = found.readings
        if format is not None:
            self._writing(format, kind)
            readings = tuple(reading for reading in readings if reading.format == format)
            if found.readings and not readings:
                other = found.readings[0].format
                raise InvalidId(f"{show(text)} is in format {other!r}, not {format!r}", text=text)
        if not readings:
            raise InvalidId(found.reason, text=text)
        if len({reading.canonical for reading in readings}) > 1:
            raise AmbiguousId(found.reason, text=text)
        return readings[0]

    def identify(self, text: object, kind: str | None = None, *, service: str | None = None) -> Identity:
        """What a text names. Raises InvalidId, AmbiguousId, or Untranslatable if only an alias can tell."""
        found = self.recognise(text, kind, service=service)
        if found.answer is not None:
            return found.answer
        raise _no_answer(found)(found.reason, text=text)

    def canonical(self, text: object, kind: str | None = None, *, service: str | None = None) -> str:
        """The canonical text of what a text names. Raises like `identify`."""
        return self.identify(text, kind, service=service).canonical

    def same(self, a: object, b: object, kind: str | None = None) -> bool:
        """Whether both texts have an answer and it is the same one. Never raises for a text."""
        first = self.recognise(a, kind).answer
        return first is not None and first == self.recognise(b, kind).answer

    # Translating

    def translate(self, text: object, to: str, kind: str | None = None, *, service: str | None = None) -> str:
        """The same ID written in the format `to`. Pure: the same input gives the same answer everywhere.

        Exact formats translate both ways without loss; any other text becomes its derived ID in an
        exact format. Raises InvalidId, AmbiguousId, Untranslatable.
        """
        self.format(to)
        found = self.recognise(text, kind, service=service)
        if not found.readings or found.ambiguous:
            raise _no_answer(found)(found.reason, text=text)
        canonical = self.kinds[found.readings[0].kind].canonical
        reading = min(found.readings, key=lambda r: (r.format != to, r.format != canonical))
        writing = self._writing(to, reading.kind)
        if reading.format == to and reading.payload is None:
            return reading.text
        if writing.payload is None:
            raise Untranslatable(
                f"format {to!r} can't hold the 128 bits of {show(text)}; link an alias", text=text
            )
        bits = reading.payload
        return writing.write_bits(payload.derive(reading.kind, reading.text) if bits is None else bits)

    def writings(self, kind: str, text: str) -> dict[str, str]:
        """The same ID in every format that holds its 128 bits (derived ones, if it has none), and as it is.

        Canonical first, where that is one of them.
        """
        reading = self.parse(text, kind)
        names = [self.kind(kind).canonical, *self.formats]
        exact = [name for name in names if (w := self._writings.get((name, kind))) and w.payload]
        found = {name: self.translate(reading.text, name, kind) for name in exact}
        return found if reading.exact else found | {reading.format: text}

    def _writing(self, format: str, kind: str) -> Writing:
        writing = self._writings.get((format, kind))
        if writing is None:
            self.format(format)
            raise Untranslatable(f"format {format!r} does not write kind {kind!r}", text="")
        return writing


def _no_answer(found: Recognition) -> type[InvalidId]:
    if found.ambiguous:
        return AmbiguousId
    return Untranslatable if found.readings else InvalidId


def _named(what: str, name: str, known: Mapping[str, Declared]) -> Declared:
    try:
        return known[name]
    except (KeyError, TypeError):
        hint = did_you_mean(str(name), known)
        raise UnknownName(
            f"{what} {show(name)} is not declared{hint}", what=what, name=str(name)[:64]
        ) from None
