"""The ten lines that a FastAPI or Starlette application needs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from websockets.asyncio.client import connect

from canonid import Registry
from canonid.aliases import SQLiteStore
from canonid.websockets import Connection, Counts, Hub


class User:
    id = "user_1700000000000_1"
    session = "session_1700000000000_1"
    expires_at = time.time() + 3600


async def current_user() -> User:
    return User()


def fastapi_app(hub: Hub) -> tuple[FastAPI, str]:
    app = FastAPI(lifespan=hub.lifespan)

    @app.post("/ticket")
    async def ticket(user: User = Depends(current_user)) -> dict[str, str]:  # noqa: B008
        issue = hub.tickets.issue
        return {"ticket": issue(principal=user.id, session=user.session, expires_at=user.expires_at)}

    @hub.on_message
    async def chat(connection: Connection, message: dict[str, Any]) -> None:
        await connection.send({"type": "echo", "text": message["text"]})

    app.mount("/ws", hub)
    return app, "/ws/"


def starlette_app(hub: Hub) -> tuple[Starlette, str]:
    async def ticket(request: Request) -> JSONResponse:
        user = User()
        issue = hub.tickets.issue
        return JSONResponse(
            {"ticket": issue(principal=user.id, session=user.session, expires_at=user.expires_at)}
        )

    @hub.on_message
    async def chat(connection: Connection, message: dict[str, Any]) -> None:
        await connection.send({"type": "echo", "text": message["text"]})

    routes = [Route("/ticket", ticket, methods=["POST"]), WebSocketRoute("/ws", hub), Mount("/mounted", hub)]
    return Starlette(routes=routes, lifespan=hub.lifespan), "/ws"


@pytest.mark.parametrize("make", [fastapi_app, starlette_app])
def test_login_ticket_connection_echo_and_every_close_code_through_the_framework(
    make: Callable[[Hub], tuple[Any, str]], registry: Registry, store: SQLiteStore, serve: Any, protocol: str
) -> None:
    store.record(User.id, kind="user")
    hub = Hub(registry, store, origins=["https://chat.example"])
    app, path = make(hub)
    server = serve(app, ws=protocol)
    base = f"127.0.0.1:{server.port}"

    async def dial(ticket: str, **options: Any) -> Any:
        offered = ["canonid.v1", f"ticket.{ticket}"]
        return await connect(f"ws://{base}{path}", subprotocols=offered, proxy=None, **options)  # type: ignore[arg-type]

    async def main() -> None:
        async with httpx.AsyncClient(base_url=f"http://{base}", trust_env=False) as http:
            tickets = [(await http.post("/ticket")).json()["ticket"] for _ in range(3)]
        async with await dial(tickets[0], origin="https://chat.example") as client:
            assert json.loads(await client.recv())["type"] == "ready"
            await client.send('{"type": "say", "text": "hello"}')
            assert json.loads(await client.recv()) == {"type": "echo", "text": "hello"}
        used = await dial(tickets[0])
        foreign = await dial(tickets[1], origin="https://evil.example")
        broken = await dial(tickets[2])
        await broken.send('{"type": "say"}')  # the application expects a text
        await asyncio.gather(*[client.wait_closed() for client in (used, foreign, broken)])
        assert [client.close_code for client in (used, foreign, broken)] == [4401, 1008, 1011]

    asyncio.run(main())
    server.__exit__()
    assert hub.counts() == Counts(0, 0, 0, 0, 0) and hub.tree.stats.scopes == 0
