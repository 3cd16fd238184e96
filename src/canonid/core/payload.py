"""The 128 bits of an ID: their three exact writings, their time and version, and the rule that derives them.

Exact writings are RFC 9562 §4 text, TypeID 0.3 base32 and ULID. A text that has no 128 bits of its own
gets a version-8 UUID (RFC 9562 §5.8) over BLAKE2b of (version of the rule, kind, exact text).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from canonid.core.language import CROCKFORD

if TYPE_CHECKING:
    from hashlib import blake2b

RULE = b"canonid-derive-1"  # BLAKE2b personalisation: exactly 16 bytes, a new one for every new rule

_FREE = (1 << 128) - 1 & ~(0xF << 76 | 3 << 62)  # all but the version and the variant
_VERSIONS = [version << 76 | 2 << 62 for version in range(9)]  # with the variant
_GREGORIAN = 12_219_292_800_000  # ms from 1582-10-15, where the time of versions 1 and 6 begins, to 1970
_30 = (1 << 30) - 1
_PAIRS = [high + low for high in CROCKFORD for low in CROCKFORD]
_FROM_CROCKFORD = str.maketrans(CROCKFORD, "0123456789abcdefghijklmnopqrstuv")


def derive(kind: str, text: str) -> int:
    """The derived UUID (version 8) of a text under a kind, as an int. Pure: the same answer for ever."""
    hashed = _begun(kind).copy()
    hashed.update(text.encode())
    return as_uuid(int.from_bytes(hashed.digest(), "big"), 8)


@lru_cache(maxsize=4096)
def _begun(kind: str) -> blake2b:
    from hashlib import blake2b  # 3 ms that minting need not pay

    return blake2b(kind.encode() + b"\0", digest_size=16, person=RULE)


def as_uuid(bits: int, version: int) -> int:
    """The bits with the version and the variant of RFC 9562 §4 put into their places."""
    return bits & _FREE | _VERSIONS[version]


def to_base32(value: int) -> str:
    """26 lower-case characters of Crockford's alphabet, as TypeID 0.3 writes them."""
    # Pieces of 30 bits are one digit of a Python int, which is cheap to shift.
    a, b, c, d, e = value >> 120, value >> 90 & _30, value >> 60 & _30, value >> 30 & _30, value & _30
    pairs = _PAIRS
    return (
        f"{pairs[a]}{pairs[b >> 20]}{pairs[b >> 10 & 1023]}{pairs[b & 1023]}"
        f"{pairs[c >> 20]}{pairs[c >> 10 & 1023]}{pairs[c & 1023]}"
        f"{pairs[d >> 20]}{pairs[d >> 10 & 1023]}{pairs[d & 1023]}"
        f"{pairs[e >> 20]}{pairs[e >> 10 & 1023]}{pairs[e & 1023]}"
    )


def from_base32(text: str) -> int:
    """The inverse of `to_base32`, for a text that the grammar has accepted."""
    return int(text.translate(_FROM_CROCKFORD), 32)


def to_uuid(value: int) -> str:
    """36 characters, lower case, with dashes."""
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def write(type_: str, value: int) -> str:
    """The text of a payload field."""
    if type_ == "uuid":
        return to_uuid(value)
    text = to_base32(value)
    return text.upper() if type_ == "ulid" else text


def read(type_: str, text: str) -> int:
    """The bits of a payload field that the grammar has accepted."""
    if type_ == "uuid":
        return int(text.replace("-", ""), 16)
    return from_base32(text.lower())


def version_of(value: int) -> int | None:
    """The version of a UUID, 1 to 8, or None if the bits are not of RFC 9562's variant (§4.1, §4.2)."""
    version = value >> 76 & 0xF
    return version if value >> 62 & 3 == 2 and 1 <= version <= 8 else None


def time_of(type_: str, value: int) -> int | None:
    """Milliseconds since 1970 if the bits say so: a UUID of version 1, 6 or 7, or any ULID."""
    version = 7 if type_ == "ulid" else version_of(value)
    if version == 7:
        return value >> 80
    if version == 6:
        ticks = value >> 80 << 12 | value >> 64 & 0xFFF
    elif version == 1:
        ticks = (value >> 64 & 0xFFF) << 48 | (value >> 80 & 0xFFFF) << 32 | value >> 96
    else:
        return None
    return ticks // 10_000 - _GREGORIAN
