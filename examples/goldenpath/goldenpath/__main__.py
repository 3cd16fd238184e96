"""`python -m goldenpath`: both services in one process, or `auth` or `chat` alone."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path

import uvicorn

from canonid.errors import CanonidError
from goldenpath.agent import AgentError
from goldenpath.apps import auth_app, both, chat_app
from goldenpath.settings import Settings


def main() -> int:
    """Serve until stopped; the exit code."""
    options = _options()
    try:
        settings = Settings.from_environment(os.environ, **({"data": options.data} if options.data else {}))
        if options.service == "auth":
            app = auth_app(settings)
        elif options.service == "chat":
            app = chat_app(settings, options.auth)
        else:
            app = both(settings)
    except (CanonidError, AgentError, ValueError, OSError) as error:
        print(f"goldenpath: {error}", file=sys.stderr)
        return 1
    try:
        listening = _listen(options.host, options.port)
    except OSError as error:
        print(f"goldenpath: can't listen on {options.host}:{options.port}: {error.strerror}", file=sys.stderr)
        return 1
    host, port = listening.getsockname()[:2]
    print(f"golden path ({options.service}): http://{host}:{port}  (data in {settings.data}, stop with Ctrl-C)", flush=True)
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_ping_interval=None,  # the hub has a heartbeat of its own, which closes nobody by accident
        ws_max_size=settings.limits.max_message,
        timeout_graceful_shutdown=10,
        log_level="warning",
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listening])
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="goldenpath", description=__doc__)
    parser.add_argument("service", nargs="?", choices=("both", "auth", "chat"), default="both")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100, help="0 takes a free one (default: 8100)")
    parser.add_argument("--data", type=Path, help="folder of the databases (default: var/goldenpath)")
    parser.add_argument("--auth", metavar="URL", help="for chat alone: where the auth service is")
    options = parser.parse_args()
    if (options.service == "chat") != (options.auth is not None):
        parser.error("chat alone needs --auth URL, and nothing else takes it")
    return options


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(2048)
    return listening


if __name__ == "__main__":
    sys.exit(main())
