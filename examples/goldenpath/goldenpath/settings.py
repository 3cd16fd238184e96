"""What the services are told when they start."""

from __future__ import annotations

import math
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from canonid.errors import show
from canonid.websockets import Limits

DATA = "GOLDENPATH_DATA"
SECRET = "GOLDENPATH_SECRET"  # noqa: S105 - the name of the variable
ORIGINS = "GOLDENPATH_ORIGINS"
TOKEN_DELAY = "GOLDENPATH_TOKEN_DELAY"  # noqa: S105
VALKEY = "GOLDENPATH_VALKEY"

SECRET_BYTES = 32  # RFC 7518 §3.2: a key of HS256 must not be shorter than its hash
LONGEST_DELAY = 60
ORIGIN = re.compile(r"https?://[^/\s]+")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of both services; those that run apart need the same data folder and secret. Times are seconds.

    `origins`, e.g. https://chat.example, are those of pages that may open WebSockets and send POSTs to
    auth: the names under which browsers know this server. There is no CORS, so pages that another server
    serves can't read what is answered over HTTP.
    """

    data: Path
    secret: bytes = field(repr=False)
    origins: tuple[str, ...] = ()
    token_seconds: int = 3600
    session_seconds: int = 30 * 24 * 3600
    token_delay: float = 0.02  # between two pieces of the built-in agent's answer
    limits: Limits = field(default_factory=Limits)
    valkey: str | None = None  # address of what several chat services share, like redis://127.0.0.1:6379/0

    def __post_init__(self) -> None:
        if len(self.secret) < SECRET_BYTES:
            raise ValueError(
                f"the secret has {len(self.secret)} bytes, {SECRET_BYTES} or more are needed: "
                f"set {SECRET}, or delete the file 'secret' in {self.data}"
            )
        for origin in self.origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!a} is no origin; expected one like https://chat.example:8443")

    @classmethod
    def from_environment(cls, env: Mapping[str, str], **overrides: Any) -> Settings:
        """What the variables above say (…_ORIGINS with commas), then `overrides`.

        Makes the data folder, by default var/goldenpath below the current one, and a secret in it unless
        one is given; of several processes that do so at once all get the same. Raises ValueError, OSError.
        """
        data = Path(overrides.get("data") or env.get(DATA) or Path("var", "goldenpath")).absolute()
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        found: dict[str, Any] = {"origins": tuple(env.get(ORIGINS, "").replace(",", " ").split())}
        if "secret" not in overrides:
            found["secret"] = env.get(SECRET, "").encode() or _kept_secret(data)
        if env.get(VALKEY):
            found["valkey"] = env[VALKEY]
        if env.get(TOKEN_DELAY):
            found["token_delay"] = _seconds(env[TOKEN_DELAY])
        return cls(**found | overrides | {"data": data})


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= LONGEST_DELAY:
        raise ValueError(
            f"{TOKEN_DELAY} is {show(text)}; expected seconds from 0 to {LONGEST_DELAY}, like 0.02"
        )
    return seconds


def _kept_secret(data: Path) -> bytes:
    path = data / "secret"
    if not path.exists():
        descriptor, name = tempfile.mkstemp(dir=data, prefix=".secret-")  # with mode 0600
        try:
            with open(descriptor, "wb") as file:
                file.write(secrets.token_bytes(SECRET_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(name, path)  # appears whole; the first process wins
        finally:
            os.unlink(name)
    return path.read_bytes()
