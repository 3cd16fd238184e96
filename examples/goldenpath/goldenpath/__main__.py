"""`python -m goldenpath`: both services in one process, or `auth` or `chat` alone."""

from __future__ import annotations

import argparse
import os
import socket
import sqlite3
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn

from canonid.errors import CanonidError
from goldenpath.agent import AgentError
from goldenpath.apps import auth_app, both, chat_app
from goldenpath.settings import ORIGINS, Settings


def main() -> int:
    """Serve until stopped; the exit code."""
    options = _options()
    try:
        listening = _listen(options.host, options.port)
    except OSError as error:
        where = f"{options.host}:{options.port}"
        print(f"goldenpath: can't listen on {where}: {error.strerror}; try another --port", file=sys.stderr)
        return 1
    try:
        settings = _settings(options, listening.getsockname()[1])
        if options.service == "auth":
            app = auth_app(settings)
        elif options.service == "chat":
            app = chat_app(settings, options.auth)
        else:
            app = both(settings)
    except (CanonidError, AgentError, ValueError, OSError, sqlite3.DatabaseError) as error:
        print(f"goldenpath: {error}", file=sys.stderr)
        listening.close()
        return 1
    host, port = listening.getsockname()[:2]
    print(f"golden path: http://{host}:{port}", flush=True)
    print(f"({options.service}; data in {settings.data}; Ctrl-C stops it)", flush=True)
    print(f"(pages of {', '.join(settings.origins)} may connect; {ORIGINS} adds others)", flush=True)
    config = uvicorn.Config(
        app,
        ws="canonid.websockets.uvicorn:Protocol",
        ws_ping_interval=None,  # the hub has a heartbeat of its own, which closes nobody by accident
        ws_max_size=settings.limits.max_message,
        timeout_graceful_shutdown=10,
        log_level="warning",
        server_header=False,
    )
    with suppress(KeyboardInterrupt):  # Ctrl-C; by then everything has been shut down
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


def _settings(options: argparse.Namespace, port: int) -> Settings:
    """From the environment and the command line; pages from our own address may connect."""
    own = tuple(f"http://{host}:{port}" for host in dict.fromkeys((options.host, "127.0.0.1", "localhost")))
    given: dict[str, Any] = {"data": options.data} if options.data else {}
    settings = Settings.from_environment(os.environ, **given)
    return replace(settings, origins=(*settings.origins, *own))


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(2048)
    return listening


if __name__ == "__main__":
    sys.exit(main())
