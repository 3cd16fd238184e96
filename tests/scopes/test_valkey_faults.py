"""What breaks, and what is promised for it: processes, the store, and the way between them."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from canonid import ClaimConflict, Fenced, NotFound, ScopeClosed, StoreError
from faults import fault
from scopes.fleet import LEASE, Process, is_live, live, settled, trees
from scopes.servers import client, leftovers, released, released_names, until
from stores import Proxy, Server


@fault(
    "a process stands still while the store loses its data",
    promised="fenced: nobody can say any more whether others took over",
)
def test_a_frozen_process_that_finds_an_empty_store_is_fenced(namespace, seen):
    async def main():
        with Server() as server:
            async with trees(server.url, namespace, "a", lease=2.0) as (tree,):
                cleaned = []
                session = await tree.open("session", "1", principal="ada")
                await session.claim("tool", "2", release=lambda: cleaned.append(2))
                block(tree.lease * 1.3)
                server.kill()
                server.start()
                assert not tree.may_send
                await until(lambda: tree.counts.fenced == 1)
                assert session.closed
                assert cleaned == [2]
                await until(lambda: tree.may_send)
                await tree.open("session", "1", principal="ada")

    asyncio.run(main())
    seen("fenced at its first beat, and went on empty")


def block(seconds: float) -> None:
    """As code does that should have been async."""
    time.sleep(seconds)


@fault(
    "a process is killed (kill -9)",
    promised="its scopes are released within 2 leases, state once, however many reap",
)
def test_a_killed_process_is_reaped_by_three_at_once(valkey, namespace, seen):
    async def main():
        async with trees(valkey, namespace, "a", "b", "c") as reapers:
            own = await reapers[0].open("session", "50", principal="ada")
            with Process(valkey, namespace, "holder") as holder:
                await until(lambda: holder.said("ready"))
                foreign = await reapers[1].find("session", "1", principal="ada")
                cleaned = []
                tool = await foreign.claim("tool", "60", release=lambda: cleaned.append("60"))
                holder.process.kill()
                start = time.monotonic()
                await until(lambda: is_live(reapers[2], "session.50"))
                took = time.monotonic() - start
            await until(lambda: cleaned == ["60"])
            assert tool.closed
            assert "the lease of holder" in tool.why
            assert took <= 2 * LEASE
            assert not own.closed
            names = await released_names(valkey, namespace)
            assert names == ["tool.60", "tool.4", "tool.3", "tool.2", "tool.1", "tool.0", "session.1"]
            assert sum(tree.counts.reaped for tree in reapers) == 1
        assert await leftovers(valkey, namespace) == set()

    asyncio.run(main())
    seen("released within 2 leases by 3 reapers, each entry once; the survivors' own scopes untouched")


@fault(
    "a process stands still (SIGSTOP) for longer than its lease",
    promised="it sends nothing after its lease, and knows that it was fenced when it wakes",
)
def test_a_stopped_process_is_fenced_when_it_wakes(valkey, namespace, seen):
    async def main():
        async with trees(valkey, namespace, "reaper") as (reaper,):
            with Process(valkey, namespace, "holder") as holder:
                await until(lambda: holder.said("ready") and holder.said("sent"))
                holder.process.send_signal(19)
                stopped = time.monotonic()
                await until(lambda: is_live(reaper))
                await asyncio.sleep(max(0.0, stopped + 1.5 * LEASE - time.monotonic()))
                woken = time.monotonic()
                before = len(holder.lines)
                holder.process.send_signal(18)
                await until(lambda: holder.said("fenced"))
                fence = next(place for place, line in enumerate(holder.lines) if line == "fenced\n")
                assert not any(line.startswith("sent") for line in holder.lines[before:fence])
                assert {f"cleaned {number}\n" for number in range(5)} <= set(holder.lines)
                await until(lambda: holder.lines[-1].startswith("sent"))
                times = [float(line.split()[1]) for line in list(holder.lines) if line.startswith("sent")]
                assert not [moment for moment in times if stopped + LEASE < moment < woken]

    asyncio.run(main())
    seen("fenced at its first beat, what it held closed there too; nothing sent before it had a new lease")


@fault(
    "blocking code stops the event loop",
    promised="for less than a lease: noticed, nothing lost; for more: fenced",
)
def test_a_blocked_loop_is_noticed_and_beyond_the_lease_fenced(valkey, namespace, seen, caplog):
    async def main():
        fenced = []
        async with trees(valkey, namespace, "a", on_fenced=lambda: fenced.append(1)) as (tree,):
            session = await tree.open("session", "1", principal="ada")
            block(LEASE * 0.6)
            await until(lambda: tree.counts.late >= 1)
            assert "the event loop stood still" in caplog.text
            await until(lambda: tree.may_send)
            assert await is_live(tree, "session.1")
            with Process(valkey, namespace, "reaper") as reaper:
                await until(lambda: reaper.said("ready"))
                await until(lambda: tree.may_send)
                deadline = time.monotonic() + 20
                while not fenced and time.monotonic() < deadline:
                    block(LEASE * 2)
                    assert not tree.may_send
                    await asyncio.sleep(LEASE / 2)
            assert session.closed
            with pytest.raises(ScopeClosed):
                await session.claim("tool", "1")
            await tree.open("session", "1", principal="ada")

    asyncio.run(main())
    seen("late beats are logged and counted; after a longer stop the process was fenced and went on empty")


@pytest.mark.parametrize("kept", [True, False], ids=["with its data", "empty"])
@fault(
    "the store is killed and starts again, with its data or empty",
    promised="live things are live again, released ones stay released",
)
def test_a_store_that_starts_again_is_given_back_what_is_live(namespace, seen, kept):
    options = ("--appendonly", "yes", "--appendfsync", "always") if kept else ()

    async def main():
        with Server(*options) as server:
            async with trees(server.url, namespace, "a", "b") as (a, b):
                session = await a.open("session", "1", principal="ada")
                await session.claim("tool", "2")
                inner = await (await b.find("session", "1", principal="ada")).open("run", "3")
                await inner.claim("tool", "4")
                gone = await session.claim("tool", "5")
                await session.release("tool", "5")
                server.kill()
                with pytest.raises(StoreError):
                    await session.claim("tool", "6")
                server.start()
                await until(lambda: a.counts.rejoined == b.counts.rejoined == 1)
                await until(lambda: is_live(b, "session.1", "tool.2", "run.3", "tool.4"))
                assert gone.closed
                assert not any(entry.closed for entry in (session, inner))
                await session.claim("tool", "6")
                await until(lambda: settled(a, b))
                await session.close()
                await until(lambda: inner.closed)
            assert await leftovers(server.url, namespace) == set()

    asyncio.run(main())
    seen("each process joined again under a new epoch and put back exactly what it held")


@fault(
    "fail-over to a replica that lost the last writes",
    promised="what was claimed since is live, what was released since is released",
)
def test_a_fail_over_that_lost_writes_is_mended(namespace, seen):
    async def main():
        with Server() as primary, Server("--replicaof", f"127.0.0.1 {primary.port}") as replica:
            await until(lambda: linked(replica))
            async with Proxy(primary.port) as proxy, trees(proxy.url, namespace, "a", "b") as (a, b):
                session = await a.open("session", "1", principal="ada")
                early = await session.claim("tool", "2")
                other = await b.open("session", "7", principal="ada")
                await until(lambda: holds(replica, namespace, 3))
                replica.ask("REPLICAOF", "NO", "ONE")
                await session.claim("tool", "3")
                await session.release("tool", "2")
                await other.close()
                epoch = a._memberships[0]._epoch
                proxy.point_at(replica.port)
                primary.kill()
                await until(lambda: a.counts.rejoined >= 1 and b.counts.rejoined >= 1)
                await until(lambda: is_live(a, "session.1", "tool.3"))
                await until(lambda: settled(a, b))
                assert early.closed
                assert a._memberships[0]._epoch != epoch
                stale = await a._store.call(
                    a._memberships[0].prefix, "heartbeat", a._memberships[0].process, epoch
                )
                assert stale == ["stale"]

    asyncio.run(main())
    seen("what was lost was put back, what came back was released again; the old epoch is refused")


async def linked(replica: Server) -> bool:
    async with client(replica.url) as connection:
        return (await connection.info("replication"))["master_link_status"] == "up"


async def holds(replica: Server, namespace: str, count: int) -> bool:
    async with client(replica.url) as connection:
        return await connection.hlen(f"{namespace}:{{0}}:nodes") == count


@fault(
    "one process is cut off from the store",
    promised="shorter than its lease: nothing happens; longer: it stops sending in time, and is fenced",
)
def test_a_process_that_is_cut_off_stops_sending_before_others_take_over(valkey, namespace, seen):
    async def main():
        port = int(valkey.rsplit(":", 1)[1].split("/")[0])
        async with Proxy(port) as proxy, trees(valkey, namespace, "b") as (b,):
            fenced = []
            async with trees(proxy.url, namespace, "a", on_fenced=lambda: fenced.append(1)) as (a,):
                cleaned = []
                session = await a.open("session", "1", principal="ada")
                await session.claim("tool", "2", release=lambda: cleaned.append(2))
                proxy.cut()
                await asyncio.sleep(LEASE)
                assert await is_live(b, "session.1", "tool.2")
                await until(lambda: a.may_send)
                proxy.cut(refuse=True)
                while await live(b):
                    may_send = a.may_send
                    await asyncio.sleep(0.005)
                assert not may_send, "it had stopped before others took over"
                proxy.heal()
                await until(lambda: fenced and cleaned)
                assert session.closed
                await until(lambda: a.may_send)
                await a.open("session", "1", principal="ada")

    asyncio.run(main())
    seen("a short cut was not noticed; in the long one it stopped sending first, and was fenced afterwards")


@fault(
    "the store hangs without closing (SIGSTOP) for longer than a lease",
    promised="calls end in time with StoreError, nobody sends, and nobody is reaped for it",
)
def test_a_store_that_hangs_costs_nobody_what_is_live(namespace, seen):
    async def main():
        with Server() as server:
            async with trees(server.url, namespace, "a", "b") as (a, b):
                session = await a.open("session", "1", principal="ada")
                cleaned = []
                server.pause()
                start = time.monotonic()
                with pytest.raises(StoreError, match="no answer in time"):
                    await session.claim("tool", "2", release=lambda: cleaned.append(2))
                assert time.monotonic() - start < LEASE
                await until(lambda: not a.may_send and not b.may_send)
                await asyncio.sleep(LEASE)
                server.resume()
                await until(lambda: a.may_send and b.may_send)
                await until(lambda: settled(a, b))
                await until(lambda: is_live(b, "session.1"))
                assert a.counts.fenced == b.counts.fenced == a.counts.reaped == b.counts.reaped == 0
                assert cleaned == []
                await session.claim("tool", "2")

    asyncio.run(main())
    seen("both suspended and resumed, nothing was reaped, and the claim without an answer was undone")


@fault(
    "the connection to the store hangs",
    promised="closing runs its cleanups at once; the store's part follows when it answers again",
)
def test_a_closing_without_the_store_is_finished_later(valkey, namespace, seen):
    async def main():
        port = int(valkey.rsplit(":", 1)[1].split("/")[0])
        async with Proxy(port) as proxy, trees(valkey, namespace, "b") as (b,):
            async with trees(proxy.url, namespace, "a", lease=4.0) as (a,):
                cleaned = []
                session = await a.open("session", "1", principal="ada")
                await session.claim("tool", "2", release=lambda: cleaned.append(2))
                proxy.hang()
                closing = session.close(why="bye")
                assert cleaned == [2], "at once"
                assert len((await closing).released) == 2
                assert await is_live(b, "session.1", "tool.2")
                proxy.heal()
                await until(lambda: is_live(b))
                assert {record["why"] for record in await released(valkey, namespace)} == {"bye"}

    asyncio.run(main())
    seen("cleanups ran in the call of close, and the store was told after it healed")


@fault(
    "the store hangs while joined scopes are opened, and they are tried again",
    promised="who has opened one at last keeps it",
)
def test_joined_scopes_that_are_opened_again_after_the_store_hung_stay_open(valkey, namespace, seen):
    async def main():
        port = int(valkey.rsplit(":", 1)[1].split("/")[0])
        async with Proxy(port) as proxy, trees(valkey, namespace, "b") as (b,):
            async with trees(proxy.url, namespace, "a", lease=2.0) as (a,):

                async def opened(number):
                    return await a.open("session", str(number), principal="ada", joined=True)

                async def opened_at_last(number):
                    while True:
                        try:
                            return await opened(number)
                        except StoreError:
                            await asyncio.sleep(0.01)

                proxy.hang()
                failed = await asyncio.gather(*map(opened, range(20)), return_exceptions=True)
                assert {type(error) for error in failed} == {StoreError}
                proxy.heal()
                sessions = await asyncio.gather(*map(opened_at_last, range(20)))
                await until(lambda: not a._memberships[0]._debts)
                await until(lambda: settled(a))
                assert not [session for session in sessions if session.closed]
                assert len(await live(b)) == 20

    asyncio.run(main())
    seen("all 20 stayed open, here and in the store")


@fault(
    "a joined scope is closed while the store fails, and opened again before the store knows",
    promised="it is taken until the store knows; who has opened it then keeps it",
)
def test_a_joined_scope_whose_closing_is_owed_is_opened_once_that_is_done(valkey, namespace, seen):
    async def main():
        async with trees(valkey, namespace, "a", "b") as (a, b):
            (membership,) = a._memberships
            write = membership.write

            async def away(step, *arguments):
                if step in ("begin", "close"):
                    raise StoreError("away", path="valkey")
                return await write(step, *arguments)

            session = await a.open("session", "1", principal="ada", joined=True)
            theirs = await b.open("session", "1", principal="ada", joined=True)
            membership.write = away
            assert not (await session.close(why="logged out")).complete
            with pytest.raises(ClaimConflict):
                await a.open("session", "1", principal="ada", joined=True)
            assert not theirs.closed
            membership.write = write
            await until(lambda: theirs.closed and not membership._debts)
            again = await a.open("session", "1", principal="ada", joined=True)
            await until(lambda: settled(a, b))
            assert not again.closed
            assert await is_live(b, "session.1")

    asyncio.run(main())
    seen("a conflict until the other process had heard of the closing; the later one stayed open")


@fault(
    "a closing that ended meanwhile is gone on with, while its name has been opened anew",
    promised="what was opened later stays open",
)
def test_going_on_with_a_closing_that_has_ended_closes_nothing_later(valkey, namespace, seen):
    async def main():
        async with trees(valkey, namespace, "a", "b", lease=20.0) as (a, b):
            (membership,) = a._memberships
            beat, answered, go_on, cleaned = (
                membership.store.beat,
                asyncio.Event(),
                asyncio.Event(),
                asyncio.Event(),
            )

            async def late(*arguments, **options):
                answer = await beat(*arguments, **options)
                answered.set()
                await go_on.wait()
                return answer

            keepers = len(membership._tasks)
            session = await a.open("session", "1", principal="ada")
            await session.claim("tool", "2", release=cleaned.wait)
            closing = session.close()
            await until(lambda: begun(valkey, namespace, "session/session.1"))
            membership.store.beat = late
            beating = asyncio.ensure_future(membership.renew())
            await answered.wait()
            cleaned.set()
            await closing
            again = await b.open("session", "1", principal="ada")
            go_on.set()
            await beating
            await until(lambda: len(membership._tasks) == keepers)
            assert await is_live(a, "session.1")
            assert not again.closed
            await again.close()

    asyncio.run(main())
    seen("the later one was still live, in the store and at its owner")


@fault(
    "who leaves a joined scope last, after a claim without an answer, is overtaken by others who open it",
    promised="what was opened later stays open",
)
def test_the_last_who_leaves_closes_the_scope_that_was_left_and_no_later_one(valkey, namespace, seen):
    async def main():
        async with trees(valkey, namespace, "a", "b", lease=20.0) as (a, b):
            (membership,) = a._memberships
            write, opened = membership.write, []

            async def overtaken(step, *arguments):
                answer = await write(step, *arguments)
                if step == "claim":
                    raise StoreError("no answer", path="valkey")
                if step == "leave":
                    assert answer[0] == "last"
                    await write("sweep", "session/session.1")
                    opened.append(await b.open("session", "1", principal="ada", joined=True))
                return answer

            membership.write = overtaken
            with pytest.raises(StoreError):
                await a.open("session", "1", principal="ada", joined=True)
            await until(lambda: opened and not membership._debts)
            assert await is_live(b, "session.1")
            assert not opened[0].closed

    asyncio.run(main())
    seen("the later one was still live, in the store and at its owner")


async def begun(url, namespace, field):
    """Whether the store knows that a closing has begun."""
    async with client(url) as connection:
        return await connection.hexists(f"{namespace}:{{0}}:closing", field)


def test_a_reason_that_no_store_can_keep_leaves_nothing_behind(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "a") as (a,):
            session = await a.open("session", "1", principal="ada")
            joined = await a.open("session", "2", principal="ada", joined=True)
            await session.close(why="no such file: \udcff")
            await joined.leave(why="no such file: \udcff")
            assert await is_live(a)
            assert (await a.receipt("session", "1")).released.why == "no such file: \\udcff"

    asyncio.run(main())


@fault(
    "a wall clock steps by a year",
    promised="nothing but time stamps changes",
)
def test_a_step_of_the_wall_clock_changes_nothing(valkey, namespace, seen, monkeypatch):
    async def main():
        async with trees(valkey, namespace, "a", "b") as (a, b):
            session = await a.open("session", "1", principal="ada")
            real = time.time_ns
            for year in (-1, 1):
                monkeypatch.setattr(time, "time_ns", lambda year=year: real() + year * 31_536_000 * 10**9)
                monkeypatch.setattr(time, "time", lambda: time.time_ns() / 1e9)
                await asyncio.sleep(LEASE * 0.75)
                await session.claim("tool", str(year % 7))
            monkeypatch.undo()
            assert len(await live(b)) == 3
            first, second = (await b.live("ada"))[0].children
            assert first.opened_at < (await b.live("ada"))[0].opened_at < second.opened_at
            assert a.counts[:2] == b.counts[:2] == (0, 0) or a.counts.fenced == b.counts.fenced == 0
            assert a.counts.reaped == b.counts.reaped == 0

    asyncio.run(main())
    seen("nobody was reaped or fenced; only the time stamps of new entries are off")


@fault(
    "a closer is killed half-way through a closing of 2,000 entries",
    promised="nothing enters meanwhile, and whoever is left finishes it, each entry once",
)
def test_a_closing_whose_closer_died_is_finished_by_others(valkey, namespace, seen):
    async def main():
        async with trees(valkey, namespace, "a", "b", lease=2 * LEASE) as (a, b):
            session = await a.open("session", "1", principal="ada")
            cleaned = []
            for start in range(0, 2000, 50):
                await asyncio.gather(
                    *(
                        session.claim(
                            "tool", str(number), release=lambda number=number: cleaned.append(number)
                        )
                        for number in range(start, start + 50)
                    )
                )
            with Process(valkey, namespace, "closer") as closer:
                await until(lambda: closer.process.poll() is not None)
            if await live(b):
                with pytest.raises(ScopeClosed):
                    await (await b.find("session", "1", principal="ada")).claim("tool", "3000")
            await until(lambda: is_live(b))
            await until(lambda: len(cleaned) == 2000)
            names = await released_names(valkey, namespace)
            assert len(names) == len(set(names)) == 2001
            assert session.why == "logged out"
            assert len(set(cleaned)) == 2000
        assert await leftovers(valkey, namespace) == set()

    asyncio.run(main())
    seen("the rest was released within 2 leases, newest first, each of 2,001 entries once")


@fault(
    "claims race with the closing of their scope by another process",
    promised="each wins whole or fails whole",
)
def test_a_claim_that_races_with_a_close_wins_whole_or_fails_whole(valkey, namespace, seen):
    async def main():
        outcomes = set()
        async with trees(valkey, namespace, "a", "b", lease=5.0) as (a, b):
            for turn in range(60):
                session = await a.open("session", str(turn), principal="ada")
                theirs = await b.find("session", str(turn), principal="ada")
                called, won = [], []

                async def claim(scope, number, called=called, won=won):
                    try:
                        await scope.claim("tool", str(number), release=lambda: called.append(number))
                    except ScopeClosed:
                        outcomes.add("failed")
                    else:
                        outcomes.add("won")
                        won.append(number)

                async def close(scope, pause):
                    await asyncio.sleep(pause * 0.0002)
                    await scope.close()

                claims = [claim(session if number % 2 else theirs, number) for number in range(8)]
                closer = close(theirs if turn % 2 else session, turn % 12)
                await asyncio.gather(*claims[:4], closer, *claims[4:])
                await until(lambda called=called, won=won: sorted(called) == sorted(won))
                assert await live(a) == []
            await until(lambda: settled(a, b))
            names = await released_names(valkey, namespace)
        assert outcomes == {"won", "failed"}
        assert await leftovers(valkey, namespace) == set()
        assert len(names) >= 60

    asyncio.run(main())
    seen("every claim that was answered was released, its cleanup called once; of the others nothing is left")


def test_nothing_is_claimed_into_a_scope_that_was_closed_elsewhere_or_belongs_to_another(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "a", "b", lease=5.0) as (a, b):
            session = await a.open("session", "1", principal="ada")
            theirs = await b.find("session", "1", principal="ada")
            with pytest.raises(NotFound):
                await b.find("session", "1", principal="eve")
            await session.close()
            for put in (theirs.claim, theirs.open):
                with pytest.raises(ScopeClosed):
                    await put("tool", "2")
            await a.open("session", "1", principal="eve")
            with pytest.raises(ScopeClosed):
                await theirs.claim("tool", "2")
            again = await a.open("session", "2", principal="ada")
            theirs = await b.find("session", "2", principal="ada")
            await again.close()
            await a.open("session", "2", principal="ada")
            with pytest.raises(ScopeClosed):
                await theirs.claim("tool", "2")
            with pytest.raises(ClaimConflict):
                await b.open("session", "1", principal="ada")

    asyncio.run(main())


@fault(
    "a message that wakes the owner is lost",
    promised="the owner learns what others released all the same",
)
def test_an_owner_whose_wake_up_was_lost_learns_what_others_released(valkey, namespace, seen):
    async def main():
        port = int(valkey.rsplit(":", 1)[1].split("/")[0])
        async with Proxy(port) as proxy, trees(valkey, namespace, "b") as (b,):
            async with trees(proxy.url, namespace, "a", lease=3.0) as (a,):
                session = await a.open("session", "1", principal="ada")
                tool = await session.claim("tool", "2")
                theirs = await b.find("session", "1", principal="ada")
                proxy.hang()
                await theirs.close(why="logged out elsewhere")
                proxy.cut()
                proxy.heal()
                await until(lambda: session.closed and tool.closed)
                assert session.why == tool.why == "logged out elsewhere"
                await until(lambda: settled(a))

                another = await a.open("session", "3", principal="ada")
                theirs = await b.find("session", "3", principal="ada")
                proxy.hang()
                await theirs.close()
                async with client(valkey) as connection:
                    await connection.delete(f"{namespace}:{{0}}:inbox:{a._memberships[0].process}")
                proxy.cut()
                proxy.heal()
                await until(lambda: another.closed)
                assert a.counts.resynced >= 1

    asyncio.run(main())
    seen("read from its inbox on the next connection; where nothing was left to read, the digest told")


@fault(
    "data in the store is overwritten by garbage",
    promised="StoreError for who needs it; the others go on, and closing removes it",
)
def test_malformed_data_is_an_error_and_no_crash(valkey, namespace, seen, caplog):
    async def main():
        async with trees(valkey, namespace, "a") as (a,):
            session = await a.open("session", "1", principal="ada")
            await session.claim("tool", "2")
            other = await a.open("session", "3", principal="eve")
            async with client(valkey) as connection:
                for garbage in ("", "garbage", "\x93\x01\x02\x03"):
                    await connection.hset(f"{namespace}:{{0}}:nodes", "tool/tool.2", garbage)
                    with pytest.raises(StoreError, match="malformed"):
                        await a.find("tool", "2", principal="ada")
                    with pytest.raises(StoreError):
                        await a.live("ada")
                await connection.xadd(f"{namespace}:{{0}}:inbox:{a._memberships[0].process}", {"x": "y"})
            await other.claim("tool", "4")
            await until(lambda: "holds something malformed" in caplog.text)
            await session.close()
            await until(lambda: settled(a))
            assert await a.live("ada") == ()
            assert a.may_send
            async with client(valkey) as connection:
                await connection.delete(f"{namespace}:{{0}}:closing")
                await connection.set(f"{namespace}:{{0}}:closing", "garbage")
                with pytest.raises(StoreError):
                    await other.claim("tool", "5")
                await connection.delete(f"{namespace}:{{0}}:closing")
            await until(lambda: a.may_send)
            await other.claim("tool", "5")
        assert await leftovers(valkey, namespace) == set()

    caplog.set_level(logging.WARNING)
    asyncio.run(main())
    seen("errors that name it, no beat was lost, and nothing was left after closing")


@pytest.mark.parametrize("functions", [True, False], ids=["functions", "script"])
@fault(
    "the store has no memory left",
    promised="claims raise StoreError; releasing, closing and the lease go on",
)
def test_a_full_store_still_releases(namespace, seen, functions):
    async def main():
        options = () if functions else ("--rename-command", "FCALL", "no-fcall")
        with Server(*options) as server:
            async with trees(server.url, namespace, "a", "b") as (a, b):
                session = await a.open("session", "1", principal="ada")
                for number in range(20):
                    await session.claim("tool", str(number))
                server.ask("CONFIG", "SET", "maxmemory", "1")
                with pytest.raises(StoreError, match="maxmemory"):
                    await session.claim("tool", "20")
                beat = a._memberships[0]._answered
                await until(lambda: a._memberships[0]._answered > beat)
                assert await session.release("tool", "3")
                assert len((await (await b.find("session", "1", principal="ada")).close()).released) == 20
                await until(lambda: session.closed)
                assert a.may_send
                server.ask("CONFIG", "SET", "maxmemory", "0")
                await until(lambda: settled(a, b))
                await a.open("session", "1", principal="ada")

    asyncio.run(main())
    seen("the claim was refused whole; everything else went on")


def test_a_claim_of_a_fenced_process_says_so(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "a", "b", lease=30.0) as (a, b):
            session = await a.open("session", "1", principal="ada")
            mine = a._memberships[0]
            answer = await b._memberships[0].write(
                "reap", mine.process, mine._epoch, "", "an operator's decision", 0
            )
            assert answer == ["reaped", ["session/session.1"]]
            with pytest.raises(Fenced):
                await session.claim("tool", "2")
            assert session.closed
            await a.open("session", "2", principal="ada")
            await b._memberships[0].renew()
            await until(lambda: is_live(b, "session.2"))

    asyncio.run(main())


@fault(
    "the store is killed and comes back empty while three processes claim and release",
    promised="each call succeeds or raises StoreError; afterwards exactly what succeeded is live",
)
def test_work_goes_on_through_a_restart_of_the_store(namespace, seen):
    async def main():
        with Server() as server:
            async with trees(server.url, namespace, "a", "b", "c", lease=2.0) as each:
                sessions = [
                    await tree.open("session", str(n), principal="ada") for n, tree in enumerate(each)
                ]
                for number in range(600):
                    await sessions[number % 3].claim("tool", str(number))
                held = {f"tool.{number}" for number in range(600)}
                cleaned: list[str] = []
                stop = asyncio.Event()
                serial = iter(range(1000, 100_000))

                async def work(session):
                    while not stop.is_set():
                        number = next(serial)
                        name = f"tool.{number}"
                        try:
                            await session.claim(
                                "tool", str(number), release=lambda name=name: cleaned.append(name)
                            )
                        except StoreError:
                            await asyncio.sleep(0.01)
                            continue
                        held.add(name)
                        if number % 3 == 0:
                            assert await session.release("tool", str(number))
                            held.discard(name)
                            assert cleaned.count(name) == 1

                workers = [asyncio.ensure_future(work(session)) for session in sessions for _ in range(2)]
                for _ in range(2):
                    await asyncio.sleep(0.3)
                    server.kill()
                    await asyncio.sleep(0.2)
                    server.start()
                    await until(lambda: all(tree.may_send for tree in each))
                    await asyncio.sleep(0.7)
                stop.set()
                await asyncio.gather(*workers)
                await until(lambda: settled(*each))

                async def same():
                    return {name for name in await live(each[0]) if name.startswith("tool")} == held

                await until(same)
                assert not any(session.closed for session in sessions)
                assert all(tree.counts.fenced == 0 for tree in each)
                assert min(tree.counts.rejoined for tree in each) >= 2
            assert await leftovers(server.url, namespace) == set()

    asyncio.run(main())
    seen(
        "two restarts: no call failed otherwise, and in the end the store held exactly what the processes did"
    )
