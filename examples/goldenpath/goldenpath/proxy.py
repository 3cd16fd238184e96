"""The way to an auth service that runs elsewhere, so that the browser sees one origin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from http import HTTPStatus

import httpx
from fastapi import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from goldenpath.auth.incoming import read_body, refuse_others
from goldenpath.auth.tokens import TokenError, Tokens
from goldenpath.settings import Settings

# Only these: a path made of dots could lead to other services beside auth.
PATHS = {"/sign-up", "/login", "/refresh", "/logout", "/healthz"}
LOGOUT = ("POST", "/logout")
# `host` is what auth compares the Origin with.
FORWARDED = {b"authorization", b"content-type", b"cookie", b"host", b"origin"}
# Of one connection (RFC 9110 §7.6.1), or written anew by the server of this one.
NOT_RETURNED = {
    b"connection",
    b"content-length",
    b"date",
    b"keep-alive",
    b"proxy-authenticate",
    b"server",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
TIMEOUT = httpx.Timeout(10).as_dict()


class AuthProxy:
    """ASGI: passes requests on to the auth service at `url`, and tells `on_logout` of sessions that end.

    The service sees the client's address and scheme in X-Forwarded-For and X-Forwarded-Proto. A uvicorn on
    another machine believes them only if FORWARDED_ALLOW_IPS names this one.
    """

    def __init__(self, url: str, settings: Settings, on_logout: Callable[[str], Awaitable[None]]) -> None:
        self._url = url.rstrip("/")
        self._origins = settings.origins
        self._tokens = Tokens(settings)
        self._on_logout = on_logout
        # Not a client: that would keep one person's cookies and send them with the next one's requests.
        self._transport = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=100, keepalive_expiry=2)  # uvicorn hangs up after 5 s
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except HTTPException as refusal:
            response = JSONResponse({"detail": refusal.detail}, refusal.status_code)
        except httpx.TransportError:
            response = JSONResponse({"detail": "the auth service does not answer"}, HTTPStatus.BAD_GATEWAY)
        await response(scope, receive, send)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _answer(self, request: Request) -> Response:
        path = request.url.path.removeprefix(request.scope.get("root_path", ""))
        if path not in PATHS:
            raise HTTPException(HTTPStatus.NOT_FOUND, "not found")
        body = await read_body(request)
        if (request.method, path) == LOGOUT:
            await self._log_out(request)
        headers = [(name, value) for name, value in request.headers.raw if name in FORWARDED]
        headers.append((b"x-forwarded-proto", request.url.scheme.encode()))
        if request.client is not None:
            headers.append((b"x-forwarded-for", request.client.host.encode()))
        return await self._passed_on(
            httpx.Request(
                request.method,
                self._url + path,
                headers=headers,
                content=body,
                extensions={"timeout": TIMEOUT},
            )
        )

    async def _passed_on(self, request: httpx.Request) -> Response:
        answer = await self._transport.handle_async_request(request)
        async with aclosing(answer):
            response = Response(b"".join([piece async for piece in answer.aiter_raw()]), answer.status_code)
        response.raw_headers += [
            (name.lower(), value) for name, value in answer.headers.raw if name.lower() not in NOT_RETURNED
        ]
        return response

    async def _log_out(self, request: Request) -> None:
        """End our side first, so that the token is worth nothing here once auth has said that it ended."""
        refuse_others(request, self._origins)
        try:
            claims = self._tokens.claims_of(request.headers)
        except TokenError:
            return  # nobody is logged in
        await self._on_logout(claims.sid)
