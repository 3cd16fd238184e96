"""One server process of several: python member.py VALKEY DATABASE REGISTRY LEASE

Prints its port once it serves. A client's `{"type": "start", "thread"}` starts a run that publishes a number
every 10 ms; each number is printed once `publish` has accepted it.
"""

import asyncio
import socket
import sys

import uvicorn

from canonid import load_registry
from canonid.aliases import SQLiteStore
from canonid.websockets import Hub
from canonid.websockets.valkey import ValkeyBackplane

url, database, toml, lease = sys.argv[1:]
registry = load_registry(toml)
hub = Hub(registry, SQLiteStore(database, registry), backplane=ValkeyBackplane(url, lease=float(lease)))
listener = socket.create_server(("127.0.0.1", 0))


async def count(run):
    while True:
        print("accepted", await run.publish("token", {"n": run.seq + 1}), flush=True)
        await asyncio.sleep(0.01)


@hub.on_message
async def receive(connection, message):
    await hub.start_run(connection, thread=message["thread"], execute=count)


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        print("serves", listener.getsockname()[1], flush=True)


ws = "canonid.websockets.uvicorn:Protocol"
Server(uvicorn.Config(hub, ws=ws, ws_ping_interval=None, log_level="error")).run(sockets=[listener])
