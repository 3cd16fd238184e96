"""What a soak found: things that happen at the same moment in two processes."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from canonid.core import Identity
from canonid.errors import ScopeClosed, StoreError
from canonid.websockets.backplane import user_channel
from canonid.websockets.valkey import ValkeyBackplane
from stores import Server

Make = Callable[..., Any]


@pytest.fixture
def valkey() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def pair(valkey: Server, world: Make) -> list[Any]:
    """Two worlds over one store and one Valkey."""
    return [world(backplane=ValkeyBackplane(valkey.url, process=name, lease=3)) for name in "ab"]


async def three(run: Any) -> None:
    for n in range(3):
        await run.publish("token", {"n": n})


def test_a_run_that_is_told_of_late_is_not_repeated_to_who_has_seen_it(pair: list[Any]) -> None:
    a, b = pair

    async def main() -> None:
        person = a.person()
        await a.ready_at(b.server.port, person)  # so that b hears what the user is told
        first = await a.watching(person)
        run = await a.server.call(a.hub.start_run(person.session, thread=person.thread, execute=three))
        assert [event["seq"] for event in await first.events()] == [1, 2, 3, 4]
        second = await a.watching(person, port=b.server.port)
        told = json.dumps(["started", [run.id], run.thread])
        await a.server.call(a.hub._backplane.tell(user_channel(run.principal), told))
        await a.server.call(a.hub.send_to_user(person.user, {"type": "after"}))
        await second.receive("after")
        await b.until(lambda: not b.hub._background._tasks)
        await b.server.call(b.hub.send_to_user(person.user, {"type": "last"}))
        heard = [await second.receive()]
        while heard[-1]["type"] != "last":
            heard.append(await second.receive())
        assert "event" not in [message["type"] for message in heard]

    a.run(main())


def test_what_starts_while_a_client_is_told_of_a_thread_reaches_it_once(pair: list[Any]) -> None:
    a, _ = pair

    async def main() -> None:
        person = a.person()
        client = await a.ready(person)
        real, started, told = a.hub.runs_of, asyncio.Event(), []

        async def runs_of(thread: str) -> Any:
            listed = await real(thread)
            told.append(await a.hub.start_run(person.session, thread=person.thread, execute=three))
            started.set()
            return listed

        a.hub.runs_of = runs_of
        await client.send(type="watch", thread=person.thread)
        watching = await client.receive()
        assert (watching["type"], watching["runs"]) == ("watching", [])
        assert [event["seq"] for event in await client.events()] == [1, 2, 3, 4]

    a.run(main())


def test_a_session_that_another_process_is_still_closing_is_waited_for(pair: list[Any]) -> None:
    a, b = pair

    async def main() -> None:
        person = a.person()
        await a.ready(person)
        (session,) = a.hub._present.sessions.values()
        may_end = asyncio.Event()
        await a.server.call(_claim(session, may_end.wait))
        closing = asyncio.create_task(a.server.call(a.hub.close_session(person.session)))
        await a.until(lambda: session.over)
        coming = asyncio.create_task(a.ready_at(b.server.port, person))
        await asyncio.sleep(0.3)  # it meets the closing, which may not end before
        assert not coming.done()
        a.server.loop.call_soon_threadsafe(may_end.set)
        await coming
        await closing

    a.run(main())


async def _claim(session: Any, release: Any) -> None:
    session.local.claim("connection", session.id, release, identity=Identity("connection", "x"))


def test_a_session_closed_elsewhere_is_closed_here_by_who_meets_it(pair: list[Any]) -> None:
    a, b = pair

    @b.hub.on_message
    async def start(connection: Any, message: Any) -> None:
        await b.hub.start_run(connection, thread=message["thread"], execute=three)

    async def main() -> None:
        person = a.person()
        client = await a.ready_at(b.server.port, person)
        (membership,) = b.hub._backplane.tree._memberships
        late: list[Any] = []
        real, membership._release = membership._release, lambda *told: late.append(told)  # heard later
        await a.server.call(a.hub.close_session(person.session))
        await client.send(type="start", thread=person.thread)
        assert await client.ended() == (4401, "session closed")
        membership._release = real
        for told in late:
            b.server.loop.call_soon_threadsafe(real, *told)

    a.run(main())


def test_a_session_that_is_over_has_ended_before_it_is_opened_anew(pair: list[Any]) -> None:
    a, _ = pair

    async def main() -> None:
        person = a.person()
        await a.ready(person)
        (before,) = a.hub._present.sessions.values()
        lineage = a.store.lineage(person.session, kind="session")

        async def again() -> Any:
            before.local.close()
            return await a.hub._logins.open(lineage)

        after = await a.server.call(again())
        assert before.closing is not None and before.closing.done()
        assert a.hub._present.sessions == {after.id: after} and not after.over

    a.run(main())


def test_a_run_that_could_not_begin_has_an_end_for_everybody(pair: list[Any]) -> None:
    a, b = pair
    journal = a.hub._backplane.journal
    real, made = journal.begin, []

    async def begin(record: Any) -> None:
        await real(record)
        made.append(record.run)
        a.hub.tree.find("run", record.run, principal=record.principal).close()

    async def main() -> None:
        person = a.person()
        await a.ready(person)
        journal.begin = begin
        with pytest.raises(ScopeClosed):
            start = a.hub.start_run(
                person.session, thread=person.thread, execute=three, on_last_detach="cancel"
            )
            await a.server.call(start)
        await a.until(lambda: not a.hub._background._tasks)
        kept = await b.server.call(b.hub._backplane.journal.read(made[0], 0))
        assert kept.record.ended and '"run_cancelled"' in kept.texts[-1]
        names = [task.get_name() for task in asyncio.all_tasks(a.server.loop)]
        assert not [name for name in names if made[0] in name]

    a.run(main())


def test_a_run_whose_beginning_had_no_answer_goes_on_for_nobody(pair: list[Any]) -> None:
    a, b = pair
    journal = a.hub._backplane.journal
    real, made = journal.begin, []

    async def begin(record: Any) -> None:
        await real(record)
        made.append(record)
        raise StoreError("the store gave no answer in time", path="valkey")

    async def main() -> None:
        person = a.person()
        await a.ready(person)
        journal.begin = begin
        with pytest.raises(StoreError):
            await a.server.call(a.hub.start_run(person.session, thread=person.thread, execute=three))
        async with asyncio.timeout(20):
            while [  # noqa: ASYNC110
                run for run in await b.server.call(b.hub.runs_of(made[0].thread)) if not run.ended
            ]:
                await asyncio.sleep(0.01)
        await a.until(lambda: not a.hub._background._tasks)

    a.run(main())


def test_who_is_cancelled_while_they_publish_leaves_no_error_unheard(pair: list[Any], valkey: Server) -> None:
    a, _ = pair
    unheard: list[Any] = []

    async def main() -> None:
        person = a.person()
        await a.ready(person)
        go_on = asyncio.Event()
        starting = a.hub.start_run(person.session, thread=person.thread, execute=lambda run: go_on.wait())
        run = await a.server.call(starting)
        a.server.loop.set_exception_handler(lambda loop, context: unheard.append(context))

        async def cancel_one() -> None:
            tasks = [asyncio.create_task(work) for work in (run.publish("a"), run.end("b"), run.publish("c"))]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            tasks[2].cancel()
            await asyncio.wait(tasks)
            while run._writing:  # noqa: ASYNC110 - it has no event to wait for
                await asyncio.sleep(0.01)
            del tasks
            gc.collect()

        await a.server.call(cancel_one())
        assert not unheard
        a.server.loop.call_soon_threadsafe(go_on.set)

    a.run(main())


def test_a_channel_that_could_not_be_heard_can_be_heard_later(pair: list[Any], valkey: Server) -> None:
    a, b = pair

    async def main() -> None:
        here, there = a.hub._backplane._lines, b.hub._backplane._lines
        heard: list[str] = []
        await a.server.call(_start(here, heard))
        valkey.pause()
        with pytest.raises(StoreError):
            await a.server.call(here.listen("news"))
        valkey.resume()
        await a.server.call(here.listen("news"))
        assert await b.server.call(there.tell("news", "hello")) == 1
        await a.until(lambda: heard == ["hello"])
        await a.server.call(here.unlisten("news"))
        assert await b.server.call(there.listeners("news")) == 0

    a.run(main())


async def _start(lines: Any, heard: list[str]) -> None:
    lines._hear = lambda channel, text: heard.append(text)


def test_a_run_has_one_mirror_whoever_asks_and_goes(pair: list[Any]) -> None:
    a, b = pair

    async def main() -> None:
        person = a.person()
        await a.ready(person)
        run = await a.server.call(a.hub.start_run(person.session, thread=person.thread, execute=forever))
        mirrors, journal = b.hub._runs._mirrors, b.hub._backplane.journal
        real, reading, may_read = journal.read, asyncio.Event(), asyncio.Event()

        async def read(*arguments: Any) -> Any:
            reading.set()
            await may_read.wait()
            return await real(*arguments)

        async def ask() -> list[Any]:
            journal.read = read
            first = asyncio.create_task(mirrors.of(run.id))
            second = asyncio.create_task(mirrors.of(run.id))
            await reading.wait()
            first.cancel()
            await asyncio.wait({first})
            third = asyncio.create_task(mirrors.of(run.id))
            await asyncio.sleep(0.05)  # it would open one of its own now
            may_read.set()
            return [await second, await third]

        second, third = await b.server.call(ask())
        assert second is third
        b.server.loop.call_soon_threadsafe(mirrors.drop, second)
        a.server.loop.call_soon_threadsafe(run.cancel)
        await a.until(lambda: run.ended)

    a.run(main())


async def forever(run: Any) -> None:
    await asyncio.Event().wait()
