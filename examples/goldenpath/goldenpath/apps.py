"""The services put together: both in one process, or each alone."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fastapi import FastAPI

from canonid import Registry
from goldenpath.auth import create_app as create_auth
from goldenpath.chat import create_app as create_chat
from goldenpath.ids import open_ids
from goldenpath.proxy import AuthProxy
from goldenpath.settings import Settings

log = logging.getLogger("goldenpath.auth")


def both(settings: Settings) -> FastAPI:
    """Chat with auth below /auth, over one registry and one store."""
    registry, records = open_ids(settings)

    async def on_logout(session: str) -> None:
        await chat.state.log_out(session)

    auth = create_auth(settings, registry, records, on_logout, _alerts(registry))
    chat = create_chat(settings, registry, records, auth)
    return chat


def auth_app(settings: Settings) -> FastAPI:
    """Auth alone."""
    registry, records = open_ids(settings)
    return create_auth(settings, registry, records, on_alert=_alerts(registry))


def chat_app(settings: Settings, auth_url: str) -> FastAPI:
    """Chat alone, passing /auth on to where it is."""
    registry, records = open_ids(settings)

    async def on_logout(session: str) -> None:
        await chat.state.log_out(session)

    chat = create_chat(settings, registry, records, AuthProxy(auth_url, settings, on_logout))
    return chat


def _alerts(registry: Registry) -> Callable[[str], Awaitable[None]]:
    async def on_alert(name: str) -> None:
        # Its lineage is not recorded: the parent of an alert is a run, and before a log-in there is none.
        alert = registry.mint("alert", service="monitor", level="warning")
        log.warning("%s: somebody may be guessing a password; keyed hash of the name: %s", alert, name)

    return on_alert
