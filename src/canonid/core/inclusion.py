"""Whether one automaton accepts all that another does; if not, the shortest text that tells.

The search runs through the product of `a` with the subsets of `b` that a text can lead to, made as they
are met. A subset that holds one already met at the same state of `a` can only refuse less and is passed over
(antichains: De Wulf, Doyen, Henzinger, Raskin, 2006), which keeps the search to a few subsets per state.
"""

from __future__ import annotations

from collections import deque

from canonid.core.automata import Automaton, spell

ASCII = (1 << 128) - 1
LIMIT = 100_000  # pairs of state and subset: some seconds


class Undecided(Exception):
    """The search grew beyond its limit; nothing is proven."""


def shortest_missing(a: Automaton, b: Automaton, limit: int = LIMIT) -> str | None:
    """The shortest text that `a` accepts and `b` does not, or None. Raises Undecided beyond the limit."""
    accepting = sum(1 << state for state, tags in enumerate(b.tags) if tags)
    start = a.start, 1 << b.start  # subsets of the states of `b` are bit masks
    came: dict[tuple[int, int], tuple[tuple[int, int], int] | None] = {start: None}
    least: dict[int, list[int]] = {a.start: [start[1]]}
    following: dict[int, list[tuple[int, int]]] = {}
    queue = deque(came)
    while queue:
        pair = queue.popleft()
        state, subset = pair
        if a.tags[state] and not subset & accepting:
            return spell(came, pair)
        if subset not in following:
            following[subset] = _following(b, subset)
        steps = [
            (both, target, reached)
            for mask, target, _ in a.moves[state]
            for part, reached in following[subset]
            if (both := mask & part)
        ]
        steps.sort(key=lambda step: step[0] & -step[0])  # of the shortest texts the first by the alphabet
        for both, target, reached in steps:
            met = least.setdefault(target, [])
            if any(smaller & reached == smaller for smaller in met):
                continue
            met.append(reached)
            came[target, reached] = pair, both
            queue.append((target, reached))
        if len(came) > limit:
            raise Undecided
    return None


def _following(b: Automaton, subset: int) -> list[tuple[int, int]]:
    """For every character, the subset it leads to, the characters with the same one together."""
    moves: dict[int, int] = {}
    while subset:
        lowest = subset & -subset
        for mask, target, _ in b.moves[lowest.bit_length() - 1]:
            moves[mask] = moves.get(mask, 0) | 1 << target
        subset ^= lowest
    parts = [(ASCII, 0)]
    for mask, targets in moves.items():
        parts = [
            (chars, states)
            for known, reached in parts
            for chars, states in ((known & mask, reached | targets), (known & ~mask, reached))
            if chars
        ]
    return parts


def common(a: Automaton, b: Automaton) -> Automaton:
    """The automaton of the texts that both accept."""
    number = {(a.start, b.start): 0}
    queue = list(number)
    moves = []
    for p, q in queue:
        out: dict[tuple[int, int, int], None] = {}
        for mask_p, next_p, label in a.moves[p]:
            for mask_q, next_q, _ in b.moves[q]:
                if both := mask_p & mask_q:
                    if (next_p, next_q) not in number:
                        number[next_p, next_q] = len(number)
                        queue.append((next_p, next_q))
                    out[both, number[next_p, next_q], label] = None
        moves.append(tuple(out))
    return Automaton(moves, 0, [a.tags[p] if b.tags[q] else frozenset() for p, q in queue])
