"""Messages to connections, users, threads, scopes and topics, in this process and in the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from canonid.errors import UnknownName, show
from canonid.websockets.backplane import Backplane, topic_channel, user_channel
from canonid.websockets.backpressure import Backpressure
from canonid.websockets.outbox import Entry
from canonid.websockets.presence import Presence
from canonid.websockets.records import Records
from canonid.websockets.running import Runs
from canonid.websockets.streams import Subscriber
from canonid.websockets.wire import encode

ScopeKind = Literal["session", "connection", "run"]
SCOPES = get_args(ScopeKind)
MAX_TOPIC = 256  # characters


class Sending:
    """Finds who is meant by canonical ID, puts a message into their queues, and tells the other processes."""

    def __init__(
        self,
        records: Records,
        present: Presence,
        runs: Runs,
        backpressure: Backpressure,
        backplane: Backplane | None,
        limit: int,
    ) -> None:
        self._records = records
        self._present = present
        self._runs = runs
        self._backpressure = backpressure
        self._backplane = backplane
        self._limit = limit

    async def send(self, kind: str, text: str, message: Mapping[str, Any]) -> int:
        """To whoever a text of that kind means; how many connections here it was queued for."""
        encoded = encode(message, self._limit)
        names, users = await asyncio.to_thread(self._records.known, kind, text)
        if self._backplane is not None:
            told = json.dumps([kind, sorted(names), encoded])
            await asyncio.gather(*[self._backplane.tell(user_channel(user), told) for user in users])
        return self._put(kind, names, self._backpressure.apply(message, encoded))

    async def send_to_topic(self, topic: str, message: Mapping[str, Any]) -> int:
        """To everybody who joined a topic; how many connections here it was queued for."""
        encoded = encode(message, self._limit)
        checked_topic(topic)
        if self._backplane is not None:
            await self._backplane.tell(topic_channel(topic), json.dumps(["topic", [topic], encoded]))
        return self._put("topic", [topic], self._backpressure.apply(message, encoded))

    def hear(self, kind: str, names: Iterable[str], encoded: str) -> None:
        """What another process sends."""
        message = json.loads(encoded) if self._backpressure else {}
        self._put(kind, names, self._backpressure.apply(message, encoded))

    def _put(self, kind: str, names: Iterable[str], entry: Entry) -> int:
        return sum([connection.put(entry) for name in names for connection in self._meant(kind, name)])

    def _meant(self, kind: str, name: str) -> Iterable[Subscriber]:
        present = self._present
        match kind:
            case "connection":
                return (present.connections[name],) if name in present.connections else ()
            case "user":
                return present.of_user[name]
            case "thread":
                return present.watching[name]
            case "session":
                return present.of_session[name]
            case "run":
                return self._runs.subscribers_of(name)
            case _:
                return present.in_topic[name]


def checked_topic(topic: str) -> str:
    """The name of a topic. ValueError for what is none."""
    if not isinstance(topic, str) or not 0 < len(topic) <= MAX_TOPIC:
        raise ValueError(f"a topic is a text of 1 to {MAX_TOPIC} characters")
    return topic


def scope_kind(kind: str) -> str:
    """The kind of a scope that connections belong to. UnknownName."""
    if kind not in SCOPES:
        raise UnknownName(
            f"expected one of {', '.join(SCOPES)} as the kind of a scope", what="kind", name=show(kind)
        )
    return kind
