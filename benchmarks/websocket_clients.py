"""Thousands of WebSocket clients in one process, as thin as they can be: bytes in, bytes out."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

Answer = TypeVar("Answer")

MASK = b"\0\0\0\0"  # a mask of zeros leaves the payload as it is (RFC 6455 §5.3)


def text_frame(text: str) -> bytes:
    """A masked text frame of a client."""
    data = text.encode()
    if len(data) < 126:
        return bytes([0x81, 0x80 | len(data)]) + MASK + data
    return bytes([0x81, 0x80 | 126]) + struct.pack("!H", len(data)) + MASK + data


class Client(asyncio.Protocol):
    """One connection. `on_frame(client, opcode, payload)` gets each frame of the server."""

    def __init__(self, path: str, protocols: str, on_frame: Callable[[Client, int, bytes], None]) -> None:
        self.transport: asyncio.Transport
        self.open = asyncio.get_running_loop().create_future()
        self.received = 0
        self.expected = 0  # for whoever counts
        self.closed: int | None = None  # the code, 1006 without a close frame
        self._path = path
        self._protocols = protocols
        self._on_frame = on_frame
        self._buffer = b""
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        key = base64.b64encode(os.urandom(16)).decode()
        offer = f"Sec-WebSocket-Protocol: {self._protocols}\r\n" if self._protocols else ""
        self.transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self._upgraded:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = buffer
                return
            if b" 101 " not in buffer[:20]:
                self.open.set_exception(ConnectionError(buffer[:80].decode()))
                self.transport.abort()
                return
            self._upgraded, buffer = True, buffer[end + 4 :]
        while len(buffer) >= 2:
            size, start = buffer[1], 2
            if size == 126:
                if len(buffer) < 4:
                    break
                (size,), start = struct.unpack("!H", buffer[2:4]), 4
            elif size == 127:
                if len(buffer) < 10:
                    break
                (size,), start = struct.unpack("!Q", buffer[2:10]), 10
            if len(buffer) < start + size:
                break
            opcode, payload = buffer[0] & 15, buffer[start : start + size]
            buffer = buffer[start + size :]
            if opcode == 8:
                self.closed = struct.unpack("!H", payload[:2])[0] if payload else 1005
            else:
                self.received += 1
                self._on_frame(self, opcode, payload)
        self._buffer = buffer

    def connection_lost(self, error: Exception | None) -> None:
        if self.closed is None:
            self.closed = 1006
        if not self.open.done():
            self.open.set_exception(ConnectionError("lost"))

    def send(self, frame: bytes) -> None:
        self.transport.write(frame)


def run(main: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    """Runs on uvloop, so that the clients are not what is measured."""
    return uvloop.run(main())
