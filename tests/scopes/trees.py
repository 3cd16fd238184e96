"""The trees that must pass the suite, a resolver with several writings, and a loop whose time is virtual."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from canonid import AmbiguousId, Identity, InvalidId
from canonid.scopes import ScopeTree

TREES = {"memory": ScopeTree}

WRITINGS = ("{kind}.{number}", "{KIND}-{number}", "ws_prod_{kind}_{number}", "{number}")


def write(identity: Identity, style: int) -> str:
    kind, number = identity.canonical.split(".")
    return WRITINGS[style].format(kind=kind, KIND=kind.upper(), number=number)


def resolve(text: str, kind: str | None) -> Identity:
    """Reads every writing of `WRITINGS`; the bare number needs the kind, `?` is ambiguous."""
    if text == "?":
        raise AmbiguousId("'?' could be anything", text=text)
    if re.fullmatch("[0-9]+", text, re.ASCII) and kind is not None:
        return Identity(kind, f"{kind}.{text}")
    found = re.fullmatch(r"(?:ws_prod_)?([A-Za-z]+)[._-]([0-9]+)", text, re.ASCII)
    if found is None or kind not in (None, found[1].lower()):
        raise InvalidId("no reading", text=text)
    return Identity(found[1].lower(), f"{found[1].lower()}.{found[2]}")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Time passes only when nothing is left to do, then at once; waiting for nothing is a deadlock."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        real_select = self._selector.select

        def select(timeout: float | None) -> Any:
            assert timeout is not None, "deadlock: everybody waits and no timer is set"
            self._now += timeout
            return real_select(0)

        self._selector.select = select

    def time(self) -> float:
        return self._now


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Runs on virtual time; like `asyncio.run` it cancels what is left at the end."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


async def turns(count: int) -> None:
    """Lets the loop go round a few times."""
    for _ in range(count):
        await asyncio.sleep(0)


CLEANUPS = ("none", "plain", "raises", "async", "async raises", "cancelled", "hangs", "deaf")
FAILS = {
    "raises": ValueError,
    "async raises": ValueError,
    "cancelled": asyncio.CancelledError,
    "hangs": TimeoutError,
    "deaf": TimeoutError,
}


@dataclass
class World:
    """A tree with cleanups of every behaviour that write down when they start and end."""

    tree: object
    events: list[tuple[str, str]] = field(default_factory=list)
    end_of_deafness: asyncio.Event = field(default_factory=asyncio.Event)

    def cleanup(self, name: str, behaviour: str):
        def plain():
            self.events.extend([("start", name), ("end", name)])
            if behaviour == "raises":
                raise ValueError(name)

        async def later():
            self.events.append(("start", name))
            try:
                await turns(3)
                if behaviour == "async raises":
                    raise ValueError(name)
                if behaviour == "cancelled":
                    raise asyncio.CancelledError(name)
                if behaviour == "hangs":
                    await asyncio.Event().wait()
                while behaviour == "deaf" and not self.end_of_deafness.is_set():
                    try:
                        await self.end_of_deafness.wait()
                    except asyncio.CancelledError:
                        return await asyncio.shield(self.end_of_deafness.wait())
            finally:
                if behaviour != "deaf":
                    self.events.append(("end", name))

        if behaviour == "none":
            return None
        return plain if behaviour in ("plain", "raises") else later

    def started(self) -> list[str]:
        return [name for what, name in self.events if what == "start"]


def newest_first(entry) -> list:
    """The entries at and below, in the order in which they have to be released."""
    below = [inner for child in reversed(getattr(entry, "entries", ())) for inner in newest_first(child)]
    return [*below, entry]
