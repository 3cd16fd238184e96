"""Named tuples as plain ones, which `marshal` can write, and back again by their annotations."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from canonid.audit.facts import FileFacts

Packed = tuple[Any, ...]
PLAIN = (str, int, float, bool, bytes, NoneType)


def pack(facts: FileFacts) -> Packed:
    """Nothing but texts, numbers and plain tuples."""
    # Most files say nothing.
    packed: Packed = _plain(facts) if any(facts[2:]) else tuple(facts[:2])
    return packed


def unpack(packed: Packed) -> FileFacts:
    """What was packed. About a microsecond for each named tuple in it."""
    facts: FileFacts = _maker(FileFacts)(packed) if len(packed) > 2 else FileFacts(*packed)  # type: ignore[misc]
    return facts


def _plain(value: Any) -> Any:
    return tuple([_plain(each) for each in value]) if isinstance(value, tuple) else value


@cache
def _maker(kind: Any) -> Callable[[Any], Any] | None:
    """What makes a value of a type from its plain form; None if that is the value already."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind in PLAIN or origin is Literal:
        return None
    if origin in (Union, UnionType) and set(inner) - {NoneType} and len(set(inner) - {NoneType}) == 1:
        return _maker_or_none(next(each for each in inner if each is not NoneType))
    if origin in (Union, UnionType) and all(each in PLAIN for each in inner):
        return None
    if origin is tuple and inner[1:] == (...,):
        return _maker_of_many(inner[0])
    if origin is tuple:
        return _maker_of_fields(tuple, inner)
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_make"):
        return _maker_of_fields(kind._make, tuple(get_type_hints(kind).values()))
    raise TypeError(f"{kind} can't be packed: only texts, numbers, and tuples of them")


def _maker_or_none(kind: Any) -> Callable[[Any], Any] | None:
    make = _maker(kind)
    return make and (lambda value: None if value is None else make(value))


def _maker_of_many(kind: Any) -> Callable[[Any], Any] | None:
    make = _maker(kind)
    return make and (lambda values: tuple([make(each) for each in values]))


def _maker_of_fields(whole: Callable[[Any], Any], kinds: tuple[Any, ...]) -> Callable[[Any], Any] | None:
    makers = [(at, make) for at, kind in enumerate(kinds) if (make := _maker(kind)) is not None]
    if not makers:
        return None if whole is tuple else whole

    def made(values: Packed) -> Any:
        changed = list(values)
        for at, make in makers:
            if changed[at]:  # most of the many are empty
                changed[at] = make(changed[at])
        return whole(changed)

    return made
