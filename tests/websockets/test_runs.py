"""Runs by themselves: numbers, replay, gaps and what happens when the last one leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonid import ScopeClosed
from canonid.websockets import Grace, Limits, Refusal, Run
from canonid.websockets.runs import COMPLETED, OnLastDetach
from canonid.websockets.streams import Stream

Answer = TypeVar("Answer")


class Tab:
    """A subscriber that can be slow: replays are read only when it looks."""

    def __init__(self) -> None:
        self.subscriptions: set[Stream] = set()
        self._entries: list[str | Iterator[str]] = []

    def put(self, entry: str | Iterator[str]) -> bool:
        self._entries.append(entry)
        return True

    def begins(self, stream: Stream) -> bool:
        self.subscriptions.add(stream)
        return True

    def ends(self, stream: Stream) -> None:
        self.subscriptions.discard(stream)

    def read(self) -> list[dict[str, object]]:
        texts = [text for entry in self._entries for text in ([entry] if isinstance(entry, str) else entry)]
        self._entries = []
        return [json.loads(text) for text in texts]

    def numbers(self) -> list[object]:
        return [message.get("seq", message["type"]) for message in self.read()]


def now(work: Coroutine[Any, Any, Answer]) -> Answer:
    """What a coroutine gives that, in one process, never waits."""
    try:
        work.send(None)
    except StopIteration as stop:
        return cast(Answer, stop.value)
    raise AssertionError("it waits")


def make(on_last_detach: OnLastDetach = "continue", **limits: int) -> Run:
    return Run(
        id="run_1",
        text="run_1",
        thread="thread_1",
        principal="user_1",
        on_last_detach=on_last_detach,
        limits=Limits(**limits),  # type: ignore[arg-type]
        clock=lambda: 1_700_000_000.123,
    )


def test_an_event_says_what_happened_where_and_when() -> None:
    run, tab = make(), Tab()
    run.attach(tab)
    assert now(run.publish("agent_started", {"model": "built-in"})) == 1
    assert tab.read() == [
        {
            "type": "event",
            "run": "run_1",
            "thread": "thread_1",
            "seq": 1,
            "event": "agent_started",
            "at": "2023-11-14T22:13:20.123+00:00",
            "data": {"model": "built-in"},
        }
    ]


@given(st.lists(st.sampled_from(["publish", "attach", "detach", "read"]), max_size=80))
def test_whoever_leaves_and_comes_back_sees_every_number_once_in_order(steps: list[str]) -> None:
    run, tab, seen = make(), Tab(), list[object]()
    for step in [*steps, "attach"]:
        if step == "publish":
            now(run.publish("token"))
        elif step == "attach" and run not in tab.subscriptions:
            run.attach(tab, len(seen))
        elif step == "detach":
            seen += tab.numbers()
            run.detach(tab)
        elif step == "read":
            seen += tab.numbers()
    now(run.end(COMPLETED))
    seen += tab.numbers()
    assert seen == list(range(1, run.seq + 1))


@given(st.integers(1, 6), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_what_is_no_longer_kept_is_told_as_one_gap(keep: int, before: int, late: int, last_seq: int) -> None:
    run, tab = make(run_events=keep), Tab()
    for _ in range(before):
        now(run.publish("token"))
    last_seq = min(last_seq, before)
    run.attach(tab, last_seq)
    for _ in range(late):  # published while the subscriber has not read its replay
        now(run.publish("token"))
    messages = tab.read()
    covered = []
    for message in messages:
        if message["type"] == "gap":
            covered += range(message["from"], message["to"] + 1)  # type: ignore[call-overload]
        else:
            covered.append(message["seq"])
    assert covered == list(range(last_seq + 1, before + late + 1))
    assert [message["type"] for message in messages].count("gap") <= 1


def test_the_final_event_is_kept_whatever_is_trimmed() -> None:
    run, tab = make(run_events=1), Tab()
    for _ in range(5):
        now(run.publish("token"))
    now(run.end(COMPLETED))
    run.attach(tab)
    gap, final = tab.read()
    assert (gap["from"], gap["to"]) == (1, 5)
    assert (final["seq"], final["event"], final["final"]) == (6, COMPLETED, True)


def test_bytes_are_bounded_too() -> None:
    run, tab = make(run_bytes=2_000), Tab()
    for _ in range(100):
        now(run.publish("token", {"text": "x" * 100}))
    run.attach(tab)
    gap, *rest = tab.read()
    assert gap["type"] == "gap" and sum(len(json.dumps(event)) for event in rest) < 2_500


def test_nothing_is_published_after_the_end_and_the_end_comes_once() -> None:
    run, tab = make(), Tab()
    run.attach(tab)
    now(run.end(COMPLETED))
    now(run.end("run_failed"))
    with pytest.raises(ScopeClosed, match="has ended"):
        now(run.publish("token"))
    assert [message["event"] for message in tab.read()] == [COMPLETED]
    assert not tab.subscriptions


def test_a_subscriber_ahead_of_the_run_is_refused() -> None:
    with pytest.raises(Refusal, match="ahead"):
        make().attach(Tab(), 1)


def test_an_event_that_fits_no_buffer_is_refused_before_it_gets_a_number() -> None:
    run = make(run_bytes=500)
    with pytest.raises(ValueError, match="send it in parts"):
        now(run.publish("token", {"text": "x" * 500}))
    assert now(run.publish("token")) == 1


def test_data_that_is_no_json_is_refused_before_it_gets_a_number() -> None:
    run = make()
    with pytest.raises(ValueError, match="must be JSON"):
        now(run.publish("token", {"text": {1}}))
    assert now(run.publish("token")) == 1


def test_two_tabs_see_the_same() -> None:
    run, first, second = make(), Tab(), Tab()
    run.attach(first)
    now(run.publish("token"))
    run.attach(second)
    now(run.publish("token"))
    assert first.read() == second.read()


def leave(on_last_detach: OnLastDetach, *, come_back: bool = False) -> bool:
    """Whether the run was cancelled after the last of two tabs left."""

    async def main() -> bool:
        run, first, second, cancelled = make(on_last_detach), Tab(), Tab(), asyncio.Event()
        run.on_cancel(cancelled.set)
        run.attach(first)
        run.attach(second)
        run.detach(first)
        assert not cancelled.is_set()
        run.detach(second)
        if come_back:
            run.attach(first)
        try:
            await asyncio.wait_for(cancelled.wait(), 0.1)
        except TimeoutError:
            return False
        return True

    return asyncio.run(main())


def test_the_last_to_leave_cancels_if_so_declared() -> None:
    assert leave("cancel")


def test_the_last_to_leave_changes_nothing_if_so_declared() -> None:
    assert not leave("continue")


def test_a_run_is_cancelled_when_its_grace_is_over() -> None:
    assert leave(Grace(0.01))


def test_coming_back_within_the_grace_keeps_the_run() -> None:
    assert not leave(Grace(0.02), come_back=True)
