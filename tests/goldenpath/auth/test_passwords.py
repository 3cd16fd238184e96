"""Hashing a few at a time."""

from __future__ import annotations

import asyncio
import threading

import pytest
from argon2 import PasswordHasher

from goldenpath.auth.passwords import Busy, Passwords


class GatedHasher(PasswordHasher):
    """Waits in `verify` until the gate opens, and knows how many wait there."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.gate = threading.Event()
        self.inside = self.most = 0
        self._lock = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.gate.wait(20)
        with self._lock:
            self.inside -= 1
        return super().verify(hash, password)


def test_only_so_many_are_verified_at_once_and_the_loop_goes_on() -> None:
    async def main() -> None:
        hasher = GatedHasher()
        passwords = Passwords(hasher, at_once=2, waiting=10)
        hash = await passwords.hash("right")
        asked = [asyncio.create_task(passwords.verify(hash, text)) for text in ["right", "wrong"] * 4]
        await asyncio.sleep(0)  # the loop is free while all of them wait
        assert not any(task.done() for task in asked)
        hasher.gate.set()
        assert await asyncio.gather(*asked) == [True, False] * 4
        assert hasher.most <= 2

    asyncio.run(main())


def test_more_than_may_wait_are_turned_away_at_once() -> None:
    async def main() -> None:
        hasher = GatedHasher()
        passwords = Passwords(hasher, at_once=1, waiting=2)
        asked = [asyncio.create_task(passwords.verify(None, "x")) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await passwords.verify(None, "x")
        with pytest.raises(Busy):
            await passwords.hash("x")
        hasher.gate.set()
        assert await asyncio.gather(*asked) == [False] * 3
        assert await passwords.hash("x")

    asyncio.run(main())


def test_nobodys_hash_is_of_the_same_parameters_and_fits_no_password() -> None:
    hashes: list[str | bytes] = []

    class Noting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            hashes.append(hash)
            return super().verify(hash, password)

    passwords = Passwords(Noting(time_cost=1, memory_cost=8, parallelism=1))
    assert asyncio.run(passwords.verify(None, "")) is False
    assert not passwords.outdated(str(hashes[0]))
