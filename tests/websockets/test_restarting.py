"""SIGTERM to real servers: runs end first, and every client is told when to come back."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.typing import Subprotocol

from canonid import Registry
from canonid.aliases import SQLiteStore

HERE = Path(__file__).parent
PATIENCE = 30.0
UVICORN = ["uvicorn", "--log-level", "critical", "--timeout-graceful-shutdown", "10"]
GRANIAN = ["granian", "--interface", "asgi", "--log-level", "critical"]
SERVERS = {
    "uvicorn": [*UVICORN, "--ws", "websockets-sansio"],
    "uvicorn, bounded": [*UVICORN, "--ws", "canonid.websockets.uvicorn:Protocol"],
    "uvicorn, 2 workers": [*UVICORN, "--ws", "websockets-sansio", "--workers", "2"],
    "uvicorn, asyncio": [*UVICORN, "--ws", "websockets-sansio", "--loop", "asyncio"],
    "granian, 2 workers": [*GRANIAN, "--workers", "2", "--loop", "uvloop"],
    "granian, asyncio": [*GRANIAN, "--workers", "1", "--loop", "asyncio"],
}
HINT = re.compile(r"restarting; retry after ([234]) s")


class Clients:
    """People who connect to a server that is going to stop."""

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, registry: Registry, database: Path
    ) -> None:
        self.process = process
        self.port = port
        self.registry = registry
        self.database = database
        self.store = SQLiteStore(database, registry)

    async def dial(self) -> tuple[ClientConnection, str]:
        """A client that was let in, and a thread of its own."""
        user, session, thread = [self.registry.mint(kind) for kind in ("user", "session", "thread")]
        self.store.record(user, kind="user")
        self.store.record(session, kind="session", parent=user, parent_kind="user")
        self.store.record(thread, kind="thread", parent=user, parent_kind="user")
        url = f"ws://127.0.0.1:{self.port}/?{urlencode({'user': user, 'session': session})}"
        offered = [Subprotocol("canonid.v1")]
        return await connect(url, subprotocols=offered, ping_interval=None, proxy=None), thread

    async def running(self, seconds: float) -> ClientConnection:
        """A client that watches a run of its own."""
        client, thread = await self.dial()
        await self.receive(client, "ready")
        await client.send(json.dumps({"type": "watch", "thread": thread}))
        await self.receive(client, "watching")
        await client.send(json.dumps({"type": "run", "thread": thread, "seconds": seconds}))
        await self.receive(client, "event")
        return client

    async def receive(self, client: ClientConnection, type: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while (message := json.loads(await client.recv()))["type"] != type:
                pass
        return dict(message)

    async def until_the_end(self, client: ClientConnection) -> list[dict[str, Any]]:
        messages = []
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    messages.append(json.loads(await client.recv()))
            except ConnectionClosed:
                pass
        await client.wait_closed()
        return messages


async def note(client: ClientConnection) -> None:
    """Say something every now and then."""
    while True:
        await client.send(json.dumps({"type": "note"}))
        await asyncio.sleep(0.1)


def hinted(client: ClientConnection, message: dict[str, Any]) -> None:
    """The client was told when to come back, in a message and in the close frame."""
    assert message["type"] == "restarting"
    assert 2000 <= message["retry_after_ms"] <= 4000
    assert client.close_code == 1012
    told = HINT.fullmatch(str(client.close_reason))
    assert told is not None and int(told[1]) == -(-message["retry_after_ms"] // 1000)


@pytest.fixture
def serving(tmp_path: Path, registry: Registry) -> Iterator[Callable[..., Clients]]:
    made: list[Clients] = []

    def serve(server: str, grace: str = "2") -> Clients:
        database = tmp_path / "canonid.db"
        environment = os.environ | {
            "REGISTRY": str(HERE.parent / "registries" / "legacy.toml"),
            "DATABASE": str(database),
            "GRACE": grace,
            "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
        }
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", *SERVERS[server], "--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen([*command, "restarting_app:app"], env=environment, start_new_session=True)
        made.append(Clients(process, port, registry, database))
        return made[-1]

    yield serve
    for clients in made:
        clients.store.close()
        if clients.process.poll() is None:
            os.killpg(clients.process.pid, signal.SIGKILL)  # with its workers
        clients.process.wait(PATIENCE)


async def first_client(clients: Clients, workers: int = 1) -> ClientConnection:
    """A client, once all workers are up: granian forgets a signal to one that is still starting."""
    until = time.monotonic() + PATIENCE
    while len(list(clients.database.parent.glob("workers.*"))) < workers:
        assert clients.process.poll() is None and time.monotonic() < until
        await asyncio.sleep(0.05)
    while True:
        assert clients.process.poll() is None and time.monotonic() < until
        try:
            client, _ = await clients.dial()
        except (OSError, InvalidMessage):
            await asyncio.sleep(0.05)
        else:
            return client


@pytest.mark.parametrize("server", SERVERS)
def test_runs_end_before_the_server_does_and_everybody_knows_when_to_come_back(
    serving: Callable[..., Clients], server: str
) -> None:
    clients = serving(server)

    async def main() -> None:
        idle = await first_client(clients, workers=2 if "2 workers" in server else 1)
        await clients.receive(idle, "ready")
        ends, never_ends = await clients.running(1), await clients.running(3600)
        clients.process.send_signal(signal.SIGTERM)

        hinted(idle, (await clients.until_the_end(idle))[-1])
        noting = asyncio.create_task(note(never_ends))  # its worker may hear of the end a moment later
        refused = await clients.receive(never_ends, "restarting")
        noting.cancel()
        assert 2000 <= refused["retry_after_ms"] <= 4000

        *_, completed, hint = await clients.until_the_end(ends)
        assert (completed["event"], completed["final"]) == ("run_completed", True)
        hinted(ends, hint)

        *_, cancelled, hint = await clients.until_the_end(never_ends)
        assert (cancelled["event"], cancelled["data"]) == ("run_cancelled", {"reason": "restarting"})
        hinted(never_ends, hint)
        assert hint["retry_after_ms"] == refused["retry_after_ms"]

    asyncio.run(main())
    assert clients.process.wait(PATIENCE) in (0, -signal.SIGTERM)


def test_who_comes_while_runs_end_is_told_to_come_back_and_a_second_signal_ends_the_waiting(
    serving: Callable[..., Clients],
) -> None:
    clients = serving("uvicorn", grace="3600")

    async def main() -> None:
        first = await first_client(clients)
        watching = await clients.running(3600)
        clients.process.send_signal(signal.SIGTERM)
        hinted(first, (await clients.until_the_end(first))[-1])
        late, _ = await clients.dial()
        assert await clients.until_the_end(late) == []
        assert late.close_code == 1012 and HINT.fullmatch(str(late.close_reason))
        clients.process.send_signal(signal.SIGTERM)
        assert not any(message.get("final") for message in await clients.until_the_end(watching))
        assert watching.close_code == 1012

    asyncio.run(main())
    assert clients.process.wait(PATIENCE) in (0, -signal.SIGTERM)
