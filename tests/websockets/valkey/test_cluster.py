"""Lines and journals in a cluster whose slots move and whose nodes die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio import RedisCluster
from redis.crc import key_slot

from canonid import StoreError
from canonid.scopes.valkey.store import Store
from canonid.websockets import Limits
from canonid.websockets.backplane import RunRecord
from canonid.websockets.valkey.journal import STEPS, ValkeyJournal
from canonid.websockets.valkey.lines import Lines
from faults import fault
from scopes.servers import client, cluster, until
from stores import Server, free_port

CHANNELS = [f"user/{number}" for number in range(30)]
RUNS = [f"run{number}" for number in range(9)]


@pytest.fixture
def primaries() -> Iterator[list[Server]]:
    with cluster() as servers:
        yield servers


class Member:
    """The lines and the journal of one process, and what it heard."""

    def __init__(self, port: int, process: str, prefix: str) -> None:
        self.heard: set[tuple[str, str]] = set()
        self.again: set[str] = set()
        self._client = RedisCluster(host="127.0.0.1", port=port)
        self._store = Store(self._client, 3, STEPS)
        self.journal = ValkeyJournal(self._store, prefix, Limits())
        self.lines = Lines(self._store, process, prefix)
        self.lines.start(lambda channel, text: self.heard.add((channel, text)), self.again.add)

    async def aclose(self) -> None:
        await self.lines.aclose()
        await self._store.aclose()
        await self._client.aclose()


@asynccontextmanager
async def members(port: int, prefix: str) -> AsyncIterator[tuple[Member, Member]]:
    a, b = Member(port, "a", prefix), Member(port, "b", prefix)
    try:
        for channel in CHANNELS:
            await b.lines.listen(channel)
        yield a, b
    finally:
        await a.aclose()
        await b.aclose()


async def hears(a: Member, b: Member, channel: str, text: str) -> None:
    async def heard() -> bool:
        with suppress(StoreError):
            await a.lines.tell(channel, text)
        return (channel, text) in b.heard

    await until(heard)


async def ids(servers: list[Server]) -> list[str]:
    found = []
    for server in servers:
        async with client(server.url) as connection:
            found.append(await connection.execute_command("CLUSTER MYID"))
    return found


def test_a_channel_is_heard_on_after_its_slot_has_moved(primaries: list[Server], prefix: str) -> None:
    async def main() -> None:
        async with members(primaries[0].port, prefix) as (a, b):
            names = await ids(primaries)
            for channel in CHANNELS[:6]:
                slot = key_slot(f"{prefix}{channel}".encode())
                there = min(slot // 5461, 2)
                to = (there + 1) % 3
                for number in (to, there, 3 - to - there):
                    async with client(primaries[number].url) as connection:
                        await connection.execute_command("CLUSTER SETSLOT", slot, "NODE", names[to])
            for channel in CHANNELS:
                await hears(a, b, channel, "moved")
            assert b.again >= set(CHANNELS[:6])
            for channel in CHANNELS:
                await b.lines.unlisten(channel)

            async def nobody() -> bool:
                return not any([await a.lines.listeners(channel) for channel in CHANNELS])

            await until(nobody)

    asyncio.run(main())


@fault(
    "a primary of a cluster dies and its replica takes over",
    promised="channels are heard again, runs go on, each event once",
)
def test_what_was_on_a_dead_node_goes_on_at_its_replica(primaries: list[Server], prefix: str, seen) -> None:
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))

    async def main(replica: Server) -> None:
        names = await ids(primaries)
        async with client(primaries[1].url) as connection:
            bus = (await connection.config_get("cluster-port"))["cluster-port"]
        async with client(replica.url) as connection:
            await connection.execute_command("CLUSTER MEET", "127.0.0.1", primaries[1].port, bus)

            async def follows() -> bool:
                with suppress(Exception):
                    await connection.execute_command("CLUSTER REPLICATE", names[1])
                return (await connection.info("replication"))["role"] == "slave"

            async def in_step() -> bool:
                return (await connection.info("replication")).get("master_link_status") == "up"

            await until(follows)
            await until(in_step)
            async with members(primaries[0].port, prefix) as (a, b):
                for run in RUNS:
                    await a.journal.begin(RunRecord(run, "t", "u", "a"))
                    await a.journal.append(RunRecord(run, "t", "u", "a"), ["1"], [], False)
                primaries[1].kill()
                going = [
                    asyncio.create_task(
                        a.journal.append(RunRecord(run, "t", "u", "a", 1), ["2"], ["1"], False)
                    )
                    for run in RUNS
                ]
                await connection.execute_command("CLUSTER FAILOVER", "TAKEOVER")
                await asyncio.wait_for(asyncio.gather(*going), 60)
                for run in RUNS:
                    kept = await b.journal.read(run, 0)
                    assert kept is not None and list(kept.texts) == ["1", "2"]
                for channel in CHANNELS:
                    await hears(a, b, channel, "taken over")

    with Server(*options) as replica:
        asyncio.run(main(replica))
    seen("heard again on every channel; of every run each event once")
