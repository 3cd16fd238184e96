"""Who is asking: the token of a request, resolved to a principal and a session."""

from __future__ import annotations

from typing import NamedTuple

from fastapi import HTTPException, Request

from canonid import InvalidId, NotFound, Registry
from canonid.aliases import SQLiteStore
from goldenpath.auth.tokens import Claims, TokenError, Tokens
from goldenpath.workers import Workers

from .store import ChatStore


class Caller(NamedTuple):
    """Canonical IDs of a logged-in user and the session, their texts as auth wrote them, and until when."""

    user: str
    session: str
    user_text: str
    session_text: str
    name: str
    expires_at: int
    user_before: tuple[str, ...]  # canonical IDs that the user had before they became aliases

    @property
    def users(self) -> tuple[str, ...]:
        return self.user, *self.user_before


class Access:
    """A FastAPI dependency: `caller: Caller = Depends(access)`. Refuses with 401."""

    def __init__(
        self, registry: Registry, tokens: Tokens, records: SQLiteStore, store: ChatStore, workers: Workers
    ) -> None:
        self._registry = registry
        self._tokens = tokens
        self._workers = workers
        self._records = records
        self._store = store

    async def __call__(self, request: Request) -> Caller:
        try:
            claims = self._tokens.claims_of(request.headers)
            return await self._workers(self._caller, claims)
        except (TokenError, InvalidId, NotFound):
            raise HTTPException(401, "not logged in") from None

    def _caller(self, claims: Claims) -> Caller:
        user = self._records.resolve(claims.sub, "user", "auth").canonical
        session = self._records.authorise(claims.sid, kind="session", principal=user).child
        if self._store.session_ended(session):
            raise NotFound
        aliases = self._records.aliases(canonical=user, kind="user")
        found = [self._registry.recognise(alias.text, "user").answer for alias in aliases]
        before = tuple({identity.canonical for identity in found if identity} - {user})
        return Caller(user, session, claims.sub, claims.sid, claims.name, claims.exp, before)
