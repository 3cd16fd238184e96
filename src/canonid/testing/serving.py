"""A real uvicorn in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from canonid.errors import MissingExtra

try:
    import uvicorn
except ImportError as error:
    raise MissingExtra("canonid.testing needs: pip install 'uvicorn>=0.40' 'websockets>=16'") from error

PATIENCE = 20.0  # seconds until it is given up that a server starts or stops


class _Server(uvicorn.Server):
    """Says when it is up, or that it never will be."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.settled.set()

    def serve_out(self) -> None:
        with suppress(SystemExit):  # how uvicorn says that it can't start
            self.run()


@contextmanager
def serve(app: Any, **options: Any) -> Iterator[str]:
    """The base URL, `http://127.0.0.1:port`, of an ASGI application that is served until the block ends.

    On a free port, in a thread with an event loop of its own, so what belongs to that loop, such as the
    sending of a hub, is not for the test to call. `options` are uvicorn's. Raises RuntimeError if the
    application does not start, or the server does not stop in 20 s.
    """
    options = {
        "ws": "canonid.websockets.uvicorn:Protocol",
        "ws_ping_interval": None,
        "log_config": None,
        "timeout_graceful_shutdown": 15,
    } | options
    server = _Server(uvicorn.Config(app, host="127.0.0.1", port=0, **options))
    thread = threading.Thread(target=server.serve_out, name="uvicorn of a test")
    thread.start()
    try:
        if not server.settled.wait(PATIENCE) or not server.started:
            raise RuntimeError("the application did not start; its log says why")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        if thread.is_alive():
            raise RuntimeError(f"the server did not stop within {PATIENCE:g} s")
