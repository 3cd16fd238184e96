"""Who is here: live connections, sessions and runs, each found by canonical ID."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from canonid.websockets.connection import Connection
from canonid.websockets.runs import Run
from canonid.websockets.sessions import Session

Member = TypeVar("Member", bound=Hashable)


class Index(Generic[Member]):
    """Sets of members by key, in order of arrival; an empty one takes no room."""

    def __init__(self) -> None:
        self._members: dict[str, dict[Member, None]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, key: str) -> tuple[Member, ...]:
        return tuple(self._members.get(key, ()))

    def add(self, key: str, member: Member) -> None:
        self._members.setdefault(key, {})[member] = None

    def discard(self, key: str, member: Member) -> None:
        members = self._members.get(key, {})
        members.pop(member, None)
        if not members:
            self._members.pop(key, None)


class Counts(NamedTuple):
    """What a hub holds now. `runs` are those still kept for replay as well as those that go on."""

    handshakes: int
    connections: int
    sessions: int
    runs: int
    watched_threads: int


class Presence:
    """The live things of one hub."""

    def __init__(self) -> None:
        self.connections: dict[str, Connection] = {}
        self.sessions: dict[str, Session] = {}
        self.runs: dict[str, Run] = {}
        self.of_user: Index[Connection] = Index()
        self.of_session: Index[Connection] = Index()
        self.watching: Index[Connection] = Index()
        self.in_topic: Index[Connection] = Index()
        self.runs_of_thread: Index[Run] = Index()
        self.handshakes = 0

    def arrive(self, connection: Connection) -> None:
        self.connections[connection.id] = connection
        self.of_user.add(connection.principal, connection)
        self.of_session.add(connection.session, connection)

    def leave(self, connection: Connection) -> None:
        del self.connections[connection.id]
        self.of_user.discard(connection.principal, connection)
        self.of_session.discard(connection.session, connection)
        for thread in connection.watching:
            self.watching.discard(thread, connection)
        for topic in connection.topics:
            self.in_topic.discard(topic, connection)

    def watch(self, connection: Connection, thread: str) -> None:
        connection.watching |= {thread}
        self.watching.add(thread, connection)

    def join(self, connection: Connection, topic: str) -> None:
        connection.topics |= {topic}
        self.in_topic.add(topic, connection)

    def part(self, connection: Connection, topic: str) -> None:
        connection.topics -= {topic}
        self.in_topic.discard(topic, connection)

    def keep(self, run: Run) -> None:
        self.runs[run.id] = run
        self.runs_of_thread.add(run.thread, run)

    def forget(self, run: Run) -> None:
        del self.runs[run.id]
        self.runs_of_thread.discard(run.thread, run)

    def counts(self) -> Counts:
        return Counts(
            self.handshakes, len(self.connections), len(self.sessions), len(self.runs), len(self.watching)
        )
