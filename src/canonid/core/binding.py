"""A kind's verbs with everything looked up once, for hot loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from canonid.core.engine import Minter
from canonid.core.values import Reading
from canonid.core.writing import Writing

_new = object.__new__


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

    def parse(text: object) -> Reading:
        try:
            named = accepts(text)  # type: ignore[arg-type]
        except TypeError:
            named = None  # not a text
        if not named:
            return read(text)
        # What is canonical names itself, however else it reads. (Reading(…) takes a third longer.)
        reading = _new(Reading)
        reading._text = text  # type: ignore[assignment]
        reading._writing = canonical
        reading._named = True
        return reading

    def is_valid(text: object) -> bool:
        try:
            named = accepts(text)  # type: ignore[arg-type]
        except TypeError:
            named = None
        return True if named else accept(text)

    return Bound(minter.mint, minter.many, parse, is_valid)
