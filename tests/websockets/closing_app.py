"""An application whose handlers end in every way that there is, for any ASGI server.

The hubs are at /ws/NAME. Over HTTP it issues tickets, tells how connections ended, and stops hubs. Expects
the environment variables DATABASE and REGISTRY.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import Any
from urllib.parse import parse_qsl

from canonid import InvalidId, NotFound, load_registry
from canonid.aliases import SQLiteStore
from canonid.errors import StoreError
from canonid.websockets import Connection, Handshake, Hub, Limits, Refusal, Ticket


class BrokenStore(SQLiteStore):
    def authorise(self, *args: Any, **options: Any) -> Any:
        raise StoreError("the disk is gone")


registry = load_registry(os.environ["REGISTRY"])
store = SQLiteStore(os.environ["DATABASE"], registry)
broken = BrokenStore(os.environ["DATABASE"], registry)
default_limits: dict[str, Any] = {"max_message": 1000, "close_timeout": 0.5, "session_grace": 0.1}

RAISED: dict[str, Any] = {
    "refusal": lambda: Refusal("not like that"),
    "not_found": lambda: NotFound("no such thing"),
    "invalid_id": lambda: InvalidId("no thread"),
    "error": lambda: RuntimeError("a bug"),
    "timeout": lambda: TimeoutError("a database was too slow"),
    "cancelled": lambda: asyncio.CancelledError(),
    "exit": lambda: SystemExit(1),
    "interrupt": lambda: KeyboardInterrupt(),
    "base_group": lambda: BaseExceptionGroup("several", [KeyboardInterrupt(), RuntimeError("a bug")]),
    "group_of_one": lambda: ExceptionGroup("one", [Refusal("not like that")]),
}


def raise_by_name(name: str) -> None:
    raise RAISED[name]()


async def authenticate(handshake: Handshake) -> Ticket | None:
    asked = dict(parse_qsl(handshake.query_string.decode()))
    match asked.get("authenticate"):
        case None:
            return await hubs[handshake.path.rsplit("/", 1)[-1]]._redeem(handshake)
        case "never":
            await asyncio.Event().wait()
        case name:
            raise_by_name(name)
    return None


def mint_nothing(kind: str, parent: object) -> str:
    raise RuntimeError("no ID to be had")


def mint_no_run(kind: str, parent: object) -> str:
    return registry.mint(kind) if kind == "connection" else mint_nothing(kind, parent)


def hub(used: SQLiteStore = store, mint: Any = None, **limits: Any) -> Hub:
    made = Hub(registry, used, authenticate=authenticate, mint=mint, limits=Limits(**default_limits | limits))

    @made.on_message
    async def do(connection: Connection, message: dict[str, Any]) -> None:
        match message["type"]:
            case "close":
                connection.close()
            case "raise":
                raise_by_name(message["what"])
            case "flood":
                while await connection.send({"padding": "x" * 1000}):
                    pass
            case "run":
                await made.start_run(connection, thread=message["thread"], execute=fail)

    return made


async def fail(run: object) -> None:
    raise KeyboardInterrupt


hubs = {
    "plain": hub(),
    "raising": hub(),
    "stopping": hub(),
    "rate": hub(message_burst=5, messages_per_second=0.1),
    "idle": hub(idle_timeout=0.2),
    "impatient": hub(auth_timeout=0.2),
    "alone": hub(connections_per_principal=1),
    "busy": hub(handshakes=0),
    "silent": hub(heartbeat=0.1),
    "broken_store": hub(broken),
    "mintless": hub(mint=mint_nothing),
    "runless": hub(mint=mint_no_run),
}


def new_ticket(name: str, seconds: float) -> dict[str, str]:
    user, session, thread = registry.mint("user"), registry.mint("session"), registry.mint("thread")
    store.record(user, kind="user")
    store.record(session, kind="session", parent=user, parent_kind="user")
    store.record(thread, kind="thread", parent=user, parent_kind="user")
    issue = hubs[name].tickets.issue
    ticket = issue(principal=user, session=session, expires_at=time.time() + seconds)
    again = issue(principal=user, session=session, expires_at=time.time() + seconds)
    return {"ticket": ticket, "again": again, "session": session, "thread": thread}


async def control(path: str, asked: dict[str, str]) -> Any:
    name = asked["hub"]
    match path:
        case "/ticket":
            return new_ticket(name, float(asked["seconds"]))
        case "/closes":
            return [[close.code, close.reason, close.ours] for close in hubs[name].closes]
        case "/logout":
            await hubs[name].close_session(asked["session"])
        case "/shutdown":
            await hubs[name].shutdown()
    return None


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        name = scope["path"].rsplit("/", 1)[-1]
        await hubs[name](scope, receive, send)
        if name == "raising":
            raise RuntimeError("a middleware's bug, after the end")
    else:
        asked = dict(parse_qsl(scope["query_string"].decode()))
        body = json.dumps(await control(scope["path"], asked)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
