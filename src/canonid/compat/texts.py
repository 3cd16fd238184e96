"""The legacy texts: written, read, normalised. Pure functions of the text.

A text is read from the right, because what stands on the left (a prefix, an operation, a thread) is free.
Nothing here takes longer for a longer text than up to `LONGEST` characters.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from os import urandom
from typing import NamedTuple

from canonid.errors import InvalidId, show

LONGEST = 4096  # characters of an ID
LONGEST_PART = 2048  # characters of an ID, or of a part of one, that a caller gives to make another of
NO_TIME = "0" * 13  # stands where an ID in generator format has no millisecond of its own

_UUID = re.compile(
    r"(?:urn:uuid:)?"
    r"(?:([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})|([0-9a-f]{32}))",
    re.ASCII | re.IGNORECASE,
)
_GENERATED = re.compile(
    r"(?P<prefix>.*)_(?P<time>[0-9]{13})_(?P<counter>[0-9]{1,12})(?:_(?P<random>[0-9a-f]{1,255}))?"
)
_CONTEXT = re.compile(
    r"(?P<kind>thread|run|req)_(?P<operation>.*)_(?P<counter>[0-9]{1,12})_(?P<random>[0-9a-f]{8})"
)
TYPES = (
    "user", "session", "request", "agent", "tool", "transaction", "websocket", "execution", "trace", "metric",
    "thread", "connection", "run",
)  # fmt: skip
_STRUCTURED = re.compile(
    rf"(?:(?P<prefix>.+)_)?(?P<type>{'|'.join(TYPES)})_(?P<counter>0|[1-9][0-9]{{0,28}})_(?P<random>[0-9a-f]{{8}})"
)
PARTS = ("websocket_factory", "websocket_manager", "agent_executor")
_COUNTED = re.compile(r"(?P<start>[A-Za-z0-9_.@:+|-]{1,192})_[0-9]{1,12}_[0-9a-f]{8}")
_FACTORY = re.compile(r"websocket_factory_(?P<time>0|[1-9][0-9]{0,12})")
_FACTORY_PREFIX = "websocket_factory"
_UUID_LENGTHS = frozenset({32, 36, 41, 45})
_FROM_UUID = 20  # digits of a counter that must be the rest of a UUID; no process counts so far


class Generated(NamedTuple):
    """An ID of the generator: `{prefix}_{time}_{counter}[_{random}]`, as texts. `random` may be empty."""

    prefix: str
    time: str
    counter: str
    random: str


class Context(NamedTuple):
    """A context ID: `{kind}_{operation}_{counter}_{random}`, as texts; `kind` is thread, run or req."""

    kind: str
    operation: str
    counter: str
    random: str


class Structured(NamedTuple):
    """An ID of the manager: `[{prefix}_]{type}_{counter}_{random}`, as texts; `prefix` may be empty."""

    prefix: str
    type: str
    counter: str
    random: str


# Parts that callers give


def named(value: object, what: str) -> str:
    """A text that somebody uses as an ID. Raises InvalidId for anything but a text of a bearable length."""
    if not isinstance(value, str):
        raise InvalidId(f"{what} is {_article(value)}; expected a text", text=value)
    if len(value) > LONGEST_PART:
        raise InvalidId(
            f"{what} {show(value)} is too long; expected at most {LONGEST_PART} characters", text=value
        )
    return value


def part(value: object, what: str) -> str:
    """A text that becomes a part of an ID: as `named`, and printable."""
    text = named(value, what)
    if not text.isprintable():
        raise InvalidId(f"{what} {show(text)} holds a control character; expected printable text", text=text)
    return text


def milliseconds(seconds: object) -> int:
    """A point in time that a caller gives in seconds since 1970. Raises InvalidId if it has no 13 digits."""
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not 0 <= seconds < 10**10:  # type: ignore[operator]  # a number, by now
        shown = repr(seconds)[:64]
        raise InvalidId(f"the timestamp {shown} is no time; expected seconds since 1970", text=shown)
    return int(seconds * 1000)  # type: ignore[operator]


def _article(value: object) -> str:
    return "missing (None)" if value is None else f"of type {type(value).__name__}"


# Writing


def random_hex(length: int = 8) -> str:
    """That many random hex digits, from the operating system's entropy: a forked child gets others."""
    return urandom((length + 1) // 2).hex()[:length]


def generated(prefix: str, time: int, counter: int, random: str) -> str:
    """An ID in generator format; without the last part if `random` is empty."""
    text = f"{prefix}_{time:013d}_{counter}"
    return f"{text}_{random}" if random else text


def last_part(text: str) -> str:
    """The last part of an ID, at most 8 characters: how the generator mentions one ID within another."""
    return text.rpartition("_")[2][:8]


# Reading


def read_generated(text: object) -> Generated | None:
    """The parts of an ID in generator format."""
    found = _match(_GENERATED, text)
    return found and Generated(found["prefix"], found["time"], found["counter"], found["random"] or "")


def read_context(text: object) -> Context | None:
    """The parts of a context ID, one in generator format excepted."""
    found = None if read_generated(text) else _match(_CONTEXT, text)
    return found and Context(*found.groups())


def read_structured(text: object) -> Structured | None:
    """The parts of an ID of the manager."""
    found = _match(_STRUCTURED, text)
    return found and Structured(found["prefix"] or "", found["type"], found["counter"], found["random"])


def read_factory(text: object) -> int | None:
    """The number behind `websocket_factory_`."""
    found = _match(_FACTORY, text)
    return found and int(found["time"])


def names_a_part(text: object) -> bool:
    """Whether the text mentions a part of the WebSocket layer, anywhere before a counter and 8 hex digits."""
    found = _match(_COUNTED, text)
    return found is not None and any(f"_{name}_" in f"_{found['start']}_" for name in PARTS)


def read_uuid(text: object) -> str | None:
    """32 lower-case hex digits, if the text is a UUID: with dashes or without, in any case, or as a URN."""
    found = _match(_UUID, text)
    return found and "".join(group for group in found.groups() if group).lower()


def dashed(digits: str) -> str:
    """RFC 9562 text of 32 hex digits."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _match(pattern: re.Pattern[str], text: object) -> re.Match[str] | None:
    return pattern.fullmatch(text) if isinstance(text, str) and len(text) <= LONGEST else None


# A UUID as a structured ID: its first 8 digits are the random part, the other 96 bits the counter


def structured_parts(digits: str) -> tuple[int, str]:
    """The counter and the random part that hold all bits of a UUID, given as 32 hex digits."""
    return int(digits[8:], 16), digits[:8]


def uuid_of_parts(counter: str, random: str) -> str | None:
    """The UUID of these parts, the inverse of `structured_parts`; None if there are more than 96 bits."""
    number = int(counter)
    return None if number >> 96 else dashed(f"{random}{number:024x}")


# Normalising


def normalised(text: str) -> str:
    """The same ID in generator format; what isn't known, or is in that format already, stays as it is.

    A context ID never had a millisecond, so it gets 13 zeros. The name of a WebSocket factory keeps its
    number as the millisecond; what it has no counter and no random part for is 0 and a fingerprint.
    """
    if context := read_context(text):
        return f"{context.kind}_{context.operation}_{NO_TIME}_{context.counter}_{context.random}"
    number = read_factory(text)
    if number is not None:
        return generated(_FACTORY_PREFIX, number, 0, _fingerprint(text))
    return text


def original(text: str) -> str:
    """What `normalised` has made this text of; the text itself if it is not its work."""
    parts = read_generated(text)
    if parts is None:
        return text
    if parts.prefix == _FACTORY_PREFIX:
        candidate = f"{_FACTORY_PREFIX}_{int(parts.time)}"
    elif parts.time == NO_TIME:
        candidate = f"{parts.prefix}_{parts.counter}_{parts.random}"
    else:
        return text
    return candidate if normalised(candidate) == text else text


def _fingerprint(text: str) -> str:
    return blake2b(text.encode(), digest_size=4, person=b"canonid-compat-1").hexdigest()


# Naming


def key(text: object) -> str | None:
    """One text for all writings of a thing that can be told from the text alone; None for what is no ID.

    A UUID in any writing, and a structured ID that was made of one, give its RFC 9562 text; what
    normalising made gives what it was made of; every other text is its own.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        return None
    if len(text) in _UUID_LENGTHS and (digits := read_uuid(text)):
        return dashed(digits)
    head, _, random = text.rpartition("_")
    counter = head.rpartition("_")[2]
    if len(counter) >= _FROM_UUID and (uuid := _made_of_uuid(text, counter, random)):
        return uuid
    if NO_TIME in text or text.startswith(_FACTORY_PREFIX):
        return original(text)
    return text


def _made_of_uuid(text: str, counter: str, random: str) -> str | None:
    return uuid_of_parts(counter, random) if read_structured(text) else None
