"""The grammar of format patterns: `run_{thread:id(thread)}_{time:time(ms % 100000)}_{random:hex(8)}`.

The EBNF is in docs/formats.md. Parsing a pattern gives its items: literal text, fields and optional
parts. What a field accepts is a tree of `language`; how its text becomes a value is `read` and `write`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from canonid.core import ksuid, payload
from canonid.core.language import (
    CROCKFORD,
    DIGIT,
    HEX,
    Node,
    Repeat,
    Seq,
    Slug,
    Text,
    chars,
    decimal,
    times,
    words,
)
from canonid.core.snowflake import Layout, layout
from canonid.errors import show

MAX_PATTERN = 4096  # characters; a text may have no more than a quarter of that
MAX_FIELD = 255
INT_LIMIT = 10**12 - 1
TIME_LIMITS = {"ms": 10**14 - 1, "s": 10**11 - 1}  # both reach the year 5138

Value = str | int


class PatternError(Exception):
    """A pattern that does not follow the grammar; `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


class Field(NamedTuple):
    """One field in braces.

    `node` is None for the two types whose texts depend on the registry: `kind` and `id(...)`.
    """

    name: str
    type: str
    node: Node | None
    unit: str = ""  # of a time: "ms" or "s"
    modulo: int | None = None  # of a time: only the remainder is written
    width: int | None = None  # of a time or hex: exact number of characters
    low: int = 0  # of an int: the least and the greatest
    high: int = INT_LIMIT
    nested: str = ""  # of an id: the kind that it names
    versions: tuple[int, ...] = ()  # of a uuid: the only ones, where they are named
    layout: Layout | None = None  # of a snowflake

    @property
    def numeric(self) -> bool:
        return self.type in ("time", "int", "snowflake")

    @property
    def machine(self) -> tuple[str, ...]:
        """What the caller may give instead of the field itself: the machine's numbers in a snowflake."""
        return self.layout.machine if self.layout else ()

    def read(self, text: str) -> Value:
        """The value of a text that the field accepts: an int for decimal fields, else the text."""
        return int(text) if self.numeric else text

    def write(self, value: Value) -> str:
        """The text of a value; the inverse of `read`."""
        return (
            f"{value:0{self.width}d}"
            if self.type == "time" and isinstance(value, int) and self.width
            else str(value)
        )

    def holds(self, bits: int) -> bool:
        """Whether a field of 128 bits can hold these: only a uuid with named versions holds not all."""
        return not self.versions or payload.version_of(bits) in self.versions

    def time_of(self, value: Value) -> int | None:
        """The creation time in milliseconds since 1970, if the value holds it in full."""
        if self.type in PAYLOADS:
            return payload.time_of(self.type, payload.read(self.type, str(value)))
        if self.type == "ksuid":
            return ksuid.time_of(str(value))
        if self.layout is not None:
            return self.layout.time_of(int(value))
        if self.type == "time" and self.modulo is None:
            return int(value) * (1000 if self.unit == "s" else 1)
        return None


class Optional(NamedTuple):
    """The part of a pattern between brackets."""

    items: tuple[str | Field, ...]


Item = str | Field | Optional
Pattern = tuple[Item, ...]

TOKEN = re.compile(r"\{([^{}]*)\}|([\[\]])|([!-Z\\^-z|~]+)")
FIELD = re.compile(r"([a-z][a-z0-9_]*)(?:\s*:\s*([a-z][a-z0-9-]*)(?:\((.*)\))?)?")


def parse_pattern(text: str) -> Pattern:
    """The items of a pattern. Raises PatternError with the column of the first fault."""
    if len(text) > MAX_PATTERN:
        raise PatternError(f"a pattern may have {MAX_PATTERN} characters, not {len(text)}", 1)
    items: list[Item] = []
    part: list[str | Field] | None = None  # of the optional part that is open
    opened = 0
    position = 0
    while position < len(text):
        token = TOKEN.match(text, position)
        if token is None:
            raise PatternError(_stray(text[position]), position + 1)
        field, bracket, literal = token.groups()
        into: list[Any] = items if part is None else part
        if field is not None:
            into.append(_field(field, position + 2))
        elif literal is not None:
            into.append(literal)
        elif bracket == "[":
            if part is not None:
                raise PatternError("an optional part can't hold another", position + 1)
            part, opened = [], position + 1
        elif part is None:
            raise PatternError("']' without a '[' before it", position + 1)
        else:
            if all(isinstance(item, str) or item.type == "kind" for item in part):
                raise PatternError(
                    "an optional part must hold a field besides {kind}, which tells that it is there;"
                    " else declare two formats",
                    opened,
                )
            items.append(Optional(tuple(part)))
            part = None
        position = token.end()
    if part is not None:
        raise PatternError("'[' is never closed", opened)
    pattern = tuple(items)
    _check_names(pattern)
    return pattern


def fields(pattern: Pattern) -> Iterator[Field]:
    """Every field of a pattern from left to right, those of optional parts too."""
    for item in pattern:
        if isinstance(item, Field):
            yield item
        elif isinstance(item, Optional):
            yield from fields(item.items)


def _check_names(pattern: Pattern) -> None:
    seen: set[str] = set()
    for field in fields(pattern):
        for name in (field.name, *field.machine):
            if name in seen:
                raise PatternError(f"two fields are named {show(name)}", 1)
            seen.add(name)
    if not seen:
        raise PatternError("a format needs at least one field in braces, e.g. {id:hex(8)}", 1)


def _stray(char: str) -> str:
    if char in "{}":
        return f"{char!r} does not belong to a field; write {{name:type}}"
    return f"{char!a} can't stand in a pattern; only printable ASCII can, without spaces, braces, brackets"


def _field(source: str, column: int) -> Field:
    parts = FIELD.fullmatch(source.strip())
    if parts is None:
        raise PatternError(
            f"{show(source)} is not a field; write {{name:type}} or {{name:type(options)}}", column
        )
    name, type_, options = parts.groups()
    if type_ is None:
        if name != "kind":
            raise PatternError(f"field {show(name)} has no type; only {{kind}} may leave it out", column)
        type_ = "kind"
    make = TYPES.get(type_)
    if make is None:
        raise PatternError(
            f"{show(type_)} is not a field type; the types are {', '.join(sorted(TYPES))}", column
        )
    try:
        return make(name, (options or "").strip())
    except ValueError as error:
        raise PatternError(f"field {show(name)}: {error}", column) from None


def _options(options: str, syntax: str, expected: str) -> tuple[str | None, ...]:
    match = re.fullmatch(syntax, options, re.ASCII)
    if match is None:
        raise ValueError(f"expected {expected}, got {show(options)}" if options else f"expected {expected}")
    return match.groups()


def _bounds(
    low: str | None, high: str | None, default: tuple[int, int], limit: int = MAX_FIELD
) -> tuple[int, int]:
    first, last = int(low or default[0]), int(high or default[1])
    if not 1 <= first <= last <= limit:
        raise ValueError(f"the bounds {first}..{last} must rise and stay within 1..{limit}")
    return first, last


def _time(name: str, options: str) -> Field:
    expected = "time(ms), time(s), time(ms, 13) or time(ms % 100000)"
    unit, modulo, width = _options(
        options, r"(ms|s)(?:\s*%\s*([1-9]\d{0,13}))?(?:\s*,\s*([1-9]\d?))?", expected
    )
    assert unit is not None
    high = int(modulo) - 1 if modulo else TIME_LIMITS[unit]
    if width is None:
        return Field(name, "time", decimal(0, high), unit, int(modulo) if modulo else None)
    if modulo:
        if len(str(high)) > int(width):
            raise ValueError(f"{width} digits can't hold {high}")
        raise ValueError("a remainder takes no width")
    least = 13 if unit == "ms" else 10
    if not least <= int(width) <= 16:
        raise ValueError(f"today's time in {unit} takes {least} digits; expected {least} to 16")
    return Field(name, "time", times(DIGIT, int(width)), unit, None, int(width))


def _int(name: str, options: str) -> Field:
    if not options:
        return Field(name, "int", decimal(0, INT_LIMIT))
    low, high = _options(options, r"(\d{1,40})\.\.(\d{1,40})", "int or int(1..999999)")
    assert low is not None and high is not None
    if int(low) > int(high):
        raise ValueError(f"the range {low}..{high} is empty")
    return Field(name, "int", decimal(int(low), int(high)), low=int(low), high=int(high))


def _hex(name: str, options: str) -> Field:
    (width,) = _options(options, r"([1-9]\d{0,2})", "the number of digits, e.g. hex(8)")
    _, count = _bounds(width, width, (1, 1))
    return Field(name, "hex", times(HEX, count), width=count)


def _text(name: str, options: str) -> Field:
    expected = "an alphabet and a length, e.g. text(A-Za-z0-9, 21..21)"
    alphabet, low, high = _options(options, r"([!-+\--z|~]+)\s*,\s*(\d{1,3})(?:\.\.(\d{1,3}))?", expected)
    assert alphabet is not None
    first, last = _bounds(low, high or low, (1, 1))
    return Field(name, "text", Repeat(chars(_alphabet(alphabet)), first, last))


def _alphabet(source: str) -> str:
    out = set()
    position = 0
    while position < len(source):
        first = source[position]
        if source[position + 1 : position + 2] == "-" and position + 2 < len(source):
            last = source[position + 2]
            if first > last:
                raise ValueError(f"the range {first}-{last} of the alphabet runs backwards")
            out |= {chr(code) for code in range(ord(first), ord(last) + 1)}
            position += 3
        else:
            out.add(first)
            position += 1
    return "".join(sorted(out))


def _slug(name: str, options: str) -> Field:
    low, high = _options(options, r"(?:(\d{1,3})\.\.(\d{1,3}))?", "slug or slug(1..40)")
    return Field(name, "slug", Slug(*_bounds(low, high, (1, 64))))


def _one_of(name: str, options: str) -> Field:
    choices = tuple(choice.strip() for choice in options.split(","))
    if not all(re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", choice) for choice in choices):
        raise ValueError("expected words of letters, digits, '_', '.', '-', e.g. one-of(prod, dev)")
    if len(set(choices)) < len(choices):
        raise ValueError("the same word stands twice")
    return Field(name, "one-of", words(choices))


def _id(name: str, options: str) -> Field:
    (kind,) = _options(options, r"([a-z][a-z0-9_-]*)", "the kind of the nested ID, e.g. id(thread)")
    assert kind is not None
    return Field(name, "id", None, nested=kind)


def _uuid(name: str, options: str) -> Field:
    _options(options, r"(?:[1-8](?:\s*,\s*[1-8])*)?", "versions from 1 to 8, e.g. uuid(7) or uuid(4, 7)")
    versions = tuple(sorted(map(int, re.findall(r"\d", options))))
    if len(set(versions)) < len(versions):
        raise ValueError("the same version stands twice")
    if not versions:
        return Field(name, "uuid", _dashed())
    version = chars("".join(map(str, versions)))
    return Field(name, "uuid", _dashed(version, variant=chars("89ab")), versions=versions)


def _snowflake(name: str, options: str) -> Field:
    packed = layout(options)
    return Field(name, "snowflake", packed.node, layout=packed)


def _plain(type_: str, node: Node | None) -> Callable[[str, str], Field]:
    def make(name: str, options: str) -> Field:
        _options(options, r"", f"no options after {type_}")
        return Field(name, type_, node)

    return make


def _dashed(version: Node = HEX, variant: Node = HEX) -> Node:
    """RFC 9562 §4 text; the version is its 13th digit, the variant is in the 17th."""
    dash = Text("-")
    three = times(HEX, 3)
    return Seq(
        (times(HEX, 8), dash, times(HEX, 4), dash, version, three, dash, variant, three, dash, times(HEX, 12))
    )


# 26 characters hold 130 bits, so the first may only be 0-7 (TypeID 0.3, ULID).
_BASE32 = Seq((chars(CROCKFORD[:8]), times(chars(CROCKFORD), 25)))
_ULID = Seq((chars(CROCKFORD[:8]), times(chars(CROCKFORD.upper()), 25)))

TYPES: dict[str, Callable[[str, str], Field]] = {
    "time": _time,
    "int": _int,
    "hex": _hex,
    "text": _text,
    "slug": _slug,
    "one-of": _one_of,
    "id": _id,
    "kind": _plain("kind", None),
    "uuid": _uuid,
    "base32": _plain("base32", _BASE32),
    "ulid": _plain("ulid", _ULID),
    "ksuid": _plain("ksuid", ksuid.NODE),
    "snowflake": _snowflake,
}
PAYLOADS = frozenset({"uuid", "base32", "ulid"})  # the field types that hold 128 bits, the whole of an ID
