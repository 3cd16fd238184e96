"""The auth service on a real uvicorn, with a hasher that is cheap and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from argon2 import PasswordHasher

from canonid import Registry
from canonid.aliases import SQLiteStore
from canonid.testing import serve
from goldenpath.auth import Tokens, create_app
from goldenpath.auth.passwords import Passwords
from goldenpath.auth.throttle import Throttle
from goldenpath.ids import open_ids
from goldenpath.settings import Settings

PASSWORD = "correct horse battery"


class CountingHasher(PasswordHasher):
    """argon2id with the smallest parameters, and how often it was asked."""

    def __init__(self, time_cost: int = 1) -> None:
        super().__init__(time_cost=time_cost, memory_cost=8, parallelism=1)
        self.hashed = self.verified = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.hashed += 1
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self.verified += 1
        return super().verify(hash, password)


class Service(NamedTuple):
    """One running instance, and what it told others."""

    url: str
    settings: Settings
    registry: Registry
    records: SQLiteStore
    hasher: CountingHasher
    logouts: list[str]
    alerts: list[str]
    client: Callable[[], httpx.Client]

    @property
    def tokens(self) -> Tokens:
        return Tokens(self.settings)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """A request by somebody new, without cookies."""
        return self.client().post(path, **options)

    def sign_up(self, name: str, password: str = PASSWORD) -> httpx.Response:
        return self.post("/sign-up", json={"name": name, "password": password})

    def log_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        return self.post("/login", json={"name": name, "password": password})

    def refresh(self, token: str) -> httpx.Response:
        return self.post("/refresh", headers={"Authorization": f"Bearer {token}"})

    def log_out(self, token: str) -> httpx.Response:
        return self.post("/logout", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({}, data=tmp_path / "data")


@pytest.fixture
def start() -> Iterator[Callable[..., Service]]:
    """Starts instances, and stops them at the end."""
    with ExitStack() as stack:

        def start(
            settings: Settings, hasher: CountingHasher | None = None, throttle: Throttle | None = None
        ) -> Service:
            hasher = hasher or CountingHasher()
            registry, records = open_ids(settings)
            stack.callback(records.close)
            logouts: list[str] = []
            alerts: list[str] = []

            async def on_logout(session: str) -> None:
                logouts.append(session)

            async def on_alert(name: str) -> None:
                alerts.append(name)

            passwords = Passwords(hasher)
            app = create_app(
                settings, registry, records, on_logout, on_alert, passwords=passwords, throttle=throttle
            )
            url = stack.enter_context(serve(app))

            def client() -> httpx.Client:
                return stack.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=30))

            return Service(url, settings, registry, records, hasher, logouts, alerts, client)

        yield start


@pytest.fixture
def auth(start: Callable[..., Service], settings: Settings) -> Service:
    return start(settings)
