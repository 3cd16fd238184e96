"""The registry: all kinds, formats and services of a system, and the verbs over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from canonid.core import payload, system
from canonid.core.binding import Bound, bind, translator
from canonid.core.declaring import Declarations, declare, did_you_mean
from canonid.core.engine import Clock, Engine, Entropy, ticking
from canonid.core.grammar import Value
from canonid.core.minting import Minting
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
        clock: Clock = system.clock,
        entropy: Entropy = system.entropy,
        engine: Engine = ticking,
    ) -> None:
        self.kinds = MappingProxyType(dict(kinds))
        self.formats = MappingProxyType(dict(formats))
        self.services = MappingProxyType(dict(services))
        self.declarations = Declarations(self.kinds, self.formats, self.services, writings)
        self._writings = {(w.format, w.kind): w for w in writings if not w.retired}
        self._recogniser = Recogniser(kinds, writings)
        self._minting = Minting(clock, entropy, engine)
        self._bound: dict[str, Bound] = {}
        self._translators: dict[tuple[str, str, str], Callable[[object], str]] = {}

    @classmethod
    def from_toml(
        cls,
        text: str,
        *,
        source: str = "registry",
        clock: Clock = system.clock,
        entropy: Entropy = system.entropy,
        engine: Engine = ticking,
    ) -> Registry:
        """The registry that a TOML text declares, at the top or under [tool.canonid].

        Raises RegistryError with every fault. `clock` gives seconds since 1970, `entropy` n unpredictable
        bytes, `engine` makes the minters; `source` names the text in errors. Takes 1 to 50 ms, most of it
        proving disjointness.
        """
        return cls(*declare(text, source), clock=clock, entropy=entropy, engine=engine)

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

        Times, counters, random digits, UUIDs and KSUIDs are filled in, other fields are given by name; for a
        snowflake its machine's numbers, e.g. `worker=`, which no other process may use. Raises UnknownName,
        InvalidId where fields don't fit or the kind is retired or belongs to another writer, OverflowError
        where the clock is out of what the format holds.
        """
        if service is None and format is None and not fields:
            return self._verbs(kind).mint()
        declared, writing = self._minted(kind, service, format)
        if fields:
            return self._minting.filled(declared, writing, fields)
        return self._minting.minter(declared, writing).mint()

    def mint_many(
        self, kind: str, count: int, *, service: str | None = None, format: str | None = None
    ) -> list[str]:
        """A list of new IDs, each as `mint` gives it, at about a third of the cost.

        Raises as `mint` does, and ValueError for a count that is not from 0 to 10 million.
        """
        return self._minting.minter(*self._minted(kind, service, format)).many(count)

    def bind(self, kind: str, *, service: str | None = None, format: str | None = None) -> Bound:
        """The kind's verbs as functions, for hot loops: mint, mint_many, parse, is_valid.

        `service` and `format` say how to mint. Raises UnknownName, InvalidId.

        >>> registry = Registry.from_toml("[kinds.user]")
        >>> users = registry.bind("user")
        >>> users.parse(users.mint()).kind
        'user'
        """
        declared, writing = self._minted(kind, service, format)
        return bind(
            self._minting.minter(declared, writing),
            self._writing(declared.canonical, kind),
            lambda text: self._parse(text, kind, None),
            lambda text: bool(self.recognise(text, kind).readings),
        )

    def _verbs(self, kind: str) -> Bound:
        try:
            return self._bound[kind]
        except (KeyError, TypeError):  # not used yet, or not declared
            self._bound[kind] = self.bind(kind)
            return self._bound[kind]

    def _minted(self, kind: str, service: str | None, format: str | None) -> tuple[Kind, Writing]:
        """The kind, and the writing that a service is to mint it in, if it may."""
        declared = self.kind(kind)
        return declared, self._writing(self._emitted(declared, service, format), kind)

    def _emitted(self, kind: Kind, service: str | None, format: str | None) -> str:
        if service is None:
            return kind.canonical if format is None else format
        emits = self.service(service).emits.get(kind.name, ())
        if kind.writer not in (None, service) or not emits:
            writer = f"; {kind.writer!r} does" if kind.writer else ""
            raise InvalidId(f"service {service!r} does not write {kind.name} IDs{writer}", text="")
        if format is not None and self.format(format).name not in emits:
            raise InvalidId(
                f"service {service!r} emits {kind.name} IDs as {', '.join(emits)}, not {format!r}", text=""
            )
        return emits[0] if format is None else format

    # Reading

    def recognise(self, text: object, kind: str | None = None, *, service: str | None = None) -> Recognition:
        """Every declared reading of a text. Never raises for a text; UnknownName for undeclared names."""
        if kind is not None:
            self.kind(kind)
        return self._recogniser.recognise(text, kind, None if service is None else self.service(service))

    def parse(self, text: object, kind: str, format: str | None = None) -> Reading:
        """The one reading of a text as `kind`, in `format` if given; 0.4 µs if it is canonical.

        Raises UnknownName, InvalidId, AmbiguousId.
        """
        return self._verbs(kind).parse(text) if format is None else self._parse(text, kind, format)

    def _parse(self, text: object, kind: str, format: str | None) -> Reading:
        if format is not None:
            self._writing(format, kind)
        found = self._in_format(self.recognise(text, kind), format)
        if not found.readings:
            raise InvalidId(found.reason, text=text)
        if found.ambiguous:
            raise AmbiguousId(found.reason, text=text)
        return found.readings[0]

    def is_valid(self, text: object, kind: str | None = None, format: str | None = None) -> bool:
        """Whether a text is an ID, of the kind and in the format if given. Raises UnknownName."""
        if kind is not None and format is None:
            return self._verbs(kind).is_valid(text)
        if format is not None:
            self.format(format)
        return any(format in (None, reading.format) for reading in self.recognise(text, kind).readings)

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

    def translate(
        self,
        text: object,
        to: str,
        kind: str | None = None,
        *,
        format: str | None = None,
        service: str | None = None,
    ) -> str:
        """The same ID written in the format `to`. Pure: the same input gives the same answer everywhere.

        Exact formats translate both ways without loss; any other text becomes its derived ID in an
        exact format. Kind and `format` say how the text is to be read, which saves finding it out. Raises
        UnknownName, InvalidId, AmbiguousId, Untranslatable.
        """
        if kind is not None and format is not None:
            return self.translator(to, kind, format)(text)
        self.format(to)
        return self._translate(self._in_format(self.recognise(text, kind, service=service), format), to)

    def translator(self, to: str, kind: str, format: str) -> Callable[[object], str]:
        """A function that translates texts of one kind and format, for many of them: 2 µs each.

        It does what `translate` does. Raises UnknownName, Untranslatable.
        """
        try:
            return self._translators[to, kind, format]
        except (KeyError, TypeError):  # not used yet, or not declared
            self._translators[to, kind, format] = self._translator(to, kind, format)
            return self._translators[to, kind, format]

    def _translator(self, to: str, kind: str, format: str) -> Callable[[object], str]:
        source, target = self._writing(format, kind), self._writing(to, kind)

        def with_care(text: object) -> str:
            return self._translate(self._in_format(self.recognise(text, kind), format), to)

        # A text that is canonical too names itself, so where the two overlap it takes looking at both.
        canonical = self.kinds[kind].canonical
        apart = (
            canonical not in self.formats[format].overlaps and format not in self.formats[canonical].overlaps
        )
        if target.payload is None or target.payload.versions or source is target or not apart:
            return with_care
        return translator(source, target, with_care)

    def _translate(self, found: Recognition, to: str) -> str:
        text = found.text
        if not found.readings or found.ambiguous:
            raise _no_answer(found)(found.reason, text=text)
        canonical = self.kinds[found.readings[0].kind].canonical
        reading = min(found.readings, key=lambda r: (r.format != to, r.format != canonical))
        if reading.format == to and reading.payload is None:
            return text
        target = self._writing(to, reading.kind)
        if target.payload is None:
            raise Untranslatable(
                f"format {to!r} can't hold the 128 bits of {show(text)}; link an alias", text=text
            )
        bits = reading.bits
        if not target.holds(bits):
            raise Untranslatable(_not_of_the_versions(target, bits, reading), text=text)
        return target.write_bits(bits)

    def _in_format(self, found: Recognition, format: str | None) -> Recognition:
        """The readings in a format. InvalidId if there are only others."""
        if format is None:
            return found
        self.format(format)
        fitting = tuple([reading for reading in found.readings if reading.format == format])
        if found.readings and not fitting:
            other = found.readings[0].format
            raise InvalidId(f"{show(found.text)} is in format {other!r}, not {format!r}", text=found.text)
        return found._replace(readings=fitting)

    def writings(self, kind: str, text: str) -> dict[str, str]:
        """The same ID in every format that holds its 128 bits (derived ones, if it has none), and as it is.

        Canonical first, where that is one of them.
        """
        reading = self.parse(text, kind)
        names = [self.kind(kind).canonical, *self.formats]
        bits = reading.bits
        exact = [name for name in names if (w := self._writings.get((name, kind))) and w.holds(bits)]
        found = {name: self.translate(reading.text, name, kind) for name in exact}
        return found if reading.exact else found | {reading.format: text}

    def _writing(self, format: str, kind: str) -> Writing:
        try:
            return self._writings[format, kind]
        except (KeyError, TypeError):  # not declared, or no name at all
            self.format(format)
            self.kind(kind)
            raise Untranslatable(f"format {format!r} does not write kind {kind!r}", text="") from None


def _not_of_the_versions(writing: Writing, bits: int, reading: Reading) -> str:
    assert writing.payload is not None, "only a uuid with named versions holds not all 128 bits"
    wanted = " or ".join(map(str, writing.payload.versions))
    version = payload.version_of(bits)
    has = "is no UUID of RFC 9562" if version is None else f"has version {version}"
    whose = show(reading.text) if reading.exact else f"the derived ID of {show(reading.text)}"
    return f"format {writing.format!r} holds UUIDs of version {wanted} only, but {whose} {has}; link an alias"


def _no_answer(found: Recognition) -> type[InvalidId]:
    if found.ambiguous:
        return AmbiguousId
    return Untranslatable if found.readings else InvalidId


def _named(what: str, name: str, known: Mapping[str, Declared]) -> Declared:
    if not isinstance(name, str):
        got = type(name).__name__
        raise UnknownName(f"expected the name of a {what}, got {got}", what=what, name=got)
    try:
        return known[name]
    except KeyError:
        hint = did_you_mean(name, known)
        raise UnknownName(f"{what} {show(name)} is not declared{hint}", what=what, name=name[:64]) from None
