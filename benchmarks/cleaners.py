"""Four ways to clean up after a connection: three that were tried, and scopes.

Each is told what a real caller knows: the ID of a thing as the claiming service writes it, and the ID of
its connection as that service happens to write it. `thing` stands for the resource itself, so that
what was released can be compared with what should have been.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from canonid import NotFound, ScopeClosed
from canonid.aliases import SQLiteStore
from canonid.scopes import Scope, ScopeTree
from workload import Thing, Workload

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Cleaner(Protocol):
    """`claim` says whether the thing was taken; the other two, which things were released."""

    name: str

    def claim(self, thing: Thing, connection: str) -> bool: ...
    async def release(self, thing: Thing) -> list[int]: ...
    async def close(self, connection: Thing, late: Thing | None = None) -> list[int]: ...
    def live(self) -> int: ...


class ExactText:
    """A pool keyed by text; an entry belongs to a connection whose text is the same."""

    name = "exact text match"

    def __init__(self) -> None:
        self.pool: dict[str, tuple[int, str]] = {}

    def matches(self, a: str, b: str) -> bool:
        return a == b

    def claim(self, thing: Thing, connection: str) -> bool:
        self.pool[thing.claimed_as] = thing.number, connection
        return True

    async def release(self, thing: Thing) -> list[int]:
        return self._take([text for text in self.pool if self.matches(text, thing.released_as)])

    async def close(self, connection: Thing, late: Thing | None = None) -> list[int]:
        target = connection.released_as
        released = self._take(
            [
                text
                for text, (_, owner) in self.pool.items()
                if self.matches(owner, target) or self.matches(text, target)
            ]
        )
        if late is not None:
            self.claim(late, connection.claimed_as)
        return released

    def live(self) -> int:
        return len(self.pool)

    def _take(self, texts: list[str]) -> list[int]:
        return [self.pool.pop(text)[0] for text in texts]


class NaiveRepair(ExactText):
    """The first repair: IDs match if they look alike."""

    name = "naive repair (look-alike)"

    def matches(self, a: str, b: str) -> bool:
        if a == b:
            return True
        if UUID.fullmatch(a) and UUID.fullmatch(b):
            return True
        first, second = a.split("_"), b.split("_")
        return len(first) > 1 and first[:2] == second[:2]


class OwnerSets:
    """A dict from the connection's text to a set of resource texts."""

    name = "dict[owner, set]"

    def __init__(self) -> None:
        self.owned: dict[str, dict[str, int]] = {}

    def claim(self, thing: Thing, connection: str) -> bool:
        self.owned.setdefault(connection, {})[thing.claimed_as] = thing.number
        return True

    async def release(self, thing: Thing) -> list[int]:
        return [texts.pop(thing.released_as) for texts in self.owned.values() if thing.released_as in texts]

    async def close(self, connection: Thing, late: Thing | None = None) -> list[int]:
        released = list(self.owned.pop(connection.released_as, {}).values())
        if late is not None:
            self.claim(late, connection.claimed_as)
        return released

    def live(self) -> int:
        return sum(map(len, self.owned.values()))


class Canonid:
    """Scopes over the registry and its alias store."""

    name = "canonid"

    def __init__(self, work: Workload, path: Path) -> None:
        self.work = work
        self.store = SQLiteStore(path, work.registry)
        self.tree = ScopeTree(self.store.resolve)
        self.unanswered = 0
        with self.store.batch("workload") as batch:
            for thing in work.things:
                if thing.link == "alias":
                    batch.link(thing.released_as, thing.claimed_as, kind=thing.kind)
        self._things = {
            (thing.kind, work.registry.canonical(thing.claimed_as, thing.kind)): thing.number
            for thing in work.things
        }

    def claim(self, thing: Thing, connection: str) -> bool:
        principal = self.work.users[thing.user]
        if thing.parent is None:
            self.tree.open(thing.kind, thing.claimed_as, principal=principal)
            return True
        parent = self.work.things[thing.parent]
        try:
            # Found under the other service's writing of it, as a caller of that service would.
            scope = self.tree.find(parent.kind, parent.released_as, principal=principal)
        except NotFound:
            return False
        assert isinstance(scope, Scope)
        try:
            if thing.kind in ("thread", "run"):
                scope.open(thing.kind, thing.claimed_as)
            else:
                scope.claim(thing.kind, thing.claimed_as)
        except ScopeClosed:
            return False
        return True

    async def release(self, thing: Thing) -> list[int]:
        connection = self.work.things[thing.connection]
        scope = self.tree.find("connection", connection.claimed_as, principal=self.work.users[thing.user])
        assert isinstance(scope, Scope)
        if await scope.release(thing.kind, thing.released_as):
            return [thing.number]
        self.unanswered += 1
        return []

    async def close(self, connection: Thing, late: Thing | None = None) -> list[int]:
        principal = self.work.users[connection.user]
        scope = self.tree.find("connection", connection.released_as, principal=principal)
        assert isinstance(scope, Scope)
        closing = scope.close()
        if late is not None:
            assert not self.claim(late, connection.claimed_as), "nothing enters a scope that is closing"
        closed = await closing
        return [self._things[identity] for identity in closed.released]

    def live(self) -> int:
        stats = self.tree.stats
        return stats.scopes + stats.resources

    def shut(self) -> None:
        self.store.close()
