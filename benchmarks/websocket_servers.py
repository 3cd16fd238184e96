"""The servers of websockets.py, each in a process of its own: `python -P websocket_servers.py NAME PORT`.

`-P`, or `websockets` would be the benchmark and not the library.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

REGISTRY = Path(__file__).with_name("chat.toml").read_text()
FILLING = os.urandom(4096).hex()
STALL = '{"type":"stall"}'
PLAIN = "websockets-sansio"
BOUNDED = "canonid.websockets.uvicorn:Protocol"


def bare() -> tuple[Any, str]:
    """Starlette alone: an echo, and a broadcast that is a loop over the sockets."""
    from starlette.applications import Starlette
    from starlette.routing import Route, WebSocketRoute

    sockets: set[WebSocket] = set()

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        sockets.add(socket)
        try:
            await socket.send_text(json.dumps({"type": "ready"}))
            while True:
                await socket.send_text(await socket.receive_text())
        except WebSocketDisconnect:
            pass
        finally:
            sockets.discard(socket)

    async def broadcast(request: Request) -> JSONResponse:
        text = (await request.body()).decode()
        for socket in list(sockets):
            with contextlib.suppress(Exception):
                await socket.send_text(text)
        return JSONResponse(None)

    return Starlette(
        routes=[
            WebSocketRoute("/ws", echo),
            Route("/broadcast", broadcast, methods=["POST"]),
            Route("/rss", rss),
        ]
    ), PLAIN


def documented() -> tuple[Any, str]:
    """The ConnectionManager of FastAPI's documentation, as it stands there."""
    from fastapi import FastAPI

    class ConnectionManager:
        def __init__(self) -> None:
            self.active_connections: list[WebSocket] = []

        async def connect(self, websocket: WebSocket) -> None:
            await websocket.accept()
            self.active_connections.append(websocket)

        def disconnect(self, websocket: WebSocket) -> None:
            self.active_connections.remove(websocket)

        async def broadcast(self, message: str) -> None:
            for connection in self.active_connections:
                await connection.send_text(message)

    manager = ConnectionManager()
    app = FastAPI()
    stalled: set[asyncio.Task[None]] = set()

    async def fill(websocket: WebSocket) -> None:
        while True:
            await websocket.send_text(FILLING)

    @app.websocket("/ws")
    async def endpoint(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        await websocket.send_text(json.dumps({"type": "ready"}))
        try:
            while True:
                if await websocket.receive_text() == STALL:
                    stalled.add(asyncio.create_task(fill(websocket)))
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    @app.post("/broadcast")
    async def broadcast(request: Request) -> None:
        await manager.broadcast((await request.body()).decode())

    app.get("/rss")(rss)
    return app, PLAIN


def hub_on(protocol: str) -> tuple[Any, str]:
    """A hub: each client with a user, a session and a ticket of its own."""
    from starlette.applications import Starlette
    from starlette.routing import Route, WebSocketRoute

    from canonid import Registry
    from canonid.aliases import SQLiteStore
    from canonid.websockets import Connection, Hub, Limits

    registry = Registry.from_toml(REGISTRY)
    store = SQLiteStore(Path(tempfile.mkdtemp()) / "canonid.db", registry)
    # Without limits of rate, which the others don't have.
    hub = Hub(registry, store, limits=Limits(messages_per_second=1e6, bytes_per_second=1e9))

    @hub.on_message
    async def echo(connection: Connection, message: dict[str, Any]) -> None:
        if message["type"] == "join":
            await hub.join(connection, "all")
        elif message["type"] == "stall":
            for _ in range(100):  # fills what lies between, and nearly the outbox
                await connection.send({"type": "filling", "text": FILLING})
        else:
            await connection.send(message)

    async def tickets(request: Request) -> JSONResponse:
        issued = []
        for _ in range(int(request.query_params["count"])):
            user, session = registry.mint("user"), registry.mint("session")
            store.record(user, kind="user")
            expires_at = time.time() + 3600
            issued.append(await hub.issue_ticket(principal=user, session=session, expires_at=expires_at))
        return JSONResponse(issued)

    async def broadcast(request: Request) -> JSONResponse:
        await hub.send_to_topic("all", json.loads(await request.body()))
        return JSONResponse(None)

    async def closes(request: Request) -> JSONResponse:
        return JSONResponse(dict(hub.closes.by_code))

    return Starlette(
        lifespan=hub.lifespan,
        routes=[
            WebSocketRoute("/ws", hub),
            Route("/tickets", tickets),
            Route("/broadcast", broadcast, methods=["POST"]),
            Route("/rss", rss),
            Route("/closes", closes),
        ],
    ), protocol


def socketio() -> tuple[Any, str]:
    """python-socketio, its WebSocket transport only."""
    import socketio as sio

    server = sio.AsyncServer(async_mode="asgi", transports=["websocket"], ping_interval=3600)

    async def echo(sid: str, text: str) -> None:
        await server.emit("echo", text, to=sid)

    server.on("echo", echo)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/rss":
            response = await rss(Request(scope))
            await response(scope, receive, send)
        else:
            await inner(scope, receive, send)

    inner = sio.ASGIApp(server)
    return app, PLAIN


async def rss(request: Request) -> JSONResponse:
    """Bytes of memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240 - no disk
    return JSONResponse(pages * os.sysconf("SC_PAGE_SIZE"))


SERVERS = {
    "starlette": bare,
    "fastapi's manager": documented,
    "canonid": lambda: hub_on(BOUNDED),
    "canonid on uvicorn's own protocol": lambda: hub_on(PLAIN),
    "python-socketio": socketio,
}

if __name__ == "__main__":
    application, ws = SERVERS[sys.argv[1]]()
    uvicorn.run(
        application,
        port=int(sys.argv[2]),
        ws=ws,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        log_level="critical" if sys.argv[1] == "fastapi's manager" else "warning",  # it fails by itself
        backlog=4096,
        loop="asyncio",
        timeout_graceful_shutdown=5,
    )
