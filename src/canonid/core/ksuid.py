"""KSUIDs: 32 bits of seconds since 2014-05-13 and 128 random bits, in 27 characters of base 62.

Source: github.com/segmentio/ksuid. The text is as long for every value and sorts like it, since the
digits are in ASCII order; so the greatest value bounds the texts too, and the grammar checks that.
"""

from __future__ import annotations

from canonid.core.language import BASE62, between

EPOCH = 1_400_000_000  # seconds since 1970
LENGTH = 27
HIGHEST = "aWgEPTl1tmebfsQzFP4bxwgy80V"  # 160 bits, all set
NODE = between("0" * LENGTH, HIGHEST, BASE62)
RANDOM_BITS = 128

_DIGITS = {char: digit for digit, char in enumerate(BASE62)}


def write(value: int) -> str:
    """The text of 160 bits."""
    digits = []
    for _ in range(LENGTH):
        value, digit = divmod(value, 62)
        digits.append(BASE62[digit])
    return "".join(reversed(digits))


def read(text: str) -> int:
    """The inverse of `write`, for a text that the grammar has accepted."""
    value = 0
    for char in text:
        value = value * 62 + _DIGITS[char]
    return value


def time_of(text: str) -> int:
    """The creation time of an accepted text: milliseconds since 1970, in whole seconds."""
    return ((read(text) >> RANDOM_BITS) + EPOCH) * 1000


def mint(now: int, random: bytes) -> str:
    """A new KSUID from milliseconds since 1970 and 16 random bytes.

    Two of one second are in no order. Raises OverflowError where the clock is before 2014 or after 2150.
    """
    seconds = now // 1000 - EPOCH
    if seconds < 0 or seconds >> 32:
        last = (EPOCH + (1 << 32)) * 1000 - 1
        raise OverflowError(f"the clock says {now} ms; a KSUID holds {EPOCH * 1000} to {last}")
    return write(seconds << RANDOM_BITS | int.from_bytes(random, "big"))
