"""One of the server processes of soak.py: `python -P soak_server.py VALKEY DATABASE NAME`.

Prints what it did, a line each, so that whoever killed it can still tell: `serves PORT`,
`began RUN THREAD KEEP ASKED`, `accepted RUN SEQ`, once `publish` has returned, and `fenced`. Over HTTP it
issues tickets, logs out, and tells what it holds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import uvicorn

from canonid import Registry
from canonid.aliases import SQLiteStore
from canonid.errors import StoreError
from canonid.websockets import Connection, Grace, Hub, Limits, Refusal, Run
from canonid.websockets.runs import OnLastDetach
from canonid.websockets.valkey import ValkeyBackplane

REGISTRY = Path(__file__).with_name("chat.toml").read_text()
LEASE = 2.0  # seconds
RETENTION = 15.0
LIMITS = Limits(session_grace=1.0, run_retention=RETENTION, close_timeout=1.0)
KEPT: dict[str, OnLastDetach] = {"continue": "continue", "cancel": "cancel", "grace": Grace(1.0)}
# Of these nothing may be left once clients and runs are gone.
PASSING = ("Connection", "Session", "Run", "Mirror", "Socket", "Outbox", "Scope", "Resource", "SharedScope")


def tell(*words: object) -> None:
    print(*words, flush=True)


def held() -> dict[str, int]:
    """Objects of the library by type, and tasks."""
    gc.collect()
    types = [type(each) for each in gc.get_objects()]
    found = Counter(each.__name__ for each in types if str(each.__module__).startswith("canonid."))
    return {name: found[name] for name in PASSING} | {"tasks": len(asyncio.all_tasks())}


class Fences(logging.Handler):
    """Says when the process was fenced."""

    def emit(self, record: logging.LogRecord) -> None:
        if "was fenced" in record.getMessage():
            tell("fenced")


def make(url: str, database: str, name: str) -> Hub:
    registry = Registry.from_toml(REGISTRY)
    store = SQLiteStore(database, registry)
    backplane = ValkeyBackplane(url, lease=LEASE, process=name)
    hub = Hub(registry, store, backplane=backplane, limits=LIMITS)

    @hub.on_message
    async def receive(connection: Connection, message: dict[str, Any]) -> None:
        if message.get("type") != "start":
            raise Refusal("no such type of message")
        asked, events, pause, keep = time.monotonic(), message["events"], message["pause"], message["keep"]

        async def count(run: Run) -> None:
            tell("began", run.id, run.thread, keep, asked)
            for number in range(1, events + 1):
                tell("accepted", run.id, await run.publish("token", {"n": number, "by": name}))
                await asyncio.sleep(random.uniform(0, 2 * pause))

        await hub.start_run(connection, thread=message["thread"], execute=count, on_last_detach=KEPT[keep])

    return hub


async def ticket(hub: Hub, user: str, session: str) -> str:
    return await hub.issue_ticket(principal=user, session=session, expires_at=time.time() + 3600)


async def logout(hub: Hub, session: str) -> str:
    await hub.close_session(session)
    return session


async def state(hub: Hub) -> dict[str, Any]:
    return {
        "counts": hub.counts()._asdict(),
        "tree": hub.tree.stats._asdict(),
        "closes": {str(code): times for code, times in hub.closes.by_code.items()},
        "held": held(),
    }


def application(hub: Hub) -> Any:
    """The hub, and beside it what the load asks for over HTTP."""
    pages: dict[str, Callable[..., Awaitable[Any]]] = {
        "/ticket": ticket,
        "/logout": logout,
        "/state": state,
    }

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await hub(scope, receive, send)
            return
        query = {key: values[0] for key, values in parse_qs(scope["query_string"].decode()).items()}
        try:
            body, status = json.dumps(await pages[scope["path"]](hub, **query)).encode(), 200
        except StoreError:  # of a process that was frozen
            body, status = b"", 503
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


class Server(uvicorn.Server):
    """Says where it serves, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        assert sockets is not None
        tell("serves", sockets[0].getsockname()[1])


def main(url: str, database: str, name: str) -> None:
    logging.basicConfig(level=logging.WARNING, format=f"{name} %(asctime)s %(name)s %(message)s")
    logging.getLogger("canonid.scopes").addHandler(Fences())
    config = uvicorn.Config(
        application(make(url, database, name)),
        ws="canonid.websockets.uvicorn:Protocol",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    Server(config).run(sockets=[socket.create_server(("127.0.0.1", 0), backlog=1024)])


if __name__ == "__main__":
    main(*sys.argv[1:])
