"""WebSocket event delivery with consistent IDs: all five events, the right user, the right thread."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from acceptance.legacy import Manager, look_alike
from golden import Person, golden_path

FIVE = {"agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"}


class Heard(NamedTuple):
    """What one user's socket received, against what it should have."""

    events: list[dict[str, Any]]
    own_threads: set[str]


def check(heard: list[Heard]) -> None:
    for user in heard:
        assert {event["thread"] for event in user.events} == user.own_threads, "their threads and no others"
        for thread in user.own_threads:
            names = [event["event"] for event in user.events if event["thread"] == thread]
            assert set(names) >= FIVE, "all five events arrive"
            assert names.index("agent_started") < names.index("agent_completed")


class TextRouter:
    """How events were delivered: subscribers are found by comparing texts."""

    def __init__(self, matches) -> None:
        self.matches = matches
        self.subscribers: list[tuple[str, list[dict[str, Any]]]] = []

    def subscribe(self, thread: str) -> list[dict[str, Any]]:
        inbox: list[dict[str, Any]] = []
        self.subscribers.append((thread, inbox))
        return inbox

    def publish(self, thread: str, event: str) -> None:
        for subscribed, inbox in self.subscribers:
            if self.matches(subscribed, thread):
                inbox.append({"thread": thread, "event": event})


@pytest.mark.parametrize("matches", [str.__eq__, look_alike], ids=["exact text", "look-alike"])
def test_matching_texts_loses_events_or_tells_strangers(matches):
    # Two users in the same millisecond; the backend writes a thread in one way, the socket layer in another.
    router, manager = TextRouter(matches), Manager()
    stem = manager.thread().rsplit("_", 1)[0]
    threads = [f"{stem}_0000000{number}" for number in (1, 2)]
    prefix = "thread_" if matches is str.__eq__ else ""
    heard = [Heard(router.subscribe(prefix + thread), {thread}) for thread in threads]
    for thread in threads:
        for event in (
            "agent_started",
            "agent_thinking",
            "tool_executing",
            "tool_completed",
            "agent_completed",
        ):
            router.publish(thread, event)
    with pytest.raises(AssertionError):
        check(heard)


def test_every_user_hears_all_five_events_of_their_own_threads_under_any_writing(tmp_path):
    with golden_path(tmp_path) as url, Person(url, "ada") as ada, Person(url, "bob") as bob:
        people = (ada, bob)
        threads = [person.thread()["thread"] for person in people]
        with ada.socket() as one, bob.socket() as two:
            # Each watches under the old writing and asks under a new one.
            for socket, thread in zip((one, two), threads, strict=True):
                socket.send(type="watch", thread=thread["forms"]["manager-thread"])
            for socket, thread in zip((one, two), threads, strict=True):
                socket.ask(thread["forms"]["uuid"], "What is 6 * 7?")
            heard = [
                Heard(socket.events(), {thread["canonical"]})
                for socket, thread in zip((one, two), threads, strict=True)
            ]
            check(heard)
            for user in heard:
                assert [event["seq"] for event in user.events] == list(range(1, len(user.events) + 1))
                assert len({event["run"] for event in user.events}) == 1
                assert "42" in "".join(
                    e["data"].get("text", "") for e in user.events if e["event"] == "token"
                )
