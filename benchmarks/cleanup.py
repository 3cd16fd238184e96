"""The proof: one mixed workload, cleaned up in four ways.

Recall: of what a close should release, how much it did. Precision: of what it released, how much it
should have. Foreign: things of other users that were released. Leaked: what is left when every
connection is closed. Then the time of one close while the pool holds 1,000 to 100,000 things.

    python benchmarks/cleanup.py [--quick] [--json FILE] [--seeds N]

Each way is told the same; a way that is given an ID it can't place may answer that, and is not blamed if
what it left is released when its owner closes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import workload
from canonid.scopes import Scope
from cleaners import Canonid, Cleaner, ExactText, NaiveRepair, OwnerSets
from rows import Row, finish, row
from workload import PER_CONNECTION, Thing, Workload

POOLS = (1_000, 10_000, 100_000)
CLOSES = 50


class Outcome(NamedTuple):
    """What a way did to a workload."""

    recall: float
    precision: float
    foreign: int
    leaked: int
    things: int


async def replay(work: Workload, cleaner: Cleaner) -> Outcome:
    """Run the whole workload through one way and compare with the truth."""
    live: set[int] = set()
    due = closed = right = released = foreign = 0
    late = None
    for step in work.steps:
        thing = work.things[step.thing]
        if step.action == "claim":
            connection = work.things[thing.connection]
            # Some services name the connection as the gateway does, some as they do themselves.
            owner = connection.claimed_as if thing.number % 3 else connection.released_as
            assert cleaner.claim(thing, owner), "nothing is in the way of a claim in time"
            live.add(thing.number)
            continue
        if step.action == "late":
            late = thing
            continue
        if step.action == "release":
            wanted = {thing.number} & live
            gone = set(await cleaner.release(thing))
        else:
            wanted = {number for number in live if work.things[number].connection == thing.number}
            gone = set(await cleaner.close(thing, late))
            late = None
            due += len(wanted)
            closed += len(gone & wanted)
        released += len(gone)
        right += len(gone & wanted)
        foreign += sum(work.things[number].user != thing.user for number in gone)
        live -= gone
    return Outcome(
        closed / due, right / released if released else 1.0, foreign, cleaner.live(), len(work.things)
    )


def crowd(pool: int) -> Workload:
    """A workload of about `pool` things, and some more to close."""
    return workload.make(7, users=-(-pool // (PER_CONNECTION * workload.CONNECTIONS)) + CLOSES)


def fill(work: Workload, cleaner: Cleaner) -> list[Thing]:
    """Claim everything that comes in time; some connections to close, each of another user."""
    late = {step.thing for step in work.steps if step.action == "late"}
    for thing in work.things:
        if thing.number not in late:
            cleaner.claim(thing, work.things[thing.connection].claimed_as)
    connections = [thing for thing in work.things if thing.kind == "connection"]
    return connections[:: workload.CONNECTIONS][:CLOSES]


async def close_once(work: Workload, make: Callable[[], Cleaner]) -> float:
    """Seconds of the first close by text in a full pool; later ones may find it emptied by the first."""
    cleaner = make()
    target = fill(work, cleaner)[0]
    gc.collect()
    start = time.perf_counter()
    await cleaner.close(target)
    return time.perf_counter() - start


async def canonid_closes(work: Workload, path: Path) -> tuple[list[float], list[float]]:
    """Seconds of closes by text, and of `scope.close()` alone, in a full pool."""
    cleaner = Canonid(work, path)
    by_text, alone = [], []
    targets = fill(work, cleaner)
    gc.collect()
    for number, target in enumerate(targets):
        if number % 2:
            start = time.perf_counter()
            await cleaner.close(target)
            by_text.append(time.perf_counter() - start)
            continue
        scope = cleaner.tree.find("connection", target.claimed_as, principal=work.users[target.user])
        assert isinstance(scope, Scope)
        start = time.perf_counter()
        closed = await scope.close()
        alone.append(time.perf_counter() - start)
        assert len(closed.released) == PER_CONNECTION
    cleaner.shut()
    return by_text, alone


async def compare(seeds: int, folder: Path) -> list[Row]:
    """Recall, precision, foreign and leaked of all four ways, summed or averaged over seeds."""
    outcomes: dict[str, list[Outcome]] = {}
    for seed in range(seeds):
        work = workload.make(seed)
        ours = Canonid(work, folder / f"seed{seed}.db")
        for cleaner in (ExactText(), NaiveRepair(), OwnerSets(), ours):
            outcomes.setdefault(cleaner.name, []).append(await replay(work, cleaner))
        ours.shut()
    print(f"{seeds} seeds, {outcomes['canonid'][0].things:,} things each (5,700 and those that come late)\n")
    print(f"{'':28}{'recall':>8}{'precision':>11}{'foreign':>9}{'leaked':>8}")
    totals: dict[str, tuple[float, float, float, float]] = {}
    for name, runs in outcomes.items():
        recall, precision = min(run.recall for run in runs), min(run.precision for run in runs)
        foreign, leaked = max(run.foreign for run in runs), max(run.leaked for run in runs)
        totals[name] = recall, precision, foreign, leaked
        print(f"{name:28}{recall:8.3f}{precision:11.3f}{foreign:9,}{leaked:8,}")
    rows = []
    mine = totals.pop("canonid")
    for name, theirs in totals.items():
        for metric, ours_value, peer, target in zip(
            ("recall", "precision", "foreign", "leaked"), mine, theirs, (1, 1, 0, 0), strict=True
        ):
            rows.append(
                row(
                    metric,
                    ours_value,
                    better="higher" if target else "lower",
                    target=target,
                    peer=peer,
                    peer_name=name,
                )
            )
    return rows


async def time_closes(quick: bool, folder: Path) -> list[Row]:
    """Time per close of all four ways at each pool size."""
    print(
        f"\nmicroseconds per close of {PER_CONNECTION} things, by text; pool of",
        *(f"{pool:>10,}" for pool in POOLS),
    )
    rows = []
    medians: dict[str, list[float]] = {}
    for pool in POOLS:
        work = crowd(pool)
        for peer in (ExactText, NaiveRepair, OwnerSets):
            times = [await close_once(work, peer) for _ in range(1 if quick else 5)]
            medians.setdefault(peer.name, []).append(median(times) * 1e6)
        by_text, alone = await canonid_closes(work, folder / f"pool{pool}.db")
        medians.setdefault(Canonid.name, []).append(median(by_text) * 1e6)
        medians.setdefault("canonid, scope.close() alone", []).append(median(alone) * 1e6)
        metric = f"close of {PER_CONNECTION} at {pool:,}, us"
        rows.append(row(metric, median(alone) * 1e6, better="lower", target=100))
    for name, values in medians.items():
        print(f"{name:55}", *(f"{value:10,.0f}" for value in values))
    for name in (ExactText.name, NaiveRepair.name, OwnerSets.name):
        for pool, ours_us, theirs in zip(POOLS, medians[Canonid.name], medians[name], strict=True):
            metric = f"close by text at {pool:,}, us"
            rows.append(row(metric, ours_us, better="lower", peer=theirs, peer_name=name))
    return rows


async def run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as folder:
        rows = await compare(options.seeds or (2 if options.quick else 5), Path(folder))
        rows += await time_closes(options.quick, Path(folder))
    return finish(rows, options.json)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--seeds", type=int, help="how many workloads (default: 5, quick: 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as one JSON array")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
