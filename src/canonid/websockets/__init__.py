"""WebSocket connections over scopes, as ASGI: admitted by ticket, found by any ID, closed by a chosen code.

Mount a `Hub` in any ASGI framework. Runs outlive their connections and resume by sequence number.
"""

from canonid.websockets.backpressure import Coalesce, DropOldest
from canonid.websockets.closes import Close
from canonid.websockets.codes import Code, Refusal
from canonid.websockets.connection import Connection
from canonid.websockets.handshake import Handshake
from canonid.websockets.hub import Hub
from canonid.websockets.limits import Limits
from canonid.websockets.parts import with_parts
from canonid.websockets.presence import Counts
from canonid.websockets.runs import Grace, Run
from canonid.websockets.tickets import Ticket, Tickets

__all__ = [
    "Close",
    "Coalesce",
    "Code",
    "Connection",
    "Counts",
    "DropOldest",
    "Grace",
    "Handshake",
    "Hub",
    "Limits",
    "Refusal",
    "Run",
    "Ticket",
    "Tickets",
    "with_parts",
]
