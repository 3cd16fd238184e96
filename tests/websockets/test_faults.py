"""Clients that vanish, reset or never read harm themselves only."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from canonid.websockets import Code, Connection, Hub, Limits
from canonid.websockets.codes import ending
from canonid.websockets.socket import Socket
from faults import fault

Make = Callable[..., Any]
BOUNDED = "canonid.websockets.uvicorn:Protocol"
STALLED = Path(__file__).parent / "stalled_client.py"
noise = random.Random(7)  # deflate would swallow anything regular


@asynccontextmanager
async def stalled(w: Any, person: Any, thread: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A client in another process that watches a thread and never reads."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(STALLED),
        str(w.server.port),
        w.ticket(person),
        thread,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    assert await process.stdout.readline() == b"watching\n"
    try:
        yield process
    finally:
        process.stdin.close()
        await process.wait()


@fault("a client never reads", promised="1013, then its transport is cut; the others get everything")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_client_that_never_reads_is_closed_1013_and_cut_while_others_receive_all(
    world: Make, loop: str, seen: Any
) -> None:
    w = world(limits={"outbox_messages": 50, "close_timeout": 0.3}, uvicorn={"ws": BOUNDED, "loop": loop})

    async def main() -> None:
        person = w.person()
        healthy = await w.watching(person)
        async with stalled(w, person, person.thread):
            sent, reached = 0, 2
            while reached == 2:
                payload = noise.randbytes(32_768).hex()
                message = {"type": "note", "n": sent, "payload": payload}
                reached = await w.server.call(w.hub.send_to_thread(person.thread, message))
                sent += 1
                assert (await healthy.receive("note"))["n"] == sent - 1
            assert reached == 1
            for n in range(sent, sent + 20):
                message = {"type": "note", "n": n}
                assert await w.server.call(w.hub.send_to_thread(person.thread, message)) == 1
                assert (await healthy.receive("note"))["n"] == n
            await w.until(lambda: len(w.hub.closes) == 1)
            close = w.last()
            assert (close.code, close.ours, close.cut) == (1013, True, True)
            await w.until(lambda: len(w.server.server_state.connections) == 1)  # the socket is gone too
        assert w.hub.counts().connections == 1

    w.run(main())
    seen("closed with 1013 and cut, nothing of it left; every other client got every message")


def test_without_the_bounded_protocol_everything_of_ours_is_released_all_the_same(world: Make) -> None:
    w = world(limits={"outbox_messages": 50, "close_timeout": 0.2})

    async def main() -> None:
        person = w.person()
        async with stalled(w, person, person.thread):
            reached = 1
            while reached:
                message = {"payload": noise.randbytes(32_768).hex()}
                reached = await w.server.call(w.hub.send_to_thread(person.thread, message))
            await w.gone()
            assert (w.last().code, w.last().cut) == (1013, True)
            assert w.hub.tree.stats.resources == 0

    w.run(main())


@fault("a client sends pings and never reads the pongs", promised="what is buffered for it is bounded")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_client_that_pings_and_never_reads_fills_no_memory(world: Make, loop: str, seen: Any) -> None:
    w = world(uvicorn={"ws": BOUNDED, "loop": loop})
    w.server._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)
    waiting = []

    @w.hub.on_message
    async def measure(connection: Connection, message: dict[str, Any]) -> None:
        (protocol,) = w.server.server_state.connections
        waiting.append(protocol.transport.get_write_buffer_size())

    def frame(opcode: int, payload: bytes) -> bytes:
        return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload

    async def main() -> None:
        client = await w.ready(w.person(), compression=None)
        client.raw.transport.pause_reading()
        tcp = client.raw.transport.get_extra_info("socket").dup()
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        pings = [frame(0x9, b"%0125d" % number) for number in range(30_000)]
        last = frame(0xA, b"%0125d" % 29_999).replace(b"\xfd\0\0\0\0", b"\x7d")

        def flood_then_read() -> None:
            received = b""
            with tcp:
                tcp.settimeout(20)
                tcp.sendall(b"".join(pings) + frame(0x1, b"{}"))
                asyncio.run_coroutine_threadsafe(w.until(lambda: bool(waiting)), loop_here).result(20)
                while last not in received:
                    received = received[-200:] + tcp.recv(65_536)

        loop_here = asyncio.get_running_loop()
        await asyncio.to_thread(flood_then_read)
        assert waiting[0] < 600_000
        client.raw.transport.abort()
        await w.gone()

    w.run(main())
    seen("cut before the buffer grew")


@fault(
    "a client never reads while its session ends, or the hub shuts down",
    promised="the others' end does not wait for it",
)
@pytest.mark.parametrize("how", ["logout", "expiry", "shutdown"])
def test_a_client_that_never_reads_cannot_delay_any_other_end(world: Make, how: str, seen: Any) -> None:
    w = world(
        limits={"outbox_messages": 10_000, "outbox_bytes": 2**30, "close_timeout": 0.2},
        uvicorn={"ws": BOUNDED},
    )

    async def main() -> None:
        person = w.person()
        healthy = await w.ready(person)
        async with stalled(w, person, person.thread):
            payload = noise.randbytes(500_000).hex()
            for _ in range(20):
                await w.server.call(w.hub.send_to_thread(person.thread, {"payload": payload}))
            if how == "logout":
                await w.server.call(w.hub.close_session(person.session))
                expected = 4401
            elif how == "expiry":
                connection = w.hub._present.connections
                (slow,) = [c for c in connection.values() if c.watching]
                w.server.loop.call_soon_threadsafe(slow.close, 4401)
                expected = 4401
            else:
                await w.server.call(w.hub.shutdown())
                expected = 1012
            await w.until(lambda: any(close.cut for close in w.hub.closes))
            assert [close.code for close in w.hub.closes if close.cut] == [expected]
            if how != "expiry":
                assert (await healthy.ended())[0] == expected

    w.run(main())
    seen("the others had their codes at once, and it was cut in time")


@fault("a client never reads while the server stops", promised="the server stops in time")
def test_a_client_that_never_reads_cannot_keep_the_server_from_stopping(
    world: Make, monkeypatch: pytest.MonkeyPatch, seen: Any
) -> None:
    monkeypatch.setattr("canonid.websockets.uvicorn.CLOSE_TIMEOUT", 0.2)
    w = world(limits={"outbox_bytes": 2**30}, uvicorn={"ws": BOUNDED})

    async def main() -> None:
        person = w.person()
        async with stalled(w, person, person.thread):
            payload = noise.randbytes(500_000).hex()
            for _ in range(20):
                await w.server.call(w.hub.send_to_thread(person.thread, {"payload": payload}))
            await asyncio.to_thread(w.server.__exit__)  # without a limit of uvicorn's own
        assert w.last().code == 1012

    w.server.config.timeout_graceful_shutdown = None
    w.run(main())
    seen("stopped within its limit")


@fault("a client resets TCP while it is sent to", promised="all of it is released, nobody else notices")
def test_a_client_that_resets_in_the_middle_of_sending_leaves_nothing_behind(
    world: Make, protocol: str, seen: Any
) -> None:
    w = world(uvicorn={"ws": protocol})

    async def main() -> None:
        person = w.person()
        healthy = await w.watching(person)
        for _ in range(5):
            client = await w.watching(person)
            raw = client.raw.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.raw.transport.pause_reading()
            sending = asyncio.create_task(flood(w, person.thread))
            client.raw.transport.write(b"\x81\xfe\x7d\x00masked but never finished")
            client.raw.transport.abort()
            assert await sending >= 50
        await w.until(lambda: w.hub.counts().connections == 1)
        assert {close.ours for close in w.hub.closes} == {False}
        await w.server.call(w.hub.send_to_thread(person.thread, {"type": "last"}))
        assert (await healthy.receive("last")) == {"type": "last"}

    w.run(main())
    seen("nothing was left, and the others got everything")


async def flood(w: Any, thread: str) -> int:
    message = {"type": "note", "payload": "x" * 1000}
    return sum([await w.server.call(w.hub.send_to_thread(thread, message)) for _ in range(50)])


@fault("clients that connect and speak no WebSocket", promised="nothing is kept of them")
@pytest.mark.parametrize("rude", ["connect only", "half a request", "no websocket key", "garbage frame"])
def test_clients_that_speak_no_websocket_leave_nothing_behind(
    world: Make, protocol: str, rude: str, seen: Any
) -> None:
    w = world(uvicorn={"ws": protocol})
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )

    async def main() -> None:
        ticket = b"Sec-WebSocket-Protocol: canonid.v1, ticket." + w.ticket(w.person()).encode() + b"\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", w.server.port)
        if rude == "half a request":
            writer.write(upgrade)
        elif rude == "no websocket key":
            writer.write(upgrade.replace(b"Sec-WebSocket-Key", b"X-Other") + b"\r\n")
            assert b"400" in await reader.readline()
        elif rude == "garbage frame":
            writer.write(upgrade + ticket + b"\r\n")
            assert b"101" in await reader.readline()
            await w.until(lambda: w.hub.counts().connections == 1)
            writer.write(b"\xff" * 100)
            await w.gone()
            assert (w.last().code, w.last().ours) == (1002, False)
        writer.close()
        await w.until(lambda: not w.server.server_state.connections)
        assert w.hub.counts() == (0, 0, 1, 0, 0) if rude == "garbage frame" else (0, 0, 0, 0, 0)

    w.run(main())
    seen("nothing was left of any of them")


@fault("a client falls silent", promised="closed with 1008 after two heartbeats")
def test_a_silent_client_is_closed_and_one_that_answers_is_not(world: Make, protocol: str, seen: Any) -> None:
    w = world(limits={"heartbeat": 0.1}, uvicorn={"ws": protocol})

    async def main() -> None:
        person = w.person()
        silent, alive = await w.ready(person, pongs=False), await w.ready(person)
        answering = asyncio.create_task(alive.receive("marker"))
        assert await silent.ended() == (1008, "no heartbeat")
        await w.until(lambda: len(w.hub.closes) == 1)
        assert await w.server.call(w.hub.send_to_user(person.user, {"type": "marker"})) == 1
        await answering

    w.run(main())
    seen("1008 for the silent one; the one that answered stayed")


def test_a_busy_application_does_not_make_a_client_look_silent(world: Make) -> None:
    w = world(limits={"heartbeat": 0.05, "inbox_messages": 1})
    go_on = asyncio.Event()

    @w.hub.on_message
    async def slow(connection: Connection, message: dict[str, Any]) -> None:
        await go_on.wait()
        await connection.send({"type": "done"})

    async def main() -> None:
        client = await w.ready(w.person())
        for _ in range(5):  # more than the inbox holds, so that nothing more is read
            await client.send(type="work")
        for _ in range(5):
            await client.receive("ping")
        w.server.loop.call_soon_threadsafe(go_on.set)
        for _ in range(5):
            await client.receive("done")

    w.run(main())


@fault("a client floods an application that does not read, and leaves", promised="its leaving is noticed")
def test_a_client_that_floods_an_unread_inbox_and_leaves_is_noticed(world: Make, seen: Any) -> None:
    w = world(limits={"heartbeat": 0.05, "inbox_messages": 1, "close_timeout": 0.1})
    w.hub.on_message(lambda connection, message: asyncio.Event().wait())

    async def main() -> None:
        client = await w.ready(w.person())
        for _ in range(5):
            await client.send(type="work")
        client.raw.transport.abort()
        await w.gone()
        assert (w.last().code, w.last().ours) == (1006, False)

    w.run(main())
    seen("noticed, and all of it released")


@fault(
    "the application's code ignores its cancellation",
    promised="the connection is closed all the same, in time",
)
def test_a_handler_that_ignores_its_cancellation_delays_no_close(world: Make, seen: Any) -> None:
    w = world(limits={"close_timeout": 0.1})
    go_on = asyncio.Event()

    @w.hub.on_message
    async def stubborn(connection: Connection, message: dict[str, Any]) -> None:
        connection.close()
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        client = await w.ready(w.person())
        await client.send()
        assert await client.ended() == (1000, "done")
        await w.gone()
        w.server.loop.call_soon_threadsafe(go_on.set)

    w.run(main())
    seen("closed within its time limit")


def test_a_close_that_is_cancelled_cuts_the_transport_and_says_so() -> None:
    aborted = []

    async def never(event: object) -> None:
        await asyncio.Event().wait()

    class Transport:
        def abort(self) -> None:
            aborted.append(True)

    async def main() -> None:
        scope = {"extensions": {"canonid.transport": Transport()}}
        cut = Socket(scope, never, never)  # type: ignore[arg-type]
        closing = asyncio.create_task(cut.close(ending(Code.NORMAL), 20))
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert cut.cut and aborted == [True]

    asyncio.run(main())


def test_a_hubs_own_tree_waits_as_long_as_its_connections_may_take(registry: Any, store: Any) -> None:
    hub = Hub(registry, store, limits=Limits(close_timeout=30))
    assert hub.tree._closer.release_timeout > 2 * 30
