"""`canonid scopes …`: what is live in the scopes of all processes, and what became of it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from canonid.cli.ids import Command
from canonid.cli.output import iso, line, record, rows
from canonid.core import Registry
from canonid.errors import InvalidId, NotFound, StoreError, show
from canonid.project import load_registry

if TYPE_CHECKING:
    from canonid.scopes.valkey.store import Store

URL = "CANONID_VALKEY"
TIMEOUT = 5.0


def _store_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", metavar="URL", help=f"the store of scopes (default: ${URL})")
    parser.add_argument("--namespace", default="canonid", metavar="N", help="of the tree (default: canonid)")
    parser.add_argument("--buckets", type=int, default=1, metavar="N", help="of the tree (default: 1)")


def _receipt_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID")
    parser.add_argument("--kind", metavar="K", help="what the ID names, where its text does not say")
    _store_arguments(parser)


def _receipt(options: argparse.Namespace) -> int:
    from canonid.scopes.valkey.receipts import Receipt, receipt

    identity = load_registry(options.registry).identify(options.id, kind=options.kind)

    async def ask(store: Store) -> Receipt:
        return await receipt(store, _prefixes(options), identity)

    try:
        released, effect = _with_store(options, ask)
    except NotFound:
        print(f"canonid: no release of {show(options.id)} is known: it is live, unknown, or long gone",
              file=sys.stderr)  # fmt: skip
        return 1
    if options.json:
        record(
            id=identity.canonical, kind=identity.kind, at=iso(released.at), scope=released.scope.canonical,
            scope_kind=released.scope.kind, principal=released.principal, owner=released.owner,
            by=released.by, why=released.why, effect=effect,
        )  # fmt: skip
        return 0
    line(identity.canonical)
    rows("released", [iso(released.at) or str(released.at)])
    rows("with", [f"{released.scope.kind} {released.scope.canonical}"])
    rows("of", [released.principal])
    rows("owner", [released.owner] if released.owner else [])
    rows("by", [released.by])
    rows("why", [released.why] if released.why else [])
    rows("effect", [effect] if effect else [])
    return 0


def _tree_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER")
    _store_arguments(parser)


def _tree(options: argparse.Namespace) -> int:
    from canonid.scopes.valkey.store import bucket_of

    principal = _principal(load_registry(options.registry), options.user)
    prefixes = _prefixes(options)
    prefix = prefixes[bucket_of(principal, len(prefixes))]

    async def ask(store: Store) -> list[list[Any]]:
        nodes: list[list[Any]] = await store.call(prefix, "live", principal)
        return nodes

    nodes = _with_store(options, ask)
    for depth, field, opened_at, flags, text, closed, owner in nodes:
        kind, canonical = field.split("/", 1)
        if options.json:
            record(
                id=canonical, kind=kind, text=text or canonical, depth=depth, opened_at=iso(opened_at),
                scope=bool(flags), closing=bool(closed), process=owner,
            )  # fmt: skip
        else:
            line(f"{'  ' * depth}{kind} {canonical}{' (closing)' if closed else ''}")
    if not nodes and not options.json:
        print(f"canonid: nothing of {show(options.user)} is live", file=sys.stderr)
    return 0


def _principal(registry: Registry, text: str) -> str:
    """The canonical ID of a user; a text that names none may be a principal all the same."""
    try:
        return registry.canonical(text, kind="user") if "user" in registry.kinds else text
    except InvalidId:
        return text


def _prefixes(options: argparse.Namespace) -> list[str]:
    return [f"{options.namespace}:{{{bucket}}}:" for bucket in range(max(1, options.buckets))]


def _with_store(options: argparse.Namespace, ask: Callable[[Store], Awaitable[Any]]) -> Any:
    import asyncio  # as the store: 40 ms that the other commands need not pay

    from canonid.scopes.valkey.store import Store

    url = options.url or os.environ.get(URL)
    if not url:
        raise StoreError(f"which store? name it with --url redis://… or in {URL}", path="valkey")

    async def around() -> Any:
        try:
            store = Store(url, TIMEOUT)
        except ValueError as error:
            raise StoreError(f"the URL of the store is not valid: {error}", path="valkey") from None
        try:
            return await ask(store)
        finally:
            await store.aclose()

    return asyncio.run(around())


COMMANDS = (
    Command(
        "receipt",
        "when, by whom and why a thing was released",
        "The last release of what the ID names, from the stream of releases.",
        "canonid scopes receipt connection_01h455vb4pex5vsknk084sn02q --url redis://localhost:6379/0",
        _receipt_arguments,
        _receipt,
    ),
    Command(
        "tree",
        "what is live for a user, in all processes",
        "The live scopes of a user with all that is below, oldest first.",
        "canonid scopes tree user_01h455vb4pex5vsknk084sn02q --url redis://localhost:6379/0",
        _tree_arguments,
        _tree,
    ),
)
