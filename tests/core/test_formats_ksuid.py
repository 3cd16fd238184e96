"""KSUIDs: published examples, the bounds of 160 bits, the clock."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonid import Registry, RegistryError
from canonid.core import ksuid
from canonid.core.language import BASE62

TOML = "[kinds.event]\n[formats.uuid]\n[formats.ksuid]\n"
REGISTRY = Registry.from_toml(TOML)
BITS = st.integers(0, 2**160 - 1)


def test_the_published_example_is_read():
    # github.com/segmentio/ksuid, "Inspect": 2017-10-09 21:00:47 -0700
    text, raw = "0ujtsYcgvSTl8PAuAdqWYSMnLOv", "0669F7EFB5A1CD34B5F99D1154FB6853345C9735"
    assert ksuid.read(text) == int(raw, 16)
    assert ksuid.write(int(raw, 16)) == text
    assert REGISTRY.parse(text, "event").time == 1_507_608_047_000


@pytest.mark.parametrize(
    ("bits", "text"), [(0, "0" * 27), (2**160 - 1, "aWgEPTl1tmebfsQzFP4bxwgy80V"), (61, "0" * 26 + "z")]
)
def test_the_bounds_are_accepted(bits, text):
    assert ksuid.write(bits) == text
    assert REGISTRY.parse(text, "event").fields == {"id": text}


@given(BITS)
def test_bits_are_written_and_read_back_and_accepted(bits):
    text = ksuid.write(bits)
    assert ksuid.read(text) == bits
    assert REGISTRY.recognise(text).answer is not None


@given(st.integers(2**160, 62**27 - 1))
def test_what_takes_more_than_160_bits_is_refused(value):
    text = "".join(BASE62[value // 62**place % 62] for place in reversed(range(27)))
    assert REGISTRY.recognise(text).readings == ()


@given(BITS, BITS)
def test_texts_sort_like_their_bits(a, b):
    assert (a < b) == (ksuid.write(a) < ksuid.write(b))


def test_a_ksuid_is_derived_since_it_holds_more_than_128_bits():
    text = "0ujtsYcgvSTl8PAuAdqWYSMnLOv"
    assert not REGISTRY.parse(text, "event").exact
    assert REGISTRY.translate(text, "uuid") == "08d68dc1-1647-8447-b089-9d422136cd50"


@settings(deadline=None)  # loads a registry each time
@given(st.integers(1_400_000_000_000, 5_694_967_295_999), st.binary(min_size=16, max_size=16))
def test_a_minted_one_holds_the_second_of_the_clock_and_all_the_entropy(now, random):
    registry = Registry.from_toml(TOML, clock=lambda: now / 1000, entropy=lambda size: random[:size])
    text = registry.mint("event", format="ksuid")
    assert registry.parse(text, "event").time == now // 1000 * 1000
    assert ksuid.read(text) % 2**128 == int.from_bytes(random, "big")


@pytest.mark.parametrize("now", [0, 1_399_999_999_999, 5_694_967_296_000])
def test_a_clock_out_of_range_is_refused_not_wrapped(now):
    registry = Registry.from_toml(TOML, clock=lambda: now / 1000)
    with pytest.raises(OverflowError, match=f"the clock says {now} ms; a KSUID holds"):
        registry.mint("event", format="ksuid")


def test_minted_ones_are_all_different():
    assert len({REGISTRY.mint("event", format="ksuid") for _ in range(1000)}) == 1000


def test_a_built_in_format_takes_no_pattern():
    with pytest.raises(RegistryError, match=r"formats\.ksuid\.pattern: unknown key"):
        Registry.from_toml(TOML + "pattern = '{id:hex(8)}'\n")
