"""Minting for the kinds of a registry: in which format, and what its fields are filled with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from canonid.core import ksuid
from canonid.core.declaring import did_you_mean
from canonid.core.engine import HALF_A_MICROSECOND, Clock, Engine, Entropy, Minter, untimed
from canonid.core.grammar import PAYLOADS, Field, Value
from canonid.core.producing import minted_version
from canonid.core.snowflake import Snowflakes
from canonid.core.values import Kind
from canonid.core.writing import Writing
from canonid.errors import InvalidId, show

MOST_AT_ONCE = 10_000_000  # some GB of texts; nobody means more
MOST_BITS = 1024  # of a number: more than any field holds, and quick to write out


class Minting:
    """The sources of new IDs, one for each kind and format, so that all who ask get one increasing order."""

    def __init__(self, clock: Clock, entropy: Entropy, engine: Engine) -> None:
        self._clock = clock
        self._entropy = entropy
        self._engine = engine
        self._snowflakes = Snowflakes(self._now)
        self._sources: dict[tuple[str, int, str, str], Minter] = {}
        self._counters: dict[tuple[str, str, str], itertools.count[int]] = {}

    def minter(self, kind: Kind, writing: Writing) -> Minter:
        """The source of texts of a writing. Its calls raise InvalidId where nothing can be minted."""
        if writing.payload is not None and not kind.retired:
            source = self._source(kind, writing.payload, writing.before, writing.after)
            if source is not None:
                return source

        def mint() -> str:
            return self.filled(kind, writing, {})

        return Minter(mint, _counted(lambda n: [mint() for _ in range(n)]))

    def filled(self, kind: Kind, writing: Writing, given: Mapping[str, Value]) -> str:
        """A new text with the given fields; the others are filled in. InvalidId where they don't fit."""
        if kind.retired:
            raise InvalidId(
                f"kind {kind.name!r} is retired: its IDs are still read, but none are minted", text=""
            )
        _require_values(given)
        unknown = sorted(given.keys() - writing.names)
        if unknown:
            hint = did_you_mean(unknown[0], writing.names)
            raise InvalidId(f"format {writing.format!r} has no field {show(unknown[0])}{hint}", text="")
        try:
            text = writing.write(writing.fill(given, lambda field: self._fill(field, kind, writing, given)))
        except KeyError as error:
            raise InvalidId(
                f"minting a {kind.name} in format {writing.format!r} needs {error.args[0]}=", text=""
            ) from None
        read = writing.fields_of(text)
        if read is None or not writing.same_fields(given, read):
            raise InvalidId(
                f"{show(text)} is not a {kind.name} in format {writing.format!r}; check the fields", text=text
            )
        return text

    def _fill(self, field: Field, kind: Kind, writing: Writing, given: Mapping[str, Value]) -> Value | None:
        if field.type in PAYLOADS:
            source = self._source(kind, field, "", "")
            return None if source is None else source.mint()
        match field.type:
            case "ksuid":
                return ksuid.mint(self._now(), self._entropy(16))
            case "snowflake":
                return self._snowflake(field, given)
            case "time":
                now = self._now() // (1000 if field.unit == "s" else 1)
                return now % field.modulo if field.modulo else now
            case "hex":
                return self._entropy((field.width or 1) // 2 + 1).hex()[: field.width]
            case "int":
                # A counter alone would begin anew in every process.
                return self._count(writing, field) if writing.distinct else None
            case _:
                return None

    def _snowflake(self, field: Field, given: Mapping[str, Value]) -> int | None:
        if field.layout is None or not given.keys() >= set(field.machine):
            return None
        return self._snowflakes(field.layout, {name: given[name] for name in field.machine})

    def _now(self) -> int:
        """Milliseconds since 1970."""
        return int((self._clock() + HALF_A_MICROSECOND) * 1000)

    def _count(self, writing: Writing, field: Field) -> int:
        key = writing.format, writing.kind, field.name
        low = min(max(1, field.low), field.high)
        # It begins anew at the end of its range; what else is filled in keeps the IDs apart.
        return low + next(self._counters.setdefault(key, itertools.count())) % (field.high - low + 1)

    def _source(self, kind: Kind, field: Field, before: str, after: str) -> Minter | None:
        """The source of the bits of a field, one for all who ask; None if it takes more to make them."""
        version = minted_version(field, kind.private)
        if version is None:
            return None
        key = field.type, version, before, after
        if key not in self._sources:
            if version == 7:
                made = self._engine(field.type, before, after, self._clock, self._entropy)
            else:
                made = untimed(field.type, before, after, self._entropy)
            made = made._replace(many=_counted(made.many))
            self._sources.setdefault(key, made)  # another thread may have been first
        return self._sources[key]


def _counted(many: Callable[[int], list[str]]) -> Callable[[int], list[str]]:
    """`many`, with a ValueError for what is no count."""

    def counted(count: int) -> list[str]:
        if not isinstance(count, int) or isinstance(count, bool):
            raise ValueError(f"expected how many IDs to mint, got {type(count).__name__}")
        if not 0 <= count <= MOST_AT_ONCE:
            got = count if count.bit_length() <= 64 else f"a number of {count.bit_length()} bits"
            raise ValueError(f"from 0 to {MOST_AT_ONCE} IDs can be minted at once, not {got}")
        return many(count)

    return counted


def _require_values(given: Mapping[str, object]) -> None:
    """Raises InvalidId for what is neither a text nor a number, and for a number too long to write out."""
    for name, value in given.items():
        if not isinstance(value, str | int) or isinstance(value, bool):
            got = type(value).__name__
            raise InvalidId(f"expected a text or a whole number as {show(name)[1:-1]}=, got {got}", text="")
        if isinstance(value, int) and value.bit_length() > MOST_BITS:
            raise InvalidId(
                f"no field holds a number of {value.bit_length()} bits, as given for {show(name)[1:-1]}=",
                text="",
            )
