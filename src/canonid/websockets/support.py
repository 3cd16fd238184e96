"""What is live for one user, for those who help them: under which texts, since when, how much waits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from canonid.errors import InvalidId, NotFound, StoreError
from canonid.scopes import Snapshot
from canonid.websockets.hub import Hub
from canonid.websockets.parts import OWNERS
from canonid.websockets.socket import Event, Receive, Send


async def tree(hub: Hub, user: str) -> list[dict[str, Any]]:
    """The live sessions of a user with all below, as JSON: connections, runs and what they hold.

    Of every process; queues, watched threads and events only of what lives in this one. Any text that
    resolves names the user. Raises NotFound for unknown, ambiguous and malformed ones alike.
    """
    try:
        live = await hub.live_of(user)
    except InvalidId:
        raise NotFound from None
    return [_node(hub, root) for root in live]


def tree_app(hub: Hub) -> Any:
    """ASGI: `GET …?user=TEXT` gives `{"live": [...]}`, 404 or 503. Checks nobody: mount it behind a login."""

    async def app(scope: Event, receive: Receive, send: Send) -> None:
        users = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("user", [])
        try:
            if scope["method"] != "GET" or len(users) != 1:
                raise NotFound
            await _answer(send, 200, {"live": await tree(hub, users[0])})
        except NotFound:
            await _answer(send, 404, {"detail": "not found"})
        except StoreError:
            await _answer(send, 503, {"detail": "a store does not answer; try again"})

    return app


def _node(hub: Hub, entry: Snapshot) -> dict[str, Any]:
    node: dict[str, Any] = {
        "kind": entry.kind,
        "id": entry.canonical,
        "text": entry.text,
        "opened_at": entry.opened_at,
        "closed": entry.closed,
    }
    if entry.kind == "connection" and (connection := hub.connection(entry.canonical)):
        node |= {"queued": connection.queued._asdict(), "watching": sorted(connection.watching)}
        node["subscriptions"] = sorted(run.id for run in connection.subscriptions)
    if entry.kind == "run" and (run := hub.run(entry.canonical)):
        node |= {"thread": run.thread, "events": run.seq, "bytes": run.size, "ended": run.ended}
    node["parts"] = [child.kind for child in entry.children if child.kind in OWNERS]
    node["children"] = [_node(hub, child) for child in entry.children if child.kind not in OWNERS]
    return node


async def _answer(send: Send, status: int, body: Mapping[str, Any]) -> None:
    encoded = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(encoded)).encode())]
    headers.append((b"cache-control", b"no-store"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": encoded})
