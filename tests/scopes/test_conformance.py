"""What every tree promises, on every tree: of one process, and of many on Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from canonid import CanonidError, ClaimConflict, Identity, InvalidId, NotFound, ScopeClosed
from canonid.scopes import LiveScope, ScopeTree, Snapshot, Tree
from canonid.scopes.valkey import ValkeyTree
from scopes.servers import leftovers, until
from scopes.trees import WRITINGS, resolve, run, write

OnTree = Callable[..., None]


@pytest.fixture(params=["memory", "valkey"])
def on_tree(request: pytest.FixtureRequest, namespace: str) -> OnTree:
    """Runs a test on a tree; nothing of it may be left when it is over."""

    def on_memory(main: Callable[[Tree], Coroutine[Any, Any, None]], resolve=resolve, **options) -> None:
        asyncio.run(main(ScopeTree(resolve, **options)))

    def on_valkey(main: Callable[[Tree], Coroutine[Any, Any, None]], resolve=resolve, **options) -> None:
        url = request.getfixturevalue("valkey")

        async def around():
            async with await ValkeyTree.join(url, resolve, namespace=namespace, **options) as tree:
                await main(tree)
            assert await leftovers(url, namespace) == set()

        asyncio.run(around())

    return on_memory if request.param == "memory" else on_valkey


async def answer(call, *args, **keywords) -> tuple[type, str, object]:
    with pytest.raises(CanonidError) as caught:
        await call(*args, **keywords)
    return type(caught.value), str(caught.value), caught.value.__context__


def names(identities) -> list[str]:
    return [identity.canonical for identity in identities]


async def build(tree: Tree, log: list[str]):
    """session.1 [tool.2, run.3 [tool.4, step.5 [tool.6], tool.7], tool.8]; cleanups write into `log`."""

    async def claim(scope: LiveScope, number: str):
        await scope.claim("tool", number, release=lambda: log.append(f"tool.{number}"))

    session = await tree.open("session", "1", principal="ada")
    await claim(session, "2")
    inner = await session.open("run", "3")
    await claim(inner, "4")
    await claim(await inner.open("step", "5"), "6")
    await claim(inner, "7")
    await claim(session, "8")
    return session, inner


def test_the_answers_of_the_tree_of_one_process_can_be_awaited_and_need_not_be():
    async def main():
        tree = ScopeTree(resolve)
        typed: Tree = tree
        session: LiveScope = await typed.open("session", "1", principal="ada")
        tool = await session.claim("tool", "2")
        found = await typed.find("tool", "2", principal="ada")
        assert found is tree.find("tool", "2", principal="ada") is tool
        assert await typed.live("ada") == tree.snapshot("ada") != ()

    run(main())


def test_an_entry_is_found_by_every_writing_of_its_id_and_says_what_it_is(on_tree: OnTree):
    async def main(tree: Tree):
        session = await tree.open("session", "SESSION-1", principal="ada")
        tool = await session.claim("tool", "ws_prod_tool_7")
        for style in range(len(WRITINGS)):
            assert await tree.find("tool", write(tool.identity, style), principal="ada") is tool
            assert await tree.find("session", write(session.identity, style), principal="ada") is session
        assert (session.kind, session.canonical, session.text) == ("session", "session.1", "SESSION-1")
        assert (session.principal, session.closed) == ("ada", False)
        assert (tool.identity, tool.text, tool.opened_at) == (
            Identity("tool", "tool.7"),
            "ws_prod_tool_7",
            1234,
        )

    on_tree(main, clock=lambda: 1234)


def test_foreign_unknown_malformed_and_ambiguous_are_one_answer(on_tree: OnTree):
    async def main(tree: Tree):
        await (await tree.open("session", "1", principal="ada")).claim("tool", "7")
        texts = ("tool.7", "7", "TOOL-7", "8", "", "?", "tool.７", "x" * 1_000_000, "session.1")
        answers = {await answer(tree.find, "tool", text, principal="eve") for text in texts}
        answers |= {await answer(tree.find, "tool", text, principal="ada") for text in ("8", "?", "\udc80")}
        answers |= {await answer(tree.find, "tool", text, principal="ada") for text in (None, 7, ["tool.7"])}
        assert {(kind, text) for kind, text, _ in answers} == {(NotFound, "no such ID")}

    on_tree(main)


@pytest.mark.parametrize("style", range(len(WRITINGS)))
def test_an_id_has_one_owner_in_any_writing(on_tree: OnTree, style: int):
    async def main(tree: Tree):
        first = await tree.open("session", "1", principal="ada")
        tool = await first.claim("tool", "7")
        second = await tree.open("session", "2", principal="ada")
        before = await tree.live("ada")
        with pytest.raises(ClaimConflict, match="already has an owner"):
            await second.claim("tool", write(tool.identity, style))
        with pytest.raises(ClaimConflict):
            await second.open("tool", write(tool.identity, style))
        with pytest.raises(ClaimConflict):
            await tree.open("session", write(first.identity, style), principal="ada")
        assert await tree.live("ada") == before

    on_tree(main)


def test_a_conflict_does_not_tell_whose_the_id_is(on_tree: OnTree):
    async def main(tree: Tree):
        await (await tree.open("session", "1", principal="ada")).claim("tool", "7")
        mine = await tree.open("session", "2", principal="eve")
        own = await tree.open("session", "3", principal="ada")
        assert await answer(mine.claim, "tool", "7") == await answer(own.claim, "tool", "7")
        assert await answer(tree.open, "session", "1", principal="eve") == await answer(
            tree.open, "session", "1", principal="ada"
        )
        assert "ada" not in (await answer(mine.claim, "tool", "7"))[1]

    on_tree(main)


def test_an_id_is_free_again_after_its_release(on_tree: OnTree):
    async def main(tree: Tree):
        await (await tree.open("session", "1", principal="ada")).close()
        again = await tree.open("session", "1", principal="eve")
        assert await tree.find("session", "1", principal="eve") is again

    on_tree(main)


@pytest.mark.parametrize("text", ["", "?", "nonsense", "session.1", "x" * 1_000_000])
def test_a_text_without_an_answer_claims_nothing(on_tree: OnTree, text: str):
    async def main(tree: Tree):
        session = await tree.open("session", "1", principal="ada")
        before = await tree.live("ada")
        for put in (session.claim, session.open):
            with pytest.raises(InvalidId) as caught:
                await put("tool", text)
            assert len(str(caught.value)) < 300
        with pytest.raises(InvalidId):
            await tree.open("tool", text, principal="ada")
        assert await tree.live("ada") == before

    on_tree(main)


def test_nothing_enters_a_closed_scope_nor_what_was_below_it(on_tree: OnTree):
    async def main(tree: Tree):
        session = await tree.open("session", "1", principal="ada")
        inner = await session.open("run", "2")
        await session.close()
        for scope in (session, inner):
            assert scope.closed
            with pytest.raises(ScopeClosed, match="is closed"):
                await scope.claim("tool", "7")
            with pytest.raises(ScopeClosed):
                await scope.open("tool", "7")
        assert await tree.live("ada") == ()

    on_tree(main)


def test_what_is_live_is_shown_for_one_principal_in_order_of_opening(on_tree: OnTree):
    async def main(tree: Tree):
        session = await tree.open("session", "SESSION-1", principal="ada")
        await session.claim("socket", "2")
        await (await session.open("run", "3")).claim("tool", "TOOL-4")
        await tree.open("session", "5", principal="eve")
        await tree.open("session", "6", principal="ada")
        tool = Snapshot("tool", "tool.4", "TOOL-4", 3, False, False, ())
        inner = Snapshot("run", "run.3", "3", 2, True, False, (tool,))
        socket = Snapshot("socket", "socket.2", "2", 1, False, False, ())
        assert await tree.live("ada") == (
            Snapshot("session", "session.1", "SESSION-1", 0, True, False, (socket, inner)),
            Snapshot("session", "session.6", "6", 5, True, False, ()),
        )
        assert await tree.live("nobody") == ()

    on_tree(main, clock=iter(range(10)).__next__)


def test_release_gives_back_exactly_the_entry_below_that_the_text_names(on_tree: OnTree):
    async def main(tree: Tree):
        session = await tree.open("session", "1", principal="ada")
        inner = await session.open("run", "2")
        released = []
        for number in "345":
            await inner.claim("tool", number, release=lambda number=number: released.append(number))
        assert await session.release("tool", "TOOL-4")
        assert released == ["4"]
        ((shown,),) = [root.children for root in await tree.live("ada")]
        assert names(shown.children) == ["tool.3", "tool.5"]
        assert await session.release("run", "2")
        assert released == ["4", "5", "3"]
        assert [root.children for root in await tree.live("ada")] == [()]
        assert not session.closed

    on_tree(main)


def test_release_of_what_is_not_below_does_nothing(on_tree: OnTree):
    async def main(tree: Tree):
        session = await tree.open("session", "1", principal="ada")
        inner = await session.open("run", "2")
        await session.claim("tool", "3")
        await (await tree.open("session", "4", principal="ada")).claim("tool", "5")
        await (await tree.open("session", "6", principal="eve")).claim("tool", "7")
        before = await tree.live("ada"), await tree.live("eve")
        refused = [("tool", "3"), ("session", "1"), ("run", "2"), ("tool", "5"), ("tool", "7"), ("tool", "8")]
        refused += [("tool", "?"), ("tool", ""), ("tool", "run.2")]
        for kind, text in refused:
            assert await inner.release(kind, text) is False
        assert (await tree.live("ada"), await tree.live("eve")) == before

    on_tree(main)


def test_an_identity_that_the_caller_knows_is_not_resolved_again(on_tree: OnTree):
    def never(text, kind):
        raise AssertionError

    async def main(tree: Tree):
        known = Identity("session", "session.1")
        session = await tree.open("session", "SESSION-1", principal="ada", identity=known)
        inner = await session.open("run", "RUN-2", identity=Identity("run", "run.2"))
        tool = await inner.claim("tool", "7", identity=Identity("tool", "tool.7"))
        assert [(entry.text, entry.canonical) for entry in (session, inner, tool)] == [
            ("SESSION-1", "session.1"),
            ("RUN-2", "run.2"),
            ("7", "tool.7"),
        ]
        for enter in (session.open, session.claim):
            with pytest.raises(InvalidId, match="names a tool; expected a run"):
                await enter("run", "8", identity=Identity("tool", "tool.8"))
            with pytest.raises(ClaimConflict):
                await enter("tool", "other", identity=Identity("tool", "tool.7"))

    on_tree(main, resolve=never)


def test_closing_releases_newest_first_across_resources_and_child_scopes(on_tree: OnTree):
    async def main(tree: Tree):
        session, _ = await build(tree, log := [])
        closed = await session.close()
        assert log == ["tool.8", "tool.7", "tool.6", "tool.4", "tool.2"]
        assert names(closed.released) == [
            "tool.8", "tool.7", "tool.6", "step.5", "tool.4", "run.3", "tool.2", "session.1",
        ]  # fmt: skip
        assert closed.failures == ()

    on_tree(main)


def test_closing_a_child_leaves_everything_above_and_beside_it(on_tree: OnTree):
    async def main(tree: Tree):
        session, inner = await build(tree, log := [])
        assert names((await inner.close()).released) == ["tool.7", "tool.6", "step.5", "tool.4", "run.3"]
        (shown,) = await tree.live("ada")
        assert names(shown.children) == ["tool.2", "tool.8"]
        assert not session.closed
        assert names((await session.close()).released) == ["tool.8", "tool.2", "session.1"]
        assert sorted(log) == ["tool.2", "tool.4", "tool.6", "tool.7", "tool.8"]

    on_tree(main)


def test_closing_twice_releases_once_and_answers_the_same(on_tree: OnTree):
    async def main(tree: Tree):
        session, _ = await build(tree, log := [])
        answers = await asyncio.gather(session.close(), session.close())
        answers.append(await session.close())
        assert answers[0] == answers[1] == answers[2]
        assert len(answers[0].released) == 8
        assert len(log) == 5

    on_tree(main)


def test_an_async_context_closes_its_scope_even_if_its_body_raises(on_tree: OnTree):
    async def main(tree: Tree):
        session, _ = await build(tree, log := [])
        with pytest.raises(ZeroDivisionError):
            async with session as entered:
                assert entered is session
                raise ZeroDivisionError
        assert len(log) == 5
        assert session.closed

    on_tree(main)


def test_a_cleanup_that_fails_or_hangs_is_reported_and_stops_nothing(on_tree: OnTree):
    async def main(tree: Tree):
        session, _ = await build(tree, log := [])

        async def fails():
            raise ValueError

        await session.claim("tool", "9", release=fails)
        await session.claim("tool", "10", release=asyncio.Event().wait)
        closed = await session.close()
        assert names(closed.released)[:3] == ["tool.10", "tool.9", "tool.8"]
        assert [type(failure.error) for failure in closed.failures] == [TimeoutError, ValueError]
        assert told == list(closed.failures)
        assert len(log) == 5

    told = []
    on_tree(main, release_timeout=0.2, on_failure=told.append)


def test_an_entry_is_live_and_its_id_taken_until_its_cleanup_has_ended(on_tree: OnTree):
    async def main(tree: Tree):
        session = await tree.open("session", "1", principal="ada")
        other = await tree.open("session", "5", principal="ada")
        step = asyncio.Event()
        tool = await session.claim("tool", "2", release=step.wait)
        closing = session.close()
        assert tool.closed

        async def shown_as_closed():
            return (await tree.live("ada"))[0].closed

        await until(shown_as_closed)
        assert await tree.find("tool", "2", principal="ada") is tool
        with pytest.raises(ClaimConflict):
            await other.claim("tool", "2")
        step.set()
        assert names((await closing).released) == ["tool.2", "session.1"]
        await other.claim("tool", "2")

    on_tree(main)


def test_a_cleanup_may_close_its_own_scope(on_tree: OnTree):
    async def main(tree: Tree):
        session, _ = await build(tree, log := [])

        async def again():
            return await session.close()

        await session.claim("tool", "9", release=again)
        closed = await session.close()
        assert (len(closed.released), closed.failures, len(log)) == (9, (), 5)

    on_tree(main)


def test_a_cancelled_caller_stops_waiting_and_the_closing_goes_on(on_tree: OnTree):
    async def main(tree: Tree):
        session = await tree.open("session", "1", principal="ada")
        step, log = asyncio.Event(), []

        async def slow():
            await step.wait()
            log.append("tool.2")

        await session.claim("tool", "2", release=slow)
        first, second = (asyncio.ensure_future(session.close()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        step.set()
        assert len((await second).released) == 2
        assert log == ["tool.2"]

    on_tree(main)


def test_a_chain_of_scopes_deeper_than_the_stack_closes(on_tree: OnTree):
    async def main(tree: Tree):
        scope = root = await tree.open("session", "0", principal="ada")
        for number in range(1, 1200):
            scope = await scope.open("run", str(number))
        closed = await root.close()
        assert names(closed.released) == [f"run.{number}" for number in range(1199, 0, -1)] + ["session.0"]
        assert await tree.live("ada") == ()

    on_tree(main)
