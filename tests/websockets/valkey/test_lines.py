"""Lines between processes: what is heard, what is not, and what happens when a server goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from redis.asyncio import Redis

from canonid import StoreError
from canonid.scopes.valkey.store import Store
from canonid.websockets.backplane import run_channel, run_of
from canonid.websockets.valkey.journal import STEPS
from canonid.websockets.valkey.lines import Lines
from scopes.servers import client, until
from stores import Proxy, Server

ODD = ["a/b", "{a}b}", "}{", "{}", "a\nb", "\n", "é\U0001f511\U0010ffff", "a\0b", "a b", "*", "x" * 5000]


class Ear:
    """The lines of one process, and what they told."""

    def __init__(self, url: Any, process: str, prefix: str) -> None:
        self.heard: list[tuple[str, str]] = []
        self.again: list[str] = []
        self.store = Store(url, 3, STEPS)
        self.lines = Lines(self.store, process, prefix)
        self.lines.start(lambda channel, text: self.heard.append((channel, text)), self.again.append)

    async def aclose(self) -> None:
        await self.lines.aclose()
        await self.store.aclose()


@asynccontextmanager
async def ears(prefix: str, *urls: Any) -> AsyncIterator[list[Ear]]:
    async with AsyncExitStack() as stack:
        made = []
        for number, url in enumerate(urls):
            made.append(Ear(url, f"p{number}", prefix))
            stack.push_async_callback(made[-1].aclose)
        yield made


async def told_again(sender: Ear, receiver: Ear, channel: str) -> None:
    """Tells until it is heard."""

    async def heard() -> bool:
        with suppress(StoreError):
            await sender.lines.tell(channel, "again")
        return (channel, "again") in receiver.heard

    await until(heard)


@pytest.mark.parametrize("options", ["", "?protocol=2", "?protocol=3", "?decode_responses=True"])
def test_others_hear_in_order_and_who_told_does_not(shared_valkey: Server, prefix: str, options: str) -> None:
    async def main() -> None:
        url = shared_valkey.url + options
        async with ears(prefix, url, url) as (a, b):
            for ear in (a, b):
                await ear.lines.listen("news")
            assert [await a.lines.tell("news", str(n)) for n in range(100)] == [2] * 100
            assert await b.lines.tell("news", "over\nto you") == 2
            await until(lambda: a.heard and len(b.heard) == 100)
            assert b.heard == [("news", str(n)) for n in range(100)] and not b.again
            assert a.heard == [("news", "over\nto you")]

    asyncio.run(main())


def test_the_callers_own_client_stays_open_and_its_pool_untouched(shared_valkey: Server, prefix: str) -> None:
    async def main() -> None:
        own = Redis.from_url(shared_valkey.url, max_connections=2, decode_responses=True)
        async with own, ears(prefix, own, shared_valkey.url) as (a, b):
            await a.lines.listen("x")
            await told_again(b, a, "x")
            assert await own.ping()  # type: ignore[no-untyped-call]

    asyncio.run(main())


def test_odd_names_are_names_like_any_other(shared_valkey: Server, prefix: str) -> None:
    async def main() -> None:
        async with ears(prefix, shared_valkey.url, shared_valkey.url) as (a, b):
            for name in [*ODD, *map(run_channel, ODD)]:
                await b.lines.listen(name)
                assert await a.lines.tell(name, name) == 1 == await a.lines.listeners(name)
                await until(lambda name=name: (name, name) in b.heard)
            assert len(b.heard) == 2 * len(ODD)

    asyncio.run(main())
    assert [run_of(run_channel(name)) for name in ODD] == ODD


def test_listening_is_counted(shared_valkey: Server, prefix: str) -> None:
    async def main() -> None:
        async with ears(prefix, shared_valkey.url, shared_valkey.url) as (a, b):
            await asyncio.gather(*[b.lines.listen("x") for _ in range(3)])
            for left in (2, 1, 0):
                assert await a.lines.tell("x", str(left)) == 1
                await b.lines.unlisten("x")
            await until_nobody_listens(a, "x")
            await b.lines.listen("x")
            assert await a.lines.tell("x", "back") == 1
            await until(lambda: len(b.heard) == 4)
            assert not b.again, "that it was heard before does not make it a break"

    asyncio.run(main())


async def until_nobody_listens(ear: Ear, channel: str) -> None:
    async def nobody() -> bool:
        return await ear.lines.listeners(channel) == 0

    await until(nobody)


def test_whoever_could_not_listen_need_not_unlisten_and_may_try_again(valkey: Server, prefix: str) -> None:
    async def main() -> None:
        async with ears(prefix, valkey.url, valkey.url) as (a, b):
            valkey.kill()
            with pytest.raises(StoreError):
                await b.lines.listen("x")
            valkey.start()

            await until(lambda: succeeds(b.lines.listen("x")))
            await told_again(a, b, "x")
            await b.lines.unlisten("x")
            await until_nobody_listens(a, "x")

    asyncio.run(main())


async def succeeds(work: Awaitable[object]) -> bool:
    try:
        await work
    except StoreError:
        return False
    return True


@pytest.mark.parametrize("fault", ["restarted", "cut", "hung"])
def test_after_a_break_every_channel_is_heard_again(valkey: Server, prefix: str, fault: str) -> None:
    async def main() -> None:
        async with Proxy(valkey.port) as proxy, ears(prefix, valkey.url, proxy.url) as (a, b):
            channels = [f"c{n}" for n in range(50)]
            for channel in channels:
                await b.lines.listen(channel)
            match fault:
                case "restarted":
                    valkey.kill()
                    valkey.start()
                case "cut":
                    proxy.cut()
                case "hung":
                    proxy.hang()
                    with pytest.raises(StoreError):
                        await b.lines.tell("c1", "x")
                    await asyncio.wait_for(b.lines.unlisten("c49"), 10)
                    proxy.cut()
                    proxy.heal()
            channels = channels[:49]
            for channel in channels:
                await told_again(a, b, channel)
            assert set(b.again) >= set(channels)

    asyncio.run(main())


def test_garbage_of_strangers_and_a_hearer_that_fails_are_survived(
    shared_valkey: Server, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with ears(prefix, shared_valkey.url, shared_valkey.url) as (a, b):
            await b.lines.listen("x")
            async with client(shared_valkey.url) as stranger:
                for text in (b"\xff\xfe", b"", b"\xff\nx"):
                    await stranger.execute_command("SPUBLISH", f"{prefix}x", text)
            await told_again(a, b, "x")

            def fail(channel: str, text: str) -> None:
                raise RuntimeError("a bug")

            b.lines.start(fail, b.again.append)
            await a.lines.tell("x", "fails")
            await until(lambda: "a bug" in caplog.text)
            b.lines.start(lambda channel, text: b.heard.append((channel, text)), b.again.append)
            b.heard.clear()
            await told_again(a, b, "x")

    asyncio.run(main())


def test_a_thousand_tell_and_listen_at_once(shared_valkey: Server, prefix: str) -> None:
    async def main() -> None:
        async with ears(prefix, shared_valkey.url, shared_valkey.url) as (a, b):
            await asyncio.gather(*[b.lines.listen(f"c{n}") for n in range(1000)])
            assert await asyncio.gather(*[a.lines.tell(f"c{n}", "x") for n in range(1000)]) == [1] * 1000
            await until(lambda: len(b.heard) == 1000)
            await asyncio.gather(*[b.lines.unlisten(f"c{n}") for n in range(1000)])
            await until_nobody_listens(a, "c999")

    asyncio.run(main())


def test_a_name_that_is_no_unicode_is_refused_and_harms_nobody(shared_valkey: Server, prefix: str) -> None:
    async def main() -> None:
        async with Proxy(shared_valkey.port) as proxy, ears(prefix, shared_valkey.url, proxy.url) as (a, b):
            await b.lines.listen("x")
            proxy.cut(refuse=True)
            with pytest.raises(ValueError, match="surrogates"):
                await b.lines.listen("\ud800")
            proxy.heal()
            await told_again(a, b, "x")
            with pytest.raises(StoreError):
                await a.lines.tell("\ud800", "x")

    asyncio.run(main())


def test_a_relisten_that_fails_does_not_end_the_line(
    shared_valkey: Server, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with Proxy(shared_valkey.port) as proxy, ears(prefix, shared_valkey.url, proxy.url) as (a, b):

            def fail(channel: str) -> None:
                raise RuntimeError("a bug")

            b.lines.start(lambda channel, text: b.heard.append((channel, text)), fail)
            await b.lines.listen("x")
            proxy.cut()
            await told_again(a, b, "x")
            assert "a bug" in caplog.text

    asyncio.run(main())
