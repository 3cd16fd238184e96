"""Where the 128 bits of a UUIDv7 stand in each text that holds them.

All layouts say the same bits in the same order (RFC 9562 §5.7): 48 of milliseconds, 4 of version, 12, 2 of
variant, 62. When minting, the 14 bits on both sides of the variant are a counter (RFC 9562 §6.2, method 1)
and the 60 behind it are random.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from canonid.core.language import CROCKFORD

COUNTERS = 1 << 14
COUNTER_WIDTH = 4  # characters, in every layout
FRESH_BITS = 40  # of the random bits: those that every ID has for itself


class Layout(NamedTuple):
    """The columns of a text: the characters of the time, then those of the counter and the random ones."""

    time: Callable[[int], str]
    rest: Callable[[str, str], str]  # the counter's characters and the random ones → what follows the time
    counter: tuple[bytes, ...]  # a column for each: its character at every value of the counter
    random: bytes  # translates any byte to a random character
    shared: int  # how many random characters a block of IDs may share
    fresh: int  # how many stand for FRESH_BITS

    def counted(self, count: int) -> str:
        """The characters of one value of the counter."""
        return "".join([chr(column[count]) for column in self.counter])


@cache
def layout(type_: str) -> Layout:
    """The layout of a payload field's type: `base32`, `ulid` or `uuid`. Its tables take some 65 KB."""
    if type_ == "uuid":
        digits = b"0123456789abcdef"
        columns = [_column(digits, 1 << shift) for shift in (10, 6, 2)] + [_column(b"89ab", 1)]
        return Layout(_uuid_time, _uuid_rest, tuple(columns), _random(digits), 5, 10)
    digits = (CROCKFORD.upper() if type_ == "ulid" else CROCKFORD).encode()
    # The version and the variant share a character with the counter: 0111c and c10cc.
    variants = bytes([digits[high << 4 | 0b01000 | low] for high in range(2) for low in range(4)])
    columns = [_column(digits[0b01110:0b10000], 1 << 13), _column(digits, 1 << 8), _column(digits, 1 << 3)]
    pairs = [chr(high) + chr(low) for high in digits for low in digits]

    def time(milliseconds: int) -> str:
        return "".join([pairs[milliseconds >> shift & 1023] for shift in (40, 30, 20, 10, 0)])

    return Layout(time, str.__add__, (*columns, _column(variants, 1)), _random(digits), 4, 8)


def _uuid_time(milliseconds: int) -> str:
    text = f"{milliseconds:012x}"
    return f"{text[:8]}-{text[8:]}-7"


def _uuid_rest(counter: str, random: str) -> str:
    return f"{counter[:3]}-{counter[3]}{random[:3]}-{random[3:]}"


def _column(digits: bytes, each: int) -> bytes:
    """The digits in order, `each` so many times, over and over."""
    once = b"".join([bytes([digit]) * each for digit in digits])
    return once * (COUNTERS // len(once))


def _random(digits: bytes) -> bytes:
    """A translation of bytes to digits that gives each digit equally often."""
    return digits * (256 // len(digits))
