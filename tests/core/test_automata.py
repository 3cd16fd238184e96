"""Matching and proving start from the same tree, so they must agree; shortest must mean shortest."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonid.core.automata import expected_at, shortest_common, two_readings
from canonid.core.language import Slug, Text, between, chars, decimal, fixed, longest, regex
from languages import NODES, SHORT, accepts, machine


@given(NODES)
def test_regex_and_automaton_accept_the_same_texts(node):
    pattern, built = re.compile(regex(node)), machine(node)
    assert all(bool(pattern.fullmatch(text)) == accepts(built, text) for text in SHORT)


@given(NODES, NODES)
def test_shortest_common_text_is_common_and_none_is_shorter(a, b):
    left, right = machine(a), machine(b)
    found = shortest_common(left, right, lambda x, y: True)
    common = [text for text in ["", *SHORT] if accepts(left, text) and accepts(right, text)]
    if found is None:
        assert not common
    else:
        assert accepts(left, found[0])
        assert accepts(right, found[0])
        assert all(len(found[0]) <= len(text) for text in common)


@given(NODES, NODES)
def test_two_readings_is_found_exactly_when_a_text_splits_in_two_ways(a, b):
    first, second = re.compile(regex(a)), re.compile(regex(b))

    def splits(text):
        return sum(
            bool(first.fullmatch(text[:at]) and second.fullmatch(text[at:])) for at in range(len(text) + 1)
        )

    found = two_readings(machine(a, b))
    if found is None:
        assert all(splits(text) < 2 for text in SHORT)
    else:
        assert splits(found) >= 2


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_decimal_accepts_exactly_the_range_without_leading_zeros(x, y):
    low, high = sorted((x, y))
    pattern = re.compile(regex(decimal(low, high)))
    probes = {low, high, low - 1, high + 1, 0, 9, 10, 99, 100, (low + high) // 2, 10 * high}
    for number in probes:
        assert bool(pattern.fullmatch(str(number))) == (low <= number <= high)
    assert not pattern.fullmatch(f"0{high}")
    assert longest(decimal(low, high)) == len(str(high))


@given(st.sampled_from(["01", "ab_", "01ab"]), st.integers(1, 4), st.data())
def test_between_accepts_exactly_the_range_in_any_base(alphabet, width, data):
    every = ["".join(text) for text in product(alphabet, repeat=width)]
    ends = st.integers(0, len(every) - 1)
    low, high = (every[at] for at in sorted((data.draw(ends), data.draw(ends))))
    node = between(low, high, alphabet)
    pattern, built = re.compile(regex(node)), machine(node)
    for at, text in enumerate(every):
        within = every.index(low) <= at <= every.index(high)
        assert bool(pattern.fullmatch(text)) == accepts(built, text) == within
    assert fixed(node)
    assert longest(node) == width


def test_a_wide_range_takes_few_states():
    assert len(machine(decimal(0, 10**12 - 1)).moves) <= 15
    assert len(machine(decimal(1, 2**63 - 1)).moves) <= 250


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_exact_slugs_count_their_characters(size):
    built = machine(Slug(2, 4), exact=True)
    assert accepts(built, "a" * size) == (2 <= size <= 4)
    assert accepts(built, "a_b"[:size]) == (size >= 3)


def test_expected_at_says_where_a_text_stops_fitting_and_what_could_come():
    built = machine(Text("ws_"), chars("01"))
    assert expected_at(built, "ws_x") == (3, chars("01").mask)
    assert expected_at(built, "") == (0, chars("w").mask)
