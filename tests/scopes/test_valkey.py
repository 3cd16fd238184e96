"""What only a tree of many processes does: scopes of others, joined scopes, bounds, parts of one process."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from contextlib import suppress

import pytest
from redis.asyncio import Redis

from canonid import ClaimConflict, ClaimRefused, NotFound, ScopeClosed, StoreError
from canonid.scopes.valkey import ValkeyTree
from canonid.scopes.valkey.store import Store
from scopes.fleet import is_live, live, settled, trees
from scopes.servers import client, leftovers, released, released_names, until
from scopes.trees import resolve
from stores import REDIS, Server


def test_a_scope_of_another_process_is_used_like_ones_own(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "a", "b") as (a, b):
            cleaned = []
            session = await a.open("session", "SESSION-1", principal="ada")
            theirs = await b.find("session", "1", principal="ada")
            assert (theirs.identity, theirs.text, theirs.opened_at) == (
                session.identity,
                "SESSION-1",
                session.opened_at,
            )
            assert session.local is not None
            assert theirs.local is None
            tool = await theirs.claim("tool", "2", release=lambda: cleaned.append("b"))
            inner = await theirs.open("run", "3")
            await (await a.find("run", "3", principal="ada")).claim(
                "tool", "4", release=lambda: cleaned.append("a")
            )
            assert inner.local is b.local.find("run", "3", principal="ada")
            assert await live(a) == ["session.1", "tool.2", "run.3", "tool.4"]
            with pytest.raises(ClaimConflict):
                await session.claim("tool", "2")
            assert await session.release("tool", "TOOL-2")
            await until(lambda: tool.closed and cleaned == ["b"])
            closed = await session.close(why="logged out")
            assert [identity.canonical for identity in closed.released] == ["tool.4", "run.3", "session.1"]
            await until(lambda: inner.closed)
            assert inner.why == "logged out"
            assert cleaned == ["b", "a"]
            await until(lambda: settled(a, b))
        assert await leftovers(valkey, namespace) == set()

    asyncio.run(main())


def test_parts_of_this_process_alone_go_with_their_scope_and_are_not_recorded(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "a", "b") as (a, b):
            session = await a.open("session", "1", principal="ada")
            cleaned = []
            session.local.claim("socket", "2", release=lambda: cleaned.append(2))
            assert await live(b) == ["session.1"]
            await (await b.find("session", "1", principal="ada")).close()
            await until(lambda: cleaned == [2])
            session = await a.open("session", "1", principal="ada")
            await session.claim("tool", "3")
            session.local.claim("socket", "2")
            closed = await session.close()
            assert [identity.canonical for identity in closed.released] == [
                "socket.2",
                "tool.3",
                "session.1",
            ]

    asyncio.run(main())


def test_what_is_closed_locally_is_closed_everywhere(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "a", "b") as (a, b):
            session = await a.open("session", "1", principal="ada")
            await session.claim("tool", "2")
            await session.claim("tool", "3")
            await session.local.release("tool", "2")
            await until(lambda: is_live(b, "session.1", "tool.3"))
            await session.local.close()
            await until(lambda: is_live(b))
            await until(lambda: settled(a))

    asyncio.run(main())


def test_a_joined_scope_lives_until_its_last_process_leaves(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "a", "b", "c") as (a, b, c):
            cleaned = []
            mine, again = await asyncio.gather(
                *(a.open("session", "1", principal="ada", joined=True) for _ in range(2))
            )
            assert mine is again
            theirs = await b.open("session", "SESSION-1", principal="ada", joined=True)
            assert mine.local is not theirs.local is not None
            with pytest.raises(ClaimConflict):
                await b.open("session", "1", principal="eve", joined=True)
            with pytest.raises(ClaimConflict):
                await c.open("session", "1", principal="ada")
            await mine.claim("tool", "2", release=lambda: cleaned.append("a"))
            await theirs.claim("tool", "3", release=lambda: cleaned.append("b"))
            await mine.leave()
            assert mine.closed
            assert cleaned == ["a"]
            await until(lambda: is_live(c, "session.1", "tool.3"))
            mine = await a.open("session", "1", principal="ada", joined=True)
            await mine.leave()
            assert not theirs.closed
            await theirs.leave(why="the last tab")
            assert cleaned == ["a", "b"]
            assert await is_live(c)
            assert (await released(valkey, namespace))[-1]["why"] == "the last tab"

            mine = await a.open("session", "1", principal="ada", joined=True)
            theirs = await b.open("session", "1", principal="ada", joined=True)
            inner = await theirs.open("run", "4")
            await mine.close(why="logged out")
            await until(lambda: theirs.closed and inner.closed)
            assert theirs.why == "logged out"
            await until(lambda: settled(a, b))
            with pytest.raises(TypeError, match="joined"):
                await (await a.open("session", "9", principal="ada")).leave()
        assert await leftovers(valkey, namespace) == set()

    asyncio.run(main())


def test_a_joined_scope_that_is_opened_again_while_it_is_left_is_held(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "a", "b") as (a, b):
            theirs = await b.open("session", "9", principal="ada", joined=True)
            for turn in range(30):
                other = turn % 2
                name = "9" if other else "1"
                mine = await a.open("session", name, principal="ada", joined=True)
                step = asyncio.Event()
                await mine.claim("tool", name, release=step.wait if turn % 3 else None)
                leaving = asyncio.ensure_future(mine.leave())
                await asyncio.sleep(turn * 0.0001)
                again = asyncio.ensure_future(a.open("session", name, principal="ada", joined=True))
                await asyncio.sleep(0.001)
                step.set()
                await leaving
                held = await again
                if held is mine:  # it came before the leaving began
                    held = await a.open("session", name, principal="ada", joined=True)
                assert held is not mine
                await held.claim("tool", name)
                assert not held.closed
                await until(lambda: settled(a, b))
                assert not held.closed
                await held.leave()
            assert not theirs.closed
        assert await leftovers(valkey, namespace) == set()

    asyncio.run(main())


def test_one_process_that_goes_leaves_a_joined_scope_to_the_others(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "b") as (b,):
            async with trees(valkey, namespace, "a") as (a,):
                await (await a.open("session", "1", principal="ada", joined=True)).claim("tool", "2")
                theirs = await b.open("session", "1", principal="ada", joined=True)
                await theirs.claim("tool", "3")
            assert not theirs.closed
            await until(lambda: is_live(b, "session.1", "tool.3"))
        assert await leftovers(valkey, namespace) == set()

    asyncio.run(main())


def test_at_most_so_many_scopes_of_a_kind_across_processes(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "a", "b") as (a, b):
            first = await a.open("session", "1", principal="ada", at_most=2)
            await b.open("session", "2", principal="ada", at_most=2)
            await a.open("run", "2", principal="ada", at_most=1)
            with pytest.raises(ClaimRefused) as caught:
                await b.open("session", "3", principal="ada", at_most=2)
            assert caught.value.limit == 2
            await b.open("session", "4", principal="eve", at_most=2)
            with pytest.raises(ClaimRefused):
                await b.open("run", "5", principal="eve", at_most=0)
            await first.close()
            await b.open("session", "3", principal="ada", at_most=2)

    asyncio.run(main())


def test_an_id_stays_taken_by_a_long_cleanup_over_many_beats(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "a", "b", lease=0.8) as (a, b):
            session = await a.open("session", "1", principal="ada")
            step = asyncio.Event()
            await session.claim("tool", "2", release=step.wait)
            closing = session.close()
            beats = a._memberships[0]._answered
            await until(lambda: a._memberships[0]._answered > beats + 0.7)
            with pytest.raises(ClaimConflict):
                await (await b.open("session", "3", principal="ada")).claim("tool", "2")
            step.set()
            assert len((await closing).released) == 2
            await until(lambda: settled(a, b))

    asyncio.run(main())


def test_without_the_package_the_error_holds_the_line_that_installs_it():
    code = """\
import sys
sys.modules["redis"] = None
from canonid import MissingExtra
try:
    import canonid.scopes.valkey
except MissingExtra as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install 'canonid[valkey]'" in result.stdout


def test_a_tree_that_was_left_says_so(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "a") as (a,):
            pass
        assert not a.may_send
        with pytest.raises(StoreError, match="left the tree"):
            await a.open("session", "1", principal="ada")

    asyncio.run(main())


def test_an_undone_claim_never_calls_its_cleanup(valkey, namespace):
    async def main():
        async with trees(valkey, namespace, "a", "b") as (a, b):
            session = await a.open("session", "1", principal="ada")
            cleaned = []
            claims = [
                asyncio.ensure_future(session.claim("tool", str(number), release=lambda: cleaned.append(1)))
                for number in range(20)
            ]
            await asyncio.sleep(0)
            closing = session.close()
            answers = await asyncio.gather(*claims, return_exceptions=True)
            assert {type(answer) for answer in answers} == {ScopeClosed}
            await closing
            cancelled = asyncio.ensure_future(b.open("session", "5", principal="ada"))
            await asyncio.sleep(0)
            cancelled.cancel()
            with suppress(asyncio.CancelledError):
                await cancelled
            await until(lambda: is_live(b))
            await until(lambda: settled(a, b))
            assert cleaned == []

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(3))
def test_any_steps_of_three_processes_release_exactly_what_is_below_once(valkey, namespace, seed):
    """Random steps against a model: live nodes with their parents."""

    async def main():
        chance = random.Random(seed)
        async with trees(valkey, namespace, "a", "b", "c", lease=5.0) as each:
            parents: dict[str, str | None] = {}
            cleaned: list[str] = []
            gone: list[str] = []
            serial = 0

            def below(top: str) -> list[str]:
                inner = [name for name, parent in parents.items() if parent == top]
                return [deep for name in reversed(inner) for deep in below(name)] + [top]

            def end(top: str) -> None:
                for name in below(top):
                    del parents[name]
                    gone.append(name)

            for _ in range(150):
                tree = chance.choice(each)
                scopes = [name for name in parents if not name.startswith("tool")]
                step = chance.choice(["root", "open", "claim", "claim", "claim", "release", "close", "taken"])
                serial += 1
                if step == "root" or not scopes:
                    await tree.open("session", str(serial), principal="ada")
                    parents[f"session.{serial}"] = None
                    continue
                name = chance.choice(scopes)
                scope = await tree.find(name.split(".")[0], name, principal="ada")
                if step == "open":
                    await scope.open("run", str(serial))
                    parents[f"run.{serial}"] = name
                elif step == "claim":
                    await scope.claim(
                        "tool", str(serial), release=lambda key=f"tool.{serial}": cleaned.append(key)
                    )
                    parents[f"tool.{serial}"] = name
                elif step == "taken":
                    other = chance.choice(list(parents))
                    kind, number = other.split(".")
                    with pytest.raises(ClaimConflict):
                        await scope.claim(kind, number, release=lambda: cleaned.append("never"))
                elif step == "release":
                    other = chance.choice(list(parents))
                    kind, number = other.split(".")
                    due = other != name and other in below(name)
                    assert await scope.release(kind, number) is due
                    if due:
                        end(other)
                elif chance.random() < 0.5:
                    expected = below(name)
                    closed = await scope.close()
                    assert [identity.canonical for identity in closed.released] == expected
                    end(name)
            assert sorted(await live(each[0])) == sorted(parents)
            for name in [name for name, parent in parents.items() if parent is None]:
                scope = await chance.choice(each).find("session", name, principal="ada")
                await scope.close()
                end(name)
            assert await released_names(valkey, namespace) == gone
            await until(lambda: len(cleaned) >= sum(name.startswith("tool") for name in gone))
            assert sorted(cleaned) == sorted(name for name in gone if name.startswith("tool"))
            await until(lambda: settled(*each))
        assert await leftovers(valkey, namespace) == set()

    asyncio.run(main())


async def basics(url: str, namespace: str, client_of=None) -> None:
    """The most of it once: claims, foreign scopes, a joined scope, closing."""
    clients = [client_of() if client_of else url for _ in "ab"]
    a, b = [await ValkeyTree.join(each, resolve, namespace=namespace) for each in clients]
    async with a, b:
        cleaned = []
        session = await a.open("session", "1", principal="ada", joined=True, at_most=3)
        theirs = await b.open("session", "1", principal="ada", joined=True)
        await theirs.claim("tool", "2", release=lambda: cleaned.append(2))
        inner = await session.open("run", "3")
        await (await b.find("run", "3", principal="ada")).claim("tool", "4")
        with pytest.raises(NotFound):
            await b.find("tool", "4", principal="eve")
        with pytest.raises(ClaimConflict):
            await inner.claim("tool", "2")
        assert await live(a) == ["session.1", "tool.2", "run.3", "tool.4"]
        assert await inner.release("tool", "4")
        await session.close()
        await until(lambda: theirs.closed and cleaned == [2])
        await a._memberships[0].renew()
        await until(lambda: settled(a, b))
        await a._memberships[0]._resync()
    for each in clients:
        if client_of:
            await each.aclose()


def test_a_client_of_the_callers_with_either_protocol_and_decoding(valkey, namespace):
    for options in ({"decode_responses": True}, {"protocol": 2}, {"protocol": 3, "decode_responses": True}):
        asyncio.run(basics(valkey, namespace, lambda options=options: Redis.from_url(valkey, **options)))


def test_a_server_without_functions_gets_the_same_steps_as_a_script(namespace):
    with Server("--rename-command", "FCALL", "no-fcall") as server:
        asyncio.run(basics(server.url, namespace))
        assert asyncio.run(leftovers(server.url, namespace)) == set()


def test_a_user_who_may_not_load_functions_gets_the_script(valkey, namespace):
    async def main():
        async with client(valkey) as connection:
            await connection.acl_setuser(
                namespace,
                enabled=True,
                passwords=["+secret"],
                keys=["*"],
                channels=["*"],
                commands=["+@all", "-function", "-fcall"],
            )
        await basics(
            valkey,
            namespace,
            lambda: Redis.from_url(valkey, username=namespace, password="secret"),
        )

    asyncio.run(main())


@pytest.mark.skipif(REDIS is None, reason="no redis-server is installed (apt-get install redis-server)")
@pytest.mark.parametrize("functions", [True, False], ids=["functions", "script"])
def test_redis_does_the_same(namespace, functions):
    options = () if functions else ("--rename-command", "FCALL", "no-fcall")
    with Server(*options, binary=REDIS) as server:
        asyncio.run(basics(server.url, namespace))
        assert asyncio.run(leftovers(server.url, namespace)) == set()


def test_an_address_may_name_valkey_or_redis(valkey, namespace):
    async def main():
        for number, url in enumerate((valkey, valkey.replace("redis://", "valkey://"))):
            async with await ValkeyTree.join(url, resolve, namespace=namespace) as tree:
                await tree.open("session", str(number), principal="ada")
        with pytest.raises(ValueError, match="scheme"):
            await ValkeyTree.join(valkey.replace("redis://", "http://"), resolve)

    asyncio.run(main())


def test_waiting_for_news_heeds_the_clients_own_time_limit(valkey, namespace):
    async def main():
        async with Redis.from_url(valkey, socket_timeout=0.6) as hasty:
            store, key = Store(hasty, 3.0), f"{namespace}:news"
            assert await store.read(key, block=1000, within=5.0) == []
            await store.command("XGROUP", "CREATE", key, "group", "$", "MKSTREAM")
            assert await store.read_group(key, "group", "a", count=1, block=1000, within=5.0) == []

    asyncio.run(main())
