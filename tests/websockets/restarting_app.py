"""An application that is told to stop while runs go on, for any ASGI server.

Expects the environment variables DATABASE, REGISTRY and GRACE. Who connects says who they are in the query
string.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from canonid import load_registry
from canonid.aliases import SQLiteStore
from canonid.websockets import Connection, Handshake, Hub, Limits, Run, Ticket


class Announced(Hub):
    """Leaves a file beside the database as soon as its worker serves."""

    @asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        async with super().lifespan(app):
            Path(os.environ["DATABASE"]).with_name(f"workers.{os.getpid()}").touch()
            yield


async def authenticate(handshake: Handshake) -> Ticket:
    known = dict(parse_qsl(handshake.query_string.decode()))
    return Ticket(known["user"], known["session"], expires_at=time.time() + 60)


registry = load_registry(os.environ["REGISTRY"])
app = Announced(
    registry,
    SQLiteStore(os.environ["DATABASE"], registry),
    authenticate=authenticate,
    drain_on_sigterm=True,
    limits=Limits(
        shutdown_grace=float(os.environ["GRACE"]), close_timeout=1, retry_after_min=2, retry_after_max=4
    ),
)


@app.on_message
async def start(connection: Connection, message: dict[str, Any]) -> None:
    async def execute(run: Run) -> None:
        await run.publish("agent_started")
        await asyncio.sleep(message["seconds"])

    if message["type"] != "note":
        await app.start_run(connection, thread=message["thread"], execute=execute)
