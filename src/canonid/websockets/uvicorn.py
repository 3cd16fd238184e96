"""uvicorn's WebSocket protocol, taught to end: `uvicorn --ws canonid.websockets.uvicorn:Protocol`.

uvicorn closes a transport and then waits, without limit, for its buffer to drain. A client that never
reads so keeps its socket, and the server from stopping. And where uvicorn refuses a message itself
(1002, 1007, 1009), or is told to stop (1012), it closes while the client may still be sending: the
kernel then answers with a reset, which can overtake the close frame. This protocol gives every end a
time limit, and keeps reading until the client has answered the close frame. Nor can a client that pings and
never reads fill the memory: it has one answer due, to its newest ping (RFC 6455 §5.5.3).

It is quicker too: it doesn't stop and start reading around each message, and lets a hub write without a task
where the client keeps up, and makes the frame of a message to many only once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from canonid.errors import MissingExtra
from canonid.websockets.socket import EXTENSION

try:
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
    from websockets.frames import Frame, Opcode
    from websockets.http11 import Request
    from websockets.protocol import OPEN
except ImportError as error:
    raise MissingExtra(
        "serving WebSockets with uvicorn needs: pip install 'uvicorn>=0.40' 'websockets>=16'"
    ) from error

PONG = b"\x8a"  # the first byte of a pong, RFC 6455 §5.2
AHEAD = 8  # messages that are read before the application asks for them
CLOSE_TIMEOUT = 5.0  # seconds for a client to answer a close frame, and again to take what is buffered


class Protocol(WebSocketsSansIOProtocol):
    """As uvicorn's own, but no client can keep it from ending."""

    def connection_made(self, transport: object) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.close_timeout = CLOSE_TIMEOUT
        self.due_pong = b""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.handshake_complete:
            extensions: Any = self.scope["extensions"]
            extensions[EXTENSION] = self

    def start_keepalive(self) -> None:
        # The handshake is over. Its headers, which the application has in its scope, would be kept twice
        # more for as long as the connection lasts.
        self.request.headers.clear()
        self.response.headers.clear()
        super().start_keepalive()

    def abort(self) -> None:
        """Cut the transport at once, buffered or not."""
        self.transport.abort()

    def write_text(self, text: str) -> bool:
        """Write a message at once; False if the client does not keep up, or is not there any more."""
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        if self.conn.state is not OPEN:
            return False
        frame = self._compressed(text) if self.conn.extensions else _frame(text)
        self.transport.write(frame)
        return True

    def send_receive_event_to_app(self) -> None:
        if self.read_paused or self.queue.qsize() >= AHEAD:
            super().send_receive_event_to_app()
            return
        self.read_paused = True  # as far as this call is concerned, which would stop reading otherwise
        super().send_receive_event_to_app()
        self.read_paused = False

    def data_received(self, data: bytes) -> None:
        if self.conn.parser_exc is None:
            super().data_received(data)

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
            return
        for frame in self.conn.data_to_send():
            if frame[:1] == PONG:
                self.due_pong = frame
            else:
                self.transport.write(frame)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.due_pong and not self.close_sent and not self.transport.is_closing():
            self.transport.write(self.due_pong)
        self.due_pong = b""

    def handle_parser_exception(self) -> None:
        close = self.conn.close_sent
        assert close is not None
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self._linger()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def shutdown(self) -> None:
        if self.transport.is_closing():
            self.transport.abort()
        elif self.handshake_complete and not self.close_sent:
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1012})
            self.conn.send_close(1012)
            self._linger()
        else:
            super().shutdown()
            self._cut_later()

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self._cut_later()

    def _compressed(self, text: str) -> bytes:
        self.conn.send_text(text.encode())
        return b"".join(self.conn.data_to_send())

    def _linger(self) -> None:
        """Send the close frame that is due, then drop what comes until the client answers, for a time."""
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    def _cut_later(self) -> None:
        self.loop.call_later(2 * self.close_timeout, self.transport.abort)


@lru_cache(maxsize=1)
def _frame(text: str) -> bytes:
    """A message as it goes over the wire; the same one to many clients is made once."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
