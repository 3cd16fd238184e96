"""What the processes of one application tell each other, and what follows from it here."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection

from canonid.errors import StoreError
from canonid.websockets.background import Background
from canonid.websockets.backplane import Backplane, process_channel, run_of, user_channel
from canonid.websockets.presence import Presence
from canonid.websockets.running import Runs
from canonid.websockets.runs import Run
from canonid.websockets.sending import Sending
from canonid.websockets.streams import Stream

log = logging.getLogger("canonid.websockets")

AGAIN = 0.5  # seconds until others are told, or asked, again


class Hearing:
    """Hears for one hub: messages, runs that begin elsewhere, runs to cancel here."""

    def __init__(
        self, backplane: Backplane, present: Presence, runs: Runs, sending: Sending, background: Background
    ) -> None:
        self._backplane = backplane
        self._present = present
        self._runs = runs
        self._sending = sending
        self._background = background

    async def begin(self) -> None:
        """Be told which runs to cancel. StoreError."""
        await self._backplane.listen(process_channel(self._backplane.process))

    def tell_of(self, run: Run) -> None:
        """Whoever watches the run's thread elsewhere sees it too, as soon as they can be told."""
        self._background.do(self._tell_of(run))

    def hear(self, channel: str, told: str) -> None:
        """What another process tells."""
        match channel.partition("/"):
            case ("user" | "topic", _, _):
                kind, names, text = json.loads(told)
                if kind == "started":
                    self._background.do(self._attach_watchers(text, names))
                else:
                    self._sending.hear(kind, names, text)
            case ("process", _, _):
                self._runs.cancel(told)
            case _:
                self._runs.hear(run_of(channel), told)

    def relisten(self, channel: str) -> None:
        """What was told in a break is lost; what is kept can be caught up with."""
        match channel.partition("/"):
            case ("user", _, principal):
                threads = {thread for live in self._present.of_user[principal] for thread in live.watching}
                for thread in threads:
                    self._background.do(self._attach_watchers(thread))
            case ("topic" | "process", _, _):
                pass
            case _:
                self._runs.relisten(run_of(channel))

    async def _tell_of(self, run: Run) -> None:
        told = json.dumps(["started", [run.id], run.thread])
        while not run.ended:
            try:
                await self._backplane.tell(user_channel(run.principal), told)
            except StoreError as error:
                log.warning("run %s is not told of yet: %s", run.id, error)
                await asyncio.sleep(AGAIN)
            else:
                return

    async def _attach_watchers(self, thread: str, runs: Collection[str] | None = None) -> None:
        """Attach who watches a thread to its runs that go on elsewhere."""
        while self._present.watching[thread]:
            try:
                going = runs or [run.run for run in await self._runs.of_thread(thread) if not run.ended]
                for run in going:
                    await self._attach_to(run, thread)
            except StoreError as error:
                log.warning("runs of thread %s that go on elsewhere are not shown yet: %s", thread, error)
                await asyncio.sleep(AGAIN)
            else:
                return

    async def _attach_to(self, run: str, thread: str) -> None:
        found = await self._runs.find(run, 0)
        if isinstance(found, Stream):
            for connection in self._present.watching[thread]:
                self._runs.show(connection, found)
            self._runs.drop(found)  # unless somebody is attached now
