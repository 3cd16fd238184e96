"""The values that the registry hands out. All are immutable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from canonid.core.grammar import Pattern, Value


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


class Reading(NamedTuple):
    """One way to read a text.

    `payload` holds the 128 bits of an exact format, else None. `canonical` is None where the kind's
    canonical format can't hold a derived ID, so that only an alias can answer. `time` is milliseconds
    since 1970, where the text holds its creation time.
    """

    text: str
    format: str
    kind: str
    fields: Mapping[str, Value]
    payload: int | None
    canonical: str | None
    time: int | None

    @property
    def exact(self) -> bool:
        """Whether translating loses nothing and can be undone."""
        return self.payload is not None

    @property
    def identity(self) -> Identity | None:
        return None if self.canonical is None else Identity(self.kind, self.canonical)

    @property
    def key(self) -> tuple[str, str | int | None]:
        """Equal for two readings of a text exactly if they name the same thing."""
        return self.kind, self.canonical or self.payload


class Recognition(NamedTuple):
    """All readings of a text. `answer` is the identity they agree on, `reason` says why there is none."""

    text: str
    readings: tuple[Reading, ...]
    answer: Identity | None
    explain: Callable[[], str]

    @property
    def reason(self) -> str:
        """One sentence, empty if there is an answer. Worked out when asked for: some 0.1 to 1 ms."""
        return self.explain()

    @property
    def ambiguous(self) -> bool:
        """Whether the readings name different things."""
        return len({reading.key for reading in self.readings}) > 1
