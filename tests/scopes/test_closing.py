"""What closing releases, in which order, and what it says when cleanups fail or hang."""

import asyncio
import gc
import weakref

import pytest

from canonid import ScopeClosed
from scopes.trees import run, turns


class Boom(Exception):
    pass


def names(identities) -> list[str]:
    return [identity.canonical for identity in identities]


def build(tree, log):
    """session.1 [tool.2, run.3 [tool.4, step.5 [tool.6], tool.7], tool.8]; cleanups write into `log`."""

    def claim(scope, number):
        scope.claim("tool", number, release=lambda: log.append(f"tool.{number}"))

    session = tree.open("session", "1", principal="ada")
    claim(session, "2")
    inner = session.open("run", "3")
    claim(inner, "4")
    claim(inner.open("step", "5"), "6")
    claim(inner, "7")
    claim(session, "8")
    return session, inner


def test_closing_twice_releases_once_and_answers_the_same(new_tree):
    async def main():
        log = []
        session, inner = build(new_tree(), log)
        answers = await asyncio.gather(session.close(), session.close())
        answers.append(await session.close())
        assert answers[0] == answers[1] == answers[2]
        assert len(answers[0].released) == 8
        assert len(log) == 5
        assert names((await inner.close()).released) == ["tool.7", "tool.6", "step.5", "tool.4", "run.3"]

    run(main())


def test_plain_cleanups_need_no_task(new_tree):
    async def main():
        tree, log = new_tree(), []
        session, _ = build(tree, log)
        before = asyncio.all_tasks()
        closing = session.close()
        assert closing.done()
        assert asyncio.all_tasks() == before

    run(main())


def test_the_call_of_close_closes_the_whole_subtree_before_any_await(new_tree):
    async def main():
        session, inner = build(new_tree(), [])

        async def slow():
            await asyncio.sleep(1)

        session.claim("tool", "9", release=slow)
        closing = session.close()
        for scope in (session, inner):
            with pytest.raises(ScopeClosed):
                scope.claim("tool", "10")
        assert len((await closing).released) == 9

    run(main())


def raising(error):
    def plain():
        raise error

    return plain


def raising_async(error):
    async def later():
        await turns(2)
        raise error

    return later


async def hang():
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (raising(Boom("plain")), Boom),
        (raising(asyncio.CancelledError()), asyncio.CancelledError),
        (raising(GeneratorExit()), GeneratorExit),
        (raising(StopIteration()), StopIteration),
        (raising_async(Boom("async")), Boom),
        (raising_async(asyncio.CancelledError()), asyncio.CancelledError),
        (hang, TimeoutError),
        (lambda: asyncio.get_running_loop().create_future(), TimeoutError),
    ],
    ids=["plain", "plain-cancelled", "exit", "stop", "async", "async-cancelled", "hangs", "future-hangs"],
)
def test_a_failing_cleanup_is_reported_and_does_not_stop_the_others(new_tree, caplog, release, expected):
    async def main():
        told = []
        tree = new_tree(on_failure=told.append)
        session, inner = build(tree, log := [])
        bad = inner.claim("tool", "9", release=release)
        closed = await session.close()
        assert log == ["tool.8", "tool.7", "tool.6", "tool.4", "tool.2"]
        assert len(closed.released) == 9
        assert [(failure.identity, type(failure.error)) for failure in closed.failures] == [
            (bad.identity, expected)
        ]
        assert told == list(closed.failures)
        assert (await inner.close()).failures == closed.failures
        assert (tree.stats.failures, tree.stats.released, tree.stats.scopes) == (1, 9, 0)

    run(main())
    records = [record for record in caplog.records if record.name == "canonid.scopes"]
    assert [record.message for record in records] == ["releasing tool 'tool.9' failed"]
    assert records[0].exc_info is not None


def test_a_cleanup_that_ignores_its_cancellation_is_left_behind_and_counted(new_tree):
    async def main():
        tree = new_tree(release_timeout=5.0)
        session, log = tree.open("session", "1", principal="ada"), []
        give_up = asyncio.Event()

        async def deaf():
            while not give_up.is_set():
                try:
                    await give_up.wait()
                except asyncio.CancelledError:
                    log.append("cancelled")
            raise Boom("too late for anyone to care")

        session.claim("tool", "2", release=lambda: log.append("tool.2"))
        session.claim("tool", "3", release=deaf)
        start = asyncio.get_running_loop().time()
        closed = await session.close()
        assert 5.0 <= asyncio.get_running_loop().time() - start < 6.0
        assert log == ["cancelled", "tool.2"]
        (failure,) = closed.failures
        assert str(failure.error) == "releasing tool 'tool.3' took longer than 5 s"
        assert tree.stats.abandoned == 1
        give_up.set()
        await turns(3)
        assert tree.stats.abandoned == 0

    run(main())


def test_a_timed_out_cleanup_ends_its_own_tidying_before_the_next_one_starts(new_tree):
    async def main():
        session, log = new_tree().open("session", "1", principal="ada"), []

        async def slow():
            try:
                await asyncio.Event().wait()
            finally:
                await turns(5)
                log.append("tidied")

        session.claim("tool", "2", release=lambda: log.append("tool.2"))
        session.claim("tool", "3", release=slow)
        await session.close()
        assert log == ["tidied", "tool.2"]

    run(main())


def test_an_async_cleanup_ends_before_the_next_one_starts(new_tree):
    async def main():
        session, log = new_tree().open("session", "1", principal="ada"), []

        def cleanup(number):
            async def release():
                log.append(f"{number} starts")
                await asyncio.sleep(1)
                log.append(f"{number} ends")

            return release

        for number in "234":
            session.claim("tool", number, release=cleanup(number))
        await session.close()
        assert log == ["4 starts", "4 ends", "3 starts", "3 ends", "2 starts", "2 ends"]

    run(main())


def test_an_entry_is_live_and_its_id_taken_until_its_cleanup_has_ended(new_tree):
    async def main():
        tree = new_tree()
        session = tree.open("session", "1", principal="ada")
        step = asyncio.Event()
        tool = session.claim("tool", "2", release=step.wait)
        closing = session.close()
        await turns(3)
        assert tree.find("tool", "2", principal="ada") is tool
        assert tool.closed
        assert [root.closed for root in tree.snapshot("ada")] == [True]
        step.set()
        await closing
        assert tree.snapshot("ada") == ()

    run(main())


def test_on_failure_that_raises_is_logged_and_stops_nothing(new_tree, caplog):
    async def main():
        tree = new_tree(on_failure=raising_on_failure)
        session, _ = build(tree, log := [])
        session.claim("tool", "9", release=raising(Boom()))
        assert len((await session.close()).released) == 9
        assert len(log) == 5

    def raising_on_failure(failure):
        raise Boom

    run(main())
    assert "on_failure raised for tool 'tool.9'" in caplog.messages


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_plain_cleanup_is_raised_after_the_others_were_released(new_tree, error):
    async def main():
        session, _ = build(new_tree(), log := [])
        session.claim("tool", "9", release=raising(error()))
        with pytest.raises(error):
            session.close()
        assert len(log) == 5
        closed = await session.close()
        assert [type(failure.error) for failure in closed.failures] == [error]

    run(main())


@pytest.mark.parametrize(
    ("kind", "number", "so_far"), [("run", "3", []), ("session", "1", ["tool.8"]), ("step", "5", [])]
)
def test_a_cleanup_may_close_its_own_scope_and_every_related_one(new_tree, kind, number, so_far):
    async def main():
        tree, log, answers = new_tree(), [], []
        session, inner = build(tree, log)
        scope = tree.find(kind, number, principal="ada")

        async def reenter():
            async with scope:
                answers.append(await scope.close())

        inner.claim("tool", "9", release=reenter)
        closed = await inner.close()
        assert closed.failures == ()
        assert len(closed.released) == 6
        assert [names(answer.released) for answer in answers] == [so_far]
        await session.close()
        assert len(log) == len(set(log)) == 5
        assert tree.snapshot("ada") == ()

    run(main())


def test_a_plain_cleanup_may_close_its_own_scope(new_tree):
    async def main():
        session, _ = build(new_tree(), log := [])
        session.claim("tool", "9", release=session.close)
        closed = await session.close()
        assert (len(closed.released), closed.failures, len(log)) == (9, (), 5)

    run(main())


def test_two_scopes_whose_cleanups_close_each_other_do_not_deadlock(new_tree):
    async def main():
        tree = new_tree()
        one, two = (tree.open("session", number, principal="ada") for number in "12")

        async def close_two():
            await turns(2)
            await two.close()

        async def close_one():
            await turns(2)
            await one.close()

        one.claim("tool", "3", release=close_two)
        two.claim("tool", "4", release=close_one)
        answers = await asyncio.gather(one.close(), two.close())
        assert names(answers[0].released) == ["tool.3", "session.1"]
        assert names(answers[1].released) == ["tool.4", "session.2"]
        assert answers[0].failures == answers[1].failures == ()

    run(main())


def test_a_task_begun_in_a_cleanup_waits_like_anyone_else_once_that_closing_is_over(new_tree):
    async def main():
        tree = new_tree()
        one, two = (tree.open("session", number, principal="ada") for number in "12")
        answers, tasks = [], []
        two.claim("tool", "3", release=lambda: asyncio.sleep(1))
        over = asyncio.Event()

        async def later():
            await over.wait()
            answers.append(await two.close())

        one.claim("tool", "4", release=lambda: tasks.append(asyncio.ensure_future(later())))
        await one.close()
        over.set()
        await asyncio.gather(*tasks)
        assert names(answers[0].released) == ["tool.3", "session.2"]

    run(main())


def test_a_cleanup_that_releases_its_siblings_keeps_the_order_and_releases_once(new_tree):
    async def main():
        session, log = new_tree().open("session", "1", principal="ada"), []
        answers = []

        async def greedy():
            answers.append([await session.release("tool", number) for number in "2349"])
            log.append("tool.3")

        session.claim("tool", "2", release=lambda: log.append("tool.2"))
        session.claim("tool", "3", release=greedy)
        session.claim("tool", "4", release=lambda: log.append("tool.4"))
        closed = await session.close()
        assert answers == [[True, True, False, False]]
        assert log == ["tool.4", "tool.3", "tool.2"]
        assert names(closed.released) == ["tool.4", "tool.3", "tool.2", "session.1"]

    run(main())


def test_a_cleanup_may_claim_into_an_open_scope_but_not_into_its_own(new_tree):
    async def main():
        tree = new_tree()
        session, other = (tree.open("session", number, principal="ada") for number in "12")
        session.claim("tool", "3", release=lambda: other.claim("tool", "4"))
        session.claim("tool", "5", release=lambda: session.claim("tool", "6"))
        closed = await session.close()
        assert [type(failure.error) for failure in closed.failures] == [ScopeClosed]
        assert [entry.canonical for entry in other.entries] == ["tool.4"]

    run(main())


def test_a_chain_of_scopes_deeper_than_the_stack_closes(new_tree):
    async def main():
        tree = new_tree()
        scope = root = tree.open("session", "0", principal="ada")
        for number in range(1, 3000):
            scope = scope.open("run", str(number))
        closed = await root.close()
        assert names(closed.released)[:2] == ["run.2999", "run.2998"]
        assert tree.stats.scopes == 0

    run(main())


def test_a_cleanup_is_forgotten_once_it_ran(new_tree):
    class Socket:
        def close(self):
            pass

    async def main():
        socket = Socket()
        gone = weakref.ref(socket)
        session = new_tree().open("session", "1", principal="ada")
        tool = session.claim("tool", "2", release=socket.close)
        del socket
        await session.close()
        assert tool.closed
        assert gone() is None

    run(main())


def test_a_principal_is_forgotten_with_their_last_scope(new_tree):
    class Name(str):
        """A text that can be weakly referenced."""

    async def main():
        tree, principal = new_tree(), Name("ada")
        gone = weakref.ref(principal)
        await tree.open("session", "1", principal=principal).close()
        del principal
        gc.collect()
        assert gone() is None

    run(main())


def test_what_a_cleanup_begins_does_not_keep_the_scope(new_tree):
    async def main():
        session, timers = new_tree().open("session", "1", principal="ada"), []
        later = asyncio.get_running_loop().call_later
        session.claim("tool", "2", release=lambda: timers.append(later(3600, print)))
        await session.close()
        closing = weakref.ref(session._closing)
        del session
        gc.collect()
        assert closing() is None
        timers[0].cancel()

    run(main())
