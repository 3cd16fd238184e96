"""A primary that sentinels watch: it dies, or hands over, and its replica goes on in its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from canonid import ClaimConflict, StoreError
from canonid.scopes.valkey import ValkeyTree
from faults import fault
from scopes.fleet import Process, is_live, settled
from scopes.servers import Watched, leftovers, until, watched
from scopes.trees import resolve

LEASE = 2.0


@pytest.fixture
def servers() -> Iterator[Watched]:
    with watched(3) as servers:
        yield servers


@asynccontextmanager
async def joined(
    servers: Watched, namespace: str, *names: str, **options: object
) -> AsyncIterator[list[ValkeyTree]]:
    """Trees over a sentinel's clients, ended together."""
    async with AsyncExitStack() as stack:
        made = []
        for name in names:
            sentinel = await stack.enter_async_context(servers.sentinel())
            client = await stack.enter_async_context(sentinel.master_for("store", **options))
            more = {"lease": LEASE, "namespace": namespace, "process": name}
            made.append(await ValkeyTree.join(client, resolve, **more))
            await stack.enter_async_context(made[-1])
        yield made


@fault(
    "a primary dies with a process and one of three sentinels; the others promote its replica",
    promised="what the living hold is live on the replica, what the dead process held is released",
)
def test_live_things_are_live_after_sentinels_promoted_a_replica(servers, namespace, seen):
    async def main():
        async with joined(servers, namespace, "a", "b") as (a, b):
            cleaned = []
            session = await a.open("session", "1000", principal="ada")
            theirs = await b.find("session", "1000", principal="ada")
            tool = await theirs.claim("tool", "1000", release=lambda: cleaned.append("tool"))
            run = await session.open("run", "1000")
            await run.close()
            with Process(servers.primary.url, namespace, "holder") as dead:
                await until(lambda: dead.said("ready"))
                held = [f"tool.{number}" for number in range(5)]
                await until(lambda: is_live(a, "session.1000", "tool.1000", "session.1", *held))
                servers.watchers[0].pause()
                servers.primary.kill()
            await until(lambda: a.counts.rejoined and b.counts.rejoined)
            await until(lambda: answers(a, "session.1000", "tool.1000"))
            assert not (session.closed or tool.closed or cleaned)
            assert a.counts.fenced == b.counts.fenced == 0
            with pytest.raises(ClaimConflict):
                await b.open("session", "1000", principal="ada")
            await b.open("session", "1", principal="ada")  # nobody has it any more
            await (await b.find("session", "1000", principal="ada")).close(why="logged out")
            await until(lambda: session.closed and cleaned == ["tool"])
            await until(lambda: settled(a, b))
        assert await leftovers(servers.replica.url, namespace) == set()

    try:
        asyncio.run(main())
    finally:
        servers.watchers[0].resume()
    seen("put back on the replica, nobody fenced, cleanups not called; what the dead process held was free")


async def answers(tree: ValkeyTree, *names: str) -> bool:
    with suppress(StoreError):
        return await is_live(tree, *names)
    return False
