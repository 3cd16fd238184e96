"""The servers of websockets.py, each in a process of its own: `python websocket_servers.py NAME PORT`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvicorn

REGISTRY = """
[kinds.user]
prefix = "user"
[kinds.session]
prefix = "sess"
parent = "user"
[kinds.connection]
prefix = "conn"
parent = "session"
[kinds.thread]
prefix = "thr"
parent = "user"
[kinds.run]
prefix = "run"
parent = "thread"
"""
PLAIN = "websockets-sansio"
BOUNDED = "canonid.websockets.uvicorn:Protocol"


def bare() -> tuple[Any, str]:
    """Starlette alone: an echo, and a broadcast that is a loop over the sockets."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect

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
        began = time.perf_counter()
        for socket in list(sockets):
            with contextlib.suppress(Exception):
                await socket.send_text(text)
        return JSONResponse({"seconds": time.perf_counter() - began})

    return Starlette(
        routes=[
            WebSocketRoute("/ws", echo),
            Route("/broadcast", broadcast, methods=["POST"]),
            Route("/rss", rss),
        ]
    ), PLAIN


def hub_on(protocol: str) -> tuple[Any, str]:
    """A hub: each client with a user, a session and a ticket of its own."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route, WebSocketRoute

    from canonid import Registry
    from canonid.aliases import SQLiteStore
    from canonid.websockets import Connection, Hub

    registry = Registry.from_toml(REGISTRY)
    store = SQLiteStore(Path(tempfile.mkdtemp()) / "canonid.db", registry)
    hub = Hub(registry, store)

    @hub.on_message
    async def echo(connection: Connection, message: dict[str, Any]) -> None:
        if message["type"] == "join":
            await hub.join(connection, "all")
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
        message = json.loads(await request.body())
        began = time.perf_counter()
        await hub.send_to_topic("all", message)
        return JSONResponse({"seconds": time.perf_counter() - began})

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
            response = await rss(None)
            await response(scope, receive, send)
        else:
            await inner(scope, receive, send)

    inner = sio.ASGIApp(server)
    return app, PLAIN


async def rss(request: Any) -> Any:
    """Bytes of memory of this process."""
    from starlette.responses import JSONResponse

    pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240 - no disk
    return JSONResponse(pages * os.sysconf("SC_PAGE_SIZE"))


SERVERS = {
    "starlette": bare,
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
        log_level="warning",
        backlog=4096,
        loop="asyncio",
        timeout_graceful_shutdown=5,
    )
