"""Several processes of one tree: trees side by side in this one, and real ones to be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from canonid import StoreError
from canonid.scopes.valkey import ValkeyTree
from scopes.trees import resolve

LEASE = 1.0


class Process:
    """A child process, and the lines that it said so far."""

    def __init__(self, url: str, namespace: str, what: str, lease: float = LEASE) -> None:
        command = [sys.executable, "-m", "scopes.process", url, namespace, str(lease), what]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def said(self, word: str) -> bool:
        return any(line.startswith(word) for line in list(self.lines))

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@asynccontextmanager
async def trees(
    url: str, namespace: str, *names: str, resolve=resolve, **options
) -> AsyncIterator[list[ValkeyTree]]:
    """Trees that share a store as processes do, ended together."""
    options = {"lease": LEASE, "namespace": namespace, **options}
    async with AsyncExitStack() as stack:
        made = [await ValkeyTree.join(url, resolve, process=name, **options) for name in names]
        for tree in made:
            await stack.enter_async_context(tree)
        yield made


async def live(tree: ValkeyTree, principal: str = "ada") -> list[str]:
    """Canonical IDs of what is live, depth first."""

    def flat(nodes):
        for node in nodes:
            yield node.canonical
            yield from flat(node.children)

    return list(flat(await tree.live(principal)))


async def is_live(tree: ValkeyTree, *names: str) -> bool:
    return await live(tree) == list(names)


async def settled(*trees: ValkeyTree) -> bool:
    """Whether the store and the processes count the same."""
    for tree in trees:
        (membership,) = tree._memberships
        key = f"{membership.prefix}process:{membership.process}"
        try:
            count, digest = await tree._store.command("HMGET", key, "count", "digest")
        except StoreError:
            return False
        if (int(count), int(digest)) != membership._expected():
            return False
    return True
