"""One recogniser for the whole registry says what trying each format alone says, on random registries."""

from __future__ import annotations

import random
from functools import cache
from itertools import combinations

import pytest

from canonid import Registry, RegistryError
from canonid.core.language import Alt, Chars, Node, Repeat, Seq, Slug, Text, members
from canonid.core.writing import Writing
from languages import accepts

PARTS = [
    *(
        "{s:slug}",
        "{s:slug(1..4)}",
        "{s:slug(2..5)}",
        "{n:int}",
        "{n:int(3..120)}",
        "{h:hex(2)}",
        "{h:hex(4)}",
    ),
    *("{t:time(ms, 13)}", "{t:time(s)}", "{t:time(ms % 1000)}", "{w:one-of(prod, dev, a_b)}"),
    *("{x:text(a-c0-2_, 1..4)}", "{i:uuid}", "{i:uuid(7)}", "{i:base32}", "{i:ulid}", "{i:ksuid}"),
    *("[{kind}-{q:hex(3)}]", "[_{kind}{m:int(1..9)}]", "[{kind}_{e:slug}-]"),
    *("{i:snowflake(twitter)}", "{r:id(run)}", "{kind}", "{kind}", "[{o:slug}_]", "[-{p:hex(2)}]"),
]
GLUE = ["_", "_", "_", "-", "", "x"]
RUN = "[formats.run]\npattern = 'run_{a:slug(1..3)}_{b:int(0..99)}'\nkinds = ['run']\n"


def registry_of(rng: random.Random) -> Registry:
    """Kinds with prefixes that look alike, and a few formats, each allowed to overlap with every other."""
    names = [f"f{number}" for number in range(rng.randint(2, 6))]
    while True:
        text = "[kinds.run]\n[kinds.b]\nprefix = 'a'\n"
        text += "[kinds.a]\nprefix = 'a_b'\nretired_prefixes = ['ab', 'a_c']\n"
        text += f"{RUN}overlaps = {[*names, 'typeid', 'uuid', 'ulid']}\n[formats.uuid]\n[formats.ulid]\n"
        for name in names:
            parts = rng.sample(PARTS, rng.randint(1, 3))
            pattern = rng.choice(["", "", "a_", "z-", "_", "__"]) + rng.choice(GLUE).join(parts)
            kinds = rng.sample(["a", "b"], rng.randint(1, 2))
            others = [other for other in names if other != name] + ["typeid", "uuid", "ulid", "run"]
            text += (
                f"[formats.{name}]\npattern = '{pattern}'\nkinds = {kinds}\noverlaps = {[*others, name]}\n"
            )
            words = {kind: rng.choice(["A", "b", "a", "x_1", "0"]) for kind in kinds if rng.random() < 0.5}
            text += "prefixes = { " + ", ".join(f"{kind} = '{word}'" for kind, word in words.items()) + " }\n"
        try:
            return Registry.from_toml(text)
        except RegistryError:
            continue  # e.g. a field twice, two readings, a pattern without {kind} that tells no kind


characters = cache(members)


def sample(node: Node, rng: random.Random) -> str:
    match node:
        case Text(text):
            return text
        case Chars(mask):
            return rng.choice(characters(mask))
        case Seq(parts):
            return "".join([sample(part, rng) for part in parts])
        case Alt(options):
            return sample(rng.choice(options), rng)
        case Slug(low, high):
            size = rng.choice((low, high, rng.randint(low, min(high, 8)), min(high + 1, low + 9)))
            return "".join([rng.choice("ab01_") for _ in range(size)]).strip("_") or "a"
        case Repeat(inner, low, high):
            return "".join(
                [sample(inner, rng) for _ in range(rng.randint(low, low if high is None else high))]
            )


def changed(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    what = rng.choice(["", "_", "__", "a", "0", "-", "Z", "\n", "run_a_1"])
    return text[:at] + what + text[at + rng.randint(0, 1) :]


def texts_of(registry: Registry, rng: random.Random, count: int) -> list[str]:
    writings = registry.declarations.writings
    texts = [sample(rng.choice(writings).node, rng) for _ in range(count)]
    return [changed(text, rng) if rng.random() < 0.4 else text for text in texts]


def alone(registry: Registry, text: str) -> set[tuple[str, str, str]]:
    """The readings of a text in each writing, by its automaton: neither the recogniser nor `re` has a say."""
    return {
        (writing.format, writing.kind, writing.prefix)
        for writing in registry.declarations.writings
        if accepts(writing.exact_automaton, text)
    }


@pytest.mark.parametrize("seed", range(16))
def test_readings_are_those_of_every_format_alone(seed):
    rng = random.Random(seed)
    registry = registry_of(rng)
    for text in texts_of(registry, rng, 400):
        readings = registry.recognise(text).readings
        told = {(r.format, r.kind, r._writing.prefix) for r in readings}
        assert told == alone(registry, text), text
        assert len(readings) == len(told)
        for kind in registry.kinds:
            of_kind = registry.recognise(text, kind).readings
            assert of_kind == tuple(r for r in readings if r.kind == kind)
            assert registry.is_valid(text, kind) == registry.bind(kind).is_valid(text) == bool(of_kind)


@pytest.mark.parametrize("seed", range(6))
def test_every_test_of_a_writing_agrees_with_its_automaton(seed):
    rng = random.Random(seed)
    registry = registry_of(rng)
    exact: list[Writing] = [w for w in registry.declarations.writings if "slug" not in str(w.pattern)]
    for writing in [*exact, *registry.declarations.writings][:12]:
        for text in texts_of(registry, rng, 60):
            accepted = bool(writing.accepts(text))
            assert accepted == (writing.fields_of(text) is not None) == accepts(writing.exact_automaton, text)
            if accepted:
                assert writing.write(writing.fields_of(text)) == text


def test_formats_that_are_reported_disjoint_share_none_of_100_000_texts():
    rng = random.Random(7)
    compared = 0
    for _ in range(10):
        registry = registry_of(rng)
        reported = {frozenset((found.first, found.second)) for found in registry.overlaps()}
        disjoint = {frozenset(pair) for pair in combinations(registry.formats, 2)} - reported
        compared += len(disjoint)
        for text in texts_of(registry, rng, 10_000):
            readings = registry.recognise(text).readings
            if len(readings) > 1 and len({reading.key for reading in readings}) > 1:
                pairs = {
                    frozenset((a.format, b.format)) for a, b in combinations(readings, 2) if a.key != b.key
                }
                assert not pairs & disjoint, text
    assert compared > 50


@pytest.mark.parametrize("seed", range(5))
def test_the_fast_ways_to_translate_say_what_the_careful_one_says(seed):
    rng = random.Random(seed)
    registry = registry_of(rng)
    for text in texts_of(registry, rng, 400):
        for reading in registry.recognise(text).readings:
            others = [
                r for r in registry.recognise(text, reading.kind).readings if r.format != reading.format
            ]
            if others:
                continue  # which reading is meant is then told by the format, not found
            for to in ("typeid", "uuid", reading.format):
                assert registry.translate(
                    text, to, reading.kind, format=reading.format
                ) == registry.translate(text, to, reading.kind)
