"""The built-in formats beside independent implementations of them.

What is valid agrees both ways in text, value and time. What breaks one rule is refused by canonid, every
time; `LIBERAL` names the peers that accept it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
import ulid
import uuid_utils
from baseconv import base62
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ksuid import ByteArrayLengthException, Ksuid
from typeid import TypeID
from typeid.errors import TypeIDException

from canonid import InvalidId, Registry, RegistryError
from canonid.core import ksuid


def versioned(value: int, version: int) -> int:
    return value & ~(0xF << 76) & ~(3 << 62) | version << 76 | 2 << 62


BITS = st.integers(0, 2**128 - 1)
VALUES = st.one_of(BITS, st.builds(versioned, BITS, st.integers(1, 8)))
REGISTRY = Registry.from_toml(
    "[kinds.user]\n[formats.uuid]\n[formats.ulid]\n[formats.ksuid]\n[formats.snowflake]\nlayout = 'twitter'\n"
)


# Valid


@given(VALUES)
def test_typeids_agree_with_typeid_python(value):
    theirs = TypeID.from_uuid(uuid_utils.UUID(int=value), prefix="user")
    ours = REGISTRY.translate(str(uuid.UUID(int=value)), "typeid", "user")
    assert ours == str(theirs)
    assert TypeID.from_string(ours).uuid.int == REGISTRY.parse(str(theirs), "user").payload == value


@given(st.integers(0, 253_402_300_799_999), BITS)
def test_the_time_of_a_typeid_agrees_with_typeid_python(time, bits):
    value = versioned(time << 80 | bits >> 48, 7)  # theirs ends with datetime, in the year 9999
    text = str(TypeID.from_uuid(uuid_utils.UUID(int=value), prefix="user"))
    created = TypeID.from_string(text).created_at
    assert REGISTRY.parse(text, "user").time == time == round(created.timestamp() * 1000)


@given(VALUES)
def test_uuids_agree_with_uuid_utils(value):
    theirs = uuid_utils.UUID(int=value)
    reading = REGISTRY.parse(str(theirs), "user", "uuid")
    assert reading.payload == value
    assert REGISTRY.translate(reading.canonical, "uuid") == str(theirs)
    if theirs.version == 7 and theirs.variant == uuid.RFC_4122:
        assert reading.time == theirs.timestamp


@settings(deadline=None)  # loads a registry each time
@given(VALUES, st.sets(st.integers(1, 8), min_size=1))
def test_a_version_constraint_agrees_with_uuid_utils(value, versions):
    registry = Registry.from_toml(f"[kinds.user]\n[formats.uuid]\nversions = {sorted(versions)}\n")
    theirs = uuid_utils.UUID(int=value)
    fits = theirs.variant == uuid.RFC_4122 and theirs.version in versions
    assert bool(registry.recognise(str(theirs)).readings) == fits


MADE = {
    1: uuid_utils.uuid1,
    3: lambda: uuid_utils.uuid3(uuid_utils.NAMESPACE_DNS, "www.example.com"),
    4: uuid_utils.uuid4,
    5: lambda: uuid_utils.uuid5(uuid_utils.NAMESPACE_DNS, "www.example.com"),
    6: uuid_utils.uuid6,
    7: uuid_utils.uuid7,
    8: uuid_utils.uuid8,
}


@pytest.mark.parametrize("version", MADE)
def test_every_version_that_uuid_utils_makes_is_read_with_its_time(version):
    registry = Registry.from_toml(f"[kinds.user]\n[formats.uuid]\nversions = [{version}]\n")
    made = MADE[version]()
    reading = registry.parse(str(made), "user")
    assert reading.payload == made.int
    assert reading.time == (made.timestamp if version in (1, 6, 7) else None)


@given(BITS)
def test_ulids_agree_with_python_ulid(value):
    theirs = ulid.ULID.from_int(value)
    reading = REGISTRY.parse(str(theirs), "user", "ulid")
    assert (reading.payload, reading.time) == (value, theirs.milliseconds)
    ours = REGISTRY.translate(str(uuid.UUID(int=value)), "ulid", "user")
    assert ours == str(theirs)
    assert int(ulid.ULID.from_str(ours)) == value


@given(st.integers(0, 2**160 - 1))
def test_ksuids_agree_with_svix_ksuid(value):
    theirs = Ksuid.from_bytes(value.to_bytes(20, "big"))
    assert ksuid.write(value) == str(theirs)
    assert ksuid.read(str(theirs)) == value
    assert REGISTRY.parse(str(theirs), "user").time == theirs.timestamp * 1000
    assert bytes(Ksuid.from_base62(ksuid.write(value))) == value.to_bytes(20, "big")


def test_what_is_minted_is_read_by_the_peers():
    assert TypeID.from_string(REGISTRY.mint("user")).uuid.version == 7
    assert uuid_utils.UUID(REGISTRY.mint("user", format="uuid")).version == 7
    assert ulid.ULID.from_str(REGISTRY.mint("user", format="ulid")).milliseconds > 1_700_000_000_000
    assert Ksuid.from_base62(REGISTRY.mint("user", format="ksuid")).timestamp > 1_700_000_000


# Prefixes

NEAR_PREFIXES = st.one_of(
    st.from_regex(r"[a-z]([a-z_]{0,61}[a-z])?", fullmatch=True),
    st.text("abz_", min_size=1, max_size=70),
    st.text("ab_-.2A é", min_size=1, max_size=5),
)


@settings(max_examples=200, deadline=None)
@given(NEAR_PREFIXES)
def test_prefixes_agree_with_typeid_python_but_for_its_digits(prefix):
    try:
        TypeID(prefix=prefix)
        theirs = True
    except TypeIDException:
        theirs = False
    try:
        Registry.from_toml(f"[kinds.user]\nprefix = '{prefix}'\n")
        ours = True
    except RegistryError:
        ours = False
    assert ours == (theirs and not re.search(r"\d", prefix))


# Invalid

Draw = Callable[[st.SearchStrategy], object]
Mutation = Callable[[str, Draw], str]


def replaced(text: str, at: int, char: str) -> str:
    return text[:at] + char + text[at + 1 :]


def anywhere(chars: str, start: int = 0) -> Mutation:
    """One of `chars` in the place of any character from `start` on."""
    return lambda text, draw: replaced(
        text, draw(st.integers(start, len(text) - 1)), draw(st.sampled_from(chars))
    )


def first_of_suffix(chars: str, at: int) -> Mutation:
    return lambda text, draw: replaced(text, at, draw(st.sampled_from(chars)))


def other_script(text: str, draw: Draw) -> str:
    """A digit as another script writes it, or a full-width letter: `int()` and `\\d` would take some."""
    at = draw(st.integers(0, len(text) - 1))
    char = text[at]
    digits = [chr(zero + int(char)) for zero in (0x0660, 0x0966, 0xFF10, 0x1D7CE)] if char.isdigit() else []
    return replaced(text, at, draw(st.sampled_from([*digits, chr(ord(char) + 0xFEE0)])))


EVERYWHERE: dict[str, Mutation] = {
    "empty": lambda text, draw: "",
    "newline at the end": lambda text, draw: f"{text}\n",
    "space before": lambda text, draw: f" {text}",
    "space after": lambda text, draw: f"{text} ",
    "space within": anywhere(" \t\u00a0\u200b"),
    "NUL at the end": lambda text, draw: f"{text}\0",
    "twice": lambda text, draw: text + text,
    "another script": other_script,
}
LENGTH: dict[str, Mutation] = {
    "a character too few": lambda text, draw: text[:-1],
    "a character too many": lambda text, draw: text + "0",
}
BROKEN: dict[str, dict[str, Mutation]] = {
    "typeid": EVERYWHERE
    | LENGTH
    | {
        "prefix of 64 characters": lambda text, draw: "u" * 60 + text,
        "prefix with a digit": lambda text, draw: text.replace("user_", "user2_"),
        "prefix that begins with a digit": lambda text, draw: f"2{text}",
        "prefix in upper case": lambda text, draw: text.replace("user", "USER"),
        "prefix with a hyphen": lambda text, draw: text.replace("user", "us-er"),
        "prefix with a full stop": lambda text, draw: text.replace("user", "us.er"),
        "prefix not in ASCII": lambda text, draw: text.replace("user", "usér"),
        "leading underscore": lambda text, draw: f"_{text}",
        "trailing underscore": lambda text, draw: text.replace("user_", "user__"),
        "no prefix": lambda text, draw: text.removeprefix("user_"),
        "empty prefix": lambda text, draw: text.removeprefix("user"),
        "hyphen for the separator": lambda text, draw: text.replace("_", "-"),
        "overflow": first_of_suffix("89abcdefghjkmnpqrstvwxyz", 5),
        "upper case": lambda text, draw: f"user_{text[5:].upper()}",
        "letters i l o u": anywhere("ilou", 5),
    },
    "uuid": EVERYWHERE
    | LENGTH
    | {
        "upper case": lambda text, draw: text.upper(),
        "no dashes": lambda text, draw: text.replace("-", ""),
        "braces": lambda text, draw: f"{{{text}}}",
        "URN": lambda text, draw: f"urn:uuid:{text}",
        "underscores for dashes": lambda text, draw: text.replace("-", "_"),
        "a dash elsewhere": lambda text, draw: f"{text[:7]}-{text[7]}{text[9:]}",
        "letters above f": anywhere("gz"),
    },
    "ulid": EVERYWHERE
    | LENGTH
    | {
        "overflow": first_of_suffix("89ABCDEFGHJKMNPQRSTVWXYZ", 0),
        "lower case": lambda text, draw: text.lower(),
        "mixed case": lambda text, draw: text[:10] + text[10:].lower(),
        "letters I L O U": anywhere("ILOUilou"),
        "a hyphen": anywhere("-"),
    },
    "ksuid": EVERYWHERE
    | {
        "a character too few": LENGTH["a character too few"],
        "a zero too many": lambda text, draw: f"0{text}",
        "overflow": lambda text, draw: base62.encode(draw(st.integers(2**160, 62**27 - 1))),
        "a minus": lambda text, draw: f"-{text[1:-1]}1",
        "a plus or an underscore": anywhere("+_"),
    },
    "snowflake": EVERYWHERE
    | {
        "zero": lambda text, draw: "0",
        "overflow": lambda text, draw: str(draw(st.integers(2**63, 10**21))),
        "leading zero": lambda text, draw: f"0{text}",
        "a sign": lambda text, draw: draw(st.sampled_from("+-")) + text,
        "grouped digits": lambda text, draw: f"{text[:2]}_{text[2:]}",
        "a fraction": lambda text, draw: f"{text}.0",
        "an exponent": lambda text, draw: "1e18",
        "hexadecimal": lambda text, draw: hex(int(text)),
    },
}

PEERS = {
    "typeid": ("typeid-python", TypeID.from_string),
    "uuid": ("uuid-utils", uuid_utils.UUID),
    "ulid": ("python-ulid", ulid.ULID.from_str),
    "ksuid": ("svix-ksuid", Ksuid.from_base62),
}
LIBERAL = {
    ("typeid-python", "prefix with a digit"),
    ("typeid-python", "twice"),  # the first is taken for a prefix with digits
    ("typeid-python", "no prefix"),  # valid TypeID 0.3; canonid's kinds all have a prefix
    ("uuid-utils", "upper case"),
    ("uuid-utils", "no dashes"),
    ("uuid-utils", "braces"),
    ("uuid-utils", "URN"),
    ("python-ulid", "lower case"),
    ("python-ulid", "mixed case"),
    ("svix-ksuid", "a character too few"),
    ("svix-ksuid", "a zero too many"),
}
REFUSALS = (ValueError, OverflowError, LookupError, TypeIDException, ByteArrayLengthException)
VALID = {
    "typeid": VALUES.map(lambda value: REGISTRY.translate(str(uuid.UUID(int=value)), "typeid", "user")),
    "uuid": VALUES.map(lambda value: str(uuid.UUID(int=value))),
    "ulid": VALUES.map(lambda value: REGISTRY.translate(str(uuid.UUID(int=value)), "ulid", "user")),
    "ksuid": st.integers(62**26, 2**160 - 1).map(ksuid.write),
    "snowflake": st.integers(10**16, 2**63 - 1).map(str),
}
# Each format alone (with typeid, which is always there), so that no other one takes what this one refuses.
ALONE = {
    "snowflake": Registry.from_toml("[kinds.user]\n[formats.snowflake]\nlayout = 'twitter'\n"),
    **{name: Registry.from_toml(f"[kinds.user]\n[formats.{name}]\n") for name in PEERS},
}
CASES = [(form, mutation) for form, mutations in BROKEN.items() for mutation in mutations]


@pytest.mark.parametrize(("form", "mutation"), CASES)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_breaks_a_rule_is_refused_whatever_the_peer_says(form, mutation, data):
    text = data.draw(VALID[form])
    broken = BROKEN[form][mutation](text, data.draw)
    assume(broken != text)
    registry = ALONE[form]
    assert registry.parse(text, "user", form).text == text
    assert registry.recognise(broken).readings == ()
    assert registry.recognise(broken).reason
    with pytest.raises(InvalidId):
        registry.parse(broken, "user", form)
    if form in PEERS:
        peer, read = PEERS[form]
        try:
            read(broken)
            accepted = True
        except REFUSALS:
            accepted = False
        assert accepted == ((peer, mutation) in LIBERAL)


def test_every_liberty_is_one_of_the_cases():
    tried = {(PEERS[form][0], mutation) for form, mutation in CASES if form in PEERS}
    assert tried >= LIBERAL
