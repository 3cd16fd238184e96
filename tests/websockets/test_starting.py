"""A hub that can't join its backplane: the server doesn't start, or clients are told to try again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canonid import Registry
from canonid.aliases import SQLiteStore
from canonid.errors import StoreError
from canonid.websockets import Hub
from canonid.websockets.valkey import ValkeyBackplane
from faults import fault
from stores import free_port

HERE = Path(__file__).parent


@fault(
    "a server process starts while the store of the backplane is away",
    promised="it doesn't serve; its log says why",
)
@pytest.mark.parametrize("app", ["hub", "mounted"])
@pytest.mark.parametrize("server", ["uvicorn", "granian"])
def test_a_server_whose_hub_cannot_join_does_not_start(
    server: str, app: str, tmp_path: Path, seen: Callable[[str], None]
) -> None:
    environment = {
        "REGISTRY": str(HERE.parent / "registries" / "legacy.toml"),
        "DATABASE": str(tmp_path / "canonid.db"),
        "VALKEY": f"redis://127.0.0.1:{free_port()}/0",
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
    }
    interface = ["--interface", "asgi"] if server == "granian" else []
    where = ["--host", "127.0.0.1", "--port", str(free_port())]
    process = subprocess.run(
        [sys.executable, "-m", server, *interface, *where, f"joining_app:{app}"],
        env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert process.returncode != 0
    assert "the hub could not join its backplane: the store " in process.stdout + process.stderr
    seen("uvicorn and granian end, also where the hub is the outermost application")


@pytest.mark.parametrize("tried", [False, True], ids=["no lifespan", "one that failed"])
def test_a_hub_that_has_not_joined_tells_clients_to_try_again(
    world: Callable[..., Any], caplog: pytest.LogCaptureFixture, tried: bool
) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    w = world(backplane=ValkeyBackplane(url, lease=2), uvicorn={"lifespan": "off"})

    async def join() -> None:
        with pytest.raises(StoreError, match="could not join"):
            async with w.hub.lifespan(None):
                raise AssertionError("it joined nobody")

    async def main() -> None:
        if tried:
            await w.server.call(join())
        client = await w.connect(ticket="whichever")
        assert await client.ended() == (1013, "try again; a store does not answer")

    w.run(main())
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert ("could not join its backplane: the store " if tried else "lifespan=hub.lifespan") in line
    assert not [name for name, _, _ in w.hub.counters if name == "incidents"]


def test_a_hub_that_fails_to_shut_down_says_so(registry: Registry, store: SQLiteStore) -> None:
    class Failing(Hub):
        async def shutdown(self, grace: float = 0.0) -> None:
            raise OSError("no way down")

    steps = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    told: list[Any] = []

    async def receive() -> Any:
        return next(steps)

    async def send(event: Any) -> None:
        told.append(event)

    async def main() -> None:
        with pytest.raises(OSError, match="no way down"):
            await Failing(registry, store)({"type": "lifespan"}, receive, send)

    asyncio.run(main())
    started, ended = told
    assert (started["type"], ended["type"]) == ("lifespan.startup.complete", "lifespan.shutdown.failed")
    assert ended["message"].endswith("OSError: no way down\n")
