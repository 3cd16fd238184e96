"""Clients that read too slowly: what they miss, what they are told, and that nobody else notices."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from canonid.websockets import Coalesce, DropOldest

Make = Callable[..., Any]
BOUNDED = "canonid.websockets.uvicorn:Protocol"
noise = random.Random(11)  # deflate would swallow anything regular


def shed(w: Any) -> Counter[tuple[str, str]]:
    """What the hub counted, by type and policy."""
    counts = [(labels, value) for name, labels, value in w.hub.counters if name == "shed"]
    return Counter({(labels["type"], labels["policy"]): value for labels, value in counts})


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_slow_client_misses_presence_is_told_so_and_stays_while_others_get_all(
    world: Make, loop: str
) -> None:
    policies = {"presence": DropOldest(), "cursor": Coalesce("user")}
    w = world(backpressure=policies, limits={"outbox_messages": 10}, uvicorn={"ws": BOUNDED, "loop": loop})

    async def main() -> None:
        person = w.person()
        healthy, slow = await w.watching(person), await w.watching(person, max_queue=1)
        slow.raw.transport.pause_reading()
        n = 0
        while not shed(w)["presence", "drop_oldest"]:
            payload = noise.randbytes(32_768).hex()
            for message in (
                {"type": "presence", "n": n, "payload": payload},
                {"type": "cursor", "user": "u", "n": n},
            ):
                assert await w.server.call(w.hub.send_to_thread(person.thread, message)) == 2
                assert (await healthy.receive(message["type"]))["n"] == n
            n += 1
        slow.raw.transport.resume_reading()
        assert await w.server.call(w.hub.send_to_thread(person.thread, {"type": "last"})) == 2
        seen: Counter[str] = Counter()
        cursor, dropped = None, 0
        while (message := await slow.receive())["type"] != "last":
            seen[message["type"]] += 1
            cursor = message if message["type"] == "cursor" else cursor
            dropped += message["n"] if message["type"] == "dropped" else 0
        assert cursor is not None and cursor["n"] == n - 1
        assert seen["presence"] + dropped == n
        counted = {
            (labels["type"], labels["policy"]): v for name, labels, v in w.hub.counters if name == "shed"
        }
        assert counted["presence", "drop_oldest"] == dropped
        assert counted["cursor", "coalesce"] == n - seen["cursor"]

    w.run(main())


def test_a_stalled_client_that_gets_droppable_messages_alone_is_never_closed_for_them(world: Make) -> None:
    w = world(
        backpressure={"presence": DropOldest()},
        limits={"outbox_messages": 5, "close_timeout": 0.2},
        uvicorn={"ws": BOUNDED},
    )

    async def main() -> None:
        person = w.person()
        stalled = await w.watching(person, max_queue=1)
        stalled.raw.transport.pause_reading()
        while shed(w)["presence", "drop_oldest"] < 50:
            message = {"type": "presence", "payload": noise.randbytes(32_768).hex()}
            assert await w.server.call(w.hub.send_to_thread(person.thread, message)) == 1
        while await w.server.call(w.hub.send_to_thread(person.thread, {"type": "note"})):
            assert len(w.hub.closes) == 0
        await w.gone()
        assert w.last().code == 1013

    w.run(main())
