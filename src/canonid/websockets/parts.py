"""The parts that hubs claim in scopes. A part has no ID of its own: it goes by its owner's."""

from __future__ import annotations

from collections.abc import Callable

from canonid.core import Identity

Resolve = Callable[[str, str | None], Identity]

OWNERS = {
    "socket": "connection",
    "outbox": "connection",
    "reader": "connection",
    "heartbeat": "connection",
    "subscriptions": "connection",
    "executor": "run",
}


def with_parts(resolve: Resolve) -> Resolve:
    """A resolver that knows a hub's parts as well: the socket of a connection goes by any text that names it.

    >>> resolve = with_parts(lambda text, kind: Identity(kind, text.lower()))
    >>> resolve("WS_1", "socket")
    Identity(kind='socket', canonical='ws_1')
    """

    def resolve_part(text: str, kind: str | None) -> Identity:
        if kind in OWNERS:
            return Identity(kind, resolve(text, OWNERS[kind]).canonical)
        return resolve(text, kind)

    return resolve_part
