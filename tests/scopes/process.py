"""A process of a tree, to be killed and stopped: `python -m scopes.process URL NAMESPACE LEASE WHAT`.

It says each thing that happens as a line, and takes none.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import NoReturn

from canonid.scopes.valkey import ValkeyTree
from scopes.trees import resolve


def say(*words: object) -> None:
    print(*words, flush=True)


async def hold(tree: ValkeyTree, count: int) -> None:
    """session.1 of ada with so many tools."""
    session = await tree.open("session", "1", principal="ada")
    for number in range(count):
        await session.claim("tool", str(number), release=lambda number=number: say("cleaned", number))
    say("ready")


async def send(tree: ValkeyTree) -> NoReturn:
    """Sends as long as it may."""
    while True:
        if tree.may_send:
            say("sent", time.monotonic())
        await asyncio.sleep(0.02)


async def close_and_die(tree: ValkeyTree) -> None:
    """Is killed after the second chunk of a long closing."""
    call, chunks = tree._store.call, []

    async def dying(prefix, step, *arguments, **options):
        answer = await call(prefix, step, *arguments, **options)
        if step == "close":
            chunks.append(answer)
            if len(chunks) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        return answer

    tree._store.call = dying
    scope = await tree.find("session", "1", principal="ada")
    await scope.close(why="logged out")


async def main(url: str, namespace: str, lease: str, what: str) -> None:
    tree = await ValkeyTree.join(
        url,
        resolve,
        lease=float(lease),
        namespace=namespace,
        process=what,
        on_fenced=lambda: say("fenced"),
    )
    async with tree:
        if what == "holder":
            await hold(tree, 5)
            await send(tree)
        elif what == "closer":
            await close_and_die(tree)
        say("ready")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
