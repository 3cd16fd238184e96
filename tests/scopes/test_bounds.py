"""What the tree keeps in the store is bounded: in number, in bytes, or in time."""

from __future__ import annotations

import asyncio

import pytest

from canonid import ClaimConflict, InvalidId, NotFound
from canonid.core import Identity
from canonid.scopes.valkey import ValkeyTree, effects, reservations, tree
from canonid.scopes.valkey.entries import RESOURCE, SCOPE
from canonid.scopes.valkey.membership import UNBOUNDED
from canonid.scopes.valkey.store import TREE, Steps, Store
from scopes.servers import client, until
from scopes.trees import resolve

SOURCE = TREE.library.replace(TREE.prefix, "canonid_").replace(f"name={TREE.prefix[:-1]}", "name=canonid")


class Member:
    """A process that does what it is told and nothing else."""

    def __init__(self, store: Store, namespace: str, name: str) -> None:
        self.prefix = f"{namespace}:{{0}}:"
        self.name = name
        self.store = store

    async def join(self) -> None:
        self.epoch = (await self.store.call(self.prefix, "join", self.name, "00", 500))[1]

    async def do(self, step: str, calls: list[tuple]) -> None:
        for start in range(0, len(calls), 500):
            some = [(self.name, self.epoch, *call) for call in calls[start : start + 500]]
            assert {answer[0] for answer in await self.store.call_each(self.prefix, step, some)} == {"ok"}


def itself(text: str, kind: str) -> Identity:
    return Identity(kind, text)


def scope(name: str) -> tuple:
    return (f"session/{name}", "ada", "", "", "01", 0, SCOPE, "", UNBOUNDED)


def child(name: str, parent: str) -> tuple:
    return (f"tool/{name}", "ada", f"session/{parent}", "01", "02", 0, RESOURCE, "", UNBOUNDED)


def test_the_inbox_of_a_process_that_never_reads_is_bounded(valkey, namespace):
    async def main():
        store = Store(valkey, 5)
        deaf, other = Member(store, namespace, "deaf"), Member(store, namespace, "other")
        await deaf.join()
        await other.join()
        names = [str(number) for number in range(2000)]
        await deaf.do("claim", [scope(name) for name in names])
        await other.do("close", [(f"session/{name}", "01", "", 0) for name in names])
        async with client(valkey) as connection:
            assert 0 < await connection.xlen(f"{deaf.prefix}inbox:deaf") < 1200
        await store.aclose()

    asyncio.run(main())


def test_what_is_remembered_of_large_releases_is_bounded_in_bytes(valkey, namespace):
    bound = 2**18
    steps = Steps(SOURCE.replace("2 ^ 26", str(bound)))
    assert steps.sha != TREE.sha

    async def main():
        store = Store(valkey, 5, steps)
        member = Member(store, namespace, "a")
        await member.join()
        async with client(valkey) as connection:
            for number in range(120):
                await member.do("claim", [scope(str(number))])
                await member.do("claim", [child(f"{number}.{n}" + "x" * 200, str(number)) for n in range(50)])
                await member.do("close", [(f"session/{number}", "01", "", 0)])
                assert await connection.memory_usage(f"{member.prefix}released", samples=0) < 2 * bound
            assert await connection.xlen(f"{member.prefix}released") >= 5
            newest = await connection.xrevrange(f"{member.prefix}released", count=1)
            assert newest[0][1]["scope"] == "session/119"
        await store.aclose()

    asyncio.run(main())


def test_of_very_many_processes_the_dead_are_reaped_and_the_living_are_not(valkey, namespace):
    async def main():
        store = Store(valkey, 5)
        options = {"namespace": namespace, "lease": 2.0}
        async with (
            await ValkeyTree.join(valkey, resolve, **options) as a,
            await ValkeyTree.join(valkey, resolve, **options) as b,
            client(valkey) as connection,
        ):
            for number in range(300):
                await Member(store, namespace, f"dead{number}").join()

            async def only_the_living() -> bool:
                return await connection.scard(f"{namespace}:{{0}}:processes") == 2

            await until(only_the_living, 60)
            assert a.counts.fenced == b.counts.fenced == 0
        await store.aclose()

    asyncio.run(main())


def test_keys_of_ids_expire_unless_the_id_is_held(valkey, namespace, monkeypatch):
    for module in (reservations, tree):
        monkeypatch.setattr(module, "LASTS", 3.0)

    async def main():
        options = {"namespace": namespace, "buckets": 4, "lease": 2.0}
        async with (
            await ValkeyTree.join(valkey, resolve, **options) as a,
            client(valkey) as connection,
        ):
            session = await a.open("session", "1", principal="ada")
            assert a._memberships[0].reservations is not None
            assert await a._memberships[0].reservations.take("session/never-claimed", "ada")
            await a.open("session", "2", principal="ada")
            with pytest.raises(ClaimConflict):
                await a.open("session", "1", principal="eve")
            await asyncio.sleep(4)
            assert not session.closed
            keys = {key async for key in connection.scan_iter(f"{namespace}:id:*")}
            assert keys == {f"{namespace}:id:session/session.{n}" for n in "12"}
            assert all([0 < await connection.pttl(key) <= 3000 for key in keys])
        async with client(valkey) as connection:
            assert not [key async for key in connection.scan_iter(f"{namespace}:id:*")]

    asyncio.run(main())


def test_dead_processes_that_owe_no_effect_are_dismissed(valkey, namespace, monkeypatch):
    monkeypatch.setattr(effects, "SILENT", 0.2)

    async def main():
        key = f"{namespace}:{{0}}:released"
        async with client(valkey) as connection:
            await connection.xgroup_create(key, "effect:tool", "$", mkstream=True)
            for name in ("dead", "owes"):
                await connection.xgroup_createconsumer(key, "effect:tool", name)
            await connection.xadd(key, {"x": "y"})
            assert await connection.xreadgroup("effect:tool", "owes", {key: ">"})
            await asyncio.sleep(0.5)

            async def names() -> set[str]:
                return {each["name"] for each in await connection.xinfo_consumers(key, "effect:tool")}

            assert await names() == {"dead", "owes"}
            options = {"namespace": namespace, "lease": 20.0, "effects": {"tool": print}}
            async with await ValkeyTree.join(valkey, resolve, **options) as a:
                mine = a._memberships[0].process

                async def dismissed() -> bool:
                    return await names() == {"owes", mine}

                await until(dismissed)

    asyncio.run(main())


ODD = ["a/b", "{a}b}", "}{", "a\nb", "a\0b", "\U0001f511\U0010ffff", '"\\/', "*", "x" * 5000]


def test_odd_texts_are_ids_like_any_other(valkey, namespace):
    async def main():
        options = {"namespace": namespace, "process": "p\n{}:/\0"}
        async with (
            await ValkeyTree.join(valkey, itself, **options) as a,
            await ValkeyTree.join(valkey, itself, **options) as b,
        ):
            for odd in ODD:
                session = await a.open("session", odd, principal=odd)
                for n in range(3):
                    await session.claim("tool", f"{odd}{n}")
                (root,) = await b.live(odd)
                assert root.canonical == odd
                assert [child.canonical for child in root.children] == [f"{odd}{n}" for n in range(3)]
                found = await b.find("session", odd, principal=odd)
                await found.close(why=odd)
                await until(lambda session=session: session.closed)
                assert (await b.receipt("tool", f"{odd}1")).released.why == odd
                assert await b.live(odd) == ()

    asyncio.run(main())


def test_a_text_that_is_no_unicode_is_refused_and_leaves_nothing(valkey, namespace):
    async def main():
        async with await ValkeyTree.join(valkey, itself, namespace=namespace) as a:
            session = await a.open("session", "1", principal="ada")
            for attempt in (
                a.open("session", "\ud800", principal="ada"),
                a.open("session", "2", principal="\ud800"),
                session.claim("tool", "\udfff"),
            ):
                with pytest.raises(InvalidId, match="Unicode"):
                    await attempt
            with pytest.raises(NotFound):
                await a.find("session", "\ud800", principal="ada")
            with pytest.raises(NotFound):
                await a.find("session", "1", principal="\ud800")
            assert not await session.release("tool", "\ud800")
            assert not a._memberships[0]._debts

    asyncio.run(main())
