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


class Layout(NamedTuple):
    """The columns of a text: the characters of the time, then those of the counter and the random ones."""

    time: Callable[[int], str]
    rest: Callable[[int, str], str]  # the counter and the random characters → what follows the time
    counter_at: tuple[int, ...]  # where the counter's characters stand after the time
    counter: tuple[bytes, ...]  # a column for each character of the counter, at every value
    random: bytes  # translates any byte to a random character
    shared: int  # how many random characters a block of IDs may share
    fresh: int  # how many, the last ones, every ID has for itself: 40 bits


@cache
def layout(type_: str) -> Layout:
    """The layout of a payload field's type: `base32`, `ulid` or `uuid`. Its tables take some 120 KB."""
    return _uuid() if type_ == "uuid" else _base32(CROCKFORD.upper() if type_ == "ulid" else CROCKFORD)


def _base32(digits: str) -> Layout:
    pairs = [high + low for high in digits for low in digits]
    versions = digits[0b01110:0b10000]  # of 0111c, which the version and the counter share
    variants = "".join([digits[high << 4 | 0b01000 | low] for high in range(2) for low in range(4)])  # c10cc

    def rest(count: int, random: str) -> str:
        return f"{versions[count >> 13]}{pairs[count >> 3 & 1023]}{variants[count & 7]}{random}"

    latest = -1, ""  # the time but for its last 20 bits, which lasts a quarter of an hour

    def time(milliseconds: int) -> str:
        nonlocal latest
        high, text = latest
        if milliseconds >> 20 != high:
            high = milliseconds >> 20
            text = f"{pairs[high >> 20]}{pairs[high >> 10 & 1023]}{pairs[high & 1023]}"
            latest = high, text
        return f"{text}{pairs[milliseconds >> 10 & 1023]}{pairs[milliseconds & 1023]}"

    columns = (
        _column(versions, 1 << 13),
        _column(digits, 1 << 8),
        _column(digits, 1 << 3),
        _column(variants, 1),
    )
    return Layout(time, rest, (0, 1, 2, 3), columns, _random(digits), 4, 8)


def _uuid() -> Layout:
    digits, variants = "0123456789abcdef", "89ab"

    def time(milliseconds: int) -> str:
        text = f"{milliseconds:012x}"
        return f"{text[:8]}-{text[8:]}-7"

    def rest(count: int, random: str) -> str:
        return f"{count >> 2:03x}-{variants[count & 3]}{random[:3]}-{random[3:]}"

    columns = (*[_column(digits, 1 << shift) for shift in (10, 6, 2)], _column(variants, 1))
    return Layout(time, rest, (0, 1, 2, 4), columns, _random(digits), 5, 10)


def _column(digits: str, each: int) -> bytes:
    """The digits in order, `each` so many times, over and over."""
    once = "".join([digit * each for digit in digits]).encode("ascii")
    return once * (COUNTERS // len(once))


def _random(digits: str) -> bytes:
    """A translation of bytes to digits that gives each digit equally often."""
    return digits.encode("ascii") * (256 // len(digits))
