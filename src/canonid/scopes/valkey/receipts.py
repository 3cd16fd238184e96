"""The stream of what was released, and what it tells of one thing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from canonid.core import Identity
from canonid.errors import NotFound, StoreError
from canonid.scopes.valkey.entries import field_of
from canonid.scopes.valkey.store import Entry, Store, entry_of

PAGE = 100


class Released(NamedTuple):
    """One thing that was released, once, for good.

    `scope` is the one whose closing took it along, `owner` the process that had claimed it ("" for a joined
    scope), `by` the process that released it, `at` milliseconds since 1970 by that one's clock. `key` is the
    same each time that this release is told.
    """

    identity: Identity
    scope: Identity
    principal: str
    owner: str
    by: str
    why: str
    at: int
    key: str


class Receipt(NamedTuple):
    """What the store knows of the last release of a thing. `effect`: None where none is registered."""

    released: Released
    effect: Literal["done", "pending"] | None


def read(entry: Entry) -> Iterator[Released]:
    """What one record of the stream says. `StoreError` if it is malformed."""
    number, fields = entry
    try:
        scope = fields["scope"]
        for field, owner, nonce in json.loads(fields["ids"]):
            yield Released(
                _identity(field),
                _identity(scope),
                fields["principal"],
                owner,
                fields["by"],
                fields["why"],
                int(fields["at"]),
                f"{scope}#{fields['scope_nonce']}/{field}#{nonce}",
            )
    except (KeyError, ValueError, TypeError):
        raise StoreError(f"the record {number} of what was released is malformed", path="valkey") from None


async def receipt(store: Store, prefixes: Sequence[str], identity: Identity) -> Receipt:
    """The newest release of a thing that the streams still hold. `NotFound`; a page a round trip."""
    named = json.dumps(field_of(identity), ensure_ascii=False)
    for prefix in prefixes:
        key, before = f"{prefix}released", "+"
        while page := await store.command("XREVRANGE", key, before, "-", "COUNT", PAGE):
            for entry in map(entry_of, page):
                if named not in entry[1].get("ids", "").replace("\\/", "/"):
                    continue
                for released in read(entry):
                    if released.identity == identity:
                        return Receipt(released, await _effect(store, key, identity.kind, entry[0]))
            before = f"({page[-1][0]}"
    raise NotFound


async def _effect(store: Store, key: str, kind: str, number: str) -> Literal["done", "pending"] | None:
    groups = await store.command("XINFO", "GROUPS", key)
    delivered = {group["name"]: group["last-delivered-id"] for group in map(_fields, groups)}
    last = delivered.get(group_of(kind))
    if last is None:
        return None
    waiting = await store.command("XPENDING", key, group_of(kind), number, number, 1, parse_detail=True)
    return "pending" if waiting or _order(last) < _order(number) else "done"


def group_of(kind: str) -> str:
    """The consumer group that runs the effects of a kind."""
    return f"effect:{kind}"


def _fields(group: Any) -> dict[str, Any]:
    return group if isinstance(group, dict) else dict(zip(group[::2], group[1::2], strict=True))


def _order(number: str) -> tuple[int, int]:
    milliseconds, sequence = number.split("-")
    return int(milliseconds), int(sequence)


def _identity(field: str) -> Identity:
    kind, canonical = field.split("/", 1)
    return Identity(kind, canonical)
