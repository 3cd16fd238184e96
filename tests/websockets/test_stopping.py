"""Stopping: clients are told 1012, and nothing is left."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from canonid.websockets import Counts
from faults import fault

Make = Callable[..., Any]
HERE = Path(__file__).parent


@fault("the server is told to stop", promised="1012 for every client, and nothing is left")
def test_a_server_told_to_stop_closes_1012_and_leaves_nothing(
    tmp_path: Path, protocol: str, seen: Any
) -> None:
    registry = HERE.parent / "registries" / "legacy.toml"
    script = [sys.executable, HERE / "stopping_server.py", protocol, tmp_path / "canonid.db", registry]

    async def main(process: subprocess.Popen[str], port: str, *tickets: str) -> list[int | None]:
        clients = [await dial(port, ticket) for ticket in tickets]
        for client in clients:
            await client.recv()
        process.send_signal(signal.SIGTERM)
        for client in clients:
            await client.wait_closed()
        return [client.close_code for client in clients]

    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert asyncio.run(main(process, *process.stdout.readline().split())) == [1012, 1012]
        out, _ = process.communicate(timeout=20)
    assert out.splitlines()[-1] == f"{Counts(0, 0, 0, 0, 0)} 0 [1012, 1012]"
    seen("1012, and every scope was closed")


async def dial(port: str, ticket: str) -> ClientConnection:
    offered = [Subprotocol("canonid.v1"), Subprotocol(f"ticket.{ticket}")]
    return await connect(f"ws://127.0.0.1:{port}/", subprotocols=offered, ping_interval=None, proxy=None)


def test_a_hub_that_shuts_down_closes_1012_and_lets_nobody_in(world: Make, protocol: str) -> None:
    w = world(uvicorn={"ws": protocol})

    async def main() -> None:
        people = [w.person() for _ in range(3)]
        clients = [await w.ready(person) for person in people for _ in range(2)]
        await w.server.call(w.hub.shutdown())
        clients.append(await w.connect(people[0]))
        for code, reason in [await client.ended() for client in clients]:
            assert code == 1012
            assert re.fullmatch(r"restarting; retry after ([1-9]|10) s", reason)
        assert w.hub.counts() == Counts(0, 0, 0, 0, 0)

    w.run(main())


def test_closing_a_scope_from_outside_closes_its_connection_and_no_other(world: Make) -> None:
    w = world()

    async def main() -> None:
        person = w.person()
        client = await w.connect(person)
        ready = await client.receive("ready")
        other = await w.ready(person)
        principal = w.registry.canonical(person.user, "user")
        scope = w.hub.tree.find("connection", ready["connection"], principal=principal)

        async def close() -> None:
            await scope.close()

        await w.server.call(close())
        assert await client.ended() == (4401, "session closed")
        await other.send(type="watch", thread=person.thread)
        await other.receive("watching")

    w.run(main())
