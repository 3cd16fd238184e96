"""The values that the registry hands out. All are immutable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from canonid.core.grammar import Pattern, Value
from canonid.core.writing import Writing


class Kind(NamedTuple):
    """What an ID names, e.g. a user. `writer` is the one service that mints it, if declared.

    `rate` is how many are minted per second in the whole system, if declared. IDs of a `private` kind
    must not tell when or for whom they were made. Of a `retired` kind, and with `retired_prefixes`, texts
    are still read, but none are minted.
    """

    name: str
    prefix: str
    parent: str | None
    canonical: str
    writer: str | None
    description: str
    rate: float | None
    private: bool
    retired: bool
    retired_prefixes: tuple[str, ...]


class Format(NamedTuple):
    """How an ID is written, and which kinds are written so.

    `prefixes` holds the words that stand for `{kind}` where a kind's own prefix does not.
    """

    name: str
    source: str
    pattern: Pattern
    kinds: tuple[str, ...]
    prefixes: Mapping[str, str]
    overlaps: frozenset[str]
    description: str


class Service(NamedTuple):
    """Which formats a service accepts, and in which it emits each kind (the first is how it writes)."""

    name: str
    accepts: frozenset[str]
    emits: Mapping[str, tuple[str, ...]]
    description: str


class Identity(NamedTuple):
    """The one thing that a text names."""

    kind: str
    canonical: str


class Reading:
    """One way to read a text. What it says beyond kind and format is worked out when asked for.

    Two readings are equal if the text, the kind and the format are.
    """

    # Half the time of a named tuple, and less than with an `__init__`; see `read_as`.
    __slots__ = ("_text", "_writing")

    _text: str
    _writing: Writing

    @property
    def text(self) -> str:
        return self._text

    @property
    def kind(self) -> str:
        return self._writing.kind

    @property
    def format(self) -> str:
        return self._writing.format

    @property
    def fields(self) -> Mapping[str, Value]:
        """The fields of the pattern by name: ints for times and counters, else texts."""
        return self._writing.fields_of(self._text) or {}

    @property
    def payload(self) -> int | None:
        """The 128 bits of an exact format, else None."""
        return self._writing.bits_of(self._text)

    @property
    def bits(self) -> int:
        """128 bits: the text's own or, if it has none, those of its derived ID."""
        return self._writing.held(self._text)

    @property
    def canonical(self) -> str | None:
        """The canonical ID; None where the canonical format can't hold it, so that only an alias can tell."""
        return self._writing.canonical_of(self._text)

    @property
    def time(self) -> int | None:
        """Milliseconds since 1970, where the text holds its creation time."""
        return self._writing.time_of(self._text)

    @property
    def exact(self) -> bool:
        """Whether translating loses nothing and can be undone."""
        return self._writing.payload is not None

    @property
    def identity(self) -> Identity | None:
        canonical = self.canonical
        return None if canonical is None else Identity(self.kind, canonical)

    @property
    def key(self) -> tuple[str, str | int | None]:
        """Equal for two readings of a text exactly if they name the same thing."""
        return self.kind, self.canonical or self.payload

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reading):
            return NotImplemented
        return (self._text, self.kind, self.format) == (other._text, other.kind, other.format)

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Reading({self._text!r}, kind={self.kind!r}, format={self.format!r})"


def read_as(text: str, writing: Writing) -> Reading:
    """The reading of a text that the writing accepts."""
    made = Reading()
    made._text = text
    made._writing = writing
    return made


class Recognition(NamedTuple):
    """All readings of a text. What follows from them is worked out when asked for."""

    text: str
    readings: tuple[Reading, ...]
    explain: Callable[[Recognition], str]

    @property
    def answer(self) -> Identity | None:
        """The identity that all readings agree on; None if there is no reading, or no such identity."""
        return None if not self.readings or self.ambiguous else self.readings[0].identity

    @property
    def reason(self) -> str:
        """Why there is no answer, in one sentence; empty if there is one.

        Takes 0.1 to 3 ms, and the first time up to 0.3 s in a registry of a hundred kinds.
        """
        return "" if self.answer else self.explain(self)

    @property
    def ambiguous(self) -> bool:
        """Whether the readings name different things."""
        if len(self.readings) < 2:
            return False
        kinds = {reading.kind for reading in self.readings}
        return len(kinds) > 1 or len({reading.key for reading in self.readings}) > 1
