"""What nobody should pass, to every public function of a hub."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from canonid import CanonidError, InvalidId, NotFound, UnknownName
from canonid.testing import Streams
from canonid.websockets import Coalesce, DropOldest, Grace, Hub, Limits
from canonid.websockets.support import tree
from core.bad_input import BAD, NOT_TEXTS

Call = Callable[[Hub, Any], Awaitable[object]]


async def nothing(run: object) -> None: ...


M = {"type": "m"}

IDS: dict[str, Call] = {
    "send_to_user": lambda hub, x: hub.send_to_user(x, M),
    "send_to_thread": lambda hub, x: hub.send_to_thread(x, M),
    "send_to_connection": lambda hub, x: hub.send_to_connection(x, M),
    "send_to_scope": lambda hub, x: hub.send_to_scope("session", x, M),
    "close_session": lambda hub, x: hub.close_session(x),
    "live_of": lambda hub, x: hub.live_of(x),
    "tree": tree,
    "start_run for": lambda hub, x: hub.start_run(x, thread="thread", execute=nothing),
    "issue_ticket of": lambda hub, x: hub.issue_ticket(principal=x, session="session", expires_at=2e9),
    "issue_ticket for": lambda hub, x: hub.issue_ticket(principal="user", session=x, expires_at=2e9),
}


@pytest.mark.parametrize("name", IDS)
def test_a_bad_id_is_refused_by_an_error_of_ours(registry: Any, store: Any, name: str) -> None:
    async def main() -> None:
        hub = Hub(registry, store)
        for said, text in BAD.items():
            with pytest.raises((InvalidId, NotFound)):
                await IDS[name](hub, text)
                raise AssertionError(said)
        await hub.shutdown()

    asyncio.run(main())


@pytest.mark.parametrize("what", NOT_TEXTS)
def test_a_bad_topic_or_kind_is_refused(registry: Any, store: Any, what: str) -> None:
    async def main() -> None:
        hub = Hub(registry, store)
        with pytest.raises(ValueError, match="a topic is a text of 1 to 256"):
            await hub.send_to_topic(NOT_TEXTS[what], M)  # type: ignore[arg-type]
        with pytest.raises(UnknownName):
            await hub.send_to_scope(NOT_TEXTS[what], "x", M)  # type: ignore[arg-type]

    asyncio.run(main())


MESSAGES = {
    "text": "hello",
    "list": [1],
    "None": None,
    "object": object(),
    "nan": {"n": math.nan},
    "set": {"s": {1}},
    "itself": {},
    "deep": {},
    "big": {"text": "x" * 2_000_000},
}
MESSAGES["itself"]["self"] = MESSAGES["itself"]  # type: ignore[index, call-overload]
below: Any = MESSAGES["deep"]
for _ in range(100_000):
    below["d"] = below = {}


@pytest.mark.parametrize("what", MESSAGES)
@pytest.mark.parametrize("policies", [{}, {"m": DropOldest(), "n": Coalesce("x")}], ids=["plain", "policies"])
def test_what_is_no_message_is_a_value_error(registry: Any, store: Any, what: str, policies: Any) -> None:
    async def main() -> None:
        hub = Hub(registry, store, backpressure=policies)
        with pytest.raises(ValueError, match="message"):
            await hub.send_to_topic("news", MESSAGES[what])  # type: ignore[arg-type]

    asyncio.run(main())


RUNS: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "no function": ({"execute": None}, TypeError),
    "a coroutine": ({"execute": "run"}, TypeError),
    "another word": ({"on_last_detach": "stop"}, ValueError),
    "None": ({"on_last_detach": None}, ValueError),
    "negative": ({"on_last_detach": Grace(-1)}, ValueError),
    "nan": ({"on_last_detach": Grace(math.nan)}, ValueError),
    "text": ({"on_last_detach": Grace("1")}, ValueError),  # type: ignore[arg-type]
    "a number": ({"on_last_detach": 30}, ValueError),
}


@pytest.mark.parametrize("what", RUNS)
def test_a_run_that_makes_no_sense_is_refused_before_anything_begins(
    registry: Any, store: Any, what: str
) -> None:
    options, error = RUNS[what]

    async def main() -> None:
        hub = Hub(registry, store)
        with pytest.raises(error, match="expected"):
            await hub.start_run("session", **{"thread": "thread", "execute": nothing} | options)

    asyncio.run(main())


@pytest.mark.parametrize("at", [math.nan, "2030", None, True, []], ids=repr)
def test_a_ticket_needs_a_time_at_which_it_ends(registry: Any, store: Any, at: Any) -> None:
    async def main() -> None:
        hub = Hub(registry, store)
        with pytest.raises(ValueError, match="expires_at"):
            await hub.issue_ticket(principal="user", session="session", expires_at=at)
        with pytest.raises(ValueError, match="expires_at"):
            hub.tickets.issue(principal="user", session="session", expires_at=at)

    asyncio.run(main())


HUBS: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "origins as one text": ({"origins": "https://chat.example"}, TypeError),
    "a policy that is none": ({"backpressure": {"m": "drop"}}, TypeError),
    "an unknown kind of IDs": ({"ids": {"x": "nonsense"}}, CanonidError),
    "a limit that is no time": ({"limits": Limits(heartbeat=0)}, ValueError),
    "no room at all": ({"limits": Limits(outbox_messages=0)}, ValueError),
}


@pytest.mark.parametrize("what", HUBS)
def test_a_hub_that_makes_no_sense_is_refused(registry: Any, store: Any, what: str) -> None:
    options, error = HUBS[what]
    with pytest.raises(error):
        Hub(registry, store, **options)


def test_a_clients_streams_can_begin_again_after_the_end() -> None:
    streams = Streams()
    first = {"type": "event", "run": "r", "seq": 1, "event": "run_completed", "final": True}
    streams.follow(first)
    streams.begin("r", 0)
    streams.follow(first)
    assert streams.finished == {"r"}
