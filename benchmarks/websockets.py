"""A hub beside bare Starlette, python-socketio and FastAPI's documented manager, on one uvicorn, in one run.

Echo: every client has one message under way, so the server is what limits. Broadcast: from the request until
the last healthy client has the message. In trouble: 20 clients never read, and 20 are reset in the middle.

    python benchmarks/websockets.py [--quick] [--json FILE]

Each server is a process of its own, the clients are another; both have a core. The hub is served by the
protocol that docs/websockets.md recommends, the others by uvicorn's own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from rows import Row, beside, finish, row
from websocket_clients import Client, run, text_frame

HERE = Path(__file__).parent
CLIENTS, QUICK_CLIENTS = 4000, 1000
IN_FLIGHT = 128  # handshakes at once
SECONDS, QUICK_SECONDS = 6.0, 2.5  # of echoing
ROUNDS = 3
TROUBLE = 20  # stalled clients, and as many that are reset
MESSAGE = json.dumps({"type": "echo", "text": "x" * 36}, separators=(",", ":"))  # 64 bytes
BROADCAST = json.dumps({"type": "news", "text": os.urandom(480).hex()}, separators=(",", ":"))
STALL = '{"type":"stall"}'  # lets the server fill all that lies between it and the client
PATIENCE = 20.0  # seconds until those that were not served never are
SIO_PATH = "/socket.io/?EIO=4&transport=websocket"


class Echo(NamedTuple):
    """What one server did: connections a second, bytes of memory each, messages a second."""

    connects: float
    memory: float
    messages: float


@contextmanager
def serving(name: str) -> Iterator[int]:
    """A server in a process of its own; its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-P", str(HERE / "websocket_servers.py"), name, str(port)]
    process = subprocess.Popen(command, env=environment)
    try:
        for _ in range(200):
            try:
                ask(port, "/rss")
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(port: int, path: str, body: str | None = None) -> Any:
    """What a server answers."""
    data = None if body is None else body.encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data, timeout=120) as answer:
        return json.loads(answer.read())


class Crowd:
    """Clients of one server, all in this process."""

    def __init__(self, name: str, port: int) -> None:
        self.port = port
        self.clients: list[Client] = []
        self.on_message: Callable[[Client], None] = lambda client: None
        self.hub = name.startswith("canonid")
        self.socketio = name == "python-socketio"
        self.message = text_frame(f"42{json.dumps(['echo', 'x' * 50])}" if self.socketio else MESSAGE)

    async def grow(self, count: int, *, small_buffer: bool = False) -> list[Client]:
        """So many more clients that were let in."""
        tickets = (
            await asyncio.to_thread(ask, self.port, f"/tickets?count={count}") if self.hub else [""] * count
        )
        slots = asyncio.Semaphore(IN_FLIGHT)
        loop = asyncio.get_running_loop()

        async def connect(ticket: str) -> Client:
            protocols = f"canonid.v1, ticket.{ticket}" if ticket else ""
            path = SIO_PATH if self.socketio else "/ws"
            async with slots:
                raw = socket.socket()
                if small_buffer:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                raw.setblocking(False)
                await loop.sock_connect(raw, ("127.0.0.1", self.port))
                _, client = await loop.create_connection(
                    lambda: Client(path, protocols, self._frame), sock=raw
                )
                await client.open
                return client

        self.began = time.perf_counter()
        found = await asyncio.gather(*[connect(ticket) for ticket in tickets])
        self.clients += found
        return found

    def _frame(self, client: Client, opcode: int, payload: bytes) -> None:
        if self.socketio and payload[:1] == b"0":
            client.send(text_frame("40"))
        elif not client.open.done():
            client.open.set_result(None)
        else:
            self.on_message(client)

    def leave(self) -> None:
        for client in self.clients:
            client.transport.abort()


def echo(name: str, count: int, seconds: float) -> Echo:
    """Connect, then keep one message of each client under way."""

    async def main(port: int) -> Echo:
        crowd = Crowd(name, port)
        await crowd.grow(20)  # what is made once
        before = await asyncio.to_thread(ask, port, "/rss")
        await crowd.grow(count)
        connects = count / (time.perf_counter() - crowd.began)
        memory = (await asyncio.to_thread(ask, port, "/rss") - before) / count
        echoed = 0

        def again(client: Client) -> None:
            nonlocal echoed
            echoed += 1
            client.send(crowd.message)

        crowd.on_message = again
        for client in crowd.clients:
            client.send(crowd.message)
        await asyncio.sleep(1)
        began, so_far = time.perf_counter(), echoed
        await asyncio.sleep(seconds)
        messages = (echoed - so_far) / (time.perf_counter() - began)
        crowd.leave()
        return Echo(connects, memory, messages)

    with serving(name) as port:
        return run(lambda: main(port))


class Broadcasts(NamedTuple):
    """Seconds until all healthy clients had a message, in calm and in trouble; innocents not served."""

    calm: float
    trouble: float
    lost: int


def broadcasts(name: str, count: int) -> Broadcasts:
    """Broadcast to healthy clients alone, then with some that stall and some that are reset meanwhile."""

    async def main(port: int) -> Broadcasts:
        crowd = Crowd(name, port)
        # Those who make trouble stand in the middle.
        healthy = await crowd.grow(count // 2)
        stalled = await crowd.grow(TROUBLE, small_buffer=True)
        reset = [await crowd.grow(TROUBLE) for _ in range(ROUNDS)]
        healthy += await crowd.grow(count - count // 2)
        await join(crowd, crowd.clients)
        await served(crowd, healthy)  # what is made once
        calm = median([await served(crowd, healthy) for _ in range(ROUNDS)])
        for client in stalled:
            client.transport.pause_reading()
            client.send(text_frame(STALL))
        await asyncio.sleep(1)
        trouble = median([await served(crowd, healthy, meanwhile=partial(cut, some)) for some in reset])
        lost = sum([client.closed is not None or client.received < client.expected for client in healthy])
        crowd.leave()
        return Broadcasts(calm, trouble, lost)

    with serving(name) as port:
        return run(lambda: main(port))


async def join(crowd: Crowd, clients: list[Client]) -> None:
    """What a client has to say to get the broadcasts; only a hub asks for it."""
    if crowd.hub:
        for client in clients:
            client.send(text_frame('{"type":"join"}'))
        await asyncio.sleep(1)


async def served(crowd: Crowd, healthy: list[Client], meanwhile: Callable[[], None] | None = None) -> float:
    """Seconds until each of them has one more message; at most PATIENCE."""
    left = len(healthy)
    done = asyncio.Event()
    for client in healthy:
        client.expected = client.received + 1

    def arrived(client: Client) -> None:
        nonlocal left
        if client.received == client.expected:
            left -= 1
            if left == 0:
                done.set()

    crowd.on_message = arrived
    began = time.perf_counter()
    request = asyncio.create_task(asyncio.to_thread(ask, crowd.port, "/broadcast", BROADCAST))
    if meanwhile is not None:
        await asyncio.sleep(0.01)
        meanwhile()
    try:
        async with asyncio.timeout(PATIENCE):
            await done.wait()
            await request
    except TimeoutError:
        request.cancel()
    except OSError:
        await asyncio.sleep(PATIENCE)  # its broadcast failed; whoever has nothing yet gets nothing
    return time.perf_counter() - began


def cut(clients: list[Client]) -> None:
    """Reset their connections."""
    for client in clients:
        raw = client.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.transport.abort()


def figures(count: int, seconds: float) -> list[Row]:
    """All rows; servers take turns, so that a noisy moment meets them alike."""
    names = ["starlette", "canonid", "python-socketio", "canonid on uvicorn's own protocol"]
    echoes = {name: echo(name, count, seconds) for name in names}
    again = {name: echo(name, count, seconds) for name in names[:2]}
    ours, bare = (
        Echo(*map(max, zip(echoes[name], again[name], strict=True)))._replace(
            memory=min(echoes[name].memory, again[name].memory)
        )
        for name in ("canonid", "starlette")
    )
    plain, other = echoes["canonid on uvicorn's own protocol"], echoes["python-socketio"]
    calls = [broadcasts(name, count) for name in ("starlette", "canonid")]
    manager = broadcasts("fastapi's manager", count)
    loop, hub = calls
    rows = Rows(f"{count:,} clients")
    rows.higher("echo: messages/s", ours.messages, bare.messages, "bare Starlette", 0.9)
    rows.higher("echo: messages/s", ours.messages, other.messages, "python-socketio", 3.0)
    rows.higher("echo on uvicorn's own protocol: messages/s", plain.messages, bare.messages, "bare Starlette")
    rows.lower("memory: bytes each", ours.memory, bare.memory, "bare Starlette", 1.5)
    rows.higher("connecting: connections/s", ours.connects, bare.connects, "bare Starlette", 0.85)
    rows.lower("broadcast: seconds", hub.calm, loop.calm, "bare Starlette", 1.2)
    rows.lower("broadcast in trouble: seconds", hub.trouble, loop.calm, "bare Starlette in calm", 1.2)
    lost = row(
        "broadcast in trouble: innocents not served",
        hub.lost,
        better="lower",
        target=0,
        peer=manager.lost,
        peer_name="FastAPI's documented manager",
    )
    return [*rows, lost]


class Rows(list[Row]):
    """Rows beside peers, for so many clients."""

    def __init__(self, on: str) -> None:
        super().__init__()
        self._on = on

    def higher(self, what: str, ours: float, peer: float, name: str, target: float | None = None) -> None:
        """More is better; `target` is the least ratio."""
        metric = f"{what}, {self._on}"
        self.append(beside(metric, ours, peer, better="higher", peer_name=name, target=target))

    def lower(self, what: str, ours: float, peer: float, name: str, target: float) -> None:
        """Less is better; `target` is the largest ratio."""
        metric = f"{what}, {self._on}"
        self.append(beside(metric, ours, peer, better="lower", peer_name=name, target=target))


def main() -> int:
    parser = argparse.ArgumentParser(description="a hub beside bare Starlette and python-socketio")
    parser.add_argument("--quick", action="store_true", help="fewer clients, in under a minute")
    parser.add_argument("--json", type=Path, help="write the rows as one array")
    options = parser.parse_args()
    count, seconds = (QUICK_CLIENTS, QUICK_SECONDS) if options.quick else (CLIENTS, SECONDS)
    rows = figures(count, seconds)
    for each in rows:
        ratio = "" if each.ratio is None else f"{each.ratio:6.2f}"
        peer = "" if each.peer is None else f"{each.peer:12,.4g} {each.peer_name}"
        print(f"{each.metric:58} {each.ours:12,.4g} {ratio:6} {peer}")
    return finish(rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
