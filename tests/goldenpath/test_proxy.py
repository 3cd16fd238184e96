"""The way from the chat service to an auth service elsewhere."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from canonid.testing import serve
from golden import PASSWORD, settings
from goldenpath.apps import auth_app
from goldenpath.auth import Tokens
from goldenpath.proxy import AuthProxy

NOWHERE = "http://127.0.0.1:9"


class Upstream:
    """Stands where auth would, notes what arrives, and answers as it is told."""

    def __init__(self, status: int = 204) -> None:
        self.status = status
        self.requests: list[Request] = []
        self.ended_before: list[list[str]] = []
        self.ended: list[str] = []  # what the proxy told of

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        self.requests.append(Request(scope))
        self.ended_before.append(list(self.ended))
        await Response(status_code=self.status)(scope, receive, send)

    async def on_logout(self, session: str) -> None:
        self.ended.append(session)


async def nobody_minds(session: str) -> None:
    """An `on_logout`."""


class Way:
    """A proxy below /auth of a server, and people who go through it."""

    def __init__(self, url: str, client: Callable[[], httpx.Client]) -> None:
        self.url = url
        self.client = client

    def sign_up(self, name: str) -> httpx.Client:
        """Somebody with a cookie."""
        client = self.client()
        client.post("/auth/sign-up", json={"name": name, "password": PASSWORD}).raise_for_status()
        return client

    def says(self, request: bytes) -> bytes:
        """What is answered to the bytes of a request."""
        url = urlsplit(self.url)
        with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
            connection.sendall(request)
            return connection.makefile("rb").readline()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def proxied(tmp_path, stack) -> Callable[..., Way]:
    def proxied(auth_url: str, on_logout: Any = nobody_minds) -> Way:
        proxy = AuthProxy(auth_url, settings(tmp_path), on_logout)

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            yield
            await proxy.aclose()

        url = stack.enter_context(serve(Starlette(routes=[Mount("/auth", proxy)], lifespan=lifespan)))
        return Way(url, lambda: stack.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=20)))

    return proxied


@pytest.fixture
def way(tmp_path, stack, proxied) -> Way:
    """To a real auth service."""
    return proxied(stack.enter_context(serve(auth_app(settings(tmp_path)))))


def token(tmp_path, session: str = "session_web_user_179_1795414266700_2_5e1f00aa") -> str:
    tokens = Tokens(settings(tmp_path))
    return tokens.issue(user="user_1", session=session, name="ada", session_ends_at=2**40).text


def test_nobody_is_taken_for_who_logged_in_before(way):
    ada, bob, stranger = way.sign_up("ada"), way.sign_up("bob"), way.client()
    assert stranger.post("/auth/refresh").status_code == 401
    users = [person.post("/auth/refresh").json()["user"] for person in (ada, bob, ada)]
    assert users[0] == users[2] != users[1]
    assert stranger.post("/auth/logout").status_code == 204
    assert [person.post("/auth/refresh").status_code for person in (ada, bob)] == [200, 200]


def test_a_body_without_an_announced_length_is_read_no_further_than_the_limit(stack, proxied):
    upstream = Upstream()
    way = proxied(stack.enter_context(serve(upstream, lifespan="off")))
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    head = b"POST /auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b" 413 " in way.says(head + chunk * 2)  # and no end of it
    announced = b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 16385\r\n\r\n"
    assert b" 413 " in way.says(announced + b" " * 16385)
    assert upstream.requests == []


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /auth/refresh HTTP/1.0\r\n\r\n",
        b"POST /auth/refresh HTTP/1.1\r\nHost: x\r\nCookie: token=caf\xe9\r\n\r\n",
        b"POST /auth/refresh HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xe2\x82\xac\r\n\r\n",
    ],
)
def test_an_odd_request_gets_the_answer_of_auth(way, request_):
    assert b" 401 " in way.says(request_)


@pytest.mark.parametrize("path", ["", "%01", "%2e%2e/admin", "../admin", "login/", "login%3Fx", "x" * 30_000])
def test_paths_that_auth_has_not_are_not_asked_for(stack, proxied, path):
    upstream = Upstream()
    way = proxied(stack.enter_context(serve(upstream, lifespan="off")))
    assert b" 404 " in way.says(f"GET /auth/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert upstream.requests == []


def test_the_headers_of_auth_arrive_once_each(way):
    answer = way.client().post("/auth/sign-up", json={"name": "ada", "password": PASSWORD})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    names = [name for name, _ in answer.headers.raw]
    assert sorted(names) == sorted(set(names))
    assert re.match(r"token=[\w.-]+; ", answer.headers["set-cookie"])


def test_auth_is_told_whose_request_it_is(stack, proxied):
    upstream = Upstream()
    way = proxied(stack.enter_context(serve(upstream, lifespan="off", proxy_headers=False)))
    way.client().post("/auth/login", headers={"origin": "https://a.example", "x-other": "1"})
    (request,) = upstream.requests
    shown = {name: request.headers.get(name) for name in ("host", "origin", "x-other")}
    assert shown == {"host": urlsplit(way.url).netloc, "origin": "https://a.example", "x-other": None}
    assert request.headers["x-forwarded-for"] == "127.0.0.1"
    assert request.headers["x-forwarded-proto"] == "http"


@pytest.mark.parametrize("status", [204, 500])
def test_logging_out_ends_our_side_before_auth_is_asked_and_says_what_auth_said(
    tmp_path, stack, proxied, status
):
    upstream = Upstream(status)
    way = proxied(stack.enter_context(serve(upstream, lifespan="off")), upstream.on_logout)
    answer = way.client().post("/auth/logout", headers={"authorization": f"Bearer {token(tmp_path, 's')}"})
    assert answer.status_code == status
    assert upstream.ended_before == [["s"]]


def test_logging_out_while_auth_is_away_ends_our_side_and_says_so(tmp_path, proxied):
    upstream = Upstream()
    way = proxied(NOWHERE, upstream.on_logout)
    answer = way.client().post("/auth/logout", headers={"authorization": f"Bearer {token(tmp_path, 's')}"})
    assert answer.status_code == 502
    assert upstream.ended == ["s"]


def test_only_a_post_of_our_own_pages_logs_out(tmp_path, stack, proxied):
    upstream = Upstream()
    way = proxied(stack.enter_context(serve(upstream, lifespan="off")), upstream.on_logout)
    bearer = {"authorization": f"Bearer {token(tmp_path)}"}
    foreign = way.client().post("/auth/logout", headers=bearer | {"origin": "http://evil.example"})
    assert foreign.status_code == 403
    way.client().get("/auth/logout", headers=bearer)
    way.client().post("/auth/refresh", headers=bearer)
    assert upstream.ended == []
    way.client().post("/auth/logout", headers=bearer | {"origin": way.url})
    assert len(upstream.ended) == 1


def test_closing_it_hangs_up(tmp_path):
    async def main() -> None:
        hung_up = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await reader.read()
            hung_up.set()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            proxy = AuthProxy(f"http://{host}:{port}", settings(tmp_path), nobody_minds)
            async with httpx.AsyncClient(transport=httpx.ASGITransport(proxy), base_url="http://x") as client:
                assert (await client.post("/refresh")).status_code == 204
            assert not hung_up.is_set()
            await proxy.aclose()
            await asyncio.wait_for(hung_up.wait(), 20)

    asyncio.run(main())
