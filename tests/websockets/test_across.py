"""Several processes behind one address: whichever a client reaches, it is told the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from redis.asyncio import RedisCluster
from redis.asyncio.sentinel import Sentinel

from canonid.websockets import Connection, Grace, Run
from canonid.websockets.backplane import process_channel, user_channel
from canonid.websockets.metrics import HubCollector
from canonid.websockets.valkey import ValkeyBackplane, journal, tickets
from faults import fault
from scopes.servers import client, cluster, until, watched
from stores import Proxy, Server, aside

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def shared_valkey() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def primaries() -> Iterator[list[Server]]:
    with cluster() as servers:
        yield servers


class OverCluster(ValkeyBackplane):
    """A backplane whose client ends with it."""

    def __init__(self, port: int, **options: Any) -> None:
        self._cluster = RedisCluster(host="127.0.0.1", port=port)
        super().__init__(self._cluster, buckets=4, **options)

    async def aclose(self) -> None:
        await super().aclose()
        await self._cluster.aclose()


class OverSentinel(ValkeyBackplane):
    """A backplane over the primary that sentinels name, whose clients end with it."""

    def __init__(self, sentinel: Sentinel, **options: Any) -> None:
        self._sentinel = sentinel
        self._primary = sentinel.master_for("store")
        super().__init__(self._primary, lease=2, **options)

    async def aclose(self) -> None:
        await super().aclose()
        await self._primary.aclose()
        await self._sentinel.aclose()


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Callable[..., ValkeyBackplane]:
    """Makes backplanes over one server, or a cluster."""
    if getattr(request, "param", "server") == "cluster":
        return partial(OverCluster, request.getfixturevalue("primaries")[0].port, lease=10)
    return partial(ValkeyBackplane, request.getfixturevalue("shared_valkey").url, lease=2)


anywhere = pytest.mark.parametrize("place", ["server", "cluster"], indirect=True)


@pytest.fixture
def valkey() -> Iterator[Server]:
    """One that a test may stop and kill."""
    with Server() as server:
        yield server


@pytest.fixture
def pair(world: Make, place: Callable[..., ValkeyBackplane]) -> Make:
    """Two worlds over one store and one Valkey, each as a process of its own would be."""

    def make(*urls: str, **options: Any) -> list[Any]:
        makes = [partial(ValkeyBackplane, url, lease=2) for url in urls] or [place, place]
        return [
            world(backplane=make(process=name), **options) for name, make in zip("ab", makes, strict=True)
        ]

    return make


class Agent:
    """An executor that publishes when it is told to."""

    def __init__(self) -> None:
        self.cancelled = self.stopped = False
        self._steps: asyncio.Queue[int] = asyncio.Queue()

    async def __call__(self, run: Run) -> None:
        try:
            while count := await self._steps.get():
                for _ in range(count):
                    await run.publish("token", {"n": run.seq + 1})
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.stopped = True

    async def publish(self, w: Any, count: int) -> None:
        await w.server.call(self._steps.put(count))

    async def end(self, w: Any) -> None:
        await w.server.call(self._steps.put(0))


async def start(w: Any, person: Any, agent: Agent, **options: Any) -> Run:
    run = await w.server.call(w.hub.start_run(person.session, thread=person.thread, execute=agent, **options))
    assert isinstance(run, Run)
    return run


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["seq"] for event in events]


@anywhere
def test_a_ticket_is_good_once_in_any_process(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        ticket = await a.issue(a.person())
        client = await b.connect(ticket=ticket)
        await client.receive("ready")
        for w in (a, b):
            assert (await (await w.connect(ticket=ticket)).ended())[0] == 4401

    b.run(a_then(a, main()))


async def a_then(a: Any, test: Any) -> None:
    """Runs a test that has clients of two worlds."""
    try:
        await test
    finally:
        for client in a._clients:
            client.raw.transport.abort()
            await client.raw.wait_closed()
        a._clients.clear()


@anywhere
def test_every_recipient_is_reached_in_the_other_process(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        person, other, agent = a.person(), a.person(), Agent()
        here, there, foreign = await a.watching(person), await b.watching(person), await b.watching(other)
        b_connection = next(
            c for c in b.hub._present.connections.values() if c.session == session_of(b, person)
        )
        run = await start(a, person, agent)
        await a.server.call(a.hub.send_to_user(person.user, {"type": "m", "n": 1}))
        await a.server.call(a.hub.send_to_thread(person.thread, {"type": "m", "n": 2}))
        await a.server.call(a.hub.send_to_scope("session", person.session, {"type": "m", "n": 3}))
        await a.server.call(a.hub.send_to_connection(b_connection.id, {"type": "m", "n": 4}))
        await b.until(lambda: b_connection.subscriptions)
        await a.server.call(a.hub.send_to_scope("run", run.id, {"type": "m", "n": 5}))
        assert [(await there.receive("m"))["n"] for _ in range(5)] == [1, 2, 3, 4, 5]
        await a.server.call(a.hub.send_to_user(person.user, {"type": "m", "n": 6}))
        assert [(await here.receive("m"))["n"] for _ in range(5)] == [1, 2, 3, 5, 6]
        await a.server.call(a.hub.send_to_user(other.user, {"type": "m", "n": 7}))
        assert (await foreign.receive("m"))["n"] == 7
        await agent.end(a)

    b.run(a_then(a, main()))


def session_of(w: Any, person: Any) -> str:
    return str(w.store.resolve(person.session, kind="session").canonical)


@anywhere
def test_a_topic_reaches_who_joined_it_in_any_process_until_they_part(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        clients = []
        for w in (a, b):

            async def join(connection: Connection, message: dict[str, Any], w: Any = w) -> None:
                await (w.hub.join if message["type"] == "join" else w.hub.part)(connection, message["topic"])
                await connection.send({"type": "done"})

            w.hub.on_message(join)
            clients.append(await w.ready(w.person()))
            await clients[-1].send(type="join", topic="news")
            await clients[-1].receive("done")
        assert await a.server.call(a.hub.send_to_topic("news", {"type": "m", "n": 1})) == 1
        assert [(await client.receive("m"))["n"] for client in clients] == [1, 1]
        await clients[1].send(type="part", topic="news")
        await clients[1].receive("done")
        await a.server.call(a.hub.send_to_topic("news", {"type": "m", "n": 2}))
        assert (await clients[0].receive("m"))["n"] == 2
        await clients[1].send(type="join", topic="other")
        assert (await clients[1].receive())["type"] == "done", "what came after it parted is not there"
        with pytest.raises(ValueError, match="1 to 256"):
            await a.server.call(a.hub.send_to_topic("", {"type": "m"}))

    b.run(a_then(a, main()))


def test_who_watches_a_thread_sees_a_run_of_another_process_from_the_start(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        person, agent = a.person(), Agent()
        here, there = await a.watching(person), await b.watching(person)
        await start(a, person, agent)
        await agent.publish(a, 3)
        await agent.end(a)
        events = await there.events()
        assert numbers(events) == [1, 2, 3, 4] and events == await here.events()
        assert events[-1]["event"] == "run_completed"
        await b.until(lambda: not len(b.hub._runs._mirrors))

    b.run(a_then(a, main()))


@anywhere
def test_a_client_resumes_in_another_process_where_it_was(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        person, agent = a.person(), Agent()
        client = await a.watching(person)
        run = await start(a, person, agent)
        seen = []
        for round in range(6):
            w, ahead = (a, b)[round % 2], 5 * round
            await agent.publish(a, 5)
            if round:
                client = await w.ready(person)
                await client.send(type="subscribe", run=run.id, last_seq=ahead)
            seen += [(await client.receive("event"))["seq"] for _ in range(5)]
            client.raw.transport.abort()
        await agent.end(a)
        client = await b.watching(person)
        await client.send(type="subscribe", run=run.text, last_seq=30)
        assert [*seen, *numbers(await client.events())] == list(range(1, 32))

    b.run(a_then(a, main()))


def test_what_is_trimmed_is_told_as_a_gap_in_another_process(pair: Make) -> None:
    a, b = pair(limits={"run_events": 5})

    async def main() -> None:
        person, agent = a.person(), Agent()
        run = await start(a, person, agent)
        await agent.publish(a, 20)
        await agent.end(a)
        await a.until(lambda: run.ended)
        client = await b.ready(person)
        await client.send(type="subscribe", run=run.id, last_seq=3)
        gap, *events = await client.events()
        assert gap == {"type": "gap", "run": run.id, "from": 4, "to": 16}
        assert numbers(events) == [17, 18, 19, 20, 21]

    b.run(a_then(a, main()))


@anywhere
def test_a_run_is_listed_and_cancelled_from_another_process(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        person, agent = a.person(), Agent()
        run = await start(a, person, agent)
        await agent.publish(a, 2)
        await a.until(lambda: run.seq == 2)
        client = await b.ready(person)
        await client.send(type="watch", thread=person.thread)
        assert (await client.receive("watching"))["runs"] == [{"run": run.id, "seq": 2, "ended": False}]
        await client.send(type="subscribe", run=run.id)
        await client.send(type="cancel", run=run.id)
        events = await client.events()
        assert numbers(events) == [1, 2, 3] and events[-1]["event"] == "run_cancelled"
        assert agent.cancelled

    b.run(a_then(a, main()))


@pytest.mark.parametrize("policy", ["cancel", Grace(0.2)], ids=str)
def test_a_run_ends_when_the_last_one_left_in_every_process(pair: Make, policy: Any) -> None:
    a, b = pair()

    async def main() -> None:
        person, agent = a.person(), Agent()
        there = await b.watching(person)
        run = await start(a, person, agent, on_last_detach=policy)
        await agent.publish(a, 1)
        await there.receive("event")
        await asyncio.sleep(2.5)
        assert not run.ended, "somebody watches it"
        there.raw.transport.abort()
        await a.until(lambda: run.ended)
        assert agent.cancelled

    b.run(a_then(a, main()))


def test_a_stranger_can_not_tell_a_foreign_run_from_an_unknown_one(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        person, agent = a.person(), Agent()
        run = await start(a, person, agent)
        await agent.publish(a, 1)
        for text in (run.id, a.registry.mint("run"), "nonsense"):
            client = await b.ready(b.person())
            await client.send(type="subscribe", run=text)
            assert await client.ended() == (4404, "unknown or not yours")
        await agent.end(a)

    b.run(a_then(a, main()))


@anywhere
def test_a_log_out_ends_the_session_in_every_process(pair: Make) -> None:
    a, b = pair()

    async def main() -> None:
        person, other = a.person(), a.person()
        here, there = await a.ready(person), await b.ready(person)
        stranger = await b.ready(other)
        unspent = await b.issue(person)
        agent = Agent()
        run = await start(b, person, agent)
        await a.server.call(a.hub.close_session(person.session))
        assert await here.ended() == await there.ended() == (4401, "session closed")
        await b.until(lambda: run.ended)
        assert agent.cancelled
        for w in (a, b):
            assert (await (await w.connect(ticket=unspent)).ended())[0] == 4401
        await b.server.call(b.hub.send_to_user(other.user, {"type": "m"}))
        assert await stranger.receive("m")
        again = await b.ready(person)
        assert again.raw.close_code is None, "a newer ticket comes in"

    b.run(a_then(a, main()))


def test_a_session_goes_on_in_one_process_when_it_is_left_in_the_other(pair: Make) -> None:
    a, b = pair(limits={"session_grace": 0.2})

    async def main() -> None:
        person = a.person()
        here, there = await a.ready(person), await b.ready(person)
        here.raw.transport.abort()
        await a.until(lambda: not a.hub.counts().sessions)
        await b.server.call(b.hub.send_to_user(person.user, {"type": "m"}))
        assert await there.receive("m")
        assert b.hub.counts().sessions == 1

    b.run(a_then(a, main()))


@anywhere
def test_a_user_has_so_many_connections_over_all_processes(pair: Make) -> None:
    a, b = pair(limits={"connections_per_principal": 3})

    async def main() -> None:
        person = a.person()
        for w in (a, b, a):
            await w.ready(person)
        assert await (await b.connect(person)).ended() == (1008, "too many connections")
        assert (await (await a.connect(person)).ended())[0] == 1008

    b.run(a_then(a, main()))


@fault(
    "the store hangs, or restarts empty, while a run publishes",
    promised="events wait; none is lost, doubled or out of order",
)
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_events_wait_for_a_store_that_is_away_and_none_is_lost(
    valkey: Server, pair: Make, how: str, seen: Callable[[str], None]
) -> None:
    a, b = pair(valkey.url, valkey.url)

    async def main() -> None:
        person, agent = a.person(), Agent()
        there = await b.watching(person)
        run = await start(a, person, agent)
        await agent.publish(a, 3)
        assert [(await there.receive("event"))["seq"] for _ in range(3)] == [1, 2, 3]
        if how == "stopped":
            valkey.pause()
        else:
            valkey.kill()
        await agent.publish(a, 3)
        await asyncio.sleep(1)
        assert run.seq == 3, "nobody sees an event that is not stored"
        if how == "stopped":
            valkey.resume()
        else:
            valkey.start()
        await agent.end(a)
        assert numbers(await there.events()) == [4, 5, 6, 7]
        late = await b.ready(person)
        await late.send(type="subscribe", run=run.id)
        assert numbers(await late.events()) == [1, 2, 3, 4, 5, 6, 7]

    b.run(a_then(a, main()))
    seen("each number once, in order, live and for one who comes later")


@anywhere
def test_a_thousand_publish_at_once(pair: Make) -> None:
    a, b = pair(limits={"runs_per_principal": 1000})

    async def main() -> None:
        person, agents = a.person(), [Agent() for _ in range(50)]
        runs = [await start(a, person, agent) for agent in agents]

        async def publish_all() -> list[int]:
            return await asyncio.gather(*[run.publish("token") for _ in range(20) for run in runs])

        assert sorted(await a.server.call(publish_all())) == sorted([*range(1, 21)] * 50)
        client = await b.ready(person)
        for run, agent in zip(runs[:3], agents, strict=False):
            await agent.end(a)
            await client.send(type="subscribe", run=run.id)
            assert numbers(await client.events()) == list(range(1, 22))

    b.run(a_then(a, main()))


def test_metrics_tell_of_the_lease_and_never_of_an_id(pair: Make) -> None:
    a, _ = pair()

    async def main() -> None:
        person = a.person()
        await a.watching(person)
        registry = CollectorRegistry()
        registry.register(HubCollector(a.hub))
        text = generate_latest(registry).decode()
        assert "canonid_lease_valid 1.0" in text
        assert 'canonid_membership_events_total{event="fenced"} 0.0' in text
        assert not any(each in text for each in (*person, a.hub._backplane.process))

    a.run(main())


@fault(
    "a fail-over to a replica that lacks the last events of a run that goes on",
    promised="what its executor still keeps is written again; clients see each number once",
)
def test_events_that_a_fail_over_lost_are_written_again(
    valkey: Server, pair: Make, seen: Callable[[str], None]
) -> None:
    proxy = Proxy(valkey.port)
    with Server("--replicaof", "127.0.0.1", str(valkey.port)) as replica, aside(proxy) as tell:
        a, b = pair(proxy.url, proxy.url)

        async def main() -> None:
            person, agent = a.person(), Agent()
            clients = [await a.watching(person), await b.watching(person)]
            run = await start(a, person, agent)

            async def see(numbers: range) -> None:
                await agent.publish(a, len(numbers))
                for client in clients:
                    assert [(await client.receive("event"))["seq"] for _ in numbers] == [*numbers]

            await see(range(1, 4))
            assert valkey.ask("WAIT", "1", "20000") == ":1"
            replica.ask("REPLICAOF", "NO", "ONE")
            await see(range(4, 8))
            valkey.kill()
            tell(proxy.point_at, replica.port)
            await see(range(8, 10))
            await agent.end(a)
            for client in clients:
                assert numbers(await client.events()) == [10]
            late = await b.ready(person)
            await late.send(type="subscribe", run=run.id)
            events = await late.events()
            assert numbers(events) == [*range(1, 11)] and events[-1]["event"] == "run_completed"

        b.run(a_then(a, main()))
        for w in (a, b):
            w.server.__exit__()
    seen("each number once and in order, live and for one who comes later")


@fault(
    "a primary that a sentinel watches dies, or hands over, while a run goes on",
    promised="processes hear each other over its replica; clients see each number once",
)
@pytest.mark.parametrize("how", ["dies", "hands over"])
def test_processes_hear_each_other_after_a_sentinel_promoted_a_replica(
    world: Make, how: str, seen: Callable[[str], None]
) -> None:
    with watched(1) as servers:
        a, b = [world(backplane=OverSentinel(servers.sentinel(), process=name)) for name in "ab"]

        async def main() -> None:
            person, agent = a.person(), Agent()
            clients = [await a.watching(person), await b.watching(person)]
            await start(a, person, agent)

            async def see(numbers: range) -> None:
                await agent.publish(a, len(numbers))
                for client in clients:
                    assert [(await client.receive("event"))["seq"] for _ in numbers] == [*numbers]

            await see(range(1, 4))
            if how == "dies":
                servers.primary.kill()
            else:
                await until(lambda: servers.watchers[0].ask("SENTINEL", "FAILOVER", "store") == "+OK")
            await see(range(4, 7))
            await a.until(lambda: a.hub.membership()["rejoined"] and b.hub.membership()["rejoined"])
            await see(range(7, 10))
            channel = user_channel(a.registry.canonical(person.user, "user"))

            async def both_listen() -> bool:
                return await a.server.call(a.hub._backplane._lines.listeners(channel)) == 2

            await until(both_listen)
            assert await a.server.call(a.hub.send_to_user(person.user, {"type": "m"})) == 1
            for client in clients:
                await client.receive("m")
            await agent.end(a)
            for client in clients:
                assert numbers(await client.events()) == [10]

        b.run(a_then(a, main()))
        for w in (a, b):
            w.server.__exit__()
    seen("heard again in both processes; each number once and in order")


@fault(
    "one process is cut off from the store, while it and its clients live",
    promised="others end its runs with run_lost; its clients hear nothing more from it, then 1012",
)
@pytest.mark.parametrize("how", ["hangs", "is refused"])
def test_a_process_that_is_cut_off_falls_silent_and_is_replaced(
    valkey: Server, pair: Make, how: str, seen: Callable[[str], None]
) -> None:
    proxy = Proxy(valkey.port)
    with aside(proxy) as tell:
        a, b = pair(proxy.url, valkey.url)

        async def main() -> None:
            person, agent = a.person(), Agent()
            there, here = await a.watching(person), await b.watching(person)
            await start(a, person, agent)
            await agent.publish(a, 3)
            for client in (there, here):
                assert [(await client.receive("event"))["seq"] for _ in range(3)] == [1, 2, 3]
            if how == "hangs":
                tell(proxy.hang)
            else:
                tell(proxy.cut, refuse=True)
            await agent.publish(a, 3)
            lost = await here.receive("event")
            assert (lost["seq"], lost["event"]) == (4, "run_lost")
            if how == "hangs":
                tell(proxy.cut)
            tell(proxy.heal)
            messages: list[dict[str, Any]] = []
            assert (await there.ended(messages))[0] == 1012
            assert not [message for message in messages if message["type"] == "event"]
            await a.until(lambda: agent.stopped)
            assert "incidents" not in {name for name, _, _ in a.hub.counters}
            again = await a.ready(person)
            await again.send(type="subscribe", run=lost["run"])
            assert [event["event"] for event in await again.events()] == ["token"] * 3 + ["run_lost"]

        b.run(a_then(a, main()))
        for w in (a, b):
            w.server.__exit__()
    seen("run_lost elsewhere within some leases; no event more from it, 1012 when it is back")


@pytest.mark.parametrize("forgotten", [False, True], ids=["behind", "forgotten"])
def test_a_run_that_ended_before_what_was_seen_of_it_ends_for_clients_too(
    valkey: Server, pair: Make, forgotten: bool
) -> None:
    a, b = pair(valkey.url, valkey.url)

    async def main() -> None:
        person, agent = a.person(), Agent()
        there = await b.watching(person)
        run = await start(a, person, agent)
        await agent.publish(a, 3)
        assert [(await there.receive("event"))["seq"] for _ in range(3)] == [1, 2, 3]
        events, known = f"canonid:{{{run.id}}}:log", f"canonid:{{{run.id}}}:run"
        async with client(valkey.url) as connection:
            if forgotten:  # as after a break in which it ended, and was then forgotten
                await connection.hset(known, mapping={"seq": 5, "final": 1})
                await connection.delete(events)
                b.server.loop.call_soon_threadsafe(b.hub._runs.relisten, run.id)
            else:  # as after a fail-over that lost its last events, and the death of its process
                ((_, first),) = await connection.xrange(events, count=1)
                await connection.delete(events)
                await connection.xadd(events, first, id="1-0")
                await connection.hset(known, "seq", 1)
                backplane = b.hub._backplane
                assert await b.server.call(backplane.journal.lose(run.id, backplane._lost_text))
        last = await there.receive("event")
        assert last["final"] and last["event"] == ("run_gone" if forgotten else "run_lost")
        await b.until(lambda: not len(b.hub._runs._mirrors))
        await agent.end(a)
        await a.until(lambda: run.ended)

    b.run(a_then(a, main()))


def test_what_is_left_in_the_store_afterwards_is_bookkeeping(
    valkey: Server, pair: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "KNOWN", 1.0)
    monkeypatch.setattr(tickets, "REMEMBERED", 1.0)
    a, b = pair(valkey.url, valkey.url, limits={"run_retention": 1.0, "ticket_ttl": 1.0})

    async def main() -> None:
        person, agent, idle = a.person(), Agent(), Agent()
        there = await b.watching(person)
        await a.issue(person)
        await start(a, person, idle)
        await start(a, person, agent)
        await agent.publish(a, 3)
        await agent.end(a)
        await there.events()
        await b.server.call(b.hub.close_session(person.session))

    b.run(a_then(a, main()))
    for w in (a, b):
        w.server.__exit__()

    async def rest() -> set[str]:
        async with client(valkey.url) as connection:
            return {key async for key in connection.scan_iter("*")}

    async def only_bookkeeping() -> bool:
        return await rest() == {f"canonid:{{0}}:{name}" for name in ("store", "seq", "epochs", "released")}

    asyncio.run(until(only_bookkeeping))


@fault(
    "the store restarts empty while a run goes on and publishes nothing",
    promised="the run is put back before its next event; who resumes it elsewhere lacks nothing",
)
def test_a_run_that_is_silent_while_the_store_loses_its_data_is_found_before_its_next_event(
    valkey: Server, pair: Make, seen: Callable[[str], None]
) -> None:
    a, b = pair(valkey.url, valkey.url)

    async def main() -> None:
        person, agent = a.person(), Agent()
        run = await start(a, person, agent)
        await agent.publish(a, 3)
        await a.until(lambda: run.seq == 3)
        valkey.kill()
        valkey.start()
        await a.until(lambda: a.hub.membership()["rejoined"] and b.hub.membership()["rejoined"])
        await until(lambda: b.server.call(is_kept(b, run, 3)))
        client, watcher = await b.ready(person), await b.watching(person)
        await client.send(type="subscribe", run=run.id, last_seq=1)
        assert [(await client.receive("event"))["seq"] for _ in range(2)] == [2, 3]
        await agent.publish(a, 1)
        await agent.end(a)
        assert numbers(await client.events()) == [4, 5]
        await watcher.send(type="subscribe", run=run.id)
        assert numbers(await watcher.events()) == [1, 2, 3, 4, 5]

    b.run(a_then(a, main()))
    seen("found with all its events before the next one, then every number once")


def test_a_run_that_has_ended_is_put_back_too_while_its_process_keeps_it(valkey: Server, pair: Make) -> None:
    a, b = pair(valkey.url, valkey.url)

    async def main() -> None:
        person, agent = a.person(), Agent()
        run = await start(a, person, agent)
        await agent.publish(a, 3)
        await agent.end(a)
        await a.until(lambda: run.ended and not run._writing)
        valkey.kill()
        valkey.start()
        await until(lambda: b.server.call(is_kept(b, run, 4)))
        resuming = await b.ready(person)
        await resuming.send(type="subscribe", run=run.id, last_seq=1)
        events = await resuming.events()
        assert numbers(events) == [2, 3, 4] and events[-1]["event"] == "run_completed"

    b.run(a_then(a, main()))


def test_who_asks_for_a_run_before_its_process_has_put_it_back_comes_again(
    valkey: Server, pair: Make
) -> None:
    proxy = Proxy(valkey.port)
    with aside(proxy) as tell:
        a, b = pair(proxy.url, valkey.url)

        async def main() -> None:
            person, agent = a.person(), Agent()
            run = await start(a, person, agent)
            await agent.publish(a, 3)
            await a.until(lambda: run.seq == 3)
            tell(proxy.cut, refuse=True)
            valkey.kill()
            valkey.start()
            await b.until(lambda: b.hub.membership()["rejoined"])
            early = await b.ready(person)
            await early.send(type="subscribe", run=run.id, last_seq=1)
            assert (await early.ended())[0] == 1013
            tell(proxy.heal)
            await until(lambda: b.server.call(is_kept(b, run, 3)))
            again = await b.ready(person)
            await again.send(type="subscribe", run=run.id, last_seq=1)
            await agent.end(a)
            assert numbers(await again.events()) == [2, 3, 4]

        b.run(a_then(a, main()))


async def is_kept(w: Any, run: Run, seq: int) -> bool:
    return [known.seq for known in await w.hub.runs_of(run.thread)] == [seq]


def test_who_saw_events_that_the_store_lost_is_asked_to_come_again(valkey: Server, pair: Make) -> None:
    a, b = pair(valkey.url, valkey.url)

    async def main() -> None:
        person, agent = a.person(), Agent()
        run = await start(a, person, agent)
        await agent.publish(a, 1)
        await a.until(lambda: run.seq == 1)
        resuming = await b.ready(person)
        await resuming.send(type="subscribe", run=run.id, last_seq=2)
        assert (await resuming.ended())[0] == 1013
        await b.until(lambda: not len(b.hub._runs._mirrors))
        await agent.end(a)
        await a.until(lambda: run.ended)
        resuming = await b.ready(person)
        await resuming.send(type="subscribe", run=run.id, last_seq=3)
        assert (await resuming.ended())[0] == 1008

    b.run(a_then(a, main()))


def test_who_saw_an_event_before_its_executor_had_the_answer_may_resume_there(
    valkey: Server, pair: Make
) -> None:
    proxy = Proxy(valkey.port)
    with aside(proxy) as tell:
        a, b = pair(proxy.url, valkey.url)

        async def main() -> None:
            person, agent = a.person(), Agent()
            here, there = await a.ready(person), await b.watching(person)
            run = await start(a, person, agent)
            await agent.publish(a, 2)
            assert [(await there.receive("event"))["seq"] for _ in range(2)] == [1, 2]
            await a.until(lambda: run.seq == 2)
            async with client(valkey.url) as connection:
                await connection.execute_command("CLIENT", "PAUSE", 500, "ALL")
            await agent.publish(a, 1)
            await a.until(lambda: run._writing)
            await asyncio.sleep(0.1)  # it is on its way; only the answer is kept back
            tell(proxy.hang)
            seen = await there.receive("event")
            assert (seen["seq"], seen["event"], run.seq) == (3, "token", 2)
            await here.send(type="subscribe", run=run.id, last_seq=3)
            await here.send(type="subscribe", run=run.id, last_seq=3)
            tell(proxy.cut)
            tell(proxy.heal)
            await agent.end(a)
            assert numbers(await here.events()) == [4]

        b.run(a_then(a, main()))


def test_a_run_is_cancelled_by_another_process_though_its_own_does_not_hear_just_now(
    valkey: Server, pair: Make
) -> None:
    proxy = Proxy(valkey.port)
    with aside(proxy) as tell:
        a, b = pair(proxy.url, valkey.url)

        async def main() -> None:
            person, agent = a.person(), Agent()
            there = await b.watching(person)
            run = await start(a, person, agent)
            await b.until(lambda: b.hub._runs._mirrors.get(run.id) is not None)
            tell(proxy.cut, refuse=True)
            await until(lambda: b.server.call(nobody_hears(b, a)))
            await there.send(type="cancel", run=run.id)
            await there.send(type="watch", thread=person.thread)
            await there.receive("watching")
            tell(proxy.heal)
            assert (await there.receive("event"))["event"] == "run_cancelled"
            assert agent.cancelled

        b.run(a_then(a, main()))


def test_nobody_goes_on_cancelling_a_run_that_has_ended_unheard(valkey: Server, pair: Make) -> None:
    proxy = Proxy(valkey.port)
    with aside(proxy) as tell:
        a, b = pair(proxy.url, valkey.url)

        async def main() -> None:
            person, agent = a.person(), Agent()
            there = await b.watching(person)
            run = await start(a, person, agent)
            mirrors = b.hub._runs._mirrors
            await b.until(lambda: mirrors.get(run.id) is not None)
            tell(proxy.cut, refuse=True)
            await until(lambda: b.server.call(nobody_hears(b, a)))
            await there.send(type="cancel", run=run.id)
            await b.until(lambda: run.id in mirrors._cancelling)
            there.raw.transport.abort()
            await b.until(lambda: not len(mirrors))
            backplane = b.hub._backplane
            assert await b.server.call(backplane.journal.lose(run.id, backplane._lost_text))
            await b.until(lambda: not mirrors._cancelling)
            tell(proxy.heal)
            a.server.loop.call_soon_threadsafe(run.cancel)

        b.run(a_then(a, main()))


async def nobody_hears(w: Any, other: Any) -> bool:
    """Whether the other process is not listened for, as the store knows it."""
    return not await w.hub._backplane._lines.listeners(process_channel(other.hub._backplane.process))


def test_a_run_that_begins_just_before_the_store_hangs_is_shown_afterwards(
    valkey: Server, pair: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("canonid.websockets.valkey.backplane.ANSWER", 0.5)
    a, b = pair(valkey.url, valkey.url)

    async def main() -> None:
        person, agent = a.person(), Agent()
        there = await b.ready(person)
        run = await start(a, person, agent)
        (connection,) = b.hub._present.connections.values()
        b.server.loop.call_soon_threadsafe(b.hub._present.watch, connection, run.thread)
        told = json.dumps(["started", [run.id], run.thread])
        async with client(valkey.url) as admin, admin.pipeline(transaction=True) as both:
            channel = f"canonid:{user_channel(run.principal)}"
            both.execute_command("SPUBLISH", channel, f"{a.hub._backplane.process}\n{told}")
            both.execute_command("CLIENT", "PAUSE", 900, "ALL")
            await both.execute()
        await agent.publish(a, 1)
        await agent.end(a)
        assert numbers(await there.events()) == [1, 2]

    b.run(a_then(a, main()))


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "shared"])
def test_a_run_that_goes_on_is_told_of_however_many_have_ended_since(
    world: Make, valkey: Server, alone: bool
) -> None:
    shared = {} if alone else {"backplane": ValkeyBackplane(valkey.url, lease=2)}
    w = world(limits={"runs_per_principal": 2}, **shared)

    async def main() -> None:
        person, agent = w.person(), Agent()
        going, last = await start(w, person, agent), []
        for _ in range(5):
            short = Agent()
            last.append(await start(w, person, short))
            await short.end(w)
            await w.until(lambda: last[-1].ended)
        client = await w.ready(person)
        await client.send(type="watch", thread=person.thread)
        told = (await client.receive("watching"))["runs"]
        assert [run["run"] for run in told] == [run.id for run in (going, *last[-2:])]
        await agent.end(w)
        await w.until(lambda: going.ended)

    w.run(main())


def test_who_is_refused_does_not_wait_for_a_store_that_hangs(world: Make, valkey: Server) -> None:
    proxy = Proxy(valkey.port)
    with aside(proxy) as tell:
        limits = {"connections_per_principal": 1, "close_timeout": 0.2}
        a, b = (
            world(backplane=ValkeyBackplane(url, lease=10), limits=limits) for url in (valkey.url, proxy.url)
        )

        async def main() -> None:
            person, tree = b.person(), b.hub._logins.tree
            await a.ready(person)
            look = tree.live

            async def last_look(principal: str) -> Any:
                answer = await look(principal)
                await asyncio.to_thread(tell, proxy.hang)
                return answer

            tree.live = last_look
            refused = await b.connect(person)
            async with asyncio.timeout(4):
                assert await refused.ended() == (1008, "too many connections")
            tell(proxy.cut)
            tell(proxy.heal)

        b.run(a_then(a, main()))
