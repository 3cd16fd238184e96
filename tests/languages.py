"""Small random languages, and what brute force says about them."""

from itertools import product

from hypothesis import strategies as st

from canonid.core.automata import Path, automaton
from canonid.core.language import Alt, Repeat, Seq, Slug, Text, chars

LEAVES = st.sampled_from(
    [Text("a"), Text("ab"), Text("_"), Text("1_"), chars("ab"), chars("01"), Slug(1, 3), Slug(2, 4)]
)
NODES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Seq(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Alt(tuple(parts))),
        st.tuples(inner, st.integers(0, 2), st.integers(0, 2)).map(
            lambda args: Repeat(args[0], args[1], args[1] + args[2])
        ),
        inner.map(lambda node: Repeat(node, 1, None)),
    ),
    max_leaves=5,
)
SHORT = ["".join(text) for size in range(1, 5) for text in product("ab01_", repeat=size)]


def accepts(machine, text):
    states = {machine.start}
    for char in text:
        bit = 1 << ord(char)
        states = {target for state in states for mask, target, _ in machine.moves[state] if mask & bit}
    return any(machine.tags[state] for state in states)


def machine(*nodes, tag="x", exact=False):
    return automaton([Path(list(enumerate(nodes)), tag)], exact=exact)
