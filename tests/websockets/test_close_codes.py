"""Every way out of a handler, as a client sees it: the same intended code on every server."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from faults import fault

HERE = Path(__file__).parent
PATIENCE = 30.0
SERVERS = ["websockets", "websockets-sansio", "wsproto", "canonid.websockets.uvicorn:Protocol", "granian"]
NO_LOGIN = (4401, "not authenticated or expired")


class Served(NamedTuple):
    """A running server."""

    name: str
    port: int

    async def ask(self, what: str, **query: Any) -> Any:
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE) as client:
            return (await client.get(f"http://127.0.0.1:{self.port}/{what}", params=query)).json()


def command(server: str, port: int) -> list[str]:
    common = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "critical", "--workers", "1"]
    if server == "granian":
        return [sys.executable, "-m", "granian", "--interface", "asgi", *common, "closing_app:app"]
    options = ["--ws", server, "--ws-max-size", "65536", "--timeout-graceful-shutdown", "5"]
    quiet = "ignore:The `websockets` implementation is deprecated"
    return [sys.executable, "-W", quiet, "-m", "uvicorn", *common, *options, "closing_app:app"]


@contextmanager
def serving(server: str, folder: Path) -> Iterator[tuple[Served, subprocess.Popen[bytes]]]:
    database = folder / "canonid.db"
    paths = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    environment = {"REGISTRY": str(HERE.parent / "registries" / "legacy.toml"), "DATABASE": str(database)}
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(command(server, port), env=os.environ | environment | {"PYTHONPATH": paths})
    try:
        wait_for(port, process)
        yield Served(server, port), process
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="module", params=SERVERS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(request.param, tmp_path_factory.mktemp("served")) as (server, _):
        yield server


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


class Visit:
    """One client that is to be closed, and what it needs for that."""

    def __init__(self, served: Served, hub: str, query: str, seconds: float) -> None:
        self.served = served
        self.hub = hub
        self.seconds = seconds
        self.query = query

    async def begin(self, offered: bool = True) -> None:
        self.known: dict[str, str] = await self.served.ask("ticket", hub=self.hub, seconds=self.seconds)
        self.client = await self.dial(self.known["ticket"] if offered else None)

    async def dial(self, ticket: str | None) -> ClientConnection:
        offers: Any = ["canonid.v1", *([f"ticket.{ticket}"] if ticket else [])]
        url = f"ws://127.0.0.1:{self.served.port}/ws/{self.hub}{self.query}"
        return await connect(url, subprotocols=offers, ping_interval=None, proxy=None)

    async def send(self, **message: Any) -> None:
        await self.client.send(json.dumps(message))

    async def ended(self) -> tuple[int | None, str | None]:
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionClosed):
                while True:
                    await self.client.recv()
            await self.client.wait_closed()
        return self.client.close_code, self.client.close_reason


Act = Callable[[Visit], Coroutine[Any, Any, None]]


def sends(**message: Any) -> Act:
    return lambda visit: visit.send(**message)


def sends_raw(data: str | bytes) -> Act:
    return lambda visit: visit.client.send(data)


async def nothing(visit: Visit) -> None:
    pass


async def bad_utf8(visit: Visit) -> None:
    visit.client.transport.write(b"\x81\x82" + bytes(4) + b"\xff\xff")


async def reserved_bits(visit: Visit) -> None:
    visit.client.transport.write(b"\xf1\x82" + bytes(4) + b"{}")


async def floods(visit: Visit) -> None:
    with suppress(ConnectionClosed):
        for _ in range(20):
            await visit.send(type="note")


async def comes_again(visit: Visit) -> None:
    await visit.client.recv()
    first, visit.client = visit.client, await visit.dial(visit.known["again"])
    await visit.ended()
    await first.close()


async def asks_for_run(visit: Visit) -> None:
    await visit.send(type="run", thread=visit.known["thread"])


async def starts_run(visit: Visit) -> None:
    await visit.send(type="watch", thread=visit.known["thread"])
    await visit.send(type="run", thread=visit.known["thread"])
    async with asyncio.timeout(PATIENCE):
        while (event := json.loads(await visit.client.recv())).get("event") != "run_failed":
            pass
    assert event["data"]["incident"].startswith("incident_")
    await visit.send(type="close")


async def is_logged_out(visit: Visit) -> None:
    await visit.client.recv()
    await visit.served.ask("logout", hub=visit.hub, session=visit.known["session"])


async def is_shut_down(visit: Visit) -> None:
    await visit.client.recv()
    await visit.served.ask("shutdown", hub=visit.hub)


async def leaves(visit: Visit) -> None:
    await visit.client.close(4000, "bye")


async def vanishes(visit: Visit) -> None:
    await visit.client.recv()
    visit.client.transport.abort()


class Way(NamedTuple):
    """A way out, and its code and reason. `...` as a reason stands for an incident."""

    act: Act
    code: int
    reason: Any
    hub: str = "plain"
    query: str = ""
    seconds: float = 3600
    recorded: int | None = None  # if it is another one
    ours: bool = True
    offered: bool = True


def raises(what: str, code: int, reason: Any) -> Way:
    return Way(sends(type="raise", what=what), code, reason)


def fails_to_authenticate(how: str, code: int, reason: Any) -> Way:
    return Way(nothing, code, reason, query=f"?authenticate={how}")


WAYS = {
    "closed by the application": Way(sends(type="close"), 1000, "done"),
    "Refusal": raises("refusal", 1008, "not like that"),
    "Refusal in a task group": raises("group_of_one", 1008, "not like that"),
    "NotFound": raises("not_found", 4404, "unknown or not yours"),
    "InvalidId": raises("invalid_id", 4404, "unknown or not yours"),
    "exception": raises("error", 1011, ...),
    "TimeoutError": raises("timeout", 1011, ...),
    "CancelledError": raises("cancelled", 1011, ...),
    "SystemExit": raises("exit", 1011, ...),
    "KeyboardInterrupt": raises("interrupt", 1011, ...),
    "BaseExceptionGroup": raises("base_group", 1011, ...),
    "StoreError": Way(
        sends(type="watch", thread="x"), 1013, "try again; a store does not answer", hub="broken_store"
    ),
    "authenticate: refusal": fails_to_authenticate("refusal", 1008, "not like that"),
    "authenticate: NotFound": fails_to_authenticate("not_found", *NO_LOGIN),
    "authenticate: exception": fails_to_authenticate("error", 1011, ...),
    "authenticate: CancelledError": fails_to_authenticate("cancelled", 1011, ...),
    "authenticate: SystemExit": fails_to_authenticate("exit", 1011, ...),
    "authenticate: BaseExceptionGroup": fails_to_authenticate("base_group", 1011, ...),
    "authenticate: too slow": Way(nothing, *NO_LOGIN, hub="impatient", query="?authenticate=never"),
    "execute: KeyboardInterrupt": Way(starts_run, 1000, "done"),
    "mint: exception for a connection": Way(nothing, 1011, ..., hub="mintless"),
    "mint: exception for a run": Way(asks_for_run, 1011, ..., hub="runless"),
    "no ticket": Way(nothing, *NO_LOGIN, offered=False),
    "login expires": Way(nothing, *NO_LOGIN, seconds=1),
    "logged out": Way(is_logged_out, 4401, "session closed"),
    "unknown type of thing": Way(sends(type="watch", thread="nonsense"), 4404, "unknown or not yours"),
    "binary": Way(sends_raw(b"{}"), 1008, "expected a text frame, got a binary one"),
    "no JSON": Way(sends_raw("{"), 1008, "expected a JSON object"),
    "too big for the hub": Way(sends_raw("x" * 2000), 1009, "a message may have 1000 bytes"),
    "too big for the server": Way(sends_raw("x" * 100_000), 1009, None, ours=False),
    "bad UTF-8": Way(bad_utf8, 1007, None, ours=False),
    "reserved bits": Way(reserved_bits, 1002, None, ours=False),
    "too many messages": Way(floods, 1008, "too many messages", hub="rate"),
    "too many connections": Way(comes_again, 1008, "too many connections", hub="alone"),
    "too many handshakes": Way(nothing, 1013, "too many handshakes", hub="busy"),
    "idle": Way(nothing, 4408, "idle for too long", hub="idle"),
    "no heartbeat": Way(nothing, 1008, "no heartbeat", hub="silent"),
    "slow consumer": Way(sends(type="flood"), 1013, "too slow to keep up"),
    "middleware raises after the end": Way(sends(type="close"), 1000, "done", hub="raising"),
    "client leaves": Way(leaves, 4000, "bye", ours=False),
    "client vanishes": Way(vanishes, 1006, "", recorded=1005, ours=False),
    "hub shut down": Way(is_shut_down, 1012, None, hub="stopping"),
}

# What a server does that no application can help, as (client's code, recorded code, ours).
ELSEWISE = {
    # It tells the application of its own refusals as of a lost connection.
    ("websockets", "too big for the server"): (1009, 1006, False),
    ("websockets", "bad UTF-8"): (1007, 1006, False),
    ("websockets", "reserved bits"): (1002, 1006, False),
    ("websockets", "client vanishes"): (1006, 1006, False),
    # It tells the application the right code, and closes the transport without telling the client.
    ("wsproto", "bad UTF-8"): (1006, 1007, False),
    ("wsproto", "reserved bits"): (1006, 1002, False),
    # It has no limit of this size, so the hub's is met; and its own refusals are close frames without a code.
    ("granian", "too big for the server"): (1009, 1009, True),
    ("granian", "bad UTF-8"): (1005, 1005, False),
    ("granian", "reserved bits"): (1005, 1005, False),
}


@fault(
    "whatever the application raises or the client breaks, on every server",
    promised="an intended close code, and all is released",
)
@pytest.mark.parametrize("name", WAYS)
def test_every_way_out_has_its_code_on_every_server(served: Served, name: str, seen: Any) -> None:
    way = WAYS[name]
    elsewise = ELSEWISE.get((served.name, name))
    code, recorded, ours = elsewise or (way.code, way.recorded or way.code, way.ours)

    async def main() -> None:
        before = len(await served.ask("closes", hub=way.hub))
        visit = Visit(served, way.hub, way.query, way.seconds)
        await visit.begin(way.offered)
        await way.act(visit)
        seen = await visit.ended()
        async with asyncio.timeout(PATIENCE):
            closes = await served.ask("closes", hub=way.hub)
            while len(closes) == before:
                await asyncio.sleep(0.02)
                closes = await served.ask("closes", hub=way.hub)
        assert seen[0] == code
        assert (closes[before][0], closes[before][2]) == (recorded, ours)
        if elsewise is None and way.reason is ...:
            assert str(seen[1]).startswith("incident_") and closes[before][1] == seen[1]
        elif elsewise is None and way.reason is not None:
            assert seen[1] == way.reason

    asyncio.run(main())
    seen("the code of the table in docs/websockets.md on uvicorn and granian")


@fault("SIGTERM without draining", promised="the server's own code, and nothing is left")
@pytest.mark.parametrize("server", SERVERS)
def test_sigterm_without_draining_has_the_servers_own_code(server: str, tmp_path: Path, seen: Any) -> None:
    async def main(served: Served, process: subprocess.Popen[bytes]) -> tuple[int | None, str | None]:
        visit = Visit(served, "plain", "", 3600)
        await visit.begin()
        await visit.client.recv()
        process.terminate()
        return await visit.ended()

    with serving(server, tmp_path) as (served, process):
        expected = (1006, "") if server == "granian" else (1012, "")  # granian cuts every transport
        assert asyncio.run(main(served, process)) == expected
    seen("1012 of uvicorn, a cut of granian")
