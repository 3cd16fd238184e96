"""Order, both ways: what is written at once, queued or replayed; what a busy application is given."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections.abc import Callable
from typing import Any

from canonid.websockets import Coalesce, Connection, DropOldest, Run

Make = Callable[..., Any]


def test_what_is_sent_arrives_in_order_however_it_was_written(world: Make) -> None:
    w = world(
        uvicorn={"ws": "canonid.websockets.uvicorn:Protocol"},
        limits={"outbox_messages": 100_000, "outbox_bytes": 2**27},
        backpressure={"oldest": DropOldest(), "newest": Coalesce("key")},
    )
    dice = random.Random(5)

    async def publish(run: Run) -> None:
        for n in range(200):
            await run.publish("token", {"padding": secrets.token_hex(dice.choice([10, 3000]))})
            if n % 7 == 0:
                await asyncio.sleep(0)

    async def produce(connection: Connection, thread: str) -> None:
        n = 0
        while n < 1500:
            for _ in range(dice.choice([1, 3, 17, 40])):
                padding = secrets.token_hex(dice.choice([5, 500, 20_000]))
                kind = dice.choice(["kept", "kept", "newest", "oldest"])
                await connection.send({"type": kind, "n": n, "key": n % 3, "padding": padding})
                n += 1
            if dice.random() < 0.05:
                await w.hub.start_run(connection, thread=thread, execute=publish)
            await asyncio.sleep(dice.choice([0, 0, 0.002]))
        await connection.send({"type": "end", "n": n})

    async def main() -> None:
        person = w.person()
        client = await w.watching(person)
        connection = next(iter(w.hub._present.connections.values()))

        async def falter() -> None:
            while True:
                client.raw.transport.pause_reading()
                await asyncio.sleep(dice.random() * 0.1)
                client.raw.transport.resume_reading()
                await asyncio.sleep(dice.random() * 0.1)

        faltering = asyncio.create_task(falter())
        producing = asyncio.create_task(w.server.call(produce(connection, person.thread)))
        last, events, runs = -1, 0, dict[str, int]()
        while True:
            message = await client.receive()
            if message["type"] == "event":
                assert message["seq"] == runs.get(message["run"], 0) + 1
                runs[message["run"]] = message["seq"]
                events += 1
            elif "n" in message and message["type"] != "dropped":
                assert message["n"] > last
                last = message["n"]
                if message["type"] == "end":
                    break
        assert events and runs
        await producing
        faltering.cancel()
        client.raw.transport.resume_reading()

    w.run(main())


def test_a_busy_application_is_given_every_message_once_in_order_one_at_a_time(world: Make) -> None:
    limits = {"message_burst": 10_000, "byte_burst": 10**8, "inbox_messages": 4}
    w = world(uvicorn={"ws": "canonid.websockets.uvicorn:Protocol"}, limits=limits)
    dice = random.Random(3)
    given: list[int] = []
    busy = False

    @w.hub.on_message
    async def receive(connection: Connection, message: dict[str, Any]) -> None:
        nonlocal busy
        assert not busy
        busy = True
        for _ in range(dice.choice([0, 0, 0, 1, 5])):
            await asyncio.sleep(0)
        if dice.random() < 0.05:
            await asyncio.sleep(0.003)
        given.append(message["n"])
        busy = False

    async def main() -> None:
        client = await w.ready(w.person())
        for n in range(2000):
            await client.raw.send(json.dumps({"type": "m", "n": n}))
            if dice.random() < 0.1:
                await asyncio.sleep(0.001)
        await w.until(lambda: len(given) == 2000)
        assert given == list(range(2000))

    w.run(main())
