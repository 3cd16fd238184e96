"""The journal of runs in a store: what is kept, refused, forgotten, and written again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.exceptions import ConnectionError as Lost

from canonid import StoreError
from canonid.scopes.valkey.store import Store
from canonid.websockets import Limits
from canonid.websockets.backplane import RunOver, RunRecord
from canonid.websockets.valkey.journal import KNOWN, STEPS, ValkeyJournal
from scopes.servers import client, until
from stores import REDIS, Server

ODD = ["}x", "{a}b}", "a\nb", "a\0b", "\U0001f511", "a/b:c", "x" * 5000]


class Deaf(Store):
    """A store whose answer to the next step is lost on the way."""

    lose_answer = False

    async def call(self, prefix: str, step: str, *arguments: Any) -> Any:
        answer = await super().call(prefix, step, *arguments)
        if self.lose_answer and step == "append":
            self.lose_answer = False
            raise StoreError("the answer was lost", path="valkey") from Lost()
        return answer


@asynccontextmanager
async def journal(url: str, prefix: str, **limits: Any) -> AsyncIterator[ValkeyJournal]:
    store = Deaf(url, 3, STEPS)
    try:
        yield ValkeyJournal(store, prefix, Limits(**limits))
    finally:
        await store.aclose()


def deaf(kept_in: ValkeyJournal) -> None:
    store = kept_in._store
    assert isinstance(store, Deaf)
    store.lose_answer = True


def record(run: str = "r", seq: int = 0, **more: str) -> RunRecord:
    return RunRecord(run, more.get("thread", "t"), more.get("principal", "u"), "p", seq)


async def texts_of(kept_in: ValkeyJournal, run: str = "r", after: int = 0) -> tuple[int, list[str], bool]:
    kept = await kept_in.read(run, after)
    assert kept is not None
    return kept.first, list(kept.texts), kept.record.ended


async def publish(kept_in: ValkeyJournal, count: int, run: str = "r", **more: str) -> list[str]:
    """A run with so many events, the last of which ends it."""
    await kept_in.begin(record(run, **more))
    texts = [f"event {n}" for n in range(1, count + 1)]
    for seq, text in enumerate(texts):
        await kept_in.append(record(run, seq, **more), [text], texts[:seq], seq + 1 == count)
    return texts


@pytest.fixture(params=["valkey", "redis", "scripts"])
def url(request: pytest.FixtureRequest, shared_valkey: Server) -> Iterator[str]:
    """Both servers, and one whose user may not load functions."""
    if request.param == "valkey":
        yield shared_valkey.url
        return
    if REDIS is None:
        pytest.skip("redis-server is not installed")
    denied = ("--rename-command", "FCALL", "''") if request.param == "scripts" else ()
    with Server(*denied, binary=REDIS) as server:
        yield server.url


@pytest.mark.parametrize("options", ["", "?protocol=3", "?decode_responses=True"])
def test_what_is_appended_is_read_from_any_number_on(url: str, prefix: str, options: str) -> None:
    async def main() -> None:
        async with journal(url + options, prefix) as j:
            assert await j.read("r", 0) is None and await j.runs_of("t") == []
            await j.begin(record())
            assert await texts_of(j) == (1, [], False)
            assert await j.append(record(), ["a", "é\n\0"], [], False) == 0
            assert await j.append(record(seq=2), ["c"], ["a", "é\n\0"], False) == 0
            assert await texts_of(j) == (1, ["a", "é\n\0", "c"], False)
            assert await texts_of(j, after=2) == (3, ["c"], False)
            assert await texts_of(j, after=9) == (4, [], False)
            await j.append(record(seq=3), ["end"], [], True)
            assert await texts_of(j, after=3) == (4, ["end"], True)
            with pytest.raises(RunOver):
                await j.append(record(seq=4), ["more"], [], False)
            assert await j.runs_of("t") == [RunRecord("r", "t", "u", "p", 4, True)]

    asyncio.run(main())


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_events_that_the_store_lost_are_written_again(shared_valkey: Server, prefix: str, lost: int) -> None:
    async def main() -> None:
        async with journal(shared_valkey.url, prefix) as j:
            await j.begin(record())
            texts = ["1", "2", "3"]
            await j.append(record(), texts[: 3 - lost], [], False)
            await j.append(record(seq=3), ["4"], texts, False)
            assert await texts_of(j) == (1, ["1", "2", "3", "4"], False)

    asyncio.run(main())


def test_a_run_that_the_store_does_not_know_is_written_again_with_what_is_kept(
    shared_valkey: Server, prefix: str
) -> None:
    async def main() -> None:
        async with journal(shared_valkey.url, prefix) as j:
            await j.append(record(seq=9), ["10"], ["8", "9"], False)
            assert await texts_of(j) == (8, ["8", "9", "10"], False)
            assert [run.run for run in await j.runs_of("t")] == ["r"]

    asyncio.run(main())


@pytest.mark.parametrize("final", [False, True])
def test_an_event_whose_answer_was_lost_counts_once(shared_valkey: Server, prefix: str, final: bool) -> None:
    async def main() -> None:
        async with journal(shared_valkey.url, prefix) as j:
            await j.begin(record())
            deaf(j)
            await j.append(record(), ["a"], [], final)
            assert await texts_of(j) == (1, ["a"], final)

    asyncio.run(main())


def test_a_run_that_another_ended_is_over_though_its_number_would_fit(
    shared_valkey: Server, prefix: str
) -> None:
    async def main() -> None:
        async with journal(shared_valkey.url, prefix) as j:
            await j.begin(record())
            assert await j.lose("r", lambda run: f"lost {run.seq + 1}")
            assert not await j.lose("r", lambda run: "again") and not await j.lose("x", lambda run: "x")
            with pytest.raises(RunOver):
                await j.append(record(), ["completed"], [], True)
            assert await texts_of(j) == (1, ["lost 1"], True)

    asyncio.run(main())


def test_a_run_is_ended_once_whoever_is_first(shared_valkey: Server, prefix: str) -> None:
    chance = random.Random(3)

    async def main() -> None:
        async with journal(shared_valkey.url, prefix) as a, journal(shared_valkey.url, prefix) as b:
            for number in range(60):
                run = f"r{number}"
                await a.begin(record(run))

                async def execute(run: str = run) -> int:
                    done: list[str] = []
                    try:
                        for seq in range(8):
                            await a.append(record(run, seq), [f"e{seq + 1}"], done, seq == 7)
                            done.append(f"e{seq + 1}")
                    except RunOver:
                        pass
                    return len(done)

                async def lose(run: str = run) -> bool:
                    await asyncio.sleep(chance.random() * 0.006)
                    return await b.lose(run, lambda run: f"lost{run.seq + 1}")

                done, lost = await asyncio.gather(execute(), lose())
                _, texts, ended = await texts_of(b, run)
                assert ended and lost == (done < 8)
                assert texts == [f"e{n}" for n in range(1, done + 1)] + [f"lost{done + 1}"] * lost

    asyncio.run(main())


def test_old_events_go_by_their_count_and_by_their_bytes(shared_valkey: Server, prefix: str) -> None:
    async def main() -> None:
        async with journal(shared_valkey.url, prefix, run_events=3) as j:
            await publish(j, 10)
            assert await texts_of(j, after=2) == (8, ["event 8", "event 9", "event 10"], True)
        async with journal(shared_valkey.url, prefix, run_bytes=20) as j:
            await publish(j, 9, run="by-bytes")
            assert await texts_of(j, "by-bytes") == (8, ["event 8", "event 9"], True)
            await j.begin(record("big"))
            await j.append(record("big"), ["x" * 100], [], False)
            assert (await texts_of(j, "big"))[1] == ["x" * 100], "the last one is always kept"

    asyncio.run(main())


def test_a_principals_ended_runs_are_bounded_by_count_and_by_bytes(url: str, prefix: str) -> None:
    async def main() -> None:
        async def kept(j: ValkeyJournal, *runs: str) -> list[str]:
            return [run for run in runs if (await texts_of(j, run))[1]]

        async with journal(url, prefix, runs_per_principal=2) as j:
            await j.begin(record("live", thread="other"))
            await j.append(record("live", thread="other"), ["x"], [], False)
            for run in ("r1", "r2", "r3", "r4"):
                await publish(j, 2, run=run)
            await publish(j, 2, run="foreign", principal="eve")
            assert await kept(j, "r1", "r2", "r3", "r4", "foreign", "live") == ["r3", "r4", "foreign", "live"]
            assert [run.run for run in await j.runs_of("t")] == ["r4", "foreign"]
        async with journal(url, prefix, run_bytes_per_principal=40) as j:
            for run in ("b1", "b2", "b3", "b4"):
                await publish(j, 2, run=run, principal="{b}")
            assert await kept(j, "b1", "b2", "b3", "b4") == ["b3", "b4"]

    asyncio.run(main())


def test_nothing_in_the_store_lives_for_ever(shared_valkey: Server, prefix: str) -> None:
    async def main() -> None:
        async with journal(shared_valkey.url, prefix, run_retention=1.0) as j:
            await j.begin(record("idle"))
            await j.append(record("going", thread="t2"), ["x"], [], False)
            await publish(j, 3, run="ended", thread="t3")
            async with client(shared_valkey.url) as connection:
                ends = {
                    key.removeprefix(prefix): await connection.pttl(key)
                    async for key in connection.scan_iter(f"{prefix}*")
                }
                runs = {"{idle}:run", "{going}:run", "{going}:log", "{ended}:run"}
                long = runs | {"{t}:runs", "{t2}:runs", "{t3}:runs"}
                assert ends.keys() == long | {"{ended}:log", "{u}:ended"}
                for key, end in ends.items():
                    most = 1000 + KNOWN * 1000 if key in long else 1000
                    assert -1 != end <= most, key
                    assert key not in long or end > KNOWN * 1000 - 60_000

                async def expired() -> bool:
                    return not await connection.exists(f"{prefix}{{ended}}:log", f"{prefix}{{u}}:ended")

                await until(expired)
            kept = await j.read("ended", 0)
            assert kept is not None and kept.record.ended and kept.texts == []

    asyncio.run(main())


@pytest.mark.parametrize("name", ODD, ids=range(len(ODD)))
def test_odd_names_are_kept_apart(shared_valkey: Server, prefix: str, name: str) -> None:
    async def main() -> None:
        async with journal(shared_valkey.url, prefix, runs_per_principal=1) as j:
            await publish(j, 2, run=name + "1", thread=name, principal=name)
            await publish(j, 2, run=name + "2", thread=name, principal=name)
            assert (await texts_of(j, name + "1"))[1] == []
            assert (await texts_of(j, name + "2"))[1] == ["event 1", "event 2"]
            assert [run.run for run in await j.runs_of(name)] == [name + "2"]

    asyncio.run(main())


def test_garbage_in_the_store_is_an_error_of_the_store(shared_valkey: Server, prefix: str) -> None:
    async def main() -> None:
        async with journal(shared_valkey.url, prefix) as j, client(shared_valkey.url) as connection:
            await connection.hset(f"{prefix}{{r}}:run", mapping={"thread": "t"})
            await connection.set(f"{prefix}{{s}}:run", "no hash")
            await connection.hset(f"{prefix}{{u}}:run", mapping={"thread": b"\xff"})
            for run in "rsu":
                with pytest.raises(StoreError):
                    await j.read(run, 0)

    asyncio.run(main())
