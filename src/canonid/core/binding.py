"""Verbs with everything looked up once, for hot loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from canonid.core.engine import Minter
from canonid.core.values import Reading
from canonid.core.writing import Writing


class Bound(NamedTuple):
    """The verbs of one kind, as functions: `mint()`, `mint_many(count)`, `parse(text)`, `is_valid(text)`.

    They do what the registry's verbs of the same names do.
    """

    mint: Callable[[], str]
    mint_many: Callable[[int], list[str]]
    parse: Callable[[object], Reading]
    is_valid: Callable[[object], bool]


def bind(
    minter: Minter,
    canonical: Writing,
    read: Callable[[object], Reading],
    accept: Callable[[object], bool],
) -> Bound:
    """The verbs of a kind. `read` and `accept` are asked about what is not in the `canonical` writing."""
    accepts = canonical.accepts

    def parse(text: Any) -> Reading:
        try:
            if accepts(text):
                # What is canonical names itself, however else it reads.
                reading = Reading()  # as `values.read_as` does, without a call
                reading._text = text
                reading._writing = canonical
                return reading
        except TypeError:  # not a text
            return read(text)
        return read(text)

    def is_valid(text: Any) -> bool:
        try:
            if accepts(text):
                return True
        except TypeError:  # not a text
            return False
        return accept(text)

    return Bound(minter.mint, minter.many, parse, is_valid)


def translator(
    source: Writing, target: Writing, otherwise: Callable[[object], str]
) -> Callable[[object], str]:
    """A function from texts of `source` to 128 bits in `target`. `otherwise` is asked about all others."""
    accepts = source.accepts

    def translate(text: Any) -> str:
        try:
            fits = accepts(text)
        except TypeError:
            fits = False  # not a text
        if not fits:
            return otherwise(text)
        return target.write_bits(source.own_bits(text))

    return translate
