"""Messages of the moment between processes, by sharded pub/sub: nothing is kept, whoever listens hears it.

A channel lives on one node of a cluster, so there is one line, a connection of its own, to each node that
is listened to; a single server has one.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from redis.asyncio import RedisCluster

from canonid.errors import StoreError
from canonid.scopes.valkey.store import Store, end_tasks

Hear = Callable[[str, str], object]
Relisten = Callable[[str], object]

log = logging.getLogger("canonid.websockets")

AGAIN = 0.2  # seconds between two tries to reach a server that is gone, more or less
ANSWER = 3.0  # seconds for a server to confirm, or to answer a ping
BETWEEN = "\n"  # who tells, and what


class Lines:
    """Listening and telling for one process.

    `hear(channel, text)` gets what others tell, in the order of each channel, never what this process told.
    `relisten(channel)` is called when a channel is heard again after a break, in which messages were lost.
    """

    def __init__(self, store: Store, process: str, prefix: str) -> None:
        self._store = store
        self._process = process
        self._prefix = prefix
        self._hear: Hear = lambda channel, text: None
        self._relisten: Relisten = lambda channel: None
        # By the names of channels with their prefix:
        self._wanted: Counter[str] = Counter()
        self._confirmed: dict[str, asyncio.Future[None]] = {}
        self._heard: set[str] = set()
        self._on: dict[str, _Line] = {}
        self._lines: dict[str, _Line] = {}
        self._moving: set[asyncio.Task[None]] = set()

    def start(self, hear: Hear, relisten: Relisten) -> None:
        """Pass on to these what is heard."""
        self._hear = hear
        self._relisten = relisten

    async def listen(self, channel: str) -> None:
        """Hear a channel from now on; as often as it was, `unlisten` must be called. StoreError.

        ValueError for a name that is not Unicode (half a surrogate pair).
        """
        name = self._prefix + channel
        name.encode()
        self._wanted[name] += 1
        confirmed = self._confirmed.setdefault(name, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(ANSWER):
                if name not in self._on:
                    await self._place(name)
                await asyncio.shield(confirmed)
        except BaseException as error:
            await self.unlisten(channel)
            if isinstance(error, TimeoutError):
                raise StoreError("other processes can't be listened to: no answer in time") from error
            raise

    async def unlisten(self, channel: str) -> None:
        """Hear a channel no more, unless others still do. Never raises for a server that is gone."""
        name = self._prefix + channel
        self._wanted[name] -= 1
        if self._wanted[name] > 0:
            return
        del self._wanted[name]
        self._confirmed.pop(name, None)
        self._heard.discard(name)
        line = self._on.pop(name, None)
        if line is not None:
            await line.say("SUNSUBSCRIBE", name)

    async def tell(self, channel: str, text: str) -> int:
        """Tell the processes that listen; how many there are, this one included if it does. StoreError."""
        message = f"{self._process}{BETWEEN}{text}"
        return int(await self._store.command("SPUBLISH", self._prefix + channel, message))

    async def listeners(self, channel: str) -> int:
        """How many processes listen to a channel now. StoreError."""
        return int(await self._store.call(self._prefix + channel, "listeners"))

    async def aclose(self) -> None:
        """Hear nothing any more."""
        lines = tuple(self._lines.values())
        self._wanted.clear()
        await end_tasks([*self._moving, *(line.task for line in lines)])
        self._lines.clear()
        self._on.clear()

    # What lines ask

    def connection(self, place: str) -> Any:
        """A new connection to a node, as the client would make one, but not of its pool."""
        client = self._store.client
        if not isinstance(client, RedisCluster):
            return client.connection_pool.make_connection()
        node = client.get_node(node_name=place)
        if node is None:
            raise StoreError(f"{place} is no longer in the cluster", path="valkey")
        return node.connection_class(**node.connection_kwargs)

    async def connect(self, connection: Any) -> None:
        """Connects it, in time."""
        await self._store.in_time(ANSWER, connection.connect())

    def channels_of(self, line: _Line) -> list[str]:
        """The names of what is to be heard on a line."""
        return [name for name, its in self._on.items() if its is line]

    async def broke(self, line: _Line) -> bool:
        """Finds the channels of a line their nodes again; False if none is left there, and it is given up."""
        names = self.channels_of(line)
        for name in names:
            if self._confirmed[name].done():
                self._confirmed[name] = asyncio.get_running_loop().create_future()
        with suppress(StoreError):  # then it is tried again where it was
            for name in names:
                await self._place(name)
        if any(its is line for its in self._on.values()):
            return True
        del self._lines[line.place]
        return False

    def take(self, what: str, name: str, text: str) -> None:
        """What a server says on a line."""
        if name not in self._wanted:
            return
        if what == "smessage":
            self._take_message(name, text)
        elif what == "ssubscribe":
            if not self._confirmed[name].done():
                self._confirmed[name].set_result(None)
            if name in self._heard:
                self._pass_on(self._relisten, name)
            self._heard.add(name)
        elif what == "sunsubscribe":  # its slot has moved to another node
            task = asyncio.create_task(self._move(name))
            self._moving.add(task)
            task.add_done_callback(self._moving.discard)

    def _take_message(self, name: str, message: str) -> None:
        origin, _, text = message.partition(BETWEEN)
        if origin != self._process:
            self._pass_on(self._hear, name, text)

    def _pass_on(self, to: Callable[..., object], name: str, *text: str) -> None:
        try:
            to(name.removeprefix(self._prefix), *text)
        except Exception:
            log.exception("what was heard of another process could not be dealt with")

    async def _place(self, name: str) -> None:
        place = await self._node_of(name)
        if name not in self._wanted:
            return
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = _Line(self, place)
        self._on[name] = line
        await line.say("SSUBSCRIBE", name)

    async def _move(self, name: str) -> None:
        while name in self._wanted:
            try:
                await self._place(name)
                break
            except StoreError as error:
                log.warning("a channel that has moved is not heard: %s; trying again", error)
                await asyncio.sleep(AGAIN)

    async def _node_of(self, name: str) -> str:
        client = self._store.client
        if not isinstance(client, RedisCluster):
            return ""
        await self._store.command("EXISTS", name)  # so that the client knows who has the slot now
        node = client.get_node_from_key(name)
        if node is None:
            raise StoreError("no node of the cluster has the slot of a channel", path="valkey")
        return str(node.name)


class _Line:
    """One connection in subscribed state, remade when it breaks or no longer answers."""

    def __init__(self, lines: Lines, place: str) -> None:
        self.place: Final = place
        self._lines: Final = lines
        self._connection: Any = None
        self._told = False  # that it broke
        self.task: Final = asyncio.create_task(self._keep(), name="canonid line")

    async def say(self, *command: str) -> None:
        """Sends a command, if there is a connection; who hears on it notices if that fails."""
        if self._connection is None or not self._connection.is_connected:
            return
        with suppress(Exception):
            async with asyncio.timeout(ANSWER):
                await self._connection.send_command(*command, check_health=False)

    async def _keep(self) -> None:
        while True:
            try:
                await self._hear()
            except Exception as error:  # noqa: BLE001 - a client that loses a connection raises what it meets
                if not self._told:
                    log.warning("other processes are not heard: %s; trying again", error)
                self._told = True
            await asyncio.sleep(AGAIN * random.uniform(0.5, 1.5))  # noqa: S311 - spreads reconnects
            if not await self._lines.broke(self):
                return

    async def _hear(self) -> None:
        connection = self._lines.connection(self.place)
        try:
            await self._lines.connect(connection)
            self._connection, self._told = connection, False
            for name in self._lines.channels_of(self):  # one by one: in a cluster they are of many slots
                await self.say("SSUBSCRIBE", name)
            asked = False
            while True:
                answer = await connection.read_response(True, timeout=ANSWER, push_request=True)
                if answer is None and asked:
                    raise TimeoutError("no answer to a ping")
                asked = answer is None
                if asked:
                    await self.say("PING")
                elif isinstance(answer, list) and len(answer) == 3:
                    self._lines.take(_text(answer[0]), _text(answer[1]), _text(answer[2]))
        finally:
            self._connection = None
            await connection.disconnect(nowait=True)


def _text(data: bytes | int) -> str:
    return str(data) if isinstance(data, int) else data.decode(errors="replace")
