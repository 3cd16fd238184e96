"""IDs inside messages: the application sees canonical ones of who sent them, or nothing."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from canonid import NotFound, Registry, UnknownName
from canonid.aliases import SQLiteStore
from canonid.counters import Counters
from canonid.websockets import Connection, Hub, Refusal
from canonid.websockets.bodies import Bodies

Make = Callable[..., Any]
NOT_FOUND = (4404, "unknown or not yours")


@pytest.fixture
def told(world: Make) -> tuple[Any, list[dict[str, Any]]]:
    """A world, and the messages that its application got."""
    w = world(ids={"reply_to": "thread", "message": None}, limits={"ids_per_message": 5})
    messages: list[dict[str, Any]] = []

    @w.hub.on_message
    async def receive(connection: Connection, message: dict[str, Any]) -> None:
        messages.append(message)
        await connection.send({"type": "told"})

    return w, messages


def test_the_application_gets_canonical_ids_at_any_depth_and_in_lists(told: Any) -> None:
    w, messages = told
    person = w.person()
    other = w.thread_of(person)
    thread, user, session = (
        w.registry.canonical(text, kind)
        for text, kind in [(person.thread, "thread"), (person.user, "user"), (person.session, "session")]
    )
    sent = {
        "type": "say",
        "text": "hello",
        "message": "no ID, but what somebody says",
        "thread": person.thread,
        "reply_to": None,
        "deep": [{"thread_ids": [person.thread, [other], None]}, {"user": {"user_id": person.user}}],
        "sessions": [],
        "session_id": person.session,
    }
    expected = sent | {
        "thread": thread,
        "deep": [{"thread_ids": [thread, [other], None]}, {"user": {"user_id": user}}],
        "session_id": session,
    }

    async def main() -> None:
        client = await w.ready(person)
        await client.send(**sent)
        await client.receive("told")
        assert messages == [expected]

    w.run(main())


@pytest.mark.parametrize("place", ["thread", "reply_to", "thread_ids", "deep"])
@pytest.mark.parametrize("what", ["foreign", "unknown", "malformed", "another kind", "number", "empty"])
def test_what_is_not_the_senders_has_one_ending(told: Any, what: str, place: str) -> None:
    w, messages = told
    person, stranger = w.person(), w.person()
    value = {
        "foreign": stranger.thread,
        "unknown": w.registry.mint("thread"),
        "malformed": "nothing ☃",
        "another kind": person.user,
        "number": 7,
        "empty": "",
    }[what]
    fields = {
        "thread": {"thread": value},
        "reply_to": {"reply_to": value},
        "thread_ids": {"thread_ids": [person.thread, value]},
        "deep": {"a": [[{"b": {"thread_id": value}}]]},
    }[place]

    async def main() -> None:
        client = await w.ready(person)
        await client.send(type="say", **fields)
        assert await client.ended() == NOT_FOUND

    w.run(main())
    assert messages == []


def test_a_message_holds_a_bounded_number_of_ids(told: Any) -> None:
    w, messages = told
    person = w.person()

    async def main() -> None:
        client = await w.ready(person)
        await client.send(type="say", threads=[person.thread] * 5)
        await client.receive("told")
        await client.send(type="say", threads=[person.thread] * 5, deep={"reply_to": "x"})
        assert await client.ended() == (1008, "a message may hold 5 IDs")

    w.run(main())
    assert len(messages) == 1


def test_a_deeply_nested_message_is_searched_to_the_bottom(registry: Registry, store: SQLiteStore) -> None:
    deep: Any = {"thread": "x"}
    for _ in range(900):
        deep = {"a": [deep]}
    assert [spot.kind for spot in Bodies(registry, store, {}, 5, Counters()).find(deep)] == ["thread"]


def test_kinds_of_fields_must_be_declared(registry: Registry, store: SQLiteStore) -> None:
    with pytest.raises(UnknownName):
        Hub(registry, store, ids={"thread": "theard"})


def test_only_kinds_with_lineage_have_names_of_their_own(registry: Registry, store: SQLiteStore) -> None:
    bodies = Bodies(registry, store, {}, 5, Counters())
    assert bodies.find({"alert": "x", "transaction_id": "y"}) == []
    assert len(bodies.find({"tool": "x", "run_ids": ["y", "z"]})) == 3


def test_the_name_of_a_kind_is_no_plural_of_another(store: SQLiteStore) -> None:
    owned = "".join(f"[kinds.{kind}]\nparent = 'user'\n" for kind in ("news", "new", "in-box"))
    registry = Registry.from_toml(f"[kinds.user]\n{owned}")
    bodies = Bodies(registry, store, {}, 5, Counters())
    assert [spot.kind for spot in bodies.find({"news": "x", "new_ids": ["y"], "in_box": "z"})] == [
        "news",
        "in-box",
        "new",
    ]


def test_the_time_does_not_tell_foreign_from_unknown(registry: Registry, store: SQLiteStore) -> None:
    mine, theirs = registry.mint("user"), registry.mint("user")
    foreign, unknown = registry.mint("thread"), registry.mint("thread")
    store.record(mine)
    store.record(theirs)
    store.record(foreign, parent=theirs)
    bodies = Bodies(registry, store, {}, 5, Counters())
    taken: dict[str, list[float]] = {foreign: [], unknown: []}
    for _ in range(400):
        for thread, times in taken.items():
            message = json.loads(json.dumps({"type": "say", "deep": [{"thread": thread}]}))
            began = time.perf_counter()
            with pytest.raises(NotFound):
                bodies.authorise(bodies.find(message), mine)
            times.append(time.perf_counter() - began)
    a, b = (statistics.median(times) for times in taken.values())
    assert max(a, b) < 1.5 * min(a, b)


def test_too_many_ids_are_refused_before_the_store_is_asked(registry: Registry, store: SQLiteStore) -> None:
    with pytest.raises(Refusal, match="may hold 5 IDs"):
        Bodies(registry, store, {}, 5, Counters()).find({"threads": ["x"] * 6})
