"""What the services are told when they start."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from canonid.websockets import Limits

DATA = "GOLDENPATH_DATA"
SECRET = "GOLDENPATH_SECRET"  # noqa: S105 - the name of the variable
ORIGINS = "GOLDENPATH_ORIGINS"

SECRET_BYTES = 32  # RFC 7518 §3.2: a key of HS256 must not be shorter than its hash
ORIGIN = re.compile(r"https?://[^/\s]+")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of both services; those that run apart need the same data folder and secret. Times are seconds.

    `origins` are those of pages elsewhere that may call, e.g. https://chat.example.
    """

    data: Path
    secret: bytes = field(repr=False)
    origins: tuple[str, ...] = ()
    token_seconds: int = 3600
    session_seconds: int = 30 * 24 * 3600
    token_delay: float = 0.02  # between two pieces of the built-in agent's answer
    limits: Limits = field(default_factory=Limits)

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
        """What GOLDENPATH_DATA, GOLDENPATH_SECRET and GOLDENPATH_ORIGINS (with commas) say, then `overrides`.

        Makes the data folder, by default var/goldenpath below the current one, and a secret in it unless
        one is given; of several processes that do so at once all get the same. Raises ValueError, OSError.
        """
        data = Path(overrides.get("data") or env.get(DATA) or Path("var", "goldenpath")).absolute()
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        found: dict[str, Any] = {"origins": tuple(env.get(ORIGINS, "").replace(",", " ").split())}
        if "secret" not in overrides:
            found["secret"] = env.get(SECRET, "").encode() or _kept_secret(data)
        return cls(**found | overrides | {"data": data})


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
