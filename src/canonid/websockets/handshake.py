"""What a client shows before it is let in: its origin, and a ticket or whatever the application checks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple, TypeVar

from canonid.errors import InvalidId, NotFound
from canonid.websockets.codes import Code, Refusal
from canonid.websockets.tickets import Ticket


class Handshake(NamedTuple):
    """The client's opening request. Header names are lower case; nothing in it is to be trusted."""

    path: str
    query_string: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    subprotocols: tuple[str, ...]

    def header(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value.decode("latin-1") for key, value in self.headers if key == name.encode("latin-1")]


Shown = TypeVar("Shown")
Ask = Callable[[Shown], Awaitable[Ticket | None]]
Authenticate = Ask[Handshake]


def check_origin(handshake: Handshake, origins: Collection[str], allow_missing: bool) -> None:
    """Refusal (1008) unless the page that connects comes from an allowed origin.

    Browsers always send an origin and pages can't forge it; other programs mostly send none.
    """
    shown = handshake.header("origin")
    if not shown and allow_missing:
        return
    if len(shown) != 1 or shown[0] not in origins:
        raise Refusal("origin not allowed")


def within(seconds: float, ask: Ask[Shown]) -> Ask[Shown]:
    """Who connects, as `ask` says it; Refusal (4401) without an answer in time."""

    async def limited(shown: Shown) -> Ticket | None:
        try:
            async with asyncio.timeout(seconds) as limit:
                return await ask(shown)
        except TimeoutError:
            if not limit.expired():
                raise  # the application's own, from a database or a network
            raise Refusal(code=Code.NOT_AUTHENTICATED, limit="auth_timeout") from None

    return limited


async def authenticated(handshake: Handshake, authenticate: Authenticate, now: Callable[[], float]) -> Ticket:
    """Who connects. Refusal (4401) where the answer is none or an expired ticket.

    So it is where `authenticate` raises NotFound or InvalidId.
    """
    began = now()
    try:
        ticket = await authenticate(handshake)
    except (NotFound, InvalidId):
        ticket = None  # an ID that names nobody is no login
    if ticket is None or not ticket.expires_at > now():
        raise Refusal(code=Code.NOT_AUTHENTICATED)
    return ticket if ticket.issued_at is not None else ticket._replace(issued_at=began)
