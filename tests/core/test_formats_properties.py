"""What holds for every format: the built-in ones, and random patterns of the field types."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonid import Registry, RegistryError
from canonid.core.grammar import Field, fields, parse_pattern
from canonid.core.language import Alt, Chars, Node, Repeat, Seq, Slug, Text, members
from canonid.core.writing import Writing

NOW = 1_760_000_000_123
BUILT_IN = {
    "uuid": "",
    "ulid": "",
    "ksuid": "",
    "snowflake": "layout = 'epoch 1600000000000, time 41, shard 6, worker 7, sequence 9'",
}
TYPES = [
    *("uuid", "uuid(7)", "uuid(1, 4, 8)", "base32", "ulid", "ksuid"),
    *("snowflake(twitter)", "snowflake(discord)", "snowflake(epoch 0, time 42, node 3, sequence 4)"),
    *("hex(24)", "hex(32)", "int", "int(15..70000)", "time(ms, 13)", "time(s)", "one-of(0, 1ab)"),
    *("text(0-9, 15..21)", "text(0-9A-Za-z, 26..27)", "text(A-Za-z0-9_-, 21..21)", "slug(1..30)"),
]
LITERALS = st.sampled_from(["", "", "a", "x-", "0", "1", "7"])


def patterns(types=TYPES):
    field = st.sampled_from(types).map(lambda type_: f"{{id:{type_}}}")
    lead = st.sampled_from(["", "", "[{n:int(1..9)}.]", "[{h:hex(2)}-]"])
    return st.builds("".join, st.tuples(LITERALS, lead, field, LITERALS))


SEEDS = st.integers(0, 2**32).map(random.Random)


def sample(node: Node, rng: random.Random) -> str:
    """A text of a node: any, but more often than by chance at a bound of it."""
    match node:
        case Text(text):
            return text
        case Chars(mask):
            chars = members(mask)
            return rng.choice((chars[0], chars[-1], rng.choice(chars)))
        case Seq(parts):
            return "".join(sample(part, rng) for part in parts)
        case Alt(options):
            return sample(rng.choice(options), rng)
        case Slug(low, high):
            return "".join(rng.choice("az09") for _ in range(rng.randint(low, high)))
        case Repeat(inner, low, high):
            assert high is not None
            return "".join(sample(inner, rng) for _ in range(rng.choice((low, high, rng.randint(low, high)))))


def text_of(pattern: str, rng: random.Random) -> str:
    """A text that the pattern accepts."""

    def write(items):
        return "".join(
            item
            if isinstance(item, str)
            else sample(item.node, rng)
            if isinstance(item, Field)
            else write(item.items) * rng.randint(0, 1)
            for item in items
        )

    return write(parse_pattern(pattern))


def declare(*patterns: str, **options) -> Registry:
    """Formats f0, f1 … for the kinds k, l …; every one may overlap with every other."""
    kinds = "klmn"[: len(patterns)]
    names = [f"f{at}" for at in range(len(patterns))] + ["typeid"]
    text = "".join(f"[kinds.{kind}]\n" for kind in kinds)
    for at, (kind, pattern) in enumerate(zip(kinds, patterns, strict=True)):
        others = [name for name in names if name != f"f{at}"]
        text += f"[formats.f{at}]\npattern = '{pattern}'\nkinds = ['{kind}']\noverlaps = {others}\n"
    return Registry.from_toml(text, **options)


@settings(deadline=None)
@given(patterns(), SEEDS)
def test_what_is_accepted_is_written_back_identically(pattern, rng):
    registry = declare(pattern)
    writing = Writing("f0", "k", "k", parse_pattern(pattern), {}, canonical=False)
    for _ in range(20):
        text = text_of(pattern, rng)
        reading = registry.parse(text, "k", "f0")
        assert writing.write(reading.fields) == text
        assert registry.translate(text, "f0", "k") == text
        if reading.exact:
            assert registry.translate(reading.canonical, "f0", "k") == text


@settings(deadline=None)
@given(patterns([type_ for type_ in TYPES if not type_.startswith(("text", "slug", "one-of"))]))
def test_what_is_minted_is_read_with_the_time_of_the_clock(pattern):
    registry = declare(pattern, clock=lambda: NOW / 1000)
    (field,) = (field for field in fields(parse_pattern(pattern)) if field.name == "id")
    given_ = {"id": 20} if field.type == "int" else dict.fromkeys(field.machine, 5)
    reading = registry.parse(registry.mint("k", format="f0", **given_), "k", "f0")
    ticking = {"base32": NOW, "ulid": NOW, "ksuid": NOW // 1000 * 1000, "snowflake": NOW, "time": NOW}
    if field.unit == "s":
        ticking["time"] = NOW // 1000 * 1000
    if field.type == "uuid":
        ticking["uuid"] = NOW if 7 in (field.versions or (7,)) else None
    assert reading.time == ticking.get(field.type)


@settings(deadline=None)
@given(patterns(), patterns(), SEEDS)
def test_two_formats_that_are_not_reported_never_share_a_text(first, second, rng):
    registry = declare(first, second)
    reported = {(found.first, found.second): found for found in registry.overlaps()}
    if found := reported.get(("f0", "f1")):
        assert {reading.format for reading in registry.recognise(found.text).readings} >= {"f0", "f1"}
    else:
        for _ in range(50):
            for pattern in (first, second):
                assert len(registry.recognise(text_of(pattern, rng)).readings) == 1


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_formats_are_disjoint_from_each_other(name):
    tables = "".join(f"[formats.{form}]\n{keys}\n" for form, keys in BUILT_IN.items())
    registry = Registry.from_toml(f"[kinds.thing]\n{tables}")
    assert registry.overlaps() == []
    rng = random.Random(7)
    for _ in range(2000):
        text = text_of(registry.format(name).source, rng)
        assert [reading.format for reading in registry.recognise(text).readings] == [name]


@settings(deadline=None)
@given(st.sampled_from(["ksuid", "snowflake(twitter)", "uuid(7)"]), SEEDS, st.data())
def test_a_text_with_one_character_changed_is_refused_or_another_value(type_, rng, data):
    pattern = f"{{id:{type_}}}"
    text = text_of(pattern, rng)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.characters(exclude_characters=text[at])) + text[at + 1 :]
    registry = declare(pattern)
    for reading in registry.recognise(changed).readings:
        assert reading.fields != registry.parse(text, "k", "f0").fields


def test_overlaps_of_snowflakes_are_proven_at_their_bounds():
    def both(second):
        return (
            "[kinds.a]\n[kinds.b]\n[formats.snowflake]\nlayout = 'twitter'\nkinds = ['a']\n"
            f"[formats.old]\npattern = '{{n:int({second})}}'\nkinds = ['b']\n"
        )

    assert Registry.from_toml(both(f"{2**63}..{2**64}")).overlaps() == []
    with pytest.raises(RegistryError, match=f"'{2**63 - 1}' is both a in format 'snowflake' and b"):
        Registry.from_toml(both(f"{2**63 - 1}..{2**64}"))
