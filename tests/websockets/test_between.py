"""What happens between two steps: while somebody is let in, a run begins, a session ends, the store goes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from canonid.errors import ScopeClosed, StoreError
from canonid.websockets import Connection, Hub, Run
from canonid.websockets.valkey import ValkeyBackplane
from faults import fault
from stores import Proxy, Server, aside, free_port

Make = Callable[..., Any]
AWAY = (1013, "try again; a store does not answer")


@pytest.fixture(scope="module")
def shared_valkey() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def pair(world: Make, shared_valkey: Server) -> Make:
    """Two worlds over one store and one Valkey, each as a process of its own would be."""

    def make(server: Server = shared_valkey, **options: Any) -> list[Any]:
        return [
            world(backplane=ValkeyBackplane(server.url, process=name, lease=2), **options) for name in "ab"
        ]

    return make


async def both(a: Any, test: Any) -> None:
    """Runs a test that has clients of two worlds."""
    try:
        await test
    finally:
        for client in a._clients:
            client.raw.transport.abort()
            await client.raw.wait_closed()
        a._clients.clear()


async def for_ever(run: Run) -> None:
    await run.publish("token")
    await asyncio.Event().wait()


async def start(w: Any, person: Any, execute: Any = for_ever, **options: Any) -> Any:
    return await w.server.call(
        w.hub.start_run(person.session, thread=person.thread, execute=execute, **options)
    )


def count(w: Any, name: str, **labels: str) -> int:
    return sum(n for counted, its, n in w.hub.counters if (counted, its) == (name, labels))


def test_who_was_told_ready_is_reached_and_who_is_refused_was_not_told(pair: Make) -> None:
    a, b = pair(limits={"connections_per_principal": 3})

    async def main() -> None:
        person = a.person()
        for w in (a, b, b):
            connection = (await (await w.connect(person)).receive())["connection"]
            assert w.hub.connection(connection) is not None
        messages: list[Any] = []
        assert (await (await a.connect(person)).ended(messages))[0] == 1008
        assert messages == []

    b.run(both(a, main()))


def test_who_is_slow_to_be_let_in_has_a_place_once_it_is_claimed_and_is_told_last(
    world: Make, shared_valkey: Server
) -> None:
    proxies = [Proxy(shared_valkey.port) for _ in "ab"]
    limits = {"connections_per_principal": 3}
    with aside(proxies[0]) as tell_a, aside(proxies[1]) as tell_b:
        a, b = (world(backplane=ValkeyBackplane(proxy.url, lease=60), limits=limits) for proxy in proxies)
        places = {a: (proxies[0], tell_a), b: (proxies[1], tell_b)}

        async def slow(w: Any, person: Any, step: bytes) -> tuple[Any, Callable[[], None]]:
            """A client let in up to that step, in which the store does not answer; and how to go on."""
            proxy, tell = places[w]
            tell(proxy.hang_at, step)
            client = await w.connect(person)
            await w.until(lambda: proxy.hangs)
            return client, lambda: tell(proxy.heal)

        async def main() -> None:
            person, other = a.person(), a.person()
            for w in (a, b):
                await w.ready(person)
                await w.ready(other)

            client, go_on = await slow(a, person, b"_claim")
            await b.ready(person)
            go_on()
            messages: list[Any] = []
            assert await client.ended(messages) == (1008, "too many connections")
            assert messages == []

            first, first_goes_on = await slow(a, other, b"_live")
            second, second_goes_on = await slow(b, other, b"_live")
            first_goes_on()
            assert (await first.receive())["type"] == "ready", "it came first, and there was room"
            second_goes_on()
            assert await second.ended(messages) == (1008, "too many connections")
            assert messages == []

        b.run(both(a, main()))
        for w in (a, b):
            w.server.__exit__()


@fault(
    "a client comes, or asks, while the store is away",
    promised="1013, counted as a failure of the store, and no incident; once it is back, clients come in",
)
def test_a_store_that_is_away_is_no_incident(world: Make, seen: Callable[[str], None]) -> None:
    with Server() as valkey:
        w = world(backplane=ValkeyBackplane(valkey.url, lease=2))

        async def main() -> None:
            person = w.person()
            here, ticket = await w.ready(person), await w.issue(person)
            valkey.kill()
            await here.send(type="watch", thread=person.thread)
            assert await here.ended() == AWAY
            assert await (await w.connect(ticket=ticket)).ended() == AWAY
            assert count(w, "store_failures", during="connection") == 1
            assert count(w, "store_failures", during="handshake") == 1
            assert not [name for name, _, _ in w.hub.counters if name == "incidents"]
            valkey.start()
            client = await admitted(w, person)
            await client.send(type="watch", thread=person.thread)
            assert await client.receive("watching")
            seen("1013 for both; then the client came in")

        w.run(main())


def test_a_logged_out_session_starts_no_run_in_any_process_until_somebody_comes_in_again(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        person = a.person()
        await b.ready(person)
        await a.server.call(a.hub.close_session(person.session))
        for w in (a, b):
            await w.gone()
            with pytest.raises(ScopeClosed, match="logged out"):
                await start(w, person)
        await a.ready(person)
        for w in (a, b):
            run = await start(w, person)
            await w.server.call(stop(run))

    b.run(both(a, main()))


async def admitted(w: Any, person: Any) -> Any:
    """A client that comes back for as long as it is told to."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await w.ready(person)
            except (ConnectionClosed, StoreError):
                await asyncio.sleep(0.1)


async def stop(run: Run) -> None:
    run.cancel()


def test_one_that_is_closing_keeps_no_other_from_a_run_of_another_process(pair: Make) -> None:
    a, b = pair(limits={"close_timeout": 8.0, "outbox_bytes": 2**26, "outbox_messages": 10_000})

    async def main() -> None:
        person = a.person()
        stalled = await b.watching(person)
        connection = next(iter(b.hub._present.connections.values()))
        other = await b.watching(person)
        stalled.raw.transport.pause_reading()
        async with asyncio.timeout(20):
            while connection.queued.messages < 3:
                message = {"type": "m", "text": secrets.token_hex(100_000)}
                await b.server.call(b.hub.send_to_connection(connection.id, message))
        b.server.loop.call_soon_threadsafe(connection.close)
        await b.until(lambda: connection.ending is not None)
        run = await start(a, person)
        assert (await other.receive("event"))["seq"] == 1
        assert b.hub.connection(connection.id) is connection, "the stalled one is still being closed"
        await a.server.call(stop(run))
        assert (await other.receive("event"))["event"] == "run_cancelled"

    b.run(both(a, main()))


def test_a_subscription_that_fails_leaves_nothing_listened_to(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        person = a.person()
        run = await start(a, person)
        await a.until(lambda: run.seq == 1)
        journal = b.hub._backplane.journal
        read = journal.read

        async def fails_later(run: str, after: int) -> Any:
            if after:
                raise StoreError("away")
            return await read(run, after)

        journal.read = fails_later
        client = await b.ready(person)
        await client.send(type="subscribe", run=run.id, last_seq=2)
        assert await client.ended() == AWAY
        await b.until(lambda: not len(b.hub._runs._mirrors))
        async with asyncio.timeout(20):
            while await b.server.call(b.hub._backplane.watchers(run.id)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await a.server.call(stop(run))

    b.run(both(a, main()))


def test_a_run_that_could_not_begin_has_ended_for_everybody(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        person = a.person()
        journal = a.hub._backplane.journal
        begin, begun, go_on = journal.begin, asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        async def slow(record: Any) -> None:
            await begin(record)
            loop.call_soon_threadsafe(begun.set)
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go_on.wait(), loop))

        journal.begin = slow
        starting = asyncio.create_task(start(a, person, on_last_detach="cancel"))
        await begun.wait()
        await a.server.call(a.hub.close_session(person.session))
        go_on.set()
        with pytest.raises(ScopeClosed):
            await starting
        thread = a.registry.canonical(person.thread, "thread", service="backend")
        async with asyncio.timeout(20):
            while [run.ended for run in await b.server.call(b.hub.runs_of(thread))] != [True]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        tasks = asyncio.all_tasks
        await a.until(lambda: "watchers" not in "".join(task.get_name() for task in tasks(a.server.loop)))

    b.run(both(a, main()))


def test_who_wants_a_run_while_the_hub_stops_is_told_to_come_back(world: Make) -> None:
    w = world()
    wanted, go_on = asyncio.Event(), asyncio.Event()

    @w.hub.on_message
    async def receive(connection: Connection, message: dict[str, Any]) -> None:
        if message["type"] == "later":
            wanted.set()
            await go_on.wait()
        await w.hub.start_run(connection, thread=message["thread"], execute=for_ever)

    async def main() -> None:
        person = w.person()
        client = await w.watching(person)
        await client.send(type="now", thread=person.thread)
        await client.receive("event")
        await client.send(type="later", thread=person.thread)
        await w.until(wanted.is_set)
        stopping = asyncio.create_task(w.server.call(w.hub.shutdown(grace=10)))
        await w.until(lambda: w.hub.stopping)
        w.server.loop.call_soon_threadsafe(go_on.set)
        code, reason = await client.ended()
        assert code == 1012 and "retry after" in str(reason)
        await w.server.call(stop(next(iter(w.hub._present.runs.values()))))
        await stopping

    w.run(main())


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_hub_serves_again_after_it_was_stopped(
    serve: Make, world: Make, shared_valkey: Server, shared: bool
) -> None:
    w = world(backplane=ValkeyBackplane(shared_valkey.url, lease=2) if shared else None)

    async def main() -> None:
        person = w.person()
        await w.watching(person)
        await start(w, person)
        await asyncio.to_thread(w.server.__exit__)
        w.server = serve(w.hub)
        client = await w.watching(person)
        run = await start(w, person)
        assert (await client.receive("event"))["run"] == run.id
        await w.server.call(stop(run))
        assert (await client.receive("event"))["final"]
        await asyncio.to_thread(w.server.__exit__)

    w.run(main())


def test_a_hub_with_a_backplane_starts_nothing_before_its_lifespan(
    registry: Any, store: Any, shared_valkey: Server
) -> None:
    async def main() -> None:
        hub = Hub(registry, store, backplane=ValkeyBackplane(shared_valkey.url, lease=2))
        with pytest.raises(StoreError, match="lifespan"):
            await hub.start_run("session", thread="thread", execute=for_ever)

    asyncio.run(main())


def test_a_hub_that_could_not_start_leaves_nothing_and_can_start_later(registry: Any, store: Any) -> None:
    port = free_port()

    async def main() -> None:
        hub = Hub(registry, store, backplane=ValkeyBackplane(f"redis://127.0.0.1:{port}/0", lease=2))
        with pytest.raises(StoreError):
            async with hub.lifespan(None):
                raise AssertionError("it started without its store")
        assert len(asyncio.all_tasks()) == 1
        with Server(port=port):
            async with hub.lifespan(None):
                assert hub.may_send

    asyncio.run(main())


def test_a_topic_joined_twice_is_received_once_and_an_ended_connection_nothing(pair: Make) -> None:
    a, b = pair()
    kept: list[Connection] = []

    @a.hub.on_message
    async def receive(connection: Connection, message: dict[str, Any]) -> None:
        kept.append(connection)
        await asyncio.gather(a.hub.join(connection, "news"), a.hub.join(connection, "news"))
        await a.hub.join(connection, "news")
        await connection.send({"type": "joined"})

    async def main() -> None:
        client = await a.ready(a.person())
        await client.send(type="join")
        await client.receive("joined")
        assert await a.server.call(a.hub.send_to_topic("news", {"type": "m", "n": 1})) == 1
        await b.server.call(b.hub.send_to_topic("news", {"type": "m", "n": 2}))
        assert [(await client.receive())["n"] for _ in range(2)] == [1, 2]
        client.raw.transport.abort()
        await a.gone()
        assert await a.server.call(kept[0].send({"type": "m"})) is False
        await a.server.call(a.hub.join(kept[0], "more"))
        assert await a.server.call(a.hub.send_to_topic("news", {"type": "m"})) == 0
        wanted = a.hub._backplane._lines._wanted
        await a.until(lambda: [name for name in wanted if "process/" not in name] == [])

    b.run(both(a, main()))


def test_a_run_goes_on_whose_client_vanished_while_it_was_started(world: Make) -> None:
    w = world()
    ended = asyncio.Event()

    async def execute(run: Run) -> None:
        await w.until(lambda: not w.hub.counts().connections)
        w.server.loop.call_soon_threadsafe(ended.set)

    @w.hub.on_message
    async def receive(connection: Connection, message: dict[str, Any]) -> None:
        await w.hub.start_run(connection, thread=message["thread"], execute=execute)
        await asyncio.Event().wait()

    async def main() -> None:
        person = w.person()
        client = await w.ready(person)
        await client.send(type="ask", thread=person.thread)
        await w.until(lambda: w.hub.counts().runs == 1)
        client.raw.transport.abort()
        await w.until(ended.is_set)
        await w.until(lambda: [run.outcome for run in w.hub._present.runs.values()] == ["run_completed"])

    w.run(main())


@fault(
    "the store fails while a session is logged out, and the client comes back with that session",
    promised="who logs out is told; what the client begins once it is let in again goes on",
)
def test_a_log_out_that_reaches_the_store_late_ends_nothing_that_began_later(
    pair: Make, seen: Callable[[str], None]
) -> None:
    a, b = pair()

    async def main() -> None:
        person = a.person()
        await a.ready(person)
        there = await b.ready(person)
        (membership,) = a.hub._backplane.tree._memberships
        write = membership.write

        async def away(step: str, *arguments: Any) -> Any:
            if step in ("begin", "close"):
                raise StoreError("away", path="valkey")
            return await write(step, *arguments)

        membership.write = away
        with pytest.raises(StoreError, match="logged out"):
            await a.server.call(a.hub.close_session(person.session))
        await a.gone()
        coming = asyncio.create_task(admitted(a, person))
        await a.until(lambda: a.hub.counts().handshakes == 1)
        membership.write = write
        await coming
        assert (await there.ended())[0] == 4401
        run = await start(a, person)
        await a.until(lambda: run.seq == 1)
        assert not membership._debts
        await a.server.call(stop(run))
        seen("`StoreError`; the client came in once the session was closed everywhere, and its run went on")

    b.run(both(a, main()))


@fault(
    "a run is cancelled while the store is away",
    promised="it ends here at once; its final event reaches the other processes once the store is back",
)
def test_a_run_that_is_cancelled_while_the_store_is_away_ends_for_everybody(
    pair: Make, seen: Callable[[str], None]
) -> None:
    with Server() as valkey:
        a, b = pair(valkey, limits={"close_timeout": 0.5})

        async def main() -> None:
            person = a.person()
            there = await b.watching(person)
            run = await start(a, person)
            assert (await there.receive("event"))["seq"] == 1
            valkey.pause()
            await a.server.call(stop(run))
            await a.until(lambda: a.hub.tree.stats.released >= 2)  # the executor and its run
            await asyncio.sleep(2)  # as long as a release may take
            valkey.resume()
            last = await there.receive("event")
            assert (last["seq"], last["event"], last["final"]) == (2, "run_cancelled", True)
            seen("released within a second; `run_cancelled` for the client of the other process")

        b.run(both(a, main()))


@fault(
    "a process does not hear of a run's end until its events are no longer kept",
    promised="its clients are told `run_gone`, and nothing is waited for any more",
)
def test_a_run_whose_end_was_not_heard_in_time_is_gone(
    world: Make, shared_valkey: Server, seen: Callable[[str], None]
) -> None:
    async def main() -> None:
        async with Proxy(shared_valkey.port) as proxy:
            limits = {"run_retention": 0.3}
            a, b = [
                await asyncio.to_thread(world, backplane=ValkeyBackplane(url, lease=10), limits=limits)
                for url in (shared_valkey.url, proxy.url)
            ]
            person = a.person()
            there = await b.watching(person)
            run = await start(a, person)
            assert (await there.receive("event"))["seq"] == 1
            proxy.cut(refuse=True)
            await a.server.call(stop(run))
            await a.until(lambda: a.hub.counts().runs == 0)
            await asyncio.sleep(0.5)
            proxy.heal()
            assert (await there.receive("event"))["event"] == "run_gone"
            await b.until(lambda: not len(b.hub._runs._mirrors))
            for w in (a, b):
                await asyncio.to_thread(w.server.__exit__)
            there.raw.transport.abort()
            await there.raw.wait_closed()
            seen("`run_gone`, final")

    asyncio.run(main())


def test_a_ticket_that_one_process_keeps_itself_is_good_there_once(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        ticket = a.ticket(a.person())
        assert (await (await b.connect(ticket=ticket)).ended())[0] == 4401
        assert await (await a.connect(ticket=ticket)).receive("ready")
        assert (await (await a.connect(ticket=ticket)).ended())[0] == 4401

    b.run(both(a, main()))


def test_a_session_without_grace_lasts_while_somebody_comes_in_or_begins_a_run(pair: Make) -> None:
    a, b = pair(limits={"session_grace": 0.0})

    async def main() -> None:
        person = a.person()
        run = await start(a, person)
        await a.server.call(stop(run))
        client = await b.ready(person)
        await client.send(type="watch", thread=person.thread)
        assert await client.receive("watching")

    b.run(both(a, main()))


def test_a_run_that_waited_for_the_store_while_the_hub_shut_down_does_not_start(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        person, backplane = a.person(), a.hub._backplane
        look, looked, go_on = backplane.ended_at, asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        async def slow(session: str) -> Any:
            answer = await look(session)
            loop.call_soon_threadsafe(looked.set)
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go_on.wait(), loop))
            return answer

        backplane.ended_at = slow
        starting = asyncio.create_task(start(a, person))
        await looked.wait()
        await a.server.call(a.hub.shutdown())
        go_on.set()
        with pytest.raises(ScopeClosed, match="shutting down"):
            await starting
        assert (a.hub.counts().sessions, a.hub.counts().runs) == (0, 0)

    b.run(both(a, main()))


def test_a_run_that_is_cancelled_while_its_end_is_stored_is_counted_as_it_ended(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        person, journal = a.person(), a.hub._backplane.journal
        append, stored, go_on = journal.append, asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        async def slow(*event: Any) -> Any:
            answer = await append(*event)
            loop.call_soon_threadsafe(stored.set)
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go_on.wait(), loop))
            return answer

        async def nothing(run: Run) -> None: ...

        journal.append = slow
        run = await start(a, person, nothing)
        await stored.wait()
        await a.server.call(stop(run))
        go_on.set()
        await a.until(lambda: count(a, "runs_ended", event="run_completed") == 1)

    b.run(both(a, main()))
