"""One mixed workload: what a chat platform's connections own, written by services that disagree.

100 users × 3 connections × 2 threads × 2 runs × (1 request + 2 tools) = 5,700 things. Each is claimed
under one service's writing of its ID and released under another's. For some the second writing follows
from the first by translation, for some only from a recorded alias, and for some nobody recorded one.
Connections close in random order while others still open, and claims come late, after the close has
begun. Everything follows from the seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from canonid import Registry

REGISTRY = Path(__file__).parents[1] / "tests" / "registries" / "legacy.toml"
USERS, CONNECTIONS, THREADS, RUNS, TOOLS = 100, 3, 2, 2, 2
PER_CONNECTION = 1 + THREADS + THREADS * RUNS * (1 + 1 + TOOLS)


@dataclass(frozen=True)
class Thing:
    """One thing, its owner's number, and two services' writings of its ID."""

    number: int
    kind: str
    user: int
    parent: int | None
    connection: int
    claimed_as: str
    released_as: str
    link: Literal["translation", "alias", "nobody"]


@dataclass(frozen=True)
class Step:
    """`claim` a thing, `release` it alone, `close` a connection, or claim `late`, during the close."""

    action: Literal["claim", "release", "close", "late"]
    thing: int


@dataclass
class Workload:
    registry: Registry
    users: list[str]
    things: list[Thing] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    below: dict[int, list[Thing]] = field(default_factory=dict)


def make(seed: int, users: int = USERS) -> Workload:
    """The workload of a seed."""
    rng = random.Random(seed)
    now = 1_700_000_000.0

    def clock() -> float:
        nonlocal now
        now += rng.randrange(3) / 1000
        return now

    registry = Registry.from_toml(REGISTRY.read_text(), clock=clock, entropy=rng.randbytes)
    work = Workload(registry, [registry.mint("user") for _ in range(users)])
    connections = [connection for user in range(users) for connection in _connections(work, rng, user)]
    late = {connection: _late(work, rng, connection) for connection in connections if rng.random() < 0.3}
    rng.shuffle(connections)
    waiting = list(connections)
    opened: list[int] = []
    while waiting or opened:
        if waiting and (not opened or rng.random() < 0.6):
            connection = waiting.pop()
            work.steps += [
                Step("claim", t.number) for t in work.below[connection] if t.number != late.get(connection)
            ]
            opened.append(connection)
            continue
        connection = opened.pop(rng.randrange(len(opened)))
        leaves = [t for t in work.below[connection] if t.kind == "tool" and t.number != late.get(connection)]
        work.steps += [Step("release", t.number) for t in leaves if rng.random() < 0.2]
        if connection in late:
            work.steps.append(Step("late", late[connection]))
        work.steps.append(Step("close", connection))
    return work


def _connections(work: Workload, rng: random.Random, user: int) -> list[int]:
    made = []
    for _ in range(CONNECTIONS):
        connection = _add(work, rng, "connection", user, None, None)
        made.append(connection)
        for _ in range(THREADS):
            thread = _add(work, rng, "thread", user, connection, connection)
            for _ in range(RUNS):
                run = _add(work, rng, "run", user, thread, connection)
                _add(work, rng, "request", user, run, connection)
                for _ in range(TOOLS):
                    _add(work, rng, "tool", user, run, connection)
    return made


def _late(work: Workload, rng: random.Random, connection: int) -> int:
    """One more tool, beyond the 5,700, that comes while its connection is closing."""
    run = rng.choice([thing for thing in work.below[connection] if thing.kind == "run"])
    return _add(work, rng, "tool", run.user, run.number, connection)


def _add(
    work: Workload, rng: random.Random, kind: str, user: int, parent: int | None, connection: int | None
) -> int:
    number = len(work.things)
    thread = work.things[parent].claimed_as if kind == "run" and parent is not None else ""
    claimed = _legacy(work.registry, rng, kind, thread)
    # Somebody has to be able to name a connection that is to be closed; anything else may be unknown.
    links: list[Literal["translation", "alias", "nobody"]] = ["translation", "alias", "nobody"]
    link = rng.choices(links, [6, 3, 1 if kind == "tool" else 0])[0]
    if link == "translation":
        written = {work.registry.translate(claimed, name, kind) for name in ("typeid", "uuid", "ulid")}
        released = rng.choice(sorted(written - {claimed}))
    else:
        released = _legacy(work.registry, rng, kind, thread)
    own = number if connection is None else connection
    thing = Thing(number, kind, user, parent, own, claimed, released, link)
    work.things.append(thing)
    work.below.setdefault(own, []).append(thing)
    return number


def _legacy(registry: Registry, rng: random.Random, kind: str, thread: str) -> str:
    """A new ID as one of the older systems, or some hand, writes this kind."""
    written: dict[str, list[tuple[str, dict[str, str]]]] = {
        "connection": [("websocket", {"stage": "prod"})],
        "thread": [("manager-thread", {}), ("generator-context", {"operation": "chat"})],
        "run": [("manager-run", {"thread": thread}), ("generator-context", {"operation": "chat"})],
        "request": [("uuid", {}), ("generator-context", {"operation": "chat"})],
        "tool": [("manager", {}), ("manager", {"prefix": "search"}), ("uuid", {})],
    }
    format, fields = rng.choice(written[kind])
    return registry.mint(kind, format=format, **fields)
