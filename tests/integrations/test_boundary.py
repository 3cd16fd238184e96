"""IDs at the boundary of a service, over real HTTP and WebSockets."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response, WebSocket
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from canonid import Registry, UnknownName
from canonid.aliases import SQLiteStore
from canonid.integrations import Boundary, Refused
from canonid.testing import Client, ClosedEarly, serve
from canonid.websockets import Hub
from faults import fault

USER = "user_1700000000000_1_0a1b2c3d"  # as auth writes it
THREAD = "session_66599_efa61c50"  # as the backend writes it
CONTEXT = "thread_chat_1_0a1b2c3d"  # in a format that the backend does not accept
HEADERS = {"X-Thread-Id": "thread", "X-User-Id": "user"}
DECLARED: dict[str, Any] = {
    "service": "backend",
    "headers": HEADERS,
    "query": {"thread": "thread"},
    "claims": {"sub": "user"},
}

Make = Callable[..., str]


@pytest.fixture
def store(tmp_path: Path, registry: Registry) -> Iterator[SQLiteStore]:
    with SQLiteStore(tmp_path / "canonid.db", registry) as store:
        yield store


def seen(request: Request) -> dict[str, Any]:
    ids = getattr(request.state, "canonid", {})
    return {
        "headers": request.headers.getlist("x-thread-id"),
        "query": list(request.query_params.multi_items()),
        "raw": request.scope["query_string"].decode(),
        "ids": {f"{where} {name}": list(identity) for (where, name), identity in ids.items()},
    }


def answers(request: Request) -> dict[str, str]:
    """Headers that a test wants in the answer."""
    return dict(json.loads(request.headers.get("x-answer", "{}")))


def fastapi_app() -> Any:
    app = FastAPI()

    @app.get("/")
    async def root(request: Request, response: Response) -> dict[str, Any]:
        response.headers.update(answers(request))
        return seen(request)

    @app.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        answer = websocket.query_params.get("answer")
        more = [(b"x-thread-id", answer.encode())] if answer else []
        await websocket.accept("canonid.v1", headers=more)
        await websocket.send_json({"thread": websocket.query_params.get("thread")})
        await websocket.close()

    return app


def starlette_app() -> Any:
    async def root(request: Request) -> JSONResponse:
        return JSONResponse(seen(request), headers=answers(request))

    return Starlette(routes=[Route("/", root)])


@pytest.fixture(params=[fastapi_app, starlette_app])
def served(request: pytest.FixtureRequest, registry: Registry) -> Iterator[tuple[str, Boundary]]:
    boundary = Boundary(request.param(), registry, **DECLARED)
    with serve(boundary) as url:
        yield url, boundary


@pytest.fixture
def both(registry: Registry, store: SQLiteStore) -> Iterator[tuple[str, Boundary]]:
    """With a store, peers and claims, behind the application's own check of tokens."""
    boundary = Boundary(
        fastapi_app(),
        registry,
        **DECLARED,
        store=store,
        verified=lambda scope: scope["state"].get("claims"),
        peer=lambda scope: dict(scope["headers"]).get(b"x-service", b"").decode("latin-1"),
    )

    async def with_claims(scope: Any, receive: Any, send: Any) -> None:
        claims = dict(scope.get("headers", ())).get(b"x-claims")
        if claims is not None:
            scope = {**scope, "state": {**scope.get("state", {}), "claims": json.loads(claims)}}
        await boundary(scope, receive, send)

    with serve(with_claims) as url:
        yield url, boundary


def counted(boundary: Boundary, **labels: str) -> int:
    return sum(
        value
        for name, found, value in boundary.counters
        if name == "boundary_ids" and labels.items() <= found.items()
    )


def test_ids_come_in_canonical_and_all_else_as_it_was(served, registry):
    url, boundary = served
    canonical = registry.canonical(THREAD, "thread")
    query = f"a=%C3%A9+b&thread={THREAD}&empty&a=2%26"
    answer = httpx.get(f"{url}/?{query}", headers={"x-thread-id": THREAD}).json()
    assert answer["headers"] == [canonical]
    assert answer["raw"] == query.replace(THREAD, canonical)
    assert answer["query"] == [["a", "é b"], ["thread", canonical], ["empty", ""], ["a", "2&"]]
    assert answer["ids"] == {
        "header x-thread-id": ["thread", canonical],
        "query thread": ["thread", canonical],
    }
    accepted = {"direction": "in", "kind": "thread", "format": "manager-thread", "reason": "accepted"}
    assert counted(boundary, **accepted) == 2


def test_what_is_not_there_is_no_fault(served):
    url, boundary = served
    assert httpx.get(url).json() == {"headers": [], "query": [], "raw": "", "ids": {}}
    assert counted(boundary) == 0


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("thread=", "malformed"),
        ("thread", "malformed"),
        ("thread=%20" + THREAD, "malformed"),
        ("thread=" + THREAD + "%0A", "malformed"),
        ("thread=%F0%9F%A6%8A", "malformed"),
        ("thread=%ff", "malformed"),
        ("thread=" + "x" * 513, "malformed"),
        ("thread=" + "x" * 20_000, "malformed"),
        ("thread=" + "x" * 512, "unknown"),
        ("thread=nothing", "unknown"),
        ("thread=" + USER, "unknown"),
        ("thread=" + CONTEXT, "not-accepted"),
        (f"thread={THREAD}&thread={THREAD}", "repeated"),
        (f"thread={THREAD}&%74hread={THREAD}", "repeated"),
    ],
)
def test_what_does_not_cross_is_refused_by_its_reason(served, query, error):
    url, boundary = served
    answer = httpx.get(f"{url}/?{query}")
    assert answer.status_code == 400
    body = answer.json()
    assert (body["error"], body["place"], body["expected"]) == (error, "query thread", "thread")
    assert len(answer.content) < 500
    assert counted(boundary, direction="in", place="query thread", reason=error) == 1
    assert counted(boundary) == 1


def test_a_percent_encoded_name_and_value_are_what_they_decode_to(served, registry):
    url, _ = served
    encoded = "".join(f"%{ord(char):02X}" for char in THREAD)
    answer = httpx.get(f"{url}/?%74hread={encoded}").json()
    assert answer["raw"] == "thread=" + registry.canonical(THREAD, "thread")


def raw_get(url: str, *lines: bytes) -> bytes:
    """The answer to a request whose header lines are sent as they are."""
    host, port = re.fullmatch(r"http://(.*):(\d+)", url).groups()
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        request = [b"GET / HTTP/1.1", b"Host: x", b"Connection: close", *lines, b"", b""]
        connection.sendall(b"\r\n".join(request))
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([b"X-Thread-Id: " + THREAD.encode(), b"x-thread-id: " + THREAD.encode()], b"repeated"),
        ([b"X-Thread-Id: " + THREAD.encode() + b", " + THREAD.encode()], b"malformed"),
        ([b"X-Thread-Id: " + "thread_é".encode()], b"malformed"),
        ([b"X-Thread-Id: \xff\xfe"], b"malformed"),
        ([b"X-Thread-Id:"], b"malformed"),
    ],
)
def test_headers_that_two_readers_may_read_differently_are_refused(served, lines, error):
    url, _ = served
    answer = raw_get(url, *lines)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"error": "' + error in answer


def test_claims_are_resolved_and_left_as_they_are(both, registry):
    url, _ = both
    claims = {"sub": USER, "sid": "whatever"}
    answer = httpx.get(url, headers={"x-claims": json.dumps({"sub": registry.mint("user")})})
    assert answer.json()["ids"]["claim sub"][0] == "user"
    answer = httpx.get(url, headers={"x-claims": json.dumps(claims)})
    assert answer.json()["error"] == "not-accepted"  # the backend does not accept what auth writes
    for sub in (7, None, ["a"], {}):
        answer = httpx.get(url, headers={"x-claims": json.dumps({"sub": sub})})
        assert (answer.status_code, answer.json()["error"]) == (400, "malformed")


def test_an_alias_counts_where_there_is_a_store(both, registry, store):
    url, _ = both
    target = registry.mint("thread")
    assert httpx.get(url, params={"thread": THREAD}).json()["ids"]["query thread"][1] != target
    store.link(THREAD, target, kind="thread", source="test")
    assert httpx.get(url, params={"thread": THREAD}).json()["ids"]["query thread"] == ["thread", target]


AMBIGUOUS = """
[kinds.user]
[formats.uuid]
[formats.plain]
pattern = "{id:text([0-9a-f-], 36)}"
kinds = ["user"]
overlaps = ["uuid"]
[services.here]
[services.old]
emits = { user = "plain" }
"""


def test_the_service_that_emitted_an_ambiguous_id_settles_it():
    text = str(uuid.UUID(int=1 << 100))
    registry = Registry.from_toml(AMBIGUOUS)
    boundary = Boundary(
        fastapi_app(),
        registry,
        service="here",
        query={"user": "user"},
        peer=lambda scope: dict(scope["headers"]).get(b"x-service", b"").decode(),
    )
    with serve(boundary) as url:
        answer = httpx.get(url, params={"user": text})
        assert (answer.status_code, answer.json()["error"]) == (400, "ambiguous")
        answer = httpx.get(url, params={"user": text}, headers={"x-service": "undeclared"})
        assert answer.json()["error"] == "ambiguous"
        answer = httpx.get(url, params={"user": text}, headers={"x-service": "old"})
        assert answer.json()["ids"]["query user"][1] == registry.canonical(text, "user", service="old")


def test_an_answer_is_written_as_the_peer_accepts(both, registry, store):
    url, boundary = both
    canonical = registry.mint("user")

    def answered(name: str, text: str, peer: str) -> httpx.Response:
        return httpx.get(url, headers={"x-service": peer, "x-answer": json.dumps({name: text})})

    as_uuid = registry.translate(canonical, "uuid", "user")
    assert answered("x-user-id", as_uuid, "auth").headers["x-user-id"] == canonical
    assert answered("x-user-id", as_uuid, "somebody").headers["x-user-id"] == canonical
    assert answered("X-Thread-Id", THREAD, "backend").headers["x-thread-id"] == registry.canonical(
        THREAD, "thread"
    )
    assert counted(boundary, direction="out", reason="accepted") == 3


NARROW = """
[kinds.user]
[formats.old]
pattern = "u{number:int}"
kinds = ["user"]
[formats.number]
pattern = "n{number:int}"
kinds = ["user"]
[services.here]
[services.legacy]
accepts = ["old"]
"""


def test_where_no_exact_writing_exists_the_records_help_and_else_it_is_an_incident(tmp_path, caplog):
    registry = Registry.from_toml(NARROW)
    recorded, linked, nobody = "u1", registry.mint("user"), registry.mint("user")
    with SQLiteStore(tmp_path / "canonid.db", registry) as store:
        store.record(recorded, kind="user")
        store.link("n7", linked, kind="user", source="test")
        store.link("u7", linked, kind="user", source="test")
        boundary = Boundary(
            fastapi_app(), registry, service="here", headers={"X-User-Id": "user"}, peer="legacy", store=store
        )
        with serve(boundary) as url:

            def answered(text: str) -> httpx.Response:
                return httpx.get(url, headers={"x-answer": json.dumps({"x-user-id": text})})

            assert answered(registry.canonical(recorded, "user")).headers["x-user-id"] == "u1"
            assert answered(linked).headers["x-user-id"] == "u7"
            refused = answered(nobody)
            assert (refused.status_code, refused.json()["error"]) == (500, "incident")
            assert "x-user-id" not in refused.headers
            assert refused.json()["incident"] in caplog.text
            assert answered("no ID").status_code == 500
        assert counted(boundary, direction="out", reason="unwritable") == 1
        assert counted(boundary, direction="out", reason="malformed") == 1


def test_outgoing_requests_are_written_as_the_peer_accepts(served, registry):
    url, boundary = served
    canonical = registry.mint("user")
    as_uuid = registry.translate(canonical, "uuid", "user")

    async def main() -> None:
        assert await boundary.outgoing("auth", {"x-user-id": as_uuid, "a": "b"}) == {
            "x-user-id": canonical,
            "a": "b",
        }
        with pytest.raises(UnknownName):
            await boundary.outgoing("nobody", {"x-user-id": as_uuid})
        with pytest.raises(Refused) as refused:
            await boundary.outgoing("auth", {"X-User-ID": "no ID"})
        assert refused.value.reason == "malformed"
        async with httpx.AsyncClient(event_hooks={"request": [boundary.hook("backend")]}) as client:
            answer = await client.get(url, headers={"X-Thread-Id": CONTEXT, "X-Other": "1"})
            assert answer.request.headers["x-thread-id"] == registry.canonical(CONTEXT, "thread")
            assert answer.json()["headers"] == [registry.canonical(CONTEXT, "thread")]

    asyncio.run(main())


@fault(
    "the store or the application's code breaks at the service boundary",
    promised="an incident, never an ID that was not checked",
)
@pytest.mark.parametrize("broken", ["verified", "peer", "store"])
def test_what_breaks_at_the_boundary_is_an_incident(registry, store, caplog, broken, seen: Any):
    def fail(scope: Any) -> Any:
        raise ValueError("broken")

    more: dict[str, Any] = {broken: fail} if broken != "store" else {"store": store}
    boundary = Boundary(fastapi_app(), registry, **DECLARED, **more)
    if broken == "store":
        store.close()
    with serve(boundary) as url:
        answer = httpx.get(url, params={"thread": THREAD})
        assert (answer.status_code, answer.json()["error"]) == (500, "incident")
        assert answer.json()["incident"] in caplog.text
        with connect(
            url.replace("http", "ws") + f"/ws?thread={THREAD}", subprotocols=["canonid.v1"]
        ) as client:
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=20)
    assert closed.value.rcvd.code == 1011 and closed.value.rcvd.reason in caplog.text
    seen("an incident in the log, and nothing passed")


def test_a_store_that_breaks_while_an_answer_is_written_is_an_incident_too(registry, store, caplog):
    boundary = Boundary(fastapi_app(), registry, **DECLARED, store=store)
    store.close()
    with serve(boundary) as url:
        answer = httpx.get(url, headers={"x-answer": json.dumps({"x-thread-id": THREAD})})
        assert (answer.status_code, answer.json()["error"]) == (500, "incident")
        assert answer.json()["incident"] in caplog.text
        address = url.replace("http", "ws") + f"/ws?answer={THREAD}"
        with connect(address, subprotocols=["canonid.v1"]) as client:
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=20)
    assert closed.value.rcvd.code == 1011 and closed.value.rcvd.reason in caplog.text


def test_it_is_added_as_frameworks_add_middleware(registry):
    app = fastapi_app()
    app.add_middleware(Boundary, registry=registry, **DECLARED)
    with serve(app) as url:
        ids = httpx.get(url, params={"thread": THREAD}).json()["ids"]
        assert ids == {"query thread": ["thread", registry.canonical(THREAD, "thread")]}
        assert httpx.get(url, params={"thread": "nothing"}).status_code == 400


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("thread=nothing", 4404),
        (f"thread={CONTEXT}", 4404),
        (f"thread={THREAD}&thread={THREAD}", 1008),
        (f"answer={CONTEXT}", 1000),
        ("answer=nothing", 1011),
    ],
)
def test_a_websocket_is_accepted_and_then_closed_by_a_readable_code(both, query, code):
    url, _ = both
    offered = ["canonid.v1", "ticket.x"]
    with connect(url.replace("http", "ws") + f"/ws?{query}", subprotocols=offered) as client:
        assert client.subprotocol == "canonid.v1"
        if code == 1000:
            client.recv(timeout=20)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=20)
    assert closed.value.rcvd.code == code


def test_a_websocket_gets_its_ids_canonical(both, registry):
    url, _ = both
    with connect(url.replace("http", "ws") + f"/ws?thread={THREAD}", subprotocols=["canonid.v1"]) as client:
        assert json.loads(client.recv(timeout=20)) == {"thread": registry.canonical(THREAD, "thread")}


def test_a_hub_stands_behind_a_boundary(registry, store):
    user, session = registry.mint("user"), registry.mint("session")
    store.record(user)
    store.record(session, parent=user)
    hub = Hub(registry, store)

    def issue() -> str:
        return hub.tickets.issue(principal=user, session=session, expires_at=time.time() + 60)

    async def main(url: str) -> None:
        async with Client(f"{url}/?thread={THREAD}", issue) as client:
            assert client.session == session
        with pytest.raises(ClosedEarly) as closed:
            await Client(f"{url}/?thread=nothing", issue).connect()
        assert (closed.value.code, closed.value.reason) == (4404, "query thread: unknown")

    with serve(Boundary(hub, registry, **DECLARED, store=store, counters=hub.counters)) as url:
        asyncio.run(main(url))
    counted_here = {labels["reason"] for name, labels, _ in hub.counters if name == "boundary_ids"}
    assert counted_here == {"accepted", "unknown"}
