"""A server in a process of its own, to be told to stop: python stopping_server.py PROTOCOL DATABASE REGISTRY

Prints its port and a ticket once it serves, and what is left over once it has stopped.
"""

import asyncio
import signal
import socket
import sys
import time

import uvicorn

from canonid import load_registry
from canonid.aliases import SQLiteStore
from canonid.websockets import Hub

protocol, database, toml = sys.argv[1:]
registry = load_registry(toml)
store = SQLiteStore(database, registry)
hub = Hub(registry, store)
user, session, thread = registry.mint("user"), registry.mint("session"), registry.mint("thread")
store.record(user, kind="user")
store.record(session, kind="session", parent=user, parent_kind="user")
store.record(thread, kind="thread", parent=user, parent_kind="user")
listener = socket.create_server(("127.0.0.1", 0))


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        tickets = [
            hub.tickets.issue(principal=user, session=session, expires_at=time.time() + 60) for _ in "ab"
        ]
        await hub.start_run(session, thread=thread, execute=lambda run: asyncio.Event().wait())
        print(listener.getsockname()[1], *tickets, flush=True)


server = Server(uvicorn.Config(hub, ws=protocol, ws_ping_interval=None, log_level="error"))
signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again once it has stopped
server.run(sockets=[listener])
print(hub.counts(), hub.tree.stats.scopes, [close.code for close in hub.closes], flush=True)
