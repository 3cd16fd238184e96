"""A golden path to test against, and people who use it over real sockets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from canonid.testing import serve
from goldenpath.apps import both
from goldenpath.settings import Settings

ROOT = Path(__file__).parents[1]
PASSWORD = "correct horse battery"
PATIENCE = 20  # seconds until a test gives up waiting


def settings(data: Path, **options: Any) -> Settings:
    return Settings.from_environment({}, **{"data": data, "token_delay": 0.0, **options})


@contextmanager
def golden_path(data: Path, **options: Any) -> Iterator[str]:
    """The base URL of both services in one process."""
    with serve(both(settings(data, **options)), ws="canonid.websockets.uvicorn:Protocol") as url:
        yield url


class Person:
    """Somebody with a log-in of their own."""

    def __init__(self, url: str, name: str, *, log_in: bool = False) -> None:
        self.http = httpx.Client(base_url=url, timeout=PATIENCE)
        self.url = url
        self.name = name
        path = "/auth/login" if log_in else "/auth/sign-up"
        answer = self.http.post(path, json={"name": name, "password": PASSWORD})
        if answer.is_error:
            self.http.close()
        answer.raise_for_status()
        self.login: dict[str, Any] = answer.json()
        self.http.headers["authorization"] = f"Bearer {self.login['token']}"

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        answer.raise_for_status()
        return answer.json()

    def thread(self) -> dict[str, Any]:
        answer = self.http.post("/api/threads", json={})
        answer.raise_for_status()
        shown: dict[str, Any] = answer.json()
        return shown

    def ticket(self) -> str:
        answer = self.http.post("/api/ticket")
        answer.raise_for_status()
        return str(answer.json()["ticket"])

    @contextmanager
    def socket(self, ticket: str | None = None) -> Iterator[Socket]:
        """A WebSocket that has been let in."""
        offer = ["canonid.v1", f"ticket.{ticket or self.ticket()}"]
        with connect(self.url.replace("http", "ws") + "/ws", subprotocols=offer) as raw:  # type: ignore[arg-type]
            yield Socket(raw)


class Socket:
    """JSON over a WebSocket."""

    def __init__(self, raw: ClientConnection) -> None:
        self.raw = raw

    def send(self, **message: object) -> None:
        self.raw.send(json.dumps(message))

    def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.raw.recv(timeout=PATIENCE))
        return message

    def until(self, type: str, **fields: object) -> dict[str, Any]:
        """The next message of a type with these fields; others are passed over."""
        while True:
            message = self.receive()
            if message["type"] == type and fields.items() <= message.items():
                return message

    def ask(self, thread: str, text: str, request: str | None = None) -> str:
        """Send a question; the request's ID."""
        request = request or str(uuid.uuid4())
        self.send(type="chat", thread=thread, request=request, text=text)
        return request

    def events(self, run: str | None = None) -> list[dict[str, Any]]:
        """The events of a run (of the next one that is heard of) up to its final one."""
        found: list[dict[str, Any]] = []
        while not (found and found[-1].get("final")):
            message = self.receive()
            if message["type"] == "event" and run in (None, message["run"]):
                run = message["run"]
                found.append(message)
        return found


def closed(socket: Socket) -> tuple[int, str]:
    """The close code and reason that the client reads; whatever comes before is passed over."""
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            socket.receive()
    assert caught.value.rcvd is not None, "the server says why"
    return caught.value.rcvd.code, caught.value.rcvd.reason


@contextmanager
def process(*arguments: object, **env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`python -m goldenpath …` on a free port: the process and its address. Killed at the end."""
    command = [sys.executable, "-m", "goldenpath", *map(str, arguments), "--port", "0"]
    sources = os.pathsep.join([str(ROOT / "src"), str(ROOT / "examples" / "goldenpath")])
    paths = {"PYTHONPATH": sources, "GOLDENPATH_TOKEN_DELAY": "0"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | paths | env
    ) as started:
        assert started.stdout is not None
        try:
            line = started.stdout.readline()
            assert line.startswith("golden path: http"), line
            yield started, line.split()[2]
        finally:
            started.kill()
