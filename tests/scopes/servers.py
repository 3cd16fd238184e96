"""What tests ask of a store behind the trees' backs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from stores import Server, Watcher, free_port

SLOTS = ((0, 5460), (5461, 10922), (10923, 16383))
BOOKKEEPING = {"store", "seq", "epochs", "released"}


@asynccontextmanager
async def client(url: str):
    connection = Redis.from_url(url, decode_responses=True)
    try:
        yield connection
    finally:
        await connection.aclose()


async def leftovers(url: str, namespace: str) -> set[str]:
    """The keys of a namespace beyond the bounded bookkeeping."""
    async with client(url) as connection:
        keys = [key async for key in connection.scan_iter(f"{namespace}:*")]
    return {key for key in keys if key.split("}:", 1)[1] not in BOOKKEEPING}


async def released(url: str, namespace: str) -> list[dict[str, Any]]:
    """The records of what was released, oldest first, each with its `ids` as [field, owner, nonce]."""
    async with client(url) as connection:
        entries = await connection.xrange(f"{namespace}:{{0}}:released")
    return [{**fields, "ids": json.loads(fields["ids"])} for _, fields in entries]


async def released_names(url: str, namespace: str) -> list[str]:
    """The canonical IDs in the order of their release."""
    records = await released(url, namespace)
    return [field.split("/", 1)[1] for record in records for field, _, _ in record["ids"]]


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Waits for a condition, plain or async."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if await answer if isinstance(answer, Awaitable) else answer:
            return
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)


@contextmanager
def cluster() -> Iterator[list[Server]]:
    """Three primaries, each with a third of the slots."""
    with ExitStack() as stack:
        options = ("--cluster-enabled", "yes", "--cluster-port")
        servers = [stack.enter_context(Server(*options, str(free_port()))) for _ in SLOTS]

        async def form() -> None:
            async with client(servers[0].url) as connection:
                bus = (await connection.config_get("cluster-port"))["cluster-port"]
            for server, (first, last) in zip(servers, SLOTS, strict=True):
                async with client(server.url) as connection:
                    await connection.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
                    await connection.execute_command("CLUSTER MEET", "127.0.0.1", servers[0].port, bus)

            async def formed() -> bool:
                for server in servers:
                    async with client(server.url) as connection:
                        state = await connection.execute_command("CLUSTER INFO")
                        if state["cluster_state"] != "ok" or state["cluster_known_nodes"] != "3":
                            return False
                return True

            await until(formed)

        asyncio.run(form())
        yield servers


class Watched(NamedTuple):
    """A primary, its replica, and those who promote the replica when the primary dies."""

    primary: Server
    replica: Server
    watchers: list[Watcher]

    def sentinel(self) -> Sentinel:
        """As an application makes it; both it and its clients are to be closed."""
        addresses = [("127.0.0.1", watcher.port) for watcher in self.watchers]
        return Sentinel(addresses, sentinel_kwargs={"socket_timeout": 0.5, "retry": Retry(NoBackoff(), 0)})

    async def ready(self) -> bool:
        """Whether all watchers know each other and the replica, which follows."""
        async with self.sentinel() as sentinel:
            states = [(await each.sentinel_masters())["store"] for each in sentinel.sentinels]
        others = len(self.watchers) - 1
        known = all(state["num-other-sentinels"] == others and state["num-slaves"] == 1 for state in states)
        async with client(self.replica.url) as connection:
            return known and (await connection.info("replication"))["master_link_status"] == "up"


@contextmanager
def watched(watchers: int) -> Iterator[Watched]:
    """A primary and a replica that so many sentinels watch, of which most have to agree."""
    with ExitStack() as stack:
        primary = stack.enter_context(Server())
        replica = stack.enter_context(Server("--replicaof", f"127.0.0.1 {primary.port}"))
        quorum = watchers // 2 + 1
        each = [stack.enter_context(Watcher(primary, quorum)) for _ in range(watchers)]
        made = Watched(primary, replica, each)
        asyncio.run(until(made.ready))
        yield made
