"""Every limit over a real socket: its close code, its reason, and that it was counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from canonid.websockets import Connection, Handshake
from canonid.websockets.rates import Bucket
from faults import fault

Make = Callable[..., Any]


def exceeded(w: Any) -> list[tuple[str, str]]:
    """(limit, code) of every limit that was exceeded."""
    return [
        (labels["limit"], labels["code"]) for name, labels, _ in w.hub.counters if name == "limit_exceeded"
    ]


async def flood(client: Any, **message: Any) -> None:
    """Send the same message until the server ends the connection."""
    async with asyncio.timeout(20):
        while True:
            try:
                await client.send(**message)
                await asyncio.sleep(0)  # sending to a buffer with room would never let anything be received
            except ConnectionClosed:
                return


@fault("a client sends more messages than the rate", promised="1008, and it is counted")
def test_more_messages_than_the_rate_are_closed_1008(world: Make, protocol: str, seen: Any) -> None:
    w = world(limits={"messages_per_second": 1, "message_burst": 10}, uvicorn={"ws": protocol})
    received = []

    @w.hub.on_message
    async def keep(connection: Connection, message: dict[str, Any]) -> None:
        received.append(message)
        await connection.send({"type": "kept"})

    async def main() -> None:
        person = w.person()
        client, other = await w.ready(person), await w.ready(person)
        for _ in range(10):
            await client.send(type="note")
            await client.receive("kept")
        assert len(received) == 10
        await flood(client, type="note")
        assert await client.ended() == (1008, "too many messages")
        await other.send(type="note")
        await other.receive("kept")

    w.run(main())
    assert exceeded(w) == [("messages_per_second", "1008")]
    seen("1008, counted under its limit")


@fault("a flood of pongs", promised="1008: they count as messages")
def test_a_flood_of_pongs_is_a_flood(world: Make, seen: Any) -> None:
    w = world(limits={"messages_per_second": 1, "message_burst": 10})

    async def main() -> None:
        client = await w.ready(w.person())
        await flood(client, type="pong", n=1)
        assert await client.ended() == (1008, "too many messages")

    w.run(main())
    assert exceeded(w) == [("messages_per_second", "1008")]
    seen("1008")


def test_more_bytes_than_the_rate_are_closed_1008(world: Make) -> None:
    w = world(limits={"bytes_per_second": 1, "byte_burst": 0, "max_message": 1000})
    received = []

    @w.hub.on_message
    async def keep(connection: Connection, message: dict[str, Any]) -> None:
        received.append(message)
        await connection.send({"type": "kept"})

    async def main() -> None:
        client = await w.ready(w.person())
        await client.raw.send('{"type":"note","text":"' + "é" * 480 + '"}')  # 985 bytes, half the characters
        await client.receive("kept")
        await client.raw.send('{"type":"note","text":"' + "x" * 480 + '"}')
        assert await client.ended() == (1008, "too many bytes")

    w.run(main())
    assert len(received) == 1
    assert exceeded(w) == [("bytes_per_second", "1008")]


def test_a_client_that_says_nothing_is_closed_4408_and_its_pongs_are_nothing(
    world: Make, protocol: str
) -> None:
    w = world(limits={"idle_timeout": 0.5, "heartbeat": 0.1}, uvicorn={"ws": protocol})

    @w.hub.on_message
    async def hear(connection: Connection, message: dict[str, Any]) -> None:
        await connection.send({"type": "heard"})

    async def main() -> None:
        person = w.person()
        client, idle = await w.ready(person), await w.ready(person)
        ending = asyncio.create_task(idle.receive("never"))
        while not ending.done():
            await client.send(type="note")
            await client.receive("heard")
            await client.receive("ping")
        assert isinstance(ending.exception(), ConnectionClosed)
        assert await idle.ended() == (4408, "idle for too long")
        await w.until(lambda: len(w.hub.closes) == 1)
        await client.send(type="note")
        await client.receive("heard")

    w.run(main())
    assert exceeded(w) == [("idle_timeout", "4408")]


def test_a_busy_application_does_not_make_a_client_idle(world: Make) -> None:
    w = world(limits={"idle_timeout": 0.2, "inbox_messages": 1, "heartbeat": 0.1})
    go_on = asyncio.Event()

    @w.hub.on_message
    async def slow(connection: Connection, message: dict[str, Any]) -> None:
        await go_on.wait()
        await connection.send({"type": "done"})

    async def main() -> None:
        client = await w.ready(w.person())
        for _ in range(3):  # more than the inbox holds, so that nothing more is read
            await client.send(type="work")
        for _ in range(8):
            await client.receive("ping")
        w.server.loop.call_soon_threadsafe(go_on.set)
        for _ in range(3):
            await client.receive("done")

    w.run(main())


@fault("more handshakes at once than allowed", promised="1013 for the next one, without asking anybody")
def test_so_many_handshakes_at_once_and_no_more(world: Make, protocol: str, seen: Any) -> None:
    go_on = asyncio.Event()

    async def slow(handshake: Handshake) -> None:
        await go_on.wait()

    w = world(authenticate=slow, limits={"handshakes": 2, "auth_timeout": 20}, uvicorn={"ws": protocol})

    async def main() -> None:
        waiting = [await w.connect() for _ in range(2)]
        await w.until(lambda: w.hub.counts().handshakes == 2)
        assert await (await w.connect()).ended() == (1013, "too many handshakes")
        w.server.loop.call_soon_threadsafe(go_on.set)
        for client in waiting:
            assert (await client.ended())[0] == 4401
        await w.gone()
        assert (await (await w.connect()).ended())[0] == 4401

    w.run(main())
    assert exceeded(w) == [("handshakes", "1013")]
    seen("1013 for those above the bound; the others came in")


def test_authenticating_for_too_long_is_counted(world: Make) -> None:
    async def never(handshake: Handshake) -> None:
        await asyncio.Event().wait()

    w = world(authenticate=never, limits={"auth_timeout": 0.1})

    async def main() -> None:
        assert (await (await w.connect()).ended())[0] == 4401

    w.run(main())
    assert exceeded(w) == [("auth_timeout", "4401")]


def test_limits_that_have_tests_of_their_own_are_counted_too(world: Make) -> None:
    async def by_path(handshake: Handshake) -> Any:
        return await (
            asyncio.Event().wait() if b"slow" in handshake.query_string else w.hub._redeem(handshake)
        )

    limits = {"connections_per_principal": 1, "max_message": 100, "auth_timeout": 0.3, "outbox_messages": 3}
    w = world(authenticate=by_path, limits=limits)

    @w.hub.on_message
    async def answer_much(connection: Connection, message: dict[str, Any]) -> None:
        for _ in range(5):
            await connection.send({})

    async def main() -> None:
        person = w.person()
        client = await w.ready(person)
        assert await (await w.connect(person)).ended() == (1008, "too many connections")
        await client.send(text="x" * 100)
        assert (await client.ended())[0] == 1009
        await w.gone()
        client = await w.ready(person)
        await client.send()
        assert (await client.ended())[0] == 1013

    w.run(main())
    assert sorted(exceeded(w)) == [
        ("connections_per_principal", "1008"),
        ("max_message", "1009"),
        ("outbox", "1013"),
    ]


takes = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20)), max_size=50)


@given(takes, st.floats(0.1, 10), st.floats(0, 20))
def test_a_bucket_never_gives_more_than_its_burst_and_what_it_gained(
    takes: list[tuple[float, float]], rate: float, burst: float
) -> None:
    bucket, now, given = Bucket(rate, burst, 0.0), 0.0, 0.0
    for pause, tokens in takes:
        now += pause
        if bucket.take(tokens, now):
            given += tokens
        assert given <= burst + rate * now + 1e-6


@given(takes, st.floats(0.1, 10), st.floats(1, 20))
def test_who_keeps_to_the_rate_is_never_refused(
    takes: list[tuple[float, float]], rate: float, burst: float
) -> None:
    bucket, now = Bucket(rate, burst, 0.0), 0.0
    for _, tokens in takes:
        wanted = min(tokens, burst)
        now += wanted / rate + 1e-6
        assert bucket.take(wanted, now)
