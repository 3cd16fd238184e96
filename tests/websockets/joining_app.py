"""Applications whose hub joins others when the server starts, for any ASGI server.

Expects the environment variables DATABASE, REGISTRY and VALKEY.
"""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.routing import Mount

from canonid import load_registry
from canonid.aliases import SQLiteStore
from canonid.websockets import Hub
from canonid.websockets.valkey import ValkeyBackplane

registry = load_registry(os.environ["REGISTRY"])
store = SQLiteStore(os.environ["DATABASE"], registry)
hub = Hub(registry, store, backplane=ValkeyBackplane(os.environ["VALKEY"], lease=2))
mounted = Starlette(lifespan=hub.lifespan, routes=[Mount("/ws", hub)])
