"""One accepted WebSocket: the only place that calls the server's `receive` and `send`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from canonid.websockets.codes import Ending
from canonid.websockets.wire import PROTOCOL

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

EXTENSION = "canonid.transport"  # of the server, where it is ours


class Transport(Protocol):
    """What the server lets us do beyond ASGI."""

    def abort(self) -> None:
        """Cut it at once, buffered or not."""

    def write_text(self, text: str) -> bool:
        """Write a message at once; False if the client does not keep up, or is not there any more."""


class Gone(Exception):
    """The other side is not there any more. `ending` says how, as far as the server told."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


LOST = Ending(1006, "connection lost", ours=False)


class Socket:
    """A WebSocket connection as texts. `cut` tells whether it ended without our close frame going out."""

    def __init__(self, scope: Event, receive: Receive, send: Send) -> None:
        self.offered: tuple[str, ...] = tuple(scope.get("subprotocols") or ())
        self.cut = False
        self._closed = False
        self._receive = receive
        self._send = send
        self._transport: Transport | None = (scope.get("extensions") or {}).get(EXTENSION)

    async def accept(self) -> None:
        """Complete the handshake: always, since a refusal before it is an HTTP 403 (1006 to a browser)."""
        await self._receive()
        protocol = PROTOCOL if PROTOCOL in self.offered else None
        await self._sent({"type": "websocket.accept", "subprotocol": protocol})

    async def receive(self) -> Event:
        """The next frame. Raises Gone at the end."""
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            raise Gone(Ending(event.get("code") or 1005, event.get("reason") or "", ours=False))
        return event

    def write(self, text: str) -> bool:
        """Write a text at once; False where the server can't, or the client doesn't keep up."""
        return self._transport is not None and self._transport.write_text(text)

    async def send(self, text: str) -> None:
        """Write a text, waiting while the client's buffers are full. Raises Gone."""
        await self._sent({"type": "websocket.send", "text": text})

    async def close(self, ending: Ending, seconds: float) -> None:
        """Send the close frame in time, else cut the transport, where the server lets us. Once only."""
        if self._closed or not ending.ours:
            return
        self._closed = True
        try:
            async with asyncio.timeout(seconds):
                await self._sent({"type": "websocket.close", "code": ending.code, "reason": ending.reason})
        except (TimeoutError, Gone):
            self._cut()
        except asyncio.CancelledError:
            self._cut()
            raise

    def _cut(self) -> None:
        self.cut = True
        if self._transport is not None:
            self._transport.abort()

    async def _sent(self, event: Event) -> None:
        try:
            await self._send(event)
        except Exception as error:
            # Servers differ: an OSError, or a RuntimeError where they have sent a close of their own.
            raise Gone(LOST) from error
