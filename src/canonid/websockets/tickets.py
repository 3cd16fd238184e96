"""One-time tickets: an authenticated HTTP request gets one, a WebSocket handshake spends it.

A browser can't set headers on a WebSocket, and a token in the address ends up in access logs; a ticket
travels as a subprotocol, lives seconds and works once.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from canonid.aliases import Lineage

OFFER = "ticket."


class Ticket(NamedTuple):
    """Who connects. Times are seconds since 1970; `issued_at` None means: with this handshake.

    `lineage` is that of the session, where it was looked at already; then the handshake doesn't.
    """

    principal: str
    session: str
    expires_at: float
    issued_at: float | None = None
    lineage: Lineage | None = None


class Tickets:
    """Issues and redeems tickets, in memory, at most `per_principal` unspent ones of one principal.

    May be called from any thread.
    """

    def __init__(
        self, clock: Callable[[], float] = time.time, ttl: float = 30.0, per_principal: int = 16
    ) -> None:
        self._clock = clock
        self._ttl = ttl
        self._per_principal = per_principal
        self._lock = threading.Lock()
        self._unspent: dict[str, Ticket] = {}  # in order of issue, so the oldest stand first
        self._by_principal: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self._unspent)

    def issue(
        self, *, principal: str, session: str, expires_at: float, lineage: Lineage | None = None
    ) -> str:
        """A fresh token, good once and for `ttl` seconds. Beyond the cap the principal's oldest gives way."""
        check_expiry(expires_at)
        token = new_token()
        with self._lock:
            now = self._clock()
            self._prune(now)
            own = self._by_principal.setdefault(principal, [])
            if len(own) == self._per_principal:
                del self._unspent[own.pop(0)]
            own.append(token)
            self._unspent[token] = Ticket(principal, session, expires_at, now, lineage)
        return token

    def redeem(self, token: str) -> Ticket | None:
        """The ticket of an unspent token, exactly once; None for a used, forged or expired one."""
        if not isinstance(token, str):
            return None
        with self._lock:
            now = self._clock()
            self._prune(now)
            ticket = self._unspent.get(token)
            if ticket is None:
                return None
            self._forget(token, ticket)
        return None if ticket.expires_at <= now else ticket

    def _prune(self, now: float) -> None:
        while self._unspent:
            token, ticket = next(iter(self._unspent.items()))
            if abs(now - (ticket.issued_at or 0)) < self._ttl:  # a clock may step back as well
                return
            self._forget(token, ticket)

    def _forget(self, token: str, ticket: Ticket) -> None:
        del self._unspent[token]
        own = self._by_principal[ticket.principal]
        own.remove(token)
        if not own:
            del self._by_principal[ticket.principal]


def check_expiry(expires_at: float) -> None:
    """ValueError unless it is a time at which a ticket can end."""
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float) or expires_at != expires_at:
        raise ValueError("expected seconds since 1970 as expires_at=")


def new_token() -> str:
    """A token of 256 random bits, fit for a subprotocol."""
    return secrets.token_urlsafe(32)


def offered(subprotocols: Iterable[str]) -> str | None:
    """The token in the first offered subprotocol `ticket.<token>`."""
    offer = next((name for name in subprotocols if name.startswith(OFFER)), OFFER)
    return offer.removeprefix(OFFER) or None
