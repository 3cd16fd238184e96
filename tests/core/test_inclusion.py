"""Inclusion and splitting, against brute force over short texts; shortest must mean shortest."""

import re

import pytest
from hypothesis import given, settings

from canonid.core.automata import shortest_resplit
from canonid.core.inclusion import Undecided, common, shortest_missing
from canonid.core.language import Seq, Slug, Text, chars, regex
from languages import NODES, SHORT, accepts, machine


@settings(deadline=None)
@given(NODES, NODES)
def test_what_is_missing_is_the_shortest_text_that_one_accepts_and_the_other_does_not(a, b):
    left, right = machine(a), machine(b)
    found = shortest_missing(left, right)
    missing = [text for text in ["", *SHORT] if accepts(left, text) and not accepts(right, text)]
    if found is None:
        assert not missing
    else:
        assert accepts(left, found)
        assert not accepts(right, found)
        assert all(len(found) <= len(text) for text in missing)


@settings(deadline=None)
@given(NODES)
def test_nothing_is_missing_from_itself(node):
    for exact in (False, True):
        assert shortest_missing(machine(node, exact=exact), machine(node, exact=exact)) is None


@settings(deadline=None)
@given(NODES, NODES)
def test_the_common_automaton_accepts_what_both_do(a, b):
    left, right = machine(a), machine(b)
    both = common(left, right)
    assert all(accepts(both, text) == (accepts(left, text) and accepts(right, text)) for text in SHORT)


@settings(deadline=None)
@given(NODES, NODES, NODES, NODES)
def test_a_resplit_text_is_found_exactly_when_there_is_one(a, b, c, d):
    nodes = [re.compile(regex(node)) for node in (a, b, c, d)]

    def splits(first, second, text):
        return {
            at
            for at in range(len(text) + 1)
            if nodes[first].fullmatch(text[:at]) and nodes[second].fullmatch(text[at:])
        }

    found = shortest_resplit(machine(a, b), machine(c, d))
    differing = [
        text
        for text in SHORT
        if any(one != other for one in splits(0, 1, text) for other in splits(2, 3, text))
    ]
    if found is None:
        assert not differing
    else:
        assert any(one != other for one in splits(0, 1, found) for other in splits(2, 3, found))
        assert all(len(found) <= len(text) for text in differing)


def test_bounds_of_slugs_count():
    wide, narrow = (machine(Text("x_"), Slug(1, high), exact=True) for high in (64, 40))
    assert shortest_missing(narrow, wide) is None
    assert shortest_missing(wide, narrow) == "x_" + "0" * 41


def test_a_search_beyond_its_limit_says_so():
    hard = machine(Seq((chars("ab"), Slug(1, 40))), exact=True)
    with pytest.raises(Undecided):
        shortest_missing(hard, hard, limit=10)
