"""Messages of the moment between processes, by sharded pub/sub: nothing is kept, whoever listens hears it.

A channel lives on one node of a cluster, so there is one line, a connection of its own, to each node that
is listened to; a single server has one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

from canonid.errors import StoreError

Client = Redis | RedisCluster
Hear = Callable[[str, str], object]
Relisten = Callable[[str], object]

log = logging.getLogger("canonid.websockets")

AGAIN = 0.2  # seconds between two tries to reach a server that is gone
ANSWER = 3.0  # seconds for a server to confirm, or to answer a ping
BETWEEN = "\n"  # who tells, and what


class Lines:
    """Listening and telling for one process.

    `hear(channel, text)` gets what others tell, in the order of each channel, never what this process told.
    `relisten(channel)` is called when a channel is heard again after a break, in which messages were lost.
    """

    def __init__(self, client: Client, process: str, prefix: str) -> None:
        self._client = client
        self._process = process
        self._prefix = prefix
        self._hear: Hear = lambda channel, text: None
        self._relisten: Relisten = lambda channel: None
        self._wanted: Counter[str] = Counter()
        self._lines: dict[str, _Line] = {}

    def start(self, hear: Hear, relisten: Relisten) -> None:
        """Pass on to these what is heard."""
        self._hear = hear
        self._relisten = relisten

    async def listen(self, channel: str) -> None:
        """Hear a channel from now on; as often as it is called, `unlisten` must be. StoreError."""
        self._wanted[channel] += 1
        try:
            await self._line_of(channel).listen(channel)
        except BaseException:
            await self.unlisten(channel)
            raise

    async def unlisten(self, channel: str) -> None:
        """Hear a channel no more, unless others still do. Never raises for a server that is gone."""
        self._wanted[channel] -= 1
        if self._wanted[channel] <= 0:
            del self._wanted[channel]
            await self._line_of(channel).unlisten(channel)

    async def tell(self, channel: str, text: str) -> int:
        """Tell the processes that listen; how many there are, this one included if it does. StoreError."""
        message = f"{self._process}{BETWEEN}{text}"
        try:
            async with asyncio.timeout(ANSWER):
                return int(await self._command("SPUBLISH", self._prefix + channel, message))
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreError(f"nothing can be told to other processes: {error}") from error

    async def listeners(self, channel: str) -> int:
        """How many processes listen to a channel now. StoreError."""
        name = self._prefix + channel
        try:
            async with asyncio.timeout(ANSWER):
                _, count = await self._command("PUBSUB", "SHARDNUMSUB", name)
                return int(count)
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreError(f"listeners can't be counted: {error}") from error

    async def aclose(self) -> None:
        """Hear nothing any more."""
        lines = tuple(self._lines.values())
        self._lines.clear()
        self._wanted.clear()
        await asyncio.gather(*[line.aclose() for line in lines])

    async def _command(self, *command: str) -> Any:
        if isinstance(self._client, RedisCluster):
            node = self._client.get_node_from_key(command[-1] if command[0] == "PUBSUB" else command[1])
            return await self._client.execute_command(*command, target_nodes=node)
        return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]

    def _line_of(self, channel: str) -> _Line:
        place, client = "", self._client
        if isinstance(client, RedisCluster):
            node = client.get_node_from_key(self._prefix + channel)
            assert node is not None
            place = node.name
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = _Line(self, _client_of(client, place))
        return line

    def wants(self, name: str) -> bool:
        """Whether a channel, by its name in the store, is still to be heard."""
        return name.removeprefix(self.prefix) in self._wanted

    def heard(self, channel: str, message: str) -> None:
        """A message on one of the lines."""
        origin, _, text = message.partition(BETWEEN)
        channel = channel.removeprefix(self._prefix)
        if origin == self._process or channel not in self._wanted:
            return
        try:
            self._hear(channel, text)
        except Exception:
            log.exception("a message of another process could not be dealt with")

    def heard_again(self, channel: str) -> None:
        """A channel that had been heard before is heard after a break."""
        self._relisten(channel.removeprefix(self._prefix))

    @property
    def prefix(self) -> str:
        return self._prefix


class _Line:
    """One connection in subscribed state, remade when it breaks or no longer answers."""

    def __init__(self, lines: Lines, client: Redis) -> None:
        self._lines: Final = lines
        self._client = client
        self._pubsub = client.pubsub()
        self._subscribing: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._heard: set[str] = set()
        self._order = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None

    async def listen(self, channel: str) -> None:
        name = self._lines.prefix + channel
        if name in self._heard:
            return
        subscribing = self._subscribing.get(name)
        if subscribing is None:
            # Of nobody who asks: others wait for it too, and what it begins keeps its context.
            subscribing = asyncio.create_task(self._subscribe(name), context=Context())
            self._subscribing[name] = subscribing
            subscribing.add_done_callback(partial(self._subscribed, name))
        await asyncio.shield(subscribing)

    async def _subscribe(self, name: str) -> None:
        waiting = self._waiting[name] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER):
                async with self._order:
                    await self._pubsub.ssubscribe(name)
                if self._reader is None:
                    self._reader = asyncio.create_task(self._read(), name="canonid line")
                await waiting
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreError(f"other processes can't be listened to: {error}") from error

    def _subscribed(self, name: str, task: asyncio.Task[None]) -> None:
        if self._subscribing.get(name) is task:
            del self._subscribing[name]
        if not task.cancelled():
            task.exception()  # whoever asked may have gone

    async def unlisten(self, channel: str) -> None:
        name = self._lines.prefix + channel
        if (subscribing := self._subscribing.pop(name, None)) is not None:
            subscribing.cancel()
        self._waiting.pop(name, None)
        self._heard.discard(name)
        await asyncio.wait({self._leave(name)}, timeout=ANSWER)

    def _leave(self, name: str) -> asyncio.Task[None]:
        # A task of nobody who asks, since it must be done even where they can't wait.
        leaving = asyncio.create_task(self._unsubscribe(name), context=Context())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        return leaving

    async def _unsubscribe(self, name: str) -> None:
        async with self._order:
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(ANSWER):
                    await self._pubsub.sunsubscribe(name)

    async def aclose(self) -> None:
        for task in (*self._subscribing.values(), *self._leaving):
            task.cancel()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]
        await self._client.aclose()

    async def _read(self) -> None:
        asked = False
        while True:
            try:
                message = await self._pubsub.get_message(timeout=ANSWER)
                if message is not None:
                    asked = False
                    self._take(message)
                elif asked:
                    raise TimeoutError("no answer to a ping")
                else:
                    asked = True
                    async with self._order:
                        await self._pubsub.ping()
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("other processes are not heard: %s; trying again", error)
                asked = False
                await self._remake()

    async def _remake(self) -> None:
        connection = self._pubsub.connection
        if connection is not None:
            await connection.disconnect(nowait=True)
        await asyncio.sleep(AGAIN)

    def _take(self, message: dict[str, Any]) -> None:
        name, data = _text(message["channel"] or b""), message["data"]
        match message["type"]:
            case "smessage":
                self._lines.heard(name, _text(data))
            case "ssubscribe" if not self._lines.wants(name):
                # Left while there was no connection: a new one subscribes to all that the old one had.
                self._leave(name)
            case "ssubscribe":
                waiting = self._waiting.pop(name, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(None)
                if name in self._heard:
                    self._lines.heard_again(name)
                self._heard.add(name)


def _client_of(client: Client, place: str) -> Redis:
    """A client of one server, with connections of its own."""
    if isinstance(client, RedisCluster):
        host, _, port = place.rpartition(":")
        options = {k: v for k, v in client.connection_kwargs.items() if k in ("username", "password", "ssl")}
        return Redis(host=host, port=int(port), **options)
    return Redis(connection_pool=client.connection_pool)


def _text(data: bytes | str) -> str:
    return data.decode() if isinstance(data, bytes) else data
