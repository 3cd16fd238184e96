"""What happens when a thing is released though its owner is dead, and what can be asked about it later."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from canonid import InvalidId, NotFound, Registry
from canonid.scopes.valkey import Released
from faults import fault
from scopes.fleet import Process, is_live, trees
from scopes.servers import client, until

REGISTRY = """\
[kinds.user]
[kinds.session]
[kinds.tool]
"""


@fault(
    "a process dies before or during the effects of a release",
    promised="each effect runs at least once, under one key, by a process that is left",
)
def test_effects_of_a_killed_process_run_elsewhere(valkey, namespace, seen):
    async def main():
        done: list[Released] = []
        failing = asyncio.Event()

        async def remove(released: Released) -> None:
            if not failing.is_set():
                failing.set()
                raise OSError("the disk is away")
            done.append(released)

        async with trees(valkey, namespace, "a", "b", "c", effects={"tool": remove}) as each:
            with Process(valkey, namespace, "holder") as holder:
                await until(lambda: holder.said("ready"))
            await until(lambda: is_live(each[0]))
            await until(lambda: len({released.key for released in done}) == 5)
            assert {released.identity.canonical for released in done} == {f"tool.{n}" for n in range(5)}
            assert {released.scope.canonical for released in done} == {"session.1"}
            assert all(released.owner.startswith("holder-") for released in done)
            assert {released.principal for released in done} == {"ada"}

            async def settled():
                return (await each[0].receipt("tool", "3")).effect == "done"

            await until(settled)
            receipt = await each[0].receipt("tool", "TOOL-3")
            assert receipt.released in done
            assert receipt.released.why.startswith("the lease of holder-")
            assert (await each[0].receipt("session", "1")).effect is None

    asyncio.run(main())
    seen("a failed effect was tried again by another process; 5 keys, each done")


@fault(
    "effects of hundreds of releases fail for ever, or take longer together than a lease",
    promised="all others run all the same, those that are tried again too",
)
@pytest.mark.parametrize(("hopeless", "seconds"), [(250, 0.0), (30, 0.05)], ids=["many", "slow"])
def test_effects_that_fail_for_ever_keep_no_other_from_running(valkey, namespace, hopeless, seconds, seen):
    tried: Counter[str] = Counter()

    async def fail(released: Released) -> None:
        tried[released.identity.canonical] += 1
        if released.identity.canonical != "tool.999" or tried["tool.999"] == 1:
            await asyncio.sleep(seconds)
            raise OSError("the disk is away")

    async def main():
        async with trees(valkey, namespace, "a", effects={"tool": fail}) as (a,):

            async def release(number: int) -> None:
                async with await a.open("session", str(number), principal="ada") as session:
                    await session.claim("tool", str(number))

            for number in range(hopeless):
                await release(number)
            await until(lambda: tried["tool.0"] == 2)
            await release(999)
            await until(lambda: tried["tool.999"] == 2)

    asyncio.run(main())
    seen("each was tried again, and one that was released later ran at its second try")


def test_an_effect_that_fails_keeps_none_of_the_same_release_from_running(valkey, namespace):
    async def main():
        done = set()

        async def run(released: Released) -> None:
            if released.identity.canonical == "tool.2":
                raise OSError("the disk is away")
            done.add(released.identity.canonical)

        async with trees(valkey, namespace, "a", effects={"tool": run}) as (a,):
            async with await a.open("session", "1", principal="ada") as session:
                for number in (1, 2, 3):
                    await session.claim("tool", str(number))
            await until(lambda: done == {"tool.1", "tool.3"})
            assert (await a.receipt("tool", "2")).effect == "pending"

    asyncio.run(main())


def test_a_receipt_tells_the_newest_release_and_what_waits(valkey, namespace):
    async def main():
        blocked = asyncio.Event()

        async def slow(released: Released) -> None:
            await blocked.wait()

        async with trees(valkey, namespace, "a", effects={"tool": slow}) as (a,):
            with pytest.raises(NotFound):
                await a.receipt("tool", "2")
            with pytest.raises(InvalidId):
                await a.receipt("tool", "?")
            for turn in range(3):
                session = await a.open("session", str(turn), principal="ada")
                await session.claim("tool", "2")
                if turn < 2:
                    await session.close(why=f"turn {turn}")
            receipt = await a.receipt("tool", "2")
            assert (receipt.released.why, receipt.effect) == ("turn 1", "pending")
            assert receipt.released.scope.canonical == "session.1"

    asyncio.run(main())


@fault(
    "the stream of releases was trimmed",
    promised="a receipt that is gone is unknown, not wrong; effects go on with what is left",
)
def test_a_trimmed_stream_answers_unknown_and_goes_on(valkey, namespace, seen):
    async def main():
        done = []

        async def note(released: Released) -> None:
            done.append(released.identity.canonical)

        async with trees(valkey, namespace, "a", effects={"tool": note}) as (a,):
            for number in range(3):
                session = await a.open("session", str(number), principal="ada")
                await session.claim("tool", str(number))
                await session.close()
            await until(lambda: len(done) == 3)
            async with client(valkey) as connection:
                await connection.xtrim(f"{namespace}:{{0}}:released", maxlen=1, approximate=False)
                with pytest.raises(NotFound):
                    await a.receipt("tool", "1")
                assert (await a.receipt("tool", "2")).released.scope.canonical == "session.2"
                await connection.delete(f"{namespace}:{{0}}:released")
            session = await a.open("session", "7", principal="ada")
            await session.claim("tool", "7")
            await session.close()
            await until(lambda: "tool.7" in done)

    asyncio.run(main())
    seen("NotFound for what was trimmed; with the whole stream deleted the next effect still ran")


def command(*arguments: str, folder, **environment: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "canonid.cli", "scopes", *arguments]
    return subprocess.run(
        call, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


def test_support_asks_on_the_command_line(valkey, namespace, tmp_path):
    (tmp_path / "canonid.toml").write_text(REGISTRY)
    registry = Registry.from_toml(REGISTRY)
    user, session, tool = (registry.mint(kind) for kind in ("user", "session", "tool"))
    where = ("--url", valkey, "--namespace", namespace)

    async def main():
        async with trees(valkey, namespace, "a", resolve=registry.identify) as (a,):
            scope = await a.open("session", session, principal=user)
            await scope.claim("tool", tool)
            shown = command("tree", user, *where, folder=tmp_path)
            assert shown.stdout == f"session {session}\n  tool {tool}\n"
            lines = command("tree", user, "--json", *where, folder=tmp_path).stdout.splitlines()
            assert [json.loads(line)["id"] for line in lines] == [session, tool]
            assert json.loads(lines[1])["process"].startswith("a-")
            missing = command("receipt", tool, *where, folder=tmp_path)
            assert missing.returncode == 1
            assert "no release" in missing.stderr
            await scope.close(why="logged out")

    asyncio.run(main())
    shown = command("receipt", tool, "--namespace", namespace, folder=tmp_path, CANONID_VALKEY=valkey)
    assert shown.returncode == 0, shown.stderr
    assert f"with        session {session}\n" in shown.stdout
    assert "why         logged out\n" in shown.stdout
    told = json.loads(command("receipt", tool, "--json", *where, folder=tmp_path).stdout)
    assert (told["id"], told["scope"], told["why"], told["effect"]) == (tool, session, "logged out", None)
    assert command("tree", user, *where, folder=tmp_path).stderr.startswith("canonid: nothing of")
    for where in ((), ("--url", "redis://127.0.0.1:1"), ("--url", "x")):
        failed = command("tree", user, *where, folder=tmp_path, CANONID_VALKEY="")
        assert failed.returncode == 3, failed.stderr
        assert failed.stderr.startswith("canonid: ")
        assert "Traceback" not in failed.stderr
