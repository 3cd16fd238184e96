"""Speaking to Valkey or Redis: commands, and steps in the server, loaded when they are missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Any, Final
from zlib import crc32

from canonid.errors import MissingExtra, StoreError

try:
    from redis.asyncio import Redis
    from redis.asyncio.cluster import RedisCluster
    from redis.exceptions import ConnectionError as Disconnected
    from redis.exceptions import NoPermissionError, NoScriptError, ResponseError
except ImportError:
    raise MissingExtra("scopes on Valkey need another package: pip install 'canonid[valkey]'") from None

AT_ONCE = 32  # calls; a client's pool has an end, and answers with an error there

Argument = str | int
Entry = tuple[str, dict[str, str]]

# The same steps for a server without functions: what the library registers is called by its name.
BEFORE: Final = """\
if redis.replicate_commands then pcall(redis.replicate_commands) end
local steps, without_memory, server = {}, {}, redis
local redis = {call = server.call, register_function = function(name, step)
  if type(name) == 'table' then
    without_memory[name.function_name] = name.flags[1] == 'allow-oom'
    name, step = name.function_name, name.callback
  end
  steps[name] = step
end}
"""
# A script that has written something is let go on where memory has run out.
AFTER: Final = """
local step = table.remove(ARGV, 1)
if without_memory[step] then server.call('DEL', KEYS[1] .. 'none') end
return steps[step](KEYS, ARGV)
"""


class Steps:
    """Atomic steps in the server: Lua that registers functions, each on a prefix of keys of one slot."""

    def __init__(self, source: str) -> None:
        digest = sha1(source.encode(), usedforsecurity=False).hexdigest()[:8]
        # Named by what they do, so that two versions of the library can share a server.
        self.prefix: Final = f"canonid_{digest}_"
        named = source.replace("name=canonid", f"name=canonid_{digest}", 1)
        self.library: Final = named.replace("'canonid_", f"'{self.prefix}")
        self.script: Final = BEFORE + self.library.split("\n", 1)[1] + AFTER
        self.sha: Final = sha1(self.script.encode(), usedforsecurity=False).hexdigest()


TREE: Final = Steps(files(__package__).joinpath("functions.lua").read_text())


class Store:
    """A client of the caller's, or one for a URL. Every call ends in time, with an answer or StoreError."""

    def __init__(self, client: Any, timeout: float, steps: Steps = TREE) -> None:
        self._owned = isinstance(client, str)
        self.client: Any = Redis.from_url(_known_scheme(client)) if self._owned else client
        self.timeout = timeout
        self._steps = steps
        # A cluster's client asks the server for the keys of each FCALL first, but knows those of EVALSHA.
        self._functions = not isinstance(client, RedisCluster)
        self._calls: set[asyncio.Future[Any]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def call(self, prefix: str, step: str, *arguments: Argument) -> Any:
        """The answer of one step in the bucket of that prefix."""
        return await self.in_time(self.timeout, self._in_turn(self._step, prefix, step, arguments))

    async def beat(self, prefix: str, step: str, *arguments: Argument, within: float) -> Any:
        """As `call`, ahead of all calls that wait for their turn."""
        return await self.in_time(within, self._step(prefix, step, arguments))

    async def call_each(self, prefix: str, step: str, calls: Sequence[Sequence[Argument]]) -> list[Any]:
        """The answers of the step for several arguments, in order and in one round trip."""
        if not calls:
            return []
        return [
            await self.call(prefix, step, *calls[0]),
            *await self.in_time(self.timeout, self._in_turn(self._pipeline, prefix, step, calls[1:])),
        ]

    async def command(self, *arguments: Argument, **options: Any) -> Any:
        """The answer of a command on one key; `options` are those of the client's parser."""
        return await self.in_time(
            self.timeout, self._in_turn(self.client.execute_command, *arguments, **options)
        )

    async def repeat(self, *arguments: Argument) -> Any:
        """The answer of a command that may be sent twice: so it is where a connection was gone."""
        return await _repeated(self.command, *arguments)

    async def look(self, prefix: str, step: str, *arguments: Argument) -> Any:
        """As `call`, for a step that changes nothing and so may be sent twice."""
        return await _repeated(self.call, prefix, step, *arguments)

    async def read(self, key: str, *, block: int, within: float) -> list[Entry]:
        """Entries of a stream from its beginning; waits up to `block` milliseconds for the first."""
        command = ("XREAD", "COUNT", 100, "BLOCK", self._at_most(block), "STREAMS", key, 0)
        return await self._read(key, command, within)

    async def read_group(
        self, key: str, group: str, consumer: str, *, count: int, block: int, within: float
    ) -> list[Entry]:
        """New entries of a stream for one consumer of a group; waits as `read`."""
        options = ("COUNT", count, "BLOCK", self._at_most(block), "STREAMS", key, ">")
        command = ("XREADGROUP", "GROUP", group, consumer, *options)
        return await self._read(key, command, within)

    async def aclose(self) -> None:
        """Closes the client, unless it is the caller's."""
        await end_tasks(self._calls)
        if self._owned:
            await self.client.aclose()

    def _at_most(self, block: int) -> int:
        """So many milliseconds, or half the time limit that the client sets each answer."""
        client = self.client if isinstance(self.client, RedisCluster) else self.client.connection_pool
        limit = client.connection_kwargs.get("socket_timeout")
        return block if limit is None else max(1, min(block, int(500 * limit)))

    async def _read(self, key: str, command: Sequence[Argument], within: float) -> list[Entry]:
        async def call() -> Any:
            if not isinstance(self.client, RedisCluster):
                return await self.client.execute_command(*command)
            await self.client.initialize()
            node = self.client.get_node_from_key(key)
            return await self.client.execute_command(*command, target_nodes=node)

        return entries_of(await self.in_time(within, call()))

    async def in_time(self, within: float, answer: Coroutine[Any, Any, Any]) -> Any:
        """What the client answers within so many seconds."""
        # A task, because a client that connects may lose the cancellation that a timeout is.
        call = asyncio.get_running_loop().create_task(answer)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:
            await asyncio.wait({call}, timeout=within)
            if not call.done():
                raise StoreError("the store gave no answer in time", path="valkey")
            return plain(call.result())
        except StoreError:
            raise
        except Exception as error:  # besides its own, a client that loses a connection raises what it meets
            raise StoreError(f"the store failed: {str(error)[:200]}", path="valkey") from error
        finally:
            call.cancel()

    async def _in_turn(self, call: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
        async with self._slots:
            return await call(*arguments, **options)

    async def _step(self, prefix: str, step: str, arguments: Sequence[Argument]) -> Any:
        call, steps = self.client.execute_command, self._steps
        if self._functions:
            try:
                return await self._function(prefix, step, arguments)
            except ResponseError as error:
                if not _lacks_functions(error):
                    raise
                self._functions = False
        try:
            return await call("EVALSHA", steps.sha, 1, prefix, steps.prefix + step, *arguments)
        except NoScriptError:
            return await call("EVAL", steps.script, 1, prefix, steps.prefix + step, *arguments)

    async def _function(self, prefix: str, step: str, arguments: Sequence[Argument]) -> Any:
        call, name = self.client.execute_command, self._steps.prefix + step
        try:
            return await call("FCALL", name, 1, prefix, *arguments)
        except ResponseError as error:
            if "function not found" not in str(error).lower():
                raise
        await call("FUNCTION LOAD", "REPLACE", self._steps.library)
        return await call("FCALL", name, 1, prefix, *arguments)

    async def _pipeline(self, prefix: str, step: str, calls: Sequence[Sequence[Argument]]) -> list[Any]:
        name = self._steps.prefix + step
        how = ("FCALL", name) if self._functions else ("EVALSHA", self._steps.sha)
        first = () if self._functions else (name,)
        pipeline = self.client.pipeline(transaction=False)
        for arguments in calls:
            pipeline.execute_command(*how, 1, prefix, *first, *arguments)
        answers: list[Any] = await pipeline.execute()
        return answers


def bucket_of(principal: str, buckets: int) -> int:
    """The number of a principal's bucket."""
    return crc32(principal.encode("utf-8", "backslashreplace")) % buckets


async def end_tasks(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancels tasks and waits for their end. A client may lose a cancellation while it connects, so again."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)


def entries_of(answer: Any) -> list[Entry]:
    """The entries in an answer of XREAD or XREADGROUP about one stream, in either protocol."""
    if not answer:
        return []
    streams = answer.items() if isinstance(answer, dict) else answer
    ((_, entries),) = streams
    if entries and isinstance(entries[0], list) and entries[0] and isinstance(entries[0][0], list):
        (entries,) = entries
    return [entry_of(entry) for entry in entries]


def entry_of(entry: Any) -> Entry:
    """One entry of a stream."""
    number, fields = entry
    return number, fields if isinstance(fields, dict) else dict(_pairs(fields or ()))


def plain(value: Any) -> Any:
    """An answer with its bytes as text."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {plain(key): plain(inner) for key, inner in value.items()}
    return value


def _pairs(values: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    each = iter(values)
    return zip(each, each, strict=True)


def _lacks_functions(error: ResponseError) -> bool:
    return isinstance(error, NoPermissionError) or "unknown command" in str(error).lower()


def _known_scheme(url: str) -> str:
    """An address as the client reads it, which knows Valkey by Redis's name alone."""
    for scheme in ("valkey://", "valkeys://"):
        if url.startswith(scheme):
            return "redis" + url.removeprefix("valkey")
    return url


async def _repeated(call: Callable[..., Awaitable[Any]], *arguments: Argument) -> Any:
    try:
        return await call(*arguments)
    except StoreError as error:
        if not isinstance(error.__cause__, Disconnected | OSError):
            raise
    return await call(*arguments)
