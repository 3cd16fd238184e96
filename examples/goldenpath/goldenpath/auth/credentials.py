"""Names and passwords as they arrive, and what is asked of new ones."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import NamedTuple

NAME = re.compile(r"[A-Za-z0-9._@+-]{3,40}")
PASSWORD = range(8, 200 + 1)  # characters


class Unfit(ValueError):
    """The sentence says what was expected. It never holds any of the input."""


class Credentials(NamedTuple):
    name: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(name={self.name!r})"


def read(body: bytes) -> Credentials:
    """The name and password that a body holds, whatever they are. Raises Unfit.

    The password is normalised (NFC, RFC 8265 §4.2), so that two keyboards write it the same.
    """
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise Unfit('the body must be JSON: {"name": "…", "password": "…"}')
    for field in Credentials._fields:
        if not isinstance(parsed.get(field), str):
            raise Unfit(f"{field} is missing or is not a text")
        if not _encodable(parsed[field]):
            raise Unfit(f"{field} holds half a character (a lone surrogate)")
    return Credentials(parsed["name"], unicodedata.normalize("NFC", parsed["password"]))


def check_new(credentials: Credentials) -> None:
    """Raises Unfit unless somebody may sign up so."""
    if not NAME.fullmatch(credentials.name):
        raise Unfit("name must be 3 to 40 letters (a to z), digits or . _ - @ +")
    if len(credentials.password) not in PASSWORD:
        raise Unfit(f"password must have {PASSWORD[0]} to {PASSWORD[-1]} characters")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
