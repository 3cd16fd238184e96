"""The trees that must pass the suite, a resolver with several writings, and a loop whose time is virtual."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
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
