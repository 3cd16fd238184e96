"""The services put together: both in one process, or each alone."""

from __future__ import annotations

from fastapi import FastAPI

from goldenpath.auth import create_app as create_auth
from goldenpath.auth.tokens import Tokens
from goldenpath.chat import create_app as create_chat
from goldenpath.ids import open_ids
from goldenpath.proxy import AuthProxy
from goldenpath.settings import Settings


def both(settings: Settings) -> FastAPI:
    """Chat with auth below /auth, over one registry and one store."""
    registry, records = open_ids(settings)

    async def on_logout(session: str) -> None:
        await chat.state.log_out(session)

    chat = create_chat(settings, registry, records, create_auth(settings, registry, records, on_logout))
    return chat


def auth_app(settings: Settings) -> FastAPI:
    """Auth alone."""
    registry, records = open_ids(settings)
    return create_auth(settings, registry, records)


def chat_app(settings: Settings, auth_url: str) -> FastAPI:
    """Chat alone, passing /auth on to where it is."""
    registry, records = open_ids(settings)

    async def on_logout(session: str) -> None:
        await chat.state.log_out(session)

    chat = create_chat(settings, registry, records, AuthProxy(auth_url, Tokens(settings), on_logout))
    return chat
