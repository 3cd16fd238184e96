"""The auth service over HTTP."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from canonid import Registry
from canonid.aliases import SQLiteStore
from goldenpath.settings import Settings
from goldenpath.workers import Workers

from .credentials import Credentials, Unfit, check_new, read
from .incoming import read_body, refuse_others
from .passwords import Busy, Passwords
from .throttle import Places, Throttle, Throttled
from .tokens import COOKIE, TokenError, Tokens
from .users import NameTaken, Session, Users

NO_STORE = {"Cache-Control": "no-store"}
Notify = Callable[[str], Awaitable[None]]


def create_app(
    settings: Settings,
    registry: Registry,
    records: SQLiteStore,
    on_logout: Notify | None = None,
    on_alert: Notify | None = None,
    *,
    passwords: Passwords | None = None,
    throttle: Throttle | None = None,
) -> FastAPI:
    """The auth service, to be mounted at /auth or served alone.

    `on_logout` is awaited with the ID of a session that ends, `on_alert` with a keyed hash of a name
    whose password somebody may be guessing.
    """
    users = Users(settings, registry, records)
    tokens = Tokens(settings)
    passwords = passwords or Passwords()
    throttle = throttle or Throttle()
    places = Places()
    # Of their own: those that wait for a locked database must hold up nothing else in this process.
    workers = Workers("users")

    async def same_origin(request: Request) -> None:
        refuse_others(request, settings.origins)

    async def place(request: Request) -> AsyncIterator[None]:
        with places.taken(request.client.host if request.client else ""):
            yield

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Only if served alone: nobody tells an application that is mounted into another one when to stop."""
        yield
        workers.close()
        passwords.close()

    app = FastAPI(
        title="golden path: auth",
        dependencies=[Depends(same_origin)],
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )

    @app.get("/healthz")
    async def healthz() -> dict[str, bool]:
        return {"ok": True}

    @app.post("/sign-up", dependencies=[Depends(place)])
    async def sign_up(request: Request, given: Annotated[Credentials, Depends(credentials)]) -> Response:
        check_new(given)
        hash = await passwords.hash(given.password)
        try:
            session = await workers(users.sign_up, given.name, hash)
        except NameTaken:
            raise HTTPException(HTTPStatus.CONFLICT, "this name is taken") from None
        return logged_in(request, session, HTTPStatus.CREATED)

    @app.post("/login", dependencies=[Depends(place)])
    async def login(request: Request, given: Annotated[Credentials, Depends(credentials)]) -> Response:
        key = hidden(given.name)
        async with throttle.attempt(key) as attempts:
            user = await workers(users.find, given.name)
            right = await passwords.verify(user and user.hash, given.password)
            if right:
                attempts.succeed()
            elif attempts.fail() == throttle.failures and on_alert is not None:
                await on_alert(key)
        if user is None or not right:
            raise HTTPException(HTTPStatus.UNAUTHORIZED, "wrong name or password")
        hash = await passwords.hash(given.password) if passwords.outdated(user.hash) else None
        return logged_in(request, await workers(users.log_in, user, hash), HTTPStatus.OK)

    @app.post("/refresh")
    async def refresh(request: Request) -> Response:
        session = await workers(users.session, tokens.claims_of(request.headers).sid)
        if session is None:
            raise TokenError
        return logged_in(request, session, HTTPStatus.OK)

    @app.post("/logout")
    async def logout(request: Request) -> Response:
        """Also for those who are not logged in any more: the cookie goes in any case."""
        try:
            session = tokens.claims_of(request.headers).sid
        except TokenError:
            session = None
        if session is not None:
            if on_logout is not None:
                await on_logout(session)  # first, so that no token is worth anything in between
            await workers(users.end_session, session)
        response = Response(status_code=HTTPStatus.NO_CONTENT, headers=NO_STORE)
        response.delete_cookie(COOKIE, **cookie_attributes(request))
        return response

    @app.exception_handler(Unfit)
    async def unfit(request: Request, error: Exception) -> Response:
        return refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    @app.exception_handler(TokenError)
    async def not_logged_in(request: Request, error: Exception) -> Response:
        return refusal(HTTPStatus.UNAUTHORIZED, str(error))

    @app.exception_handler(Throttled)
    async def throttled(request: Request, error: Throttled) -> Response:
        sentence = f"too many failed log-ins with this name; try again in {error.seconds} s"
        return refusal(HTTPStatus.TOO_MANY_REQUESTS, sentence, {"Retry-After": str(error.seconds)})

    @app.exception_handler(Busy)
    async def busy(request: Request, error: Exception) -> Response:
        sentence = "too many people are logging in; try again in a moment"
        return refusal(HTTPStatus.SERVICE_UNAVAILABLE, sentence, {"Retry-After": "1"})

    def logged_in(request: Request, session: Session, status: HTTPStatus) -> Response:
        token = tokens.issue(
            user=session.user, session=session.id, name=session.name, session_ends_at=session.ends_at
        )
        shown = {"user": session.user, "session": session.id, "expires_at": token.expires_at}
        response = JSONResponse(shown | {"token": token.text}, status, NO_STORE)
        response.set_cookie(COOKIE, token.text, max_age=settings.token_seconds, **cookie_attributes(request))
        return response

    def hidden(name: str) -> str:
        return hmac.new(settings.secret, name.lower().encode(), hashlib.sha256).hexdigest()[:32]

    return app


async def credentials(request: Request) -> Credentials:
    """The name and password in a request's body."""
    return read(await read_body(request))


def cookie_attributes(request: Request) -> dict[str, Any]:
    return {"path": "/", "httponly": True, "samesite": "strict", "secure": request.url.scheme == "https"}


def refusal(status: HTTPStatus, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": sentence}, status, headers)
