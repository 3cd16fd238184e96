"""Random bits against rates: the numbers of the birthday problem, and a simulation that must agree."""

import math
import random
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonid import InvalidId, Registry, load_registry
from canonid.core.declaring import declare
from canonid.core.producing import filled_fields, minted_formats, needed_fields, producers
from canonid.core.strength import (
    YEAR,
    rate_words,
    seconds_to_duplicate,
    strengths,
    time_words,
    yearly_duplicates,
)

GOLDEN = Path(__file__).parents[2] / "examples" / "goldenpath" / "canonid.toml"


def strength_of(pattern, rate="1000/s", more=""):
    text = (
        f'[kinds.order]\nrate = "{rate}"\ncanonical = "own"\n{more}\n[kinds.thread]\n[formats.uuid]\n'
        f'[formats.ulid]\n[formats.own]\npattern = "{pattern}"\nkinds = ["order"]\n'
    )
    return strengths(declare(text, "test"))


@pytest.mark.parametrize(
    ("pattern", "bits", "tick"),
    [
        ("{kind}_{random:hex(8)}", 32, None),
        ("{kind}_{counter:int}_{random:hex(8)}", 32, None),
        ("{kind}_{a:hex(3)}_{b:hex(5)}", 32, None),
        ("{kind}_{t:time(ms)}_{random:hex(8)}", 32, 0.001),
        ("{kind}_{t:time(s)}_{random:hex(8)}", 32, 1),
        ("{kind}_{t:time(s)}_{u:time(ms, 13)}", 0, 0.001),
        ("{kind}_{t:time(ms % 65536)}_{random:hex(8)}", 48, None),
        ("{kind}_{t:time(s)}_{u:time(ms % 512)}_{random:hex(8)}", 41, 1),
        ("{kind}_{t:time(s)}_{u:time(ms % 100000)}", math.log2(1000), 1),
        ("{kind}_{t:time(ms)}_{u:time(s % 100)}_{random:hex(8)}", 32, 0.001),
        ("{kind}_{t:time(s % 64)}_{u:time(ms % 1024)}_{random:hex(8)}", 42, None),
        ("{kind}_{detail:slug}_{random:hex(8)}", 32, None),
        ("{kind}[-{extra:hex(8)}]_{random:hex(8)}", 64, None),
        ("{kind}[-{detail:slug}-{extra:hex(8)}]_{random:hex(8)}", 32, None),
        ("{kind}-{id:uuid}", 73, 0.001),
        ("{kind}-{a:hex(255)}-{b:hex(255)}-{c:hex(255)}", 512, None),
    ],
)
def test_what_minting_fills_in_counts(pattern, bits, tick):
    (strength,) = strength_of(pattern)
    assert (strength.bits, strength.tick) == (pytest.approx(bits), tick)


def test_a_private_kind_is_minted_with_122_bits_and_no_time():
    (strength,) = strength_of("{kind}-{id:uuid}", more="private = true")
    assert (strength.bits, strength.tick, strength.weak) == (122, None, False)


def test_a_format_in_which_the_caller_gives_everything_is_the_callers():
    assert strength_of("{kind}_{subject:text(0-9, 15..21)}_{n:int}") == []


def test_only_kinds_with_a_rate_are_judged_in_the_formats_they_are_minted_in():
    text = """
[kinds.order]
rate = "10/s"
writer = "shop"
[kinds.thread]
[kinds.gone]
rate = "10/s"
retired = true
[formats.short]
pattern = "{kind}-{random:hex(4)}"
[formats.shorter]
pattern = "{kind}.{random:hex(3)}"
[formats.read]
pattern = "{kind}+{random:hex(2)}"
[services.shop]
emits = { order = ["short", "typeid"], gone = "short" }
[services.mirror]
emits = { order = "shorter" }
"""
    found = strengths(declare(text, "test"))
    assert [(s.kind, s.format, s.weak) for s in found] == [
        ("order", "typeid", False),
        ("order", "short", True),
    ]


@pytest.mark.parametrize(
    ("rate", "bits", "tick", "seconds"),
    [
        (1000, 32, None, math.sqrt(math.pi / 2 * 2**32) / 1000),  # the birthday problem: 82 s
        (1000, 32, 0.001, 2 * 2**32 / (1000**2 * 0.001)),  # pairs of one tick, one in 2**32 equal: 99 days
        (1, 0, 1.0, math.sqrt(math.pi / 2) * math.erf(math.sqrt(0.5)) / (1 - math.exp(-0.5))),
        (1e6, 16, 1.0, math.sqrt(math.pi / 2 * 2**16) / 1e6),  # so many that the first tick decides
        (1000, 74, 0.001, 2 * 2**74 / 1000),
    ],
)
def test_the_expected_time_follows_the_formulas(rate, bits, tick, seconds):
    assert seconds_to_duplicate(rate, bits, tick) == pytest.approx(seconds, rel=1e-3)


def test_the_yearly_number_counts_pairs():
    assert yearly_duplicates(1000, 32, 0.001) == pytest.approx(YEAR / (2 * 2**32 / 1000))
    assert yearly_duplicates(1, 32, None) == pytest.approx(YEAR**2 / 2 / 2**32)


RATES = st.floats(1e-5, 1e9)
BITS = st.floats(0, 512)
TICKS = st.sampled_from([None, 0.001, 1.0])


@given(RATES, BITS, TICKS)
def test_more_bits_slower_minting_and_a_finer_clock_never_bring_the_duplicate_nearer(rate, bits, tick):
    seconds = seconds_to_duplicate(rate, bits, tick)
    assert 0 < seconds < math.inf
    slack = seconds * (1 - 1e-9)
    assert seconds_to_duplicate(rate, bits + 1, tick) >= slack
    assert seconds_to_duplicate(rate / 2, bits, tick) >= slack
    assert seconds_to_duplicate(rate, bits, {None: 1.0, 1.0: 0.001, 0.001: 0.001}[tick]) >= slack


@pytest.mark.parametrize(
    ("pattern", "per_second", "trials"),
    [
        ("{kind}_{random:hex(2)}", 100, 500),
        ("{kind}_{random:hex(4)}", 100, 200),
        ("{kind}_{t:time(s)}_{random:hex(2)}", 10, 500),
        ("{kind}_{t:time(s)}_{random:hex(2)}", 200, 500),
        ("{kind}_{t:time(ms)}_{random:hex(1)}", 400, 500),
        ("{kind}_{t:time(ms % 64)}_{random:hex(1)}", 3, 300),
    ],
)
def test_simulated_minting_meets_its_first_duplicate_when_predicted(pattern, per_second, trials):
    (strength,) = strength_of(pattern, f"{per_second}/s")
    chance = random.Random(7)
    now = 1_700_000_000.0  # seconds
    registry = Registry.from_toml(
        f'[kinds.order]\n[formats.own]\npattern = "{pattern}"\nkinds = ["order"]\n',
        clock=lambda: now,
        entropy=chance.randbytes,
    )
    lasted = []
    for _ in range(trials):
        seen: set[str] = set()
        now = began = math.ceil(now) + 0.0
        while True:
            now += chance.expovariate(per_second)
            text = registry.mint("order", format="own")
            if text in seen:
                break
            seen.add(text)
        lasted.append(now - began)
    assert mean(lasted) == pytest.approx(strength.seconds, rel=0.12)


def test_counters_keep_one_process_from_duplicates_but_not_two():
    pattern = "{kind}_{counter:int}_{random:hex(1)}"
    toml = f'[kinds.order]\n[formats.own]\npattern = "{pattern}"\nkinds = ["order"]\n'
    chance = random.Random(7)
    one, other = (Registry.from_toml(toml, entropy=chance.randbytes) for _ in range(2))
    ids = [one.mint("order", format="own") for _ in range(200)]
    assert len(set(ids)) == 200
    assert set(ids) & {other.mint("order", format="own") for _ in range(200)}


@pytest.mark.parametrize(
    ("pattern", "filled", "needed"),
    [
        ("{kind}_{t:time(s)}_{n:int}_{r:hex(4)}", "tnr", ""),
        ("{kind}_{n:int}", "", "n"),
        ("{kind}_{s:slug}_{n:int}_{r:hex(4)}", "nr", "s"),
        ("{kind}-{x:one-of(a, b)}-{y:text(a-c, 1..2)}-{z:id(thread)}", "", "xyz"),
        ("{kind}[-{s:slug}-{t:time(s)}]_{r:hex(4)}", "r", ""),
        ("{kind}-{i:uuid}-{b:base32}-{u:ulid}", "ibu", ""),
    ],
)
def test_minting_fills_in_and_asks_for_what_is_said(pattern, filled, needed):
    text = f"[kinds.order]\n[kinds.thread]\n[formats.own]\npattern = '{pattern}'\nkinds = ['order']\n"
    registry = Registry.from_toml(text)
    (writing,) = [w for w in registry.declarations.writings if w.format == "own"]
    assert "".join(field.name for field in filled_fields(writing)) == filled
    assert "".join(needed_fields(writing)) == needed
    if needed:
        with pytest.raises(InvalidId, match=f"needs {needed[0]}="):
            registry.mint("order", format="own")
    else:
        minted = registry.parse(registry.mint("order", format="own"), "order", "own")
        assert sorted(minted.fields) == sorted(filled)


def test_a_service_may_mint_exactly_what_it_is_a_producer_of():
    registry = load_registry(GOLDEN)

    def may_mint(service, kind):
        try:
            registry.mint(kind, service=service)
        except InvalidId as error:
            return "does not write" not in str(error)  # it may still lack a field
        return True

    for kind in registry.kinds.values():
        named = {service.name for service in producers(kind, registry.services)}
        assert named == {service for service in registry.services if may_mint(service, kind.name)}


def test_the_canonical_format_is_always_minted():
    declarations = declare("[kinds.user]\n", "test")
    assert minted_formats(declarations.kinds["user"], declarations.services) == ["typeid"]


def test_a_weak_kind_is_told_in_words():
    (strength,) = strength_of("{kind}_{random:hex(8)}")
    assert strength.sentence == "32 random bits; at 1000/s the first duplicate is expected after 82 s"
    (strength,) = strength_of("{kind}_{t:time(ms)}_{n:int}", "90/min")
    assert strength.sentence == (
        "no random bits in each millisecond; at 1.5/s the first duplicate is expected after 15 minutes"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0123, "12 ms"),
        (82.1, "82 s"),
        (300, "5 minutes"),
        (3 * 3600, "3 hours"),
        (99 * 86400, "99 days"),
        (20_000 * YEAR, "20,000 years"),
        (1e30, "more than a million years"),
    ],
)
def test_times_are_told_in_units_that_people_use(seconds, words):
    assert time_words(seconds) == words


@pytest.mark.parametrize(
    ("rate", "words"), [(1e6, "1000000/s"), (1.5, "1.5/s"), (0.5, "30/min"), (5 / 86400, "5/day")]
)
def test_rates_are_told_in_units_that_people_use(rate, words):
    assert rate_words(rate) == words
