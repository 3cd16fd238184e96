"""The way to an auth service that runs elsewhere, so that the browser sees one origin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from goldenpath.auth.tokens import TokenError, Tokens

FORWARDED = ("authorization", "content-type", "cookie", "origin")
MAX_BODY = 16 * 1024


class AuthProxy:
    """ASGI: passes requests on to the auth service at `url`, and tells `on_logout` of sessions that ended."""

    def __init__(self, url: str, tokens: Tokens, on_logout: Callable[[str], Awaitable[None]]) -> None:
        self._url = url.rstrip("/")
        self._tokens = tokens
        self._on_logout = on_logout
        self._client = httpx.AsyncClient(timeout=10)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path.removeprefix(request.scope.get("root_path", ""))
        if int(request.headers.get("content-length") or 0) > MAX_BODY:
            return JSONResponse({"detail": "too big"}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
        # What the Origin is compared with, and whether the cookie has to be Secure.
        headers |= {"host": request.headers["host"], "x-forwarded-proto": request.url.scheme}
        try:
            answer = await self._client.request(
                request.method, self._url + path, headers=headers, content=await request.body()
            )
        except httpx.TransportError:
            return JSONResponse({"detail": "the auth service does not answer"}, HTTPStatus.BAD_GATEWAY)
        if path == "/logout" and answer.is_success:
            await self._logged_out(request)
        response = Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
        for cookie in answer.headers.get_list("set-cookie"):
            response.headers.append("set-cookie", cookie)
        if "retry-after" in answer.headers:
            response.headers["retry-after"] = answer.headers["retry-after"]
        return response

    async def _logged_out(self, request: Request) -> None:
        try:
            claims = self._tokens.claims_of(request.headers)
        except TokenError:
            return  # nobody was logged in
        await self._on_logout(claims.sid)
