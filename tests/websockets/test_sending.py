"""Sending to a connection, a user or a thread, under any text that names it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from canonid import InvalidId, NotFound

Make = Callable[..., Any]


def test_each_send_reaches_exactly_the_connections_it_names(world: Make) -> None:
    w = world()

    async def main() -> None:
        me, other = w.person(), w.person()
        first = await w.connect(me)
        ready = await first.receive("ready")
        await first.send(type="watch", thread=me.thread)
        await first.receive("watching")
        second, third = await w.ready(me), await w.watching(other)
        call, hub = w.server.call, w.hub
        assert await call(hub.send_to_connection(ready["connection"], {"type": "note", "to": 1})) == 1
        assert await call(hub.send_to_user(me.user, {"type": "note", "to": 2})) == 2
        assert await call(hub.send_to_thread(me.thread, {"type": "note", "to": 3})) == 1
        for client, expected in ((first, [1, 2, 3]), (second, [2])):
            assert [(await client.receive("note"))["to"] for _ in expected] == expected
        assert await call(hub.send_to_user(other.user, {"type": "note", "to": 4})) == 1
        assert (await third.receive("note"))["to"] == 4  # and nothing before it

    w.run(main())


def test_every_writing_of_an_id_reaches_the_same_connection(world: Make) -> None:
    w = world()

    async def main() -> None:
        person = w.person()
        client = await w.watching(person)
        connection = next(iter(w.hub._present.connections))
        w.store.link("ws_prod_1700000000000_ab12cd34", connection, kind="connection", source="test")
        canonical = w.registry.canonical(person.thread, "thread")
        sends = [
            w.hub.send_to_user(person.user, {"n": 0, "type": "note"}),
            w.hub.send_to_user(w.registry.canonical(person.user, "user"), {"n": 1, "type": "note"}),
            w.hub.send_to_thread(canonical, {"n": 2, "type": "note"}),
            w.hub.send_to_thread(w.registry.translate(canonical, "uuid"), {"n": 3, "type": "note"}),
            w.hub.send_to_connection("ws_prod_1700000000000_ab12cd34", {"n": 4, "type": "note"}),
            w.hub.send_to_connection(w.registry.translate(connection, "uuid"), {"n": 5, "type": "note"}),
        ]
        assert [await w.server.call(send) for send in sends] == [1] * 6
        assert [(await client.receive("note"))["n"] for _ in range(6)] == list(range(6))

    w.run(main())


@pytest.mark.parametrize("send", ["send_to_connection", "send_to_user", "send_to_thread"])
def test_a_text_that_names_nothing_here_raises(world: Make, send: str) -> None:
    w = world()

    async def main() -> None:
        person = w.person()
        await w.watching(person)
        kind = send.removeprefix("send_to_")
        to = getattr(w.hub, send)
        with pytest.raises(NotFound):
            await w.server.call(to(w.registry.mint(kind), {}))
        for wrong in (w.registry.mint("alert"), "", "nonsense", "x" * 1_000_000, f"{kind}_Ω"):
            with pytest.raises(InvalidId):
                await w.server.call(to(wrong, {}))

    w.run(main())


def test_what_has_left_is_reached_zero_times(world: Make) -> None:
    w = world()

    async def main() -> None:
        person = w.person()
        client = await w.connect(person)
        connection = (await client.receive("ready"))["connection"]
        await client.raw.close()
        await w.gone()
        assert await w.server.call(w.hub.send_to_connection(connection, {})) == 0
        assert await w.server.call(w.hub.send_to_user(person.user, {})) == 0
        assert await w.server.call(w.hub.send_to_thread(person.thread, {})) == 0

    w.run(main())


def test_what_is_no_json_or_too_big_is_the_senders_error(world: Make) -> None:
    w = world(limits={"outbox_bytes": 1000})

    async def main() -> None:
        person = w.person()
        client = await w.ready(person)
        with pytest.raises(ValueError, match="in parts"):
            await w.server.call(w.hub.send_to_user(person.user, {"text": "x" * 1000}))
        for no_json in ({1}, b"x", object()):
            with pytest.raises(ValueError, match="must be JSON"):
                await w.server.call(w.hub.send_to_user(person.user, {"n": no_json}))
        with pytest.raises(ValueError, match="JSON"):
            await w.server.call(w.hub.send_to_user(person.user, {"n": float("nan")}))
        assert await w.server.call(w.hub.send_to_user(person.user, {"type": "note"})) == 1
        await client.receive("note")

    w.run(main())


def test_a_user_whose_id_was_linked_meanwhile_is_reached_on_old_and_new_connections(world: Make) -> None:
    w = world()

    async def main() -> None:
        person = w.person()
        before = await w.watching(person)
        known_as = w.registry.canonical(person.user, "user")
        for _ in range(2):
            now = w.store.resolve(person.user, kind="user").canonical
            moved = w.registry.mint("user")
            w.store.link(now, moved, kind="user", source="test")
        after = await w.ready(person._replace(session=another_session(w, person)))
        for n, name in enumerate((person.user, known_as, moved)):
            assert await w.server.call(w.hub.send_to_user(name, {"type": "note", "n": n})) == 2
        for client in (before, after):
            assert [(await client.receive("note"))["n"] for _ in range(3)] == [0, 1, 2]
        run = await w.server.call(
            w.hub.start_run(person.session, thread=person.thread, execute=lambda run: asyncio.Event().wait())
        )
        scope = w.hub.tree.find("run", run.id, principal=run.principal)
        assert run.principal == scope.principal == known_as
        await w.server.call(w.hub.close_session(person.session))

    w.run(main())


def another_session(w: Any, person: Any) -> str:
    session = w.registry.mint("session", service="auth", prefix="session")
    w.store.record(session, kind="session", parent=person.user, parent_kind="user")
    return str(session)


def test_a_session_whose_id_was_linked_meanwhile_can_still_be_logged_out(world: Make) -> None:
    w = world()

    async def main() -> None:
        person = w.person()
        client = await w.ready(person)
        w.store.link(person.session, w.registry.mint("session"), kind="session", source="test")
        await w.server.call(w.hub.close_session(person.session))
        assert await client.ended() == (4401, "session closed")

    w.run(main())
