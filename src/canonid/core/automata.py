"""Finite automata over the trees of `language`, and the three questions asked of them.

`shortest_common` finds the shortest text that two automata both accept with different tags
(breadth-first search of their product). `two_readings` finds the shortest text that one automaton
splits into fields in two ways. `expected_at` says how far a text fits and what could have followed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from canonid.core.language import WORD, Alt, Chars, Node, Repeat, Seq, Slug, Text, chars

Move = tuple[int, int, int]  # characters (mask), target state, label of the item that consumes them
State = TypeVar("State")
UNDERSCORE = chars("_")


class Automaton(NamedTuple):
    """A nondeterministic automaton without empty moves."""

    moves: Sequence[Sequence[Move]]
    start: int
    tags: Sequence[frozenset[str]]  # per state: what has been accepted if the text ends here


class Path(NamedTuple):
    """One alternative of an automaton: labelled nodes in order, and the tag of accepting them all."""

    items: Sequence[tuple[int, Node]]
    tag: str


def automaton(paths: Iterable[Path], *, exact: bool) -> Automaton:
    """The automaton that accepts any of the paths.

    With `exact` false the length bounds of slugs are left out: fewer states, a wider language.
    """
    build = _Builder(exact)
    start = build.state()
    ends: dict[int, set[str]] = {}
    shared: dict[tuple[int, int, Node], int] = {}  # paths that begin alike share their states
    for path in paths:
        state = start
        for label, node in path.items:
            key = state, label, node
            if key not in shared:
                shared[key] = build.add(node, state, label)
            state = shared[key]
        ends.setdefault(state, set()).add(path.tag)
    return build.finish(start, ends)


class _Builder:
    def __init__(self, exact: bool) -> None:
        self.exact = exact
        self.moves: list[list[Move]] = []
        self.skips: list[list[int]] = []

    def state(self) -> int:
        self.moves.append([])
        self.skips.append([])
        return len(self.moves) - 1

    def skip(self, source: int, target: int) -> None:
        self.skips[source].append(target)

    def step(self, source: int, mask: int, label: int, target: int | None = None) -> int:
        end = self.state() if target is None else target
        self.moves[source].append((mask, end, label))
        return end

    def add(self, node: Node, start: int, label: int) -> int:
        """Append a node after `start`; the state in which it has been read."""
        match node:
            case Text(text):
                for char in text:
                    start = self.step(start, 1 << ord(char), label)
                return start
            case Chars(mask):
                return self.step(start, mask, label)
            case Seq(parts):
                for part in parts:
                    start = self.add(part, start, label)
                return start
            case Alt(options):
                end = self.state()
                for option in options:
                    self.skip(self.add(option, start, label), end)
                return end
            case Repeat(inner, low, high):
                return self._repeat(inner, low, high, start, label)
            case Slug(low, high):
                return self._counted_slug(low, high, start, label) if self.exact else self._slug(start, label)

    def _repeat(self, inner: Node, low: int, high: int | None, start: int, label: int) -> int:
        for _ in range(low):
            start = self.add(inner, start, label)
        if high is None:
            loop = self.state()
            self.skip(start, loop)
            self.skip(self.add(inner, loop, label), loop)
            return loop
        end = self.state()
        self.skip(start, end)
        for _ in range(high - low):
            start = self.add(inner, start, label)
            self.skip(start, end)
        return end

    def _slug(self, start: int, label: int) -> int:
        word = self.step(start, WORD.mask, label)
        self.step(word, WORD.mask, label, word)
        gap = self.step(word, UNDERSCORE.mask, label)
        self.step(gap, WORD.mask, label, word)
        # A state of its own, so that what follows adds no move to the loop.
        end = self.state()
        self.skip(word, end)
        return end

    def _counted_slug(self, low: int, high: int, start: int, label: int) -> int:
        end = self.state()
        word: int | None = None
        gap: int | None = start
        for length in range(1, high + 1):
            next_word, next_gap = self.state(), self.state()
            for source in (word, gap):
                if source is not None:
                    self.step(source, WORD.mask, label, next_word)
            if word is not None:
                self.step(word, UNDERSCORE.mask, label, next_gap)
            if length >= low:
                self.skip(next_word, end)
            word, gap = next_word, next_gap
        return end

    def finish(self, start: int, ends: dict[int, set[str]]) -> Automaton:
        """Without empty moves, and only with states that can be reached."""
        number: dict[int, int] = {start: 0}
        queue = [start]
        moves: list[tuple[Move, ...]] = []
        tags: list[frozenset[str]] = []
        for state in queue:
            closure = self._closure(state)
            out: dict[Move, None] = {}
            for inner in closure:
                for mask, target, label in self.moves[inner]:
                    if target not in number:
                        number[target] = len(number)
                        queue.append(target)
                    out[mask, number[target], label] = None
            moves.append(tuple(out))
            tags.append(frozenset(tag for inner in closure for tag in ends.get(inner, ())))
        return Automaton(moves, 0, tags)

    def _closure(self, state: int) -> list[int]:
        closure = [state]
        for inner in closure:
            closure += [target for target in self.skips[inner] if target not in closure]
        return closure


def shortest_common(
    a: Automaton, b: Automaton, clash: Callable[[str, str], bool]
) -> tuple[str, str, str] | None:
    """The shortest text both accept with tags that clash, as (text, tag of a, tag of b), or None."""

    def hit(pair: tuple[int, int]) -> tuple[str, str] | None:
        for left in sorted(a.tags[pair[0]]):
            for right in sorted(b.tags[pair[1]]):
                if clash(left, right):
                    return left, right
        return None

    came: dict[tuple[int, int], tuple[tuple[int, int], int] | None] = {(a.start, b.start): None}
    queue = deque(came)
    while queue:
        pair = queue.popleft()
        p, q = pair
        if a.tags[p] and b.tags[q] and (tags := hit(pair)):
            return (spell(came, pair), *tags)
        for mask_a, next_p, _ in a.moves[p]:
            for mask_b, next_q, _ in b.moves[q]:
                both = mask_a & mask_b
                if both and (next_p, next_q) not in came:
                    came[next_p, next_q] = pair, both
                    queue.append((next_p, next_q))
    return None


def two_readings(a: Automaton) -> str | None:
    """The shortest text that can be split into the labelled items in two ways, or None."""
    return shortest_resplit(a, a)


def shortest_resplit(a: Automaton, b: Automaton) -> str | None:
    """The shortest text that both accept but consume under different labels, or None."""
    start = a.start, b.start, False
    came: dict[tuple[int, int, bool], tuple[tuple[int, int, bool], int] | None] = {start: None}
    queue = deque(came)
    while queue:
        triple = queue.popleft()
        p, q, split = triple
        if split and a.tags[p] and b.tags[q]:
            return spell(came, triple)
        for mask_p, next_p, label_p in a.moves[p]:
            for mask_q, next_q, label_q in b.moves[q]:
                both = mask_p & mask_q
                key = next_p, next_q, split or label_p != label_q
                if a is b and next_p > next_q:
                    key = next_q, next_p, key[2]  # which of two readings comes first doesn't matter
                if both and key not in came:
                    came[key] = triple, both
                    queue.append(key)
    return None


def expected_at(a: Automaton, text: str) -> tuple[int, int]:
    """How many characters of `text` fit, and the set of characters that could come next."""
    states = {a.start}
    for position, char in enumerate(text):
        bit = 1 << ord(char) if ord(char) < 128 else 0
        following = {target for state in states for mask, target, _ in a.moves[state] if mask & bit}
        if not following:
            return position, _next_chars(a, states)
        states = following
    return len(text), _next_chars(a, states)


def _next_chars(a: Automaton, states: Iterable[int]) -> int:
    union = 0
    for state in states:
        for mask, _, _ in a.moves[state]:
            union |= mask
    return union


def spell(came: Mapping[State, tuple[State, int] | None], node: State) -> str:
    """The text along the way that led to `node`, the lowest character of each set."""
    text = []
    while step := came[node]:
        node, mask = step
        text.append(chr((mask & -mask).bit_length() - 1))
    return "".join(reversed(text))
