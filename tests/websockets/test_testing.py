"""The client for tests of applications, against a real hub, and against one that breaks its promises."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_raw

from canonid.testing import Client, ClosedEarly, StreamBroken, Streams, serve
from canonid.websockets import Connection, Run

Make = Callable[..., Any]
READY = {"type": "ready", "connection": "connection_1", "session": "session_1"}


def a_client(w: Any, person: Any, **options: Any) -> Client:
    return Client(f"http://127.0.0.1:{w.server.port}/", lambda: w.ticket(person), **options)


@pytest.fixture
def counting(world: Make) -> Any:
    """A world whose application counts to n, one event each, and waits at `hold` until told to go on."""
    w = world(limits={"heartbeat": 0.2, "run_events": 6, "close_timeout": 0.5})
    w.go = asyncio.Event()

    @w.hub.on_message
    async def receive(connection: Connection, message: dict[str, Any]) -> None:
        async def count(run: Run) -> None:
            for n in range(message["n"]):
                if n == message.get("hold"):
                    await w.go.wait()
                await run.publish("counted", {"n": n})

        await w.hub.start_run(connection, thread=message["thread"], execute=count)

    return w


def test_it_connects_watches_and_follows_a_run_to_its_end(counting: Any) -> None:
    w = counting
    person = w.person()

    async def main() -> None:
        async with a_client(w, person) as client:
            assert client.session == w.registry.canonical(person.session, "session")
            await client.watch(person.thread)
            await client.send(type="count", n=5, thread=person.thread)
            events = await client.events()
            assert [event["seq"] for event in events] == [1, 2, 3, 4, 5, 6]
            assert client.streams.unfinished == {} and client.streams.gaps == []
        await w.gone()
        assert w.last().code == 1000

    w.run(main())


def test_it_answers_pings_unless_told_not_to(counting: Any) -> None:
    w = counting

    async def main() -> None:
        async with a_client(w, w.person()) as answers, a_client(w, w.person(), pongs=False) as silent:
            assert await silent.ended() == (1008, "no heartbeat")
            await w.until(lambda: w.hub.counts().connections == 1)
            assert answers.raw.close_code is None

    w.run(main())


def test_it_vanishes_comes_back_and_misses_nothing(counting: Any) -> None:
    w = counting
    person = w.person()

    async def main() -> None:
        async with a_client(w, person) as client:
            await client.watch(person.thread)
            await client.send(type="count", n=5, hold=2, thread=person.thread)
            first = [await client.receive("event"), await client.receive("event")]
            client.vanish()
            assert (await client.ended())[0] == 1006
            await w.gone()
            w.server.loop.call_soon_threadsafe(w.go.set)
            await w.until(lambda: w.hub.run(first[0]["run"]).ended)
            was = client.connection
            await client.reconnect()
            assert client.connection != was
            rest = await client.events()
            assert [event["seq"] for event in first + rest] == [1, 2, 3, 4, 5, 6]

    w.run(main())


def test_a_gap_that_the_hub_tells_of_is_no_fault(counting: Any) -> None:
    w = counting
    person = w.person()

    async def main() -> None:
        async with a_client(w, person) as client:
            await client.watch(person.thread)
            await client.send(type="count", n=20, hold=1, thread=person.thread)
            run = (await client.receive("event"))["run"]
            client.vanish()
            await w.gone()
            w.server.loop.call_soon_threadsafe(w.go.set)
            await w.until(lambda: w.hub.run(run).ended)
            await client.reconnect()
            gap, *events = await client.events()
            assert gap["type"] == "gap" and client.streams.gaps == [(run, 2, 15)]
            assert [event["seq"] for event in events] == list(range(16, 22))

    w.run(main())


def test_messages_of_other_types_stay_for_later(counting: Any) -> None:
    w = counting
    person = w.person()

    async def main() -> None:
        async with a_client(w, person) as client:
            await w.server.call(w.hub.send_to_user(person.user, {"type": "first"}))
            await w.server.call(w.hub.send_to_user(person.user, {"type": "second"}))
            assert (await client.receive("second"))["type"] == "second"
            assert (await client.receive())["type"] == "first"

    w.run(main())


def test_what_never_comes_and_what_is_closed_instead_say_so(counting: Any) -> None:
    w = counting
    person = w.person()

    async def main() -> None:
        async with a_client(w, person, patience=0.5) as client:
            await w.server.call(w.hub.send_to_user(person.user, {"type": "other"}))
            with pytest.raises(TimeoutError, match=r"message of type 'never' for 0.5 s; unread: \['other'\]"):
                await client.receive("never")
        async with a_client(w, person) as client:
            await client.send(type="watch", thread="nothing")
            with pytest.raises(
                ClosedEarly, match=r"closed with 4404 \(unknown or not yours\) instead of"
            ) as closed:
                await client.receive("watching")
            assert closed.value.code == 4404
        with pytest.raises(ClosedEarly, match="4401"):
            await Client(f"ws://127.0.0.1:{w.server.port}/", lambda: "forged").connect()

    w.run(main())


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda client: client.send_frame("no JSON"), 1008),
        (lambda client: client.send_frame(b"binary"), 1008),
        (lambda client: client.send(type="count", n=1, thread="nothing"), 4404),
        (lambda client: client.send_frame("x" * 70_000), 1009),
    ],
)
def test_it_sends_what_a_good_client_would_not(
    counting: Any, send: Callable[[Client], Any], code: int
) -> None:
    w = counting

    async def main() -> None:
        async with a_client(w, w.person()) as client:
            await send(client)
            assert (await client.ended())[0] == code

    w.run(main())


def test_it_writes_bytes_that_are_no_frames(counting: Any) -> None:
    w = counting

    async def main() -> None:
        async with a_client(w, w.person()) as client:
            client.send_bytes(b"\xff\xff\xff\xff")  # reserved bits, an unknown opcode
            assert (await client.ended())[0] in (1002, 1006)
            await w.gone()

    w.run(main())


def test_it_stalls_and_goes_on(counting: Any) -> None:
    w = counting
    person = w.person()

    async def main() -> None:
        async with a_client(w, person) as client:
            client.stall()
            await w.server.call(w.hub.send_to_user(person.user, {"type": "hello"}))
            await w.until(lambda: w.hub.queued().messages == 0)
            assert not client._unread
            client.go_on()
            await client.receive("hello")

    w.run(main())


def event(seq: int | None, **more: Any) -> dict[str, Any]:
    return {"type": "event", "run": "run_1", "event": "e", "seq": seq} | more


FINAL = event(2, final=True)


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ([event(1), event(1)], "event 1 was repeated; 1 had been seen"),
        ([event(1), event(4)], "event 4 came after 1, so 2 to 3 are lost"),
        ([event(2)], "event 2 came after 0, so 1 to 1 are lost"),
        ([event(1), FINAL, event(3)], "e came after the final event"),
        ([event(None)], "e has no number"),
        (
            [event(1), {"type": "gap", "run": "run_1", "from": 3, "to": 4}],
            "a gap from 3 came after 1, so 2 to 2",
        ),
        ([event(1), {"type": "gap", "run": "run_1", "from": 1, "to": 4}], "a gap from 1 was repeated"),
        ([{"type": "gap", "run": "run_1", "from": 1, "to": 0}], "a gap from 1 to 0"),
    ],
)
def test_a_hub_that_loses_or_repeats_is_found_out(told: list[dict[str, Any]], fault: str) -> None:
    async def lie(connection: ServerConnection) -> None:
        for message in [READY, *told]:
            await connection.send(json.dumps(message))
        await connection.wait_closed()

    async def main() -> None:
        async with serve_raw(lie, "127.0.0.1", 0, subprotocols=["canonid.v1"]) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(StreamBroken, match=f"run run_1: {fault}"):
                async with Client(url, lambda: "t") as client:
                    await client.receive("never")
            with pytest.raises(StreamBroken, match=f"run run_1: {fault}"):
                async with Client(url, lambda: "t") as client:
                    async with asyncio.timeout(20):
                        while client._failure is None:  # noqa: ASYNC110 - nothing tells of it
                            await asyncio.sleep(0.005)

    asyncio.run(main())


def test_what_can_not_be_read_is_for_the_test_to_see() -> None:
    async def garble(connection: ServerConnection) -> None:
        await connection.send(json.dumps(READY))
        await connection.send("no JSON")
        await connection.wait_closed()

    async def main() -> None:
        async with serve_raw(garble, "127.0.0.1", 0, subprotocols=["canonid.v1"]) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(json.JSONDecodeError):
                async with Client(url, lambda: "t") as client:
                    await client.receive("never")

    asyncio.run(main())


def test_runs_are_followed_each_by_itself_and_end() -> None:
    streams = Streams()
    other = {"type": "event", "run": "run_2", "event": "e", "seq": 1}
    for message in [event(1), other, {"type": "gap", "run": "run_2", "from": 2, "to": 9}, FINAL]:
        streams.follow(message)
    streams.follow({"type": "event", "run": "run_3", "event": "run_gone", "final": True})
    assert streams.unfinished == {"run_2": 9} and streams.gaps == [("run_2", 2, 9)]
    assert streams.finished == {"run_1", "run_3"}


def test_it_waits_as_long_as_a_restarting_server_asks() -> None:
    came: list[float] = []

    async def restart(connection: ServerConnection) -> None:
        came.append(time.monotonic())
        await connection.send(json.dumps(READY))
        if len(came) == 1:
            await connection.send(json.dumps({"type": "restarting", "retry_after_ms": 300}))
            await connection.close(1012)
        await connection.wait_closed()

    async def main() -> None:
        async with serve_raw(restart, "127.0.0.1", 0, subprotocols=["canonid.v1"]) as server:
            async with Client(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", lambda: "t") as client:
                assert (await client.ended())[0] == 1012
                await client.reconnect()
                assert client.retry_after == 0

    asyncio.run(main())
    assert came[1] - came[0] >= 0.3


async def fails_to_start(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no"})


def test_an_application_that_does_not_start_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    with pytest.raises(RuntimeError, match="did not start"), serve(fails_to_start):
        pass
