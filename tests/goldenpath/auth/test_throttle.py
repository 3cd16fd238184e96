"""Failures per name, on a clock that the test moves."""

from __future__ import annotations

import asyncio

import pytest

from goldenpath.auth.passwords import Busy
from goldenpath.auth.throttle import Places, Throttle, Throttled


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def fail(throttle: Throttle, name: str, times: int = 1) -> None:
    for _ in range(times):
        async with throttle.attempt(name) as attempts:
            attempts.fail()


async def refused(throttle: Throttle, name: str) -> int:
    """For how many seconds a name is refused."""
    try:
        async with throttle.attempt(name):
            return 0
    except Throttled as error:
        return error.seconds


def test_a_name_may_try_again_when_the_oldest_failure_is_past() -> None:
    async def main() -> None:
        clock = Clock()
        throttle = Throttle(failures=3, seconds=60, clock=clock)
        for clock.now in (0, 10, 20):
            await fail(throttle, "ada")
        assert await refused(throttle, "ada") == 40
        clock.now = 59.5
        assert await refused(throttle, "ada") == 1
        clock.now = 60
        assert await refused(throttle, "ada") == 0
        await fail(throttle, "ada")
        assert await refused(throttle, "ada") == 10

    asyncio.run(main())


def test_a_success_wipes_the_slate() -> None:
    async def main() -> None:
        throttle = Throttle(failures=3)
        await fail(throttle, "ada", 2)
        async with throttle.attempt("ada") as attempts:
            attempts.succeed()
        await fail(throttle, "ada", 2)
        assert await refused(throttle, "ada") == 0

    asyncio.run(main())


def test_an_attempt_that_neither_fails_nor_succeeds_counts_for_nothing() -> None:
    async def main() -> None:
        throttle = Throttle(failures=1)
        with pytest.raises(ZeroDivisionError):
            async with throttle.attempt("ada"):
                raise ZeroDivisionError
        assert await refused(throttle, "ada") == 0

    asyncio.run(main())


def test_attempts_with_one_name_take_turns_and_others_do_not_wait() -> None:
    async def main() -> None:
        throttle = Throttle(failures=1)
        async with throttle.attempt("ada") as attempts:
            second = asyncio.create_task(refused(throttle, "ada"))
            assert await refused(throttle, "bob") == 0
            assert not second.done()
            attempts.fail()
        assert await second > 0

    asyncio.run(main())


def test_it_remembers_only_so_many_names_and_forgets_the_one_that_failed_longest_ago() -> None:
    async def main() -> None:
        clock = Clock()
        throttle = Throttle(failures=1, names=2, clock=clock)
        for clock.now, name in enumerate(("ada", "bob")):
            await fail(throttle, name)
        assert await refused(throttle, "ada") > 0
        clock.now = 2
        await fail(throttle, "eve")
        assert await refused(throttle, "ada") == 0
        assert await refused(throttle, "bob") > 0

    asyncio.run(main())


def test_attempts_that_do_not_fail_push_nobody_out() -> None:
    async def main() -> None:
        throttle = Throttle(failures=1, names=2)
        await fail(throttle, "ada")
        for n in range(5):
            assert await refused(throttle, f"nobody-{n}") == 0
        assert await refused(throttle, "ada") > 0

    asyncio.run(main())


def test_failures_that_are_past_are_forgotten_before_those_that_count() -> None:
    async def main() -> None:
        clock = Clock()
        throttle = Throttle(failures=2, seconds=60, names=2, clock=clock)
        await fail(throttle, "past")
        clock.now = 50
        await fail(throttle, "ada", 2)
        clock.now = 70
        assert await refused(throttle, "past") == 0  # tried last, and still of no use
        await fail(throttle, "eve")
        assert await refused(throttle, "ada") > 0

    asyncio.run(main())


def test_a_name_under_way_keeps_its_turn_and_its_failures_whatever_others_do() -> None:
    async def main() -> None:
        throttle = Throttle(failures=2, names=1)
        await fail(throttle, "ada")
        async with throttle.attempt("ada") as attempts:
            await fail(throttle, "bob")
            await fail(throttle, "eve")
            second = asyncio.create_task(refused(throttle, "ada"))
            await fail(throttle, "bob")
            assert not second.done()
            attempts.fail()
        assert await second > 0

    asyncio.run(main())


def test_each_client_has_so_many_places_and_gets_them_back() -> None:
    places = Places(each=2)
    with places.taken("a"), places.taken("a"), places.taken("b"):
        with pytest.raises(Busy), places.taken("a"):
            pass
        with places.taken("b"):
            pass
    with places.taken("a"), places.taken("a"):
        pass
