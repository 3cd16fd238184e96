"""What tests ask of a store behind the trees' backs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

BOOKKEEPING = {"store", "seq", "epochs", "released"}


@asynccontextmanager
async def client(url: str):
    connection = Redis.from_url(url, decode_responses=True)
    try:
        yield connection
    finally:
        await connection.aclose()


async def leftovers(url: str, namespace: str) -> set[str]:
    """The keys of a namespace beyond the bounded bookkeeping."""
    async with client(url) as connection:
        keys = [key async for key in connection.scan_iter(f"{namespace}:*")]
    return {key for key in keys if key.split("}:", 1)[1] not in BOOKKEEPING}


async def released(url: str, namespace: str) -> list[dict[str, Any]]:
    """The records of what was released, oldest first, each with its `ids` as [field, owner, nonce]."""
    async with client(url) as connection:
        entries = await connection.xrange(f"{namespace}:{{0}}:released")
    return [{**fields, "ids": json.loads(fields["ids"])} for _, fields in entries]


async def released_names(url: str, namespace: str) -> list[str]:
    """The canonical IDs in the order of their release."""
    records = await released(url, namespace)
    return [field.split("/", 1)[1] for record in records for field, _, _ in record["ids"]]


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Waits for a condition, plain or async."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if await answer if isinstance(answer, Awaitable) else answer:
            return
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)
