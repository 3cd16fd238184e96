"""A small regular language: one tree per field, compiled both to `re` and to an automaton.

Because matching (by `re`) and proving (by automata) start from the same tree, they can't disagree
about what a format accepts. Only printable ASCII occurs in IDs, so a set of characters is an int with
one bit per code point.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple


class Text(NamedTuple):
    """Exactly this text."""

    text: str


class Chars(NamedTuple):
    """One character out of a set, given as a bit mask over ASCII."""

    mask: int


class Seq(NamedTuple):
    """One node after another."""

    parts: tuple[Node, ...]


class Alt(NamedTuple):
    """Any one of the options."""

    options: tuple[Node, ...]


class Repeat(NamedTuple):
    """A node `low` to `high` times; `high` None means without end."""

    node: Node
    low: int
    high: int | None


class Slug(NamedTuple):
    """`[a-z0-9]+(_[a-z0-9]+)*` of `low` to `high` characters.

    The length bounds are checked after matching, since `re` can't count across the groups; a
    proof may leave them out, which only ever widens the language.
    """

    low: int
    high: int


Node = Text | Chars | Seq | Alt | Repeat | Slug


def chars(text: str) -> Chars:
    """The set of the characters in `text`."""
    mask = 0
    for char in text:
        mask |= 1 << ord(char)
    return Chars(mask)


def members(mask: int) -> str:
    """The characters of a set, in ASCII order."""
    return "".join(chr(code) for code in range(128) if mask >> code & 1)


DIGITS = "0123456789"
DIGIT = chars(DIGITS)
HEX = chars("0123456789abcdef")
WORD = chars("abcdefghijklmnopqrstuvwxyz0123456789")
CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def times(node: Node, count: int) -> Node:
    return Repeat(node, count, count)


def words(options: tuple[str, ...]) -> Node:
    return Alt(tuple(Text(option) for option in options))


def decimal(low: int, high: int) -> Node:
    """The decimal numbers from `low` to `high`, without leading zeros."""
    if low == 0:
        return Alt((Text("0"), decimal(1, high))) if high else Text("0")
    options: list[Node] = []
    whole: list[int] = []  # the widths of which every number is in the range: one run
    for width in range(len(str(low)), len(str(high)) + 1):
        least, most = max(low, 10 ** (width - 1)), min(high, 10**width - 1)
        if most - least + 1 == 9 * 10 ** (width - 1):
            whole.append(width)
        else:
            options.append(between(str(least), str(most), DIGITS))
    if whole:
        options.append(Seq((chars(DIGITS[1:]), Repeat(DIGIT, whole[0] - 1, whole[-1] - 1))))
    return _either(options)


def between(low: str, high: str, alphabet: str) -> Node:
    """The numbers from `low` to `high`, both of the same width, whose digits are `alphabet`."""
    first, last = alphabet.index(low[0]), alphabet.index(high[0])
    rest = len(low) - 1
    if not rest:
        return chars(alphabet[first : last + 1])
    least, most = alphabet[0] * rest, alphabet[-1] * rest
    if first == last and (low[1:], high[1:]) != (least, most):
        return Seq((Text(low[0]), between(low[1:], high[1:], alphabet)))
    options: list[Node] = []
    if low[1:] != least:
        options.append(Seq((Text(low[0]), between(low[1:], most, alphabet))))
        first += 1
    if high[1:] != most:
        options.append(Seq((Text(high[0]), between(least, high[1:], alphabet))))
        last -= 1
    if first <= last:
        options.append(Seq((chars(alphabet[first : last + 1]), times(chars(alphabet), rest))))
    return _either(options)


def _either(options: list[Node]) -> Node:
    return options[0] if len(options) == 1 else Alt(tuple(options))


def longest(node: Node) -> int:
    """The length of the longest text of a node; every node that a grammar makes has one."""
    match node:
        case Text(text):
            return len(text)
        case Chars():
            return 1
        case Seq(parts):
            return sum(map(longest, parts))
        case Alt(options):
            return max(map(longest, options))
        case Slug(_, high):
            return high
        case Repeat(inner, low, high):
            return longest(inner) * (low if high is None else high)


def shortest(node: Node) -> int:
    """The length of the shortest text of a node."""
    match node:
        case Text(text):
            return len(text)
        case Chars():
            return 1
        case Seq(parts):
            return sum(map(shortest, parts))
        case Alt(options):
            return min(map(shortest, options))
        case Slug(low, _):
            return low
        case Repeat(inner, low, _):
            return shortest(inner) * low


def slugs(node: Node) -> Iterator[Slug]:
    """Every slug within a node."""
    match node:
        case Slug():
            yield node
        case Seq(inner) | Alt(inner):
            for part in inner:
                yield from slugs(part)
        case Repeat(part):
            yield from slugs(part)


def fixed(node: Node) -> bool:
    """Whether all texts of a node have one length, even with the bounds of slugs left out."""
    match node:
        case Text() | Chars():
            return True
        case Slug():
            return False
        case Seq(parts):
            return all(map(fixed, parts))
        case Alt(options):
            return all(map(fixed, options)) and len(set(map(longest, options))) == 1
        case Repeat(inner, low, high):
            return low == high and fixed(inner)


def first(node: Node) -> int:
    """The set of characters that a text of the node may begin with."""
    match node:
        case Text(text):
            return 1 << ord(text[0]) if text else 0
        case Chars(mask):
            return mask
        case Seq(parts):
            union = 0
            for part in parts:
                union |= first(part)
                if shortest(part):
                    break
            return union
        case Alt(options):
            return reduce(or_, map(first, options))
        case Slug():
            return WORD.mask
        case Repeat(inner, _, _):
            return first(inner)


def regex(node: Node, follow: int = 0) -> str:
    """The node as a regular expression for `re`, without capturing groups.

    `follow` is the set of characters that may come right after; it only makes matching faster.
    """
    match node:
        case Text(text):
            return re.escape(text)
        case Chars(mask):
            return _char_class(mask)
        case Seq(parts):
            return "".join(
                [regex(part, after) for part, after in zip(parts, follows(parts, follow), strict=True)]
            )
        case Alt(options):
            return "(?:" + "|".join([regex(option, follow) for option in options]) + ")"
        case Slug():
            # A word that what follows can't go on with need never be tried shorter.
            word = "[a-z0-9]+" if follow & WORD.mask else "[a-z0-9]++"
            return f"{word}(?:_{word})*"
        case Repeat(inner, low, high):
            body = regex(inner, follow if high == 1 else follow | first(inner))
            if not isinstance(inner, Chars):
                body = f"(?:{body})"
            if (low, high) == (1, 1):
                return body
            if low == high:
                return f"{body}{{{low}}}"
            return f"{body}{{{low},{'' if high is None else high}}}"


def follows(parts: Sequence[Node], follow: int) -> list[int]:
    """For each part the set of characters that may come right after it."""
    out = []
    for part in reversed(parts):
        out.append(follow)
        follow = first(part) | (0 if shortest(part) else follow)
    return out[::-1]


def _char_class(mask: int) -> str:
    return f"[{''.join(_run(re.escape(first), re.escape(last)) for first, last in _runs(mask))}]"


def runs(mask: int) -> str:
    """A set of characters as a person would write it, e.g. `0-9_a-z`."""
    return "".join(_run(first, last) for first, last in _runs(mask))


def _run(first: str, last: str) -> str:
    return first if first == last else f"{first}-{last}"


def _runs(mask: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for char in members(mask):
        if found and ord(found[-1][1]) == ord(char) - 1:
            found[-1] = found[-1][0], char
        else:
            found.append((char, char))
    return found
