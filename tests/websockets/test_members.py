"""Processes that die, freeze or lose the store, with clients on them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from canonid.websockets.valkey import ValkeyBackplane
from faults import fault
from stores import Server

Make = Callable[..., Any]
LEASE = 1.5
WHOLE = re.compile(r"accepted \d+\n")  # the last line of a killed process may be cut
HERE = Path(__file__).parent
REGISTRY = HERE.parent / "registries" / "legacy.toml"


class Member:
    """A server process, and what it printed."""

    def __init__(self, url: str, database: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, HERE / "member.py", url, database, REGISTRY, str(LEASE)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("serves"), line
        self.port = int(line.split()[1])

    def send(self, what: signal.Signals) -> None:
        self._process.send_signal(what)

    def kill(self) -> list[int]:
        """The numbers it had accepted."""
        self._process.kill()
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            accepted = [int(line.split()[1]) for line in lines if WHOLE.fullmatch(line)]
        self._process.wait()
        return accepted


@pytest.fixture
def valkey() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def member(valkey: Server, tmp_path: Path, store: Any) -> Iterator[Callable[[], Member]]:
    """Starts members over the store of the test."""
    members: list[Member] = []

    def start() -> Member:
        members.append(Member(valkey.url, tmp_path / "canonid.db"))
        return members[-1]

    yield start
    for each in members:
        if each._process.returncode is None:
            each.kill()


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["seq"] for event in events]


@fault(
    "kill -9 of a server process with runs and connections",
    promised="clients resume elsewhere: every accepted event once, then run_lost, in 2 leases",
)
def test_a_run_of_a_killed_process_ends_with_run_lost_and_loses_no_event(
    valkey: Server, member: Callable[[], Member], world: Make, seen: Callable[[str], None]
) -> None:
    w, other = world(backplane=ValkeyBackplane(valkey.url, lease=LEASE)), member()

    async def main() -> None:
        person = w.person()
        here = await w.watching(person)
        there = await w.ready_at(other.port, person)
        await there.send(type="start", thread=person.thread)
        await there.send(type="watch", thread=person.thread)
        before = [await there.receive("event") for _ in range(20)]
        accepted = other.kill()
        run, last = before[-1]["run"], before[-1]["seq"]
        late = await w.ready(person)
        await late.send(type="subscribe", run=run, last_seq=last)
        after = await late.events()
        assert numbers(before) + numbers(after) == list(range(1, after[-1]["seq"] + 1))
        assert after[-1]["event"] == "run_lost" and after[-1]["final"]
        assert accepted and accepted[-1] < after[-1]["seq"]
        watched = await here.events()
        assert numbers(watched) == list(range(1, after[-1]["seq"] + 1)), "who watched elsewhere sees the same"
        tree = await w.server.call(w.hub.live_of(person.user))
        kinds = [child.kind for root in tree for child in root.children if child.kind != "executor"]
        assert sorted(kinds) == ["connection", "connection"], "what the dead process held is released"

    w.run(main())
    seen(
        "every accepted event once, then run_lost; the connections and runs of the dead process are released"
    )


@fault(
    "a server process is stopped (SIGSTOP) for longer than its lease, and goes on",
    promised="its clients get nothing more but 1012; its runs end elsewhere with run_lost",
)
def test_a_frozen_process_is_fenced_and_says_nothing_more(
    valkey: Server, member: Callable[[], Member], world: Make, seen: Callable[[str], None]
) -> None:
    w, other = world(backplane=ValkeyBackplane(valkey.url, lease=LEASE)), member()

    async def main() -> None:
        person = w.person()
        here = await w.watching(person)
        there = await w.ready_at(other.port, person)
        await there.send(type="start", thread=person.thread)
        await there.send(type="watch", thread=person.thread)
        before = [await there.receive("event") for _ in range(5)]
        other.send(signal.SIGSTOP)
        events = await here.events()
        assert events[-1]["event"] == "run_lost"
        other.send(signal.SIGCONT)
        rest: list[dict[str, Any]] = []
        code = await there.ended(rest)
        assert code == (1012, "server restarting")
        told = [message["seq"] for message in rest if message["type"] == "event"]
        assert numbers(before) + told == list(range(1, len(before) + len(told) + 1))
        assert len(before) + len(told) < events[-1]["seq"], "nothing but what was true before it froze"
        again = await w.ready_at(other.port, person)
        await again.send(type="subscribe", run=before[0]["run"], last_seq=before[-1]["seq"])
        assert (await again.events())[-1]["event"] == "run_lost"

    w.run(main())
    seen(
        "fenced when it wakes: 1012, no event of its own; clients that come back there resume from the store"
    )


@fault(
    "the store is away for longer than a lease, while everybody lives",
    promised="nothing is sent meanwhile; afterwards connections and runs go on as if nothing had been",
)
def test_live_things_are_live_after_the_store_was_away(
    valkey: Server, member: Callable[[], Member], world: Make, seen: Callable[[str], None]
) -> None:
    w, other = world(backplane=ValkeyBackplane(valkey.url, lease=LEASE)), member()

    async def main() -> None:
        person = w.person()
        there = await w.ready_at(other.port, person)
        here = await w.watching(person)
        await there.send(type="start", thread=person.thread)
        await there.send(type="watch", thread=person.thread)
        before = [await here.receive("event") for _ in range(5)]
        valkey.pause()
        await asyncio.sleep(2 * LEASE)
        valkey.resume()
        while before[-1]["seq"] < 5 or (await here.receive("event"))["seq"] < before[-1]["seq"] + 50:
            pass
        assert there.raw.close_code is None and here.raw.close_code is None
        await there.send(type="cancel", run=before[0]["run"])
        events = [await there.receive("event")]
        while not events[-1].get("final"):
            events.append(await there.receive("event"))
        assert events[-1]["event"] == "run_cancelled"
        assert numbers(events) == list(range(1, len(events) + 1))

    w.run(main())
    seen("the same connections and the same run go on, no number is missing")
