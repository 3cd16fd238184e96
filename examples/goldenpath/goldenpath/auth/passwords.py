"""Passwords: argon2id, a few at a time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

Result = TypeVar("Result")


class Busy(Exception):
    """Too many passwords are waiting already."""


class Passwords:
    """Hashes and verifies in `at_once` threads, so that neither the event loop nor the memory suffers.

    One hash takes 64 MiB and some 50 ms with the default hasher. At most `waiting` wait for a thread;
    after that both raise Busy.
    """

    def __init__(self, hasher: PasswordHasher | None = None, *, at_once: int = 2, waiting: int = 100) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(at_once, "passwords")
        self._most = at_once + waiting
        self._pending = 0
        self._nobodys = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """An argon2id hash with a salt of its own, in the PHC format."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, hash: str | None, password: str) -> bool:
        """Whether the password is that of the hash. Without a hash: False, at the same cost."""
        return await self._run(lambda: self._verify(hash or self._nobodys, password)) and hash is not None

    def outdated(self, hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(hash)

    def close(self) -> None:
        """Give the threads back once they have done what waits."""
        self._threads.shutdown(wait=False)

    def _verify(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, password)
        except VerifyMismatchError:
            return False

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._pending >= self._most:
            raise Busy
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._pending -= 1
