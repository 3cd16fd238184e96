"""Tokens: signed statements of who is logged in, readable by every service that has the secret."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import NamedTuple

import jwt
from starlette.requests import cookie_parser

from goldenpath.settings import Settings

ALGORITHM = "HS256"
ISSUER = "goldenpath-auth"
AUDIENCE = "goldenpath"
COOKIE = "token"
LONGEST = 2048  # characters; ours have some 450


class TokenError(Exception):
    """There is no token, or not one of ours, or not any more: deliberately one answer."""

    def __init__(self) -> None:
        super().__init__("not logged in, or not any more; log in again")


class Claims(NamedTuple):
    """What a token states. `sub` is the user and `sid` the session, as auth wrote their IDs.

    `name` is how the user signed up. Times are whole seconds since 1970.
    """

    iss: str
    aud: str
    sub: str
    sid: str
    name: str
    iat: int
    exp: int
    jti: str


class Token(NamedTuple):
    text: str
    expires_at: int


class Tokens:
    """Issues and verifies with the secret of the settings (RFC 7519, HS256)."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.secret
        self._seconds = settings.token_seconds

    def issue(self, *, user: str, session: str, name: str, session_ends_at: int) -> Token:
        """A new token of a session, which it does not outlive."""
        now = int(time.time())
        expires_at = min(now + self._seconds, session_ends_at)
        claims = Claims(ISSUER, AUDIENCE, user, session, name, now, expires_at, secrets.token_urlsafe(12))
        return Token(jwt.encode(claims._asdict(), self._secret, ALGORITHM), expires_at)

    def verify(self, token: str) -> Claims:
        """What a token states. Raises TokenError unless it is one of ours, complete and not expired."""
        if len(token) > LONGEST or not token.isascii():
            raise TokenError
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={"require": list(Claims._fields)},
            )
        except (jwt.PyJWTError, RecursionError):  # the latter from deep nesting, in older ones of PyJWT
            raise TokenError from None
        return Claims(**{name: claims[name] for name in Claims._fields})

    def claims_of(self, headers: Mapping[str, str]) -> Claims:
        """What the token of a request states: `Authorization: Bearer …`, else the cookie. Raises TokenError.

        `headers` must look names up in any case, as those of Starlette do.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return self.verify(token.strip())
