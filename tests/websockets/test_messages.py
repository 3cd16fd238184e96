"""What clients may send, and what happens when they, or the application, do otherwise."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from canonid import InvalidId, NotFound
from canonid.websockets import Code, Connection, Limits, Refusal

Make = Callable[..., Any]
NOT_FOUND = (4404, "unknown or not yours")


async def echo(connection: Connection, message: dict[str, Any]) -> None:
    await connection.send({"type": "echo", "text": message["text"]})


def ended(w: Any, *frames: str | bytes) -> tuple[int, str]:
    """How a connection ends after these frames."""

    async def main() -> tuple[int, str]:
        client = await w.ready(w.person())
        for frame in frames:
            await client.raw.send(frame)
        answer = await client.ended()
        await w.gone()
        assert w.last().code == answer[0] and w.last().cut is False
        return answer

    return w.run(main())


def test_messages_reach_the_application_in_order_and_one_at_a_time(world: Make) -> None:
    w = world()
    busy: list[int] = []

    @w.hub.on_message
    async def reply(connection: Connection, message: dict[str, Any]) -> None:
        busy.append(1)
        assert len(busy) == 1
        await asyncio.sleep(0)
        busy.pop()
        await echo(connection, message)

    async def main() -> None:
        client = await w.ready(w.person())
        for n in range(100):
            await client.send(type="say", text=n)
        assert [(await client.receive("echo"))["text"] for _ in range(100)] == list(range(100))

    w.run(main())


@pytest.mark.parametrize(
    "frame",
    [
        b'{"type": "say"}',
        "",
        "{",
        "hello",
        "[1, 2]",
        '"text"',
        "null",
        '{"n": NaN}',
        "[" * 60_000,
        '{"n": ' + "9" * 5_000 + "}",
        '{"n": -1e999}',
        r'{"type": "say", "text": "\ud800"}',
        r'{"type": "say", "texts": [{"deep": "a\uDfffb"}]}',
        r'{"type": "say", "\udc00": 1}',
        r'{"type": "watch", "thread": "\ud800"}',
    ],
    ids=[
        *("binary", "empty", "cut", "word", "list", "string", "null", "nan", "nested", "digits", "huge"),
        *("half a pair", "half a pair deep within", "half a pair in a key", "half a pair in an ID"),
    ],
)
def test_anything_but_a_json_object_in_text_is_policy(world: Make, protocol: str, frame: str | bytes) -> None:
    code, reason = ended(world(uvicorn={"ws": protocol}), frame)
    assert code == 1008 and reason.startswith("expected ")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "subscribe"},
        {"type": "subscribe", "run": 1},
        {"type": "subscribe", "run": "run_x", "last_seq": -1},
        {"type": "subscribe", "run": "run_x", "last_seq": "1"},
        {"type": "subscribe", "run": "run_x", "last_seq": True},
        {"type": "subscribe", "run": "run_x", "last_seq": 1.5},
        {"type": "watch", "thread": None},
        {"type": "cancel", "run": ["x"]},
        {"type": ["watch"]},
        {},
    ],
)
def test_a_field_of_a_wrong_type_is_policy(world: Make, message: dict[str, Any]) -> None:
    assert ended(world(), json.dumps(message))[0] == 1008


def test_a_message_over_the_limit_is_too_big_and_one_at_the_limit_is_not(world: Make, protocol: str) -> None:
    w = world(uvicorn={"ws": protocol})
    w.hub.on_message(echo)
    limit = Limits().max_message
    frame = '{"text": "é%s"}'

    async def main() -> None:
        client = await w.ready(w.person())
        fill = limit - len((frame % "").encode())
        await client.raw.send(frame % ("x" * fill))
        assert len((await client.receive("echo"))["text"]) == fill + 1
        await client.raw.send(frame % ("x" * (fill + 1)))
        assert await client.ended() == (1009, f"a message may have {limit} bytes")

    w.run(main())


def test_the_servers_own_limit_is_too_big_as_well(world: Make, protocol: str) -> None:
    w = world(uvicorn={"ws": protocol, "ws_max_size": 65_536})

    async def main() -> None:
        client = await w.ready(w.person())
        await client.raw.send(json.dumps({"text": "x" * 65_536}))
        assert (await client.ended())[0] == 1009
        await w.gone()
        assert (w.last().code, w.last().ours) == (1009, False)

    w.run(main())


def test_the_servers_refusal_reaches_a_client_that_is_still_sending(world: Make) -> None:
    w = world(uvicorn={"ws": "canonid.websockets.uvicorn:Protocol", "ws_max_size": 65_536})
    size = 8_000_000

    async def main() -> None:
        client = await w.ready(w.person(), compression=None)
        tcp = client.raw.transport.get_extra_info("socket").dup()
        client.raw.transport.pause_reading()

        def send_all_then_read() -> bytes:
            with tcp:
                tcp.settimeout(20)
                tcp.sendall(b"\x81\xff" + struct.pack("!Q", size) + bytes(4) + b"x" * size)
                return bytes(tcp.recv(200))

        frame = await asyncio.to_thread(send_all_then_read)
        assert frame[0] == 0x88 and int.from_bytes(frame[2:4]) == 1009
        client.raw.transport.abort()

    w.run(main())


def test_a_handler_that_raises_closes_1011_with_an_incident_that_is_in_the_log(
    world: Make, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    w = world(uvicorn={"ws": protocol})

    @w.hub.on_message
    async def fail(connection: Connection, message: dict[str, Any]) -> None:
        raise ZeroDivisionError("secret detail")

    code, incident = ended(w, "{}")
    assert code == 1011 and incident.startswith("incident_") and "secret" not in incident
    assert incident in caplog.text and "secret detail" in caplog.text
    assert "Exception in ASGI application" not in caplog.text


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (NotFound(), *NOT_FOUND),
        (InvalidId("no reading", text="x"), *NOT_FOUND),
        (Refusal("text is missing"), 1008, "text is missing"),
        (Refusal(code=Code.OVERLOADED), 1013, "too slow to keep up"),
        (Refusal("é" * 200), 1008, "é" * 61),
    ],
    ids=["not found", "invalid", "refusal", "overloaded", "long reason"],
)
def test_a_handler_can_refuse(world: Make, error: Exception, code: int, reason: str) -> None:
    w = world()

    @w.hub.on_message
    async def refuse(connection: Connection, message: dict[str, Any]) -> None:
        raise error

    assert ended(w, "{}") == (code, reason)


def test_a_whole_surrogate_pair_is_text(world: Make) -> None:
    w = world()
    w.hub.on_message(echo)

    async def main() -> None:
        client = await w.ready(w.person())
        await client.raw.send(r'{"text": "\ud83d\ude00 \\ud800"}')
        assert (await client.receive("echo"))["text"] == "\N{GRINNING FACE} \\ud800"

    w.run(main())


def test_a_handler_that_is_late_in_a_closed_session_is_no_incident(
    world: Make, caplog: pytest.LogCaptureFixture
) -> None:
    w = world()

    @w.hub.on_message
    async def late(connection: Connection, message: dict[str, Any]) -> None:
        principal = w.registry.canonical(person.user, "user")
        scope = w.hub.tree.find("connection", connection.id, principal=principal)
        scope.close()
        scope.claim("tool", w.registry.mint("tool"))

    person = w.person()

    async def main() -> None:
        client = await w.ready(person)
        await client.send()
        assert await client.ended() == (4401, "session closed")
        await w.gone()

    w.run(main())
    assert "incident" not in caplog.text


@pytest.mark.parametrize("part", ["socket", "outbox", "heartbeat", "reader"])
def test_a_part_that_cannot_be_claimed_is_an_incident_reported_once(
    world: Make, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    w = world(mint=lambda kind, parent: text)
    text = w.registry.mint("connection")

    async def main() -> None:
        person = w.person()
        other = w.hub.tree.open("session", w.registry.mint("session"), principal="nobody")
        other.claim(part, text)
        client = await w.connect(person)
        code, incident = await client.ended()
        assert code == 1011 and incident is not None and incident.startswith("incident_")
        await w.gone()
        assert (w.last().code, w.last().reason, w.last().connection) == (1011, incident, text)
        assert caplog.text.count(" raised") == caplog.text.count(incident) == 1

        async def close() -> None:
            await other.close()

        await w.server.call(close())

    w.run(main())


def test_what_was_queued_before_a_close_still_arrives(world: Make) -> None:
    w = world()

    @w.hub.on_message
    async def bye(connection: Connection, message: dict[str, Any]) -> None:
        for n in range(200):
            await connection.send({"type": "echo", "n": n})
        connection.close()
        assert not await connection.send({"type": "late"})

    async def main() -> None:
        client = await w.ready(w.person())
        await client.send()
        assert [(await client.receive())["n"] for _ in range(200)] == list(range(200))
        assert await client.ended() == (1000, "done")

    w.run(main())


def test_a_hub_without_application_refuses_what_is_not_its_own(world: Make) -> None:
    assert ended(world(), '{"type": "say"}') == (1008, "no such type of message")


def test_a_handler_is_cancelled_when_its_client_leaves(world: Make) -> None:
    w = world()
    began, cancelled = asyncio.Event(), []

    @w.hub.on_message
    async def wait(connection: Connection, message: dict[str, Any]) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def main() -> None:
        client = await w.ready(w.person())
        await client.send()
        await w.until(began.is_set)
        await client.raw.close()
        await w.gone()
        assert cancelled == [True]

    w.run(main())


@pytest.mark.parametrize("kind", ["thread", "run"])
@pytest.mark.parametrize("which", ["foreign", "unknown", "malformed", "wrong kind", "huge", "empty", "nul"])
def test_foreign_unknown_and_malformed_ids_get_one_answer(world: Make, kind: str, which: str) -> None:
    w = world()
    ended_run = asyncio.Event()

    async def main() -> None:
        me, other = w.person(), w.person()
        run = await w.server.call(
            w.hub.start_run(other.session, thread=other.thread, execute=lambda run: ended_run.wait())
        )
        text = {
            "foreign": run.id if kind == "run" else other.thread,
            "unknown": w.registry.mint(kind),
            "malformed": "run_DROP TABLE",
            "wrong kind": me.user,
            "huge": "x" * 60_000,
            "empty": "",
            "nul": "run\x00",
        }[which]
        client = await w.ready(me)
        await client.send(**{"type": "watch" if kind == "thread" else "subscribe", kind: text})
        assert await client.ended() == NOT_FOUND
        await w.server.call(w.hub.close_session(other.session))

    w.run(main())
