"""One owner for an ID across buckets, whose data may be on different servers.

Each ID has a key of its own that says which principal may have it live, and a bucket says whether it is. Who
claims writes the key first as intended, then claims in the bucket, then writes the key as held. Every writing
is new, by a random number in it, and is compared with the one that was read. So another principal, who takes
the key over after it saw that nothing is live, can't do so once the claim is held; and the claim can't be
held once the key was taken over. A key whose claim came to nothing, or whose process is gone, expires.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

from canonid.scopes.valkey.store import Store

INTENDED, HELD = "i", "h"
TRIES = 20
LASTS = 24 * 3600.0  # seconds; whoever holds the ID writes its key anew well before


class Reservations:
    """The keys of IDs. `bucket_of` gives the prefix of a principal's bucket."""

    def __init__(self, store: Store, namespace: str, bucket_of: Callable[[str], str]) -> None:
        self._store = store
        self._namespace = namespace
        self._bucket_of = bucket_of

    async def take(self, field: str, principal: str) -> bool:
        """Before a claim: False if the ID is live under another principal. `StoreError`."""
        for _ in range(TRIES):
            now = await self._read(field)
            if now and _principal(now) != principal and await self._is_live(field, _principal(now)):
                return False
            if await self._swap(field, now, _writing(INTENDED, principal)):
                return True
        return False

    async def confirm(self, field: str, principal: str) -> bool:
        """After a claim: False if another principal took it over meanwhile, so that it must be undone."""
        for _ in range(TRIES):
            now = await self._read(field)
            if now and _principal(now) != principal:
                return False
            if await self._swap(field, now, _writing(HELD, principal)):
                return True
        return False

    async def give_back(self, field: str, bucket: str) -> None:
        """After a release from that bucket: removes the key, unless it is claimed anew."""
        now = await self._read(field)
        if not now or now[0] != HELD or self._bucket_of(_principal(now)) != bucket:
            return
        if not await self._is_live(field, _principal(now)):
            await self._swap(field, now, "")

    async def _is_live(self, field: str, principal: str) -> bool:
        answer = await self._store.call(self._bucket_of(principal), "find", principal, field)
        return bool(answer[0] == "ok")

    async def _read(self, field: str) -> str:
        return await self._store.command("GET", self._key(field)) or ""

    async def _swap(self, field: str, before: str, after: str) -> bool:
        answer = await self._store.call(self._key(field), "swap", before, after, int(LASTS * 1000))
        return bool(answer == 1)

    def _key(self, field: str) -> str:
        return f"{self._namespace}:id:{field}"


def _writing(state: str, principal: str) -> str:
    return f"{state}{token_hex(6)}{principal}"


def _principal(writing: str) -> str:
    return writing[13:]
