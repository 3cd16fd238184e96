"""Closing against cancelled callers, other closers, claiming threads and a loop that shuts down."""

import asyncio
import itertools
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonid import ClaimConflict, NotFound, ScopeClosed
from canonid.scopes import ScopeTree
from scopes.trees import CLEANUPS, FAILS, TREES, World, newest_first, resolve, run, turns

leaves = st.sampled_from(CLEANUPS)
shapes = st.lists(st.recursive(leaves, lambda inner: st.lists(inner, max_size=4), max_leaves=12), max_size=4)


def grow(world: World, scope, shape, behaviours: dict[str, str], counter) -> None:
    for inner in shape:
        name = str(next(counter))
        if isinstance(inner, list):
            grow(world, scope.open("run", name), inner, behaviours, counter)
        else:
            resource = scope.claim("tool", name, release=world.cleanup(f"tool.{name}", inner))
            behaviours[resource.canonical] = inner


closers = st.lists(
    st.tuples(
        st.integers(0, 20),  # which entry of the tree
        st.sampled_from(["close", "release"]),
        st.integers(0, 6),  # turns of the loop before it
        st.one_of(st.none(), st.integers(0, 12)),  # turns until the caller is cancelled
    ),
    max_size=5,
)


@pytest.mark.parametrize("make", TREES.values(), ids=TREES)
@settings(max_examples=150, deadline=None)
@given(shape=shapes, closers=closers, data=st.data())
def test_each_is_released_once_newest_first_and_nothing_else(make, shape, closers, data):
    async def main():
        world = World(make(resolve, release_timeout=5.0))
        behaviours, beside = {}, {}
        root = world.tree.open("session", "1000", principal="ada")
        other = world.tree.open("session", "2000", principal="eve")
        grow(world, root, shape, behaviours, iter(range(1000)))
        grow(world, other, shape, beside, iter(range(2001, 3000)))
        plan = newest_first(root)
        untouched = world.tree.snapshot("eve")

        callers = []

        async def cancel_later(task, after):
            await turns(after)
            task.cancel()

        for which, how, pause, cancelled_after in closers:
            await turns(pause)
            entry = plan[which % len(plan)]
            if how == "close" and hasattr(entry, "close"):
                caller = asyncio.ensure_future(waiting(entry.close()))
            else:
                caller = asyncio.ensure_future(root.release(entry.kind, entry.canonical))
            callers.append(caller)
            if cancelled_after is not None:
                callers.append(asyncio.ensure_future(cancel_later(caller, cancelled_after)))
        closed = await root.close()
        await asyncio.gather(*callers, return_exceptions=True)

        called = [entry.canonical for entry in plan if behaviours.get(entry.canonical, "none") != "none"]
        assert sorted(world.started()) == sorted(called), "recall, precision, each once"
        if not closers:
            assert world.started() == called, "newest first"
            assert closed.released == tuple(entry.identity for entry in plan)
        order = {entry.identity: place for place, entry in enumerate(plan)}
        places = [order[identity] for identity in closed.released]
        assert places == sorted(places)
        assert {failure.identity.canonical: type(failure.error) for failure in closed.failures} == {
            identity.canonical: FAILS[behaviours[identity.canonical]]
            for identity in closed.released
            if behaviours.get(identity.canonical) in FAILS
        }
        assert closed == await root.close()
        assert world.tree.snapshot("ada") == ()
        assert world.tree.snapshot("eve") == untouched
        assert world.tree.stats.released == len(plan)
        assert world.tree.stats.failures == sum(behaviour in FAILS for behaviour in behaviours.values())
        for entry in plan:
            with pytest.raises(NotFound):
                world.tree.find(entry.kind, entry.canonical, principal="ada")
        world.end_of_deafness.set()
        await turns(5)
        assert world.tree.stats.abandoned == 0

    run(main())


async def waiting(future):
    return await future


@pytest.mark.parametrize("make", TREES.values(), ids=TREES)
@settings(max_examples=100, deadline=None)
@given(shape=shapes, turns_before=st.integers(0, 30))
def test_a_loop_that_shuts_down_while_closing_still_runs_every_cleanup(make, shape, turns_before):
    shape = ["plain", *shape, "async"]
    behaviours, worlds, plans = {}, [], []

    async def main():
        world = World(make(resolve))
        world.end_of_deafness.set()
        worlds.append(world)
        root = world.tree.open("session", "1000", principal="ada")
        grow(world, root, shape, behaviours, iter(range(1000)))
        plans.append([entry.canonical for entry in newest_first(root)])
        root.close()
        await turns(turns_before)

    run(main())
    (world,), (plan,) = worlds, plans
    assert world.started() == [name for name in plan if behaviours.get(name, "none") != "none"]
    assert world.tree.snapshot("ada") == ()


def test_a_loop_that_shuts_down_before_the_first_cleanup_began_still_runs_them_all(new_tree):
    tree, log = new_tree(), []

    async def slow():
        await asyncio.sleep(1)
        log.append("tool.3")

    async def main():
        session = tree.open("session", "1", principal="ada")
        session.claim("tool", "2", release=lambda: log.append("tool.2"))
        session.claim("tool", "3", release=slow)
        asyncio.get_running_loop().call_soon(session.close)  # in the last turn that the loop takes

    run(main())
    assert log == ["tool.3", "tool.2"]
    assert tree.snapshot("ada") == ()


def test_a_cancelled_caller_stops_waiting_and_the_closing_goes_on(new_tree):
    async def main():
        tree = new_tree()
        session = tree.open("session", "1", principal="ada")
        step, log = asyncio.Event(), []

        async def slow():
            await step.wait()
            log.append("tool.2")

        session.claim("tool", "2", release=slow)
        first, second = (asyncio.ensure_future(waiting(session.close())) for _ in range(2))
        await turns(2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not second.done()
        step.set()
        assert len((await second).released) == 2
        assert log == ["tool.2"]

    run(main())


def test_closing_a_parent_waits_for_the_close_of_its_child(new_tree):
    async def main():
        tree = new_tree()
        session = tree.open("session", "1", principal="ada")
        inner = session.open("run", "2")
        step, log = asyncio.Event(), []

        async def slow():
            await step.wait()
            log.append("tool.3")

        session.claim("tool", "5", release=lambda: log.append("tool.5"))
        inner.claim("tool", "3", release=slow)
        inner.claim("tool", "4", release=lambda: log.append("tool.4"))
        of_child = inner.close()
        of_parent = session.close()
        await turns(5)
        assert not of_parent.done()
        assert log == ["tool.4", "tool.5"]
        step.set()
        assert [identity.canonical for identity in (await of_parent).released] == [
            "tool.5", "tool.3", "run.2", "session.1",
        ]  # fmt: skip
        assert [identity.canonical for identity in (await of_child).released] == ["tool.4", "tool.3", "run.2"]
        assert log == ["tool.4", "tool.5", "tool.3"]

    run(main())


def test_closing_a_child_while_its_parent_closes_waits_only_for_the_child(new_tree):
    async def main():
        tree = new_tree()
        session = tree.open("session", "1", principal="ada")
        step = asyncio.Event()
        session.claim("tool", "2", release=step.wait)
        inner = session.open("run", "3")
        inner.claim("tool", "4", release=lambda: asyncio.sleep(0))
        of_parent = session.close()
        of_child = await inner.close()
        assert [identity.canonical for identity in of_child.released] == ["tool.4", "run.3"]
        assert not of_parent.done()
        step.set()
        assert len((await of_parent).released) == 4

    run(main())


def test_a_cleanup_may_stop_and_await_a_task_that_closes_a_newer_scope(new_tree):
    async def main():
        tree = new_tree()
        session = tree.open("session", "1", principal="ada")
        began = asyncio.Event()

        async def request():
            async with session.open("request", "3") as scope:
                scope.claim("tool", "4", release=lambda: asyncio.sleep(0))
                began.set()
                await asyncio.Event().wait()

        async def stop():
            task.cancel()
            await asyncio.wait({task})

        session.claim("task", "2", release=stop)
        task = asyncio.ensure_future(request())
        await began.wait()
        closed = await session.close()
        assert closed.failures == ()
        assert len(closed.released) == 4

    run(main())


def test_releasing_the_same_entry_twice_at_once_calls_its_cleanup_once(new_tree):
    async def main():
        tree = new_tree()
        session, log = tree.open("session", "1", principal="ada"), []

        async def slow():
            await turns(3)
            log.append("tool.2")

        session.claim("tool", "2", release=slow)
        answers = await asyncio.gather(session.release("tool", "2"), session.release("tool", "TOOL-2"))
        assert answers == [True, True]
        assert log == ["tool.2"]
        assert await session.release("tool", "2") is False

    run(main())


def test_claims_from_threads_race_with_closes_and_nothing_leaks(new_tree):
    tree = new_tree()
    claimed, released = [], []
    scopes = [tree.open("session", str(number), principal="ada") for number in range(10)]
    under_way, filling = threading.Barrier(4), threading.Semaphore(0)

    def work(worker: str) -> None:
        under_way.wait()
        for scope in scopes:
            inner = scope
            for number in itertools.count():
                name = f"{worker}{scope.canonical[-1]}{number}"
                try:
                    if number % 10 == 0:
                        inner = scope.open("run", name)
                    inner.claim("tool", name, release=lambda name=name: released.append(name))
                except ScopeClosed:
                    break
                claimed.append(name)
                if number == 20:
                    filling.release()

    async def main():
        threads = [threading.Thread(target=work, args=(worker,)) for worker in "123"]
        for thread in threads:
            thread.start()
        under_way.wait()
        for scope in scopes:
            await asyncio.to_thread(filling.acquire)
            await scope.close()
        for thread in threads:
            await asyncio.to_thread(thread.join)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        asyncio.run(main())
    finally:
        sys.setswitchinterval(interval)
    assert len(claimed) >= len(scopes)
    assert sorted(claimed) == sorted(released)
    assert tree.snapshot("ada") == ()
    assert tree.stats.scopes == tree.stats.resources == 0


def test_threads_that_claim_one_id_agree_on_one_owner(new_tree):
    tree = new_tree()
    scopes = [tree.open("session", str(number), principal="ada") for number in range(4)]
    together = threading.Barrier(4)
    won: list[str] = []

    def claim(scope) -> None:
        for number in range(300):
            together.wait()
            try:
                scope.claim("tool", str(number))
            except ClaimConflict:
                continue
            won.append(str(number))

    threads = [threading.Thread(target=claim, args=(scope,)) for scope in scopes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won, key=int) == [str(number) for number in range(300)]
    assert tree.stats.resources == 300


def test_threads_that_open_one_joined_scope_at_once_all_get_it():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(300):
            tree, together, got = ScopeTree(resolve), threading.Barrier(3), []

            def open_it(tree=tree, together=together, got=got):
                together.wait()
                got.append(tree.open("session", "1", principal="ada", joined=True))

            threads = [threading.Thread(target=open_it) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(got) == 3 and len(set(map(id, got))) == 1
    finally:
        sys.setswitchinterval(interval)
