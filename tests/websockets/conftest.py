"""A real uvicorn in a thread, real clients, and the check that nothing is left over."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from canonid import Registry
from canonid.aliases import SQLiteStore
from canonid.websockets import Close, Counts, Hub, Limits

Answer = TypeVar("Answer")

PLAIN = "websockets-sansio"
BOUNDED = "canonid.websockets.uvicorn:Protocol"
PATIENCE = 20.0  # seconds until a test gives up waiting


class Server(uvicorn.Server):
    """A uvicorn server in a thread of its own, on a free port."""

    def __init__(self, app: Any, **options: Any) -> None:
        options = {"ws": PLAIN, "ws_ping_interval": None, "log_config": None, "loop": "asyncio"} | options
        super().__init__(uvicorn.Config(app, timeout_graceful_shutdown=15, **options))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.up = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self.run, kwargs={"sockets": [self._socket]})

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.loop = asyncio.get_running_loop()
        self.up.set()

    def __enter__(self) -> Server:
        self._thread.start()
        assert self.up.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    async def call(self, awaitable: Awaitable[Any]) -> Any:
        """Run something in the server's loop."""

        async def run() -> Any:
            return await awaitable

        assert self.loop is not None
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self.loop))


class Person(NamedTuple):
    user: str
    session: str
    thread: str


class Client:
    """A WebSocket client that reads JSON and answers pings as told."""

    def __init__(self, connection: ClientConnection, pongs: bool) -> None:
        self.raw = connection
        self.pongs = pongs

    async def send(self, **message: Any) -> None:
        await self.raw.send(json.dumps(message))

    async def receive(self, type: str | None = None) -> dict[str, Any]:
        """The next message (of a type), pings answered."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = json.loads(await self.raw.recv())
                if message["type"] == "ping" and type != "ping":
                    if self.pongs:
                        await self.send(type="pong", n=message["n"])
                elif type in (None, message["type"]):
                    return message

    async def events(self, final: bool = True) -> list[dict[str, Any]]:
        """Events of a run until the final one."""
        seen = []
        while not seen or not seen[-1].get("final"):
            message = await self.receive()
            if message["type"] in ("event", "gap"):
                seen.append(message)
        return seen

    async def ended(self, messages: list[dict[str, Any]] | None = None) -> tuple[int | None, str | None]:
        """Read to the end: the close code and reason that this side saw, and the messages before."""
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionClosed):
                while True:
                    text = await self.raw.recv()
                    if messages is not None:
                        messages.append(json.loads(text))
            await self.raw.wait_closed()
        return self.raw.close_code, self.raw.close_reason


class World:
    """One hub with its store, its server, and people who use it."""

    def __init__(
        self, registry: Registry, store: SQLiteStore, server: Callable[..., Server], **hub: Any
    ) -> None:
        options = hub.pop("uvicorn", {})
        self.registry = registry
        self.store = store
        self.hub = Hub(registry, store, **{"origins": ["https://chat.example"]} | hub)
        self.server = server(self.hub, **options)
        self._clients: list[Client] = []

    def run(self, test: Coroutine[Any, Any, Answer]) -> Answer:
        """Run a test's coroutine; afterwards its clients are gone."""

        async def main() -> Answer:
            try:
                return await test
            finally:
                for client in self._clients:
                    client.raw.transport.abort()
                    await client.raw.wait_closed()
                self._clients.clear()

        return asyncio.run(main())

    def person(self) -> Person:
        """A new user with a session and a thread, written as their services write them."""
        user = self.registry.mint("user", service="auth", prefix="user")
        session = self.registry.mint("session", service="auth", prefix="session")
        thread = self.registry.mint("thread", service="backend")
        self.store.record(user, kind="user")
        self.store.record(session, kind="session", parent=user, parent_kind="user")
        self.store.record(thread, kind="thread", parent=user, parent_kind="user")
        return Person(user, session, thread)

    def thread_of(self, person: Person) -> str:
        """One more thread of a user, in the canonical writing."""
        thread = self.registry.mint("thread")
        self.store.record(thread, kind="thread", parent=person.user, parent_kind="user")
        return thread

    def ticket(self, person: Person, seconds: float = 3600) -> str:
        expires_at = time.time() + seconds
        return self.hub.tickets.issue(principal=person.user, session=person.session, expires_at=expires_at)

    async def issue(self, person: Person, seconds: float = 3600) -> str:
        """A ticket, wherever the hub keeps them."""
        expires_at = time.time() + seconds
        issued = self.hub.issue_ticket(principal=person.user, session=person.session, expires_at=expires_at)
        return str(await self.server.call(issued))

    def offers(self, person: Person) -> list[str]:
        return ["canonid.v1", f"ticket.{self.ticket(person)}"]

    async def connect(
        self,
        person: Person | None = None,
        *,
        ticket: str | None = None,
        pongs: bool = True,
        port: int | None = None,
        **options: Any,
    ) -> Client:
        """A client that has finished the WebSocket handshake, nothing more."""
        if person is not None:
            ticket = await self.issue(person)
        offered = ["canonid.v1", *([f"ticket.{ticket}"] if ticket else [])]
        options = {"subprotocols": offered, "ping_interval": None, "proxy": None} | options
        client = Client(await connect(f"ws://127.0.0.1:{port or self.server.port}/", **options), pongs)
        self._clients.append(client)
        return client

    async def ready(self, person: Person, **options: Any) -> Client:
        """A client that was let in."""
        client = await self.connect(person, **options)
        await client.receive("ready")
        return client

    async def ready_at(self, port: int, person: Person) -> Client:
        """A client that was let in by the server of another process."""
        return await self.ready(person, port=port)

    async def watching(self, person: Person, thread: str | None = None, **options: Any) -> Client:
        """A client that was let in and watches a thread."""
        client = await self.ready(person, **options)
        await client.send(type="watch", thread=thread or person.thread)
        await client.receive("watching")
        return client

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something on the server's side that sends no word."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - the server has no event to wait for
                await asyncio.sleep(0.005)

    async def gone(self) -> None:
        """Wait until no connection is left on the server."""
        await self.until(lambda: not self.hub.counts().connections and not self.hub.counts().handshakes)

    def last(self) -> Close:
        return tuple(self.hub.closes)[-1]


@pytest.fixture
def store(tmp_path: Path, registry: Registry) -> Iterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "canonid.db", registry)
    yield store
    store.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers, and stops them at the end."""
    with ExitStack() as stack:
        yield lambda app, **options: stack.enter_context(Server(app, **options))


@pytest.fixture(params=[PLAIN, BOUNDED], ids=["plain", "bounded"])
def protocol(request: pytest.FixtureRequest) -> str:
    """Both WebSocket protocols of uvicorn: its own, and ours on top of it."""
    return str(request.param)


@pytest.fixture
def world(registry: Registry, store: SQLiteStore) -> Iterator[Callable[..., World]]:
    """Makes worlds. At the end of the test the servers stop, and nothing may be left in their hubs."""
    worlds: list[World] = []
    with ExitStack() as stack:

        def make(**options: Any) -> World:
            limits = Limits(**options.pop("limits", {}))
            server = lambda app, **more: stack.enter_context(Server(app, **more))  # noqa: E731
            worlds.append(World(registry, options.pop("store", store), server, limits=limits, **options))
            return worlds[-1]

        yield make
    for made in worlds:
        stats = made.hub.tree.stats
        assert made.hub.counts() == Counts(0, 0, 0, 0, 0)
        assert (stats.scopes, stats.resources, stats.failures, stats.abandoned) == (0, 0, 0, 0)
