"""Tickets in a store: good once, for a while, for whoever is first."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from canonid import StoreError
from canonid.aliases import Lineage
from canonid.scopes.valkey.store import Store
from canonid.websockets.tickets import Ticket
from canonid.websockets.valkey.tickets import ValkeyTickets
from scopes.servers import client, until
from stores import Server

TICKET = Ticket("u\U0001f511", "s\n", 9.5, 1.25, Lineage("s", "session", "u", "user", "u", "old", 1.0))


@asynccontextmanager
async def tickets(url: str, prefix: str) -> AsyncIterator[ValkeyTickets]:
    store = Store(url, 3)
    try:
        yield ValkeyTickets(store, prefix)
    finally:
        await store.aclose()


@pytest.mark.parametrize("options", ["", "?protocol=3", "?decode_responses=True"])
def test_many_take_a_ticket_at_once_and_one_gets_it(shared_valkey: Server, prefix: str, options: str) -> None:
    async def main() -> None:
        url = shared_valkey.url + options
        async with tickets(url, prefix) as a, tickets(url, prefix) as b:
            for token in ("one", "t\0w{o}\n"):
                await a.keep(token, TICKET, 30)
                taken = await asyncio.gather(*[each.take(token) for _ in range(100) for each in (a, b)])
                assert [ticket for ticket in taken if ticket is not None] == [TICKET]
            assert await a.take("forged") is None
            plain = TICKET._replace(lineage=None)
            await a.keep("plain", plain, 30)
            assert await b.take("plain") == plain

    asyncio.run(main())


def test_a_ticket_and_the_end_of_a_session_expire(shared_valkey: Server, prefix: str) -> None:
    async def main() -> None:
        async with tickets(shared_valkey.url, prefix) as t, client(shared_valkey.url) as connection:
            await t.keep("x", TICKET, 0.2)
            await t.end_session(["s", "s/2"], 12.25)
            assert await t.ended_at("s") == await t.ended_at("s/2") == 12.25
            assert await t.ended_at("other") is None
            keys = [key async for key in connection.scan_iter(f"{prefix}ended:*")]
            assert len(keys) == 2 and all([0 < await connection.ttl(key) <= 600 for key in keys])

            async def expired() -> bool:
                return not [key async for key in connection.scan_iter(f"{prefix}ticket:*")]

            await until(expired)
            assert await t.take("x") is None

    asyncio.run(main())


@pytest.mark.parametrize("garbage", [b"", b"{}", b"[1]", b"[]", b"null", b"\xff", b'["u","s",1,1,[1]]'])
def test_garbage_in_the_store_is_an_error_of_the_store(
    shared_valkey: Server, prefix: str, garbage: bytes
) -> None:
    async def main() -> None:
        async with tickets(shared_valkey.url, prefix) as t, client(shared_valkey.url) as connection:
            await connection.set(f"{prefix}ticket:{hashlib.sha256(b'x').hexdigest()}", garbage)
            await connection.set(f"{prefix}ended:s", garbage)
            with pytest.raises(StoreError):
                await t.take("x")
            with pytest.raises(StoreError):
                await t.ended_at("s")

    asyncio.run(main())
