"""The outbox: in order, bounded, and never a wait for the one who puts."""

import asyncio
import json
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from canonid.websockets import Coalesce, DropOldest
from canonid.websockets.backpressure import Backpressure, Sheddable
from canonid.websockets.codes import MAX_REASON, fit
from canonid.websockets.outbox import FEW, Outbox

POLICIES = Backpressure({"presence": DropOldest(), "cursor": Coalesce("user", "thread")})


def drain(outbox: Outbox) -> list[str]:
    texts = []
    while (text := outbox.take()) is not None:
        texts.append(text)
    return texts


def test_it_refuses_beyond_its_count_and_keeps_what_it_has() -> None:
    async def main() -> None:
        outbox = Outbox(max_messages=2, max_bytes=100)
        assert [outbox.put("a"), outbox.put("b"), outbox.put("c")] == [True, True, False]
        assert drain(outbox) == ["a", "b"]

    asyncio.run(main())


def test_it_refuses_beyond_its_bytes_and_takes_again_once_there_is_room() -> None:
    async def main() -> None:
        outbox = Outbox(max_messages=10, max_bytes=4)
        assert [outbox.put("abc"), outbox.put("de")] == [True, False]
        assert outbox.take() == "abc"
        assert outbox.put("defg")

    asyncio.run(main())


@given(st.lists(st.one_of(st.text("abc", max_size=3), st.lists(st.text("xyz", max_size=3), max_size=4))))
def test_texts_and_replays_come_out_in_the_order_they_went_in(entries: list[str | list[str]]) -> None:
    async def main() -> list[str]:
        outbox = Outbox(1000, 10_000)
        for entry in entries:
            assert outbox.put(entry if isinstance(entry, str) else iter(entry))
        return drain(outbox)

    expected = [text for entry in entries for text in ([entry] if isinstance(entry, str) else entry)]
    assert asyncio.run(main()) == expected


@given(st.text())
def test_a_close_reason_fits_its_frame_and_is_cut_between_characters(reason: str) -> None:
    cut = fit(reason)
    assert len(cut.encode()) <= MAX_REASON
    assert reason.encode("utf-8", "replace").decode().startswith(cut)


def entry(type: str, **fields: Any) -> str | Sheddable:
    message = {"type": type, **fields}
    return POLICIES.apply(message, json.dumps(message))


def told(texts: list[str]) -> list[dict[str, Any]]:
    return [json.loads(text) for text in texts]


def test_the_oldest_of_a_droppable_type_makes_room_for_any_other() -> None:
    async def main() -> list[str]:
        outbox = Outbox(3, 1000)
        for n in range(3):
            assert outbox.put(entry("presence", n=n))
        assert outbox.put(entry("note", n=3))
        assert outbox.put(entry("presence", n=4))
        return drain(outbox)

    assert told(asyncio.run(main())) == [
        {"type": "dropped", "of": "presence", "n": 2},
        {"type": "presence", "n": 2},
        {"type": "note", "n": 3},
        {"type": "presence", "n": 4},
    ]


def test_a_droppable_message_is_dropped_itself_where_nothing_else_may_be() -> None:
    async def main() -> list[str]:
        outbox = Outbox(1, 1000)
        assert outbox.put(entry("note", n=1))
        assert outbox.put(entry("presence", n=2))
        assert not outbox.put(entry("note", n=3))
        return drain(outbox)

    assert told(asyncio.run(main())) == [
        {"type": "dropped", "of": "presence", "n": 1},
        {"type": "note", "n": 1},
    ]


def test_what_coalesces_is_queued_at_the_end_and_only_with_its_like() -> None:
    async def main() -> list[str]:
        outbox = Outbox(4, 1000)
        assert outbox.put(entry("cursor", user="a", thread="t", at=1))
        assert outbox.put(entry("cursor", user="b", thread="t", at=2))
        assert outbox.put(entry("cursor", user="a", thread="u", at=3))
        assert outbox.put(entry("note"))
        for at in range(4, 100):
            assert outbox.put(entry("cursor", user="a", thread="t", at=at))
        assert len(outbox) == 4
        assert not outbox.put(entry("cursor", user="c", thread="t", at=100))
        return drain(outbox)

    assert told(asyncio.run(main())) == [
        {"type": "cursor", "user": "b", "thread": "t", "at": 2},
        {"type": "cursor", "user": "a", "thread": "u", "at": 3},
        {"type": "note"},
        {"type": "cursor", "user": "a", "thread": "t", "at": 99},
    ]


def test_ids_and_numbers_that_look_alike_do_not_coalesce() -> None:
    assert entry("cursor", user=1) != entry("cursor", user="1")
    assert entry("cursor", user=["a", "b"]) != entry("cursor", user="a")


entries = st.one_of(
    st.tuples(st.just("note"), st.integers(0, 9), st.integers(0, 30)),
    st.tuples(st.just("presence"), st.integers(0, 9), st.integers(0, 30)),
    st.tuples(st.just("cursor"), st.integers(0, 2), st.integers(0, 30)),
    st.just("take"),
)


@given(st.lists(entries, max_size=200), st.integers(1, 8), st.integers(100, 400))
def test_bounds_hold_order_is_kept_and_what_has_no_policy_is_never_lost(
    steps: list[Any], max_messages: int, max_bytes: int
) -> None:
    async def main() -> None:
        shed: Counter[tuple[str, str]] = Counter()
        outbox = Outbox(max_messages, max_bytes, lambda type, policy: shed.update([(type, policy)]))
        sent: list[dict[str, Any]] = []
        received: list[dict[str, Any]] = []
        for number, step in enumerate(steps):
            if step == "take":
                if len(outbox):
                    received.append(json.loads(str(outbox.take())))
                continue
            type, user, padding = step
            message = {"type": type, "user": user, "number": number, "padding": "x" * padding}
            if not outbox.put(POLICIES.apply(message, json.dumps(message))):
                assert type != "presence"
                break
            sent.append(message)
            assert len(outbox) <= max_messages
            assert 0 <= outbox.size <= max_bytes
            assert len(outbox._entries) <= 2 * max_messages + FEW + 1
        received += told(drain(outbox))
        notices = [message for message in received if message["type"] == "dropped"]
        kept = [message for message in received if message["type"] != "dropped"]
        numbers = [message["number"] for message in kept]
        assert numbers == sorted(set(numbers))
        assert all(message in sent for message in kept)
        assert [m for m in kept if m["type"] == "note"] == [m for m in sent if m["type"] == "note"]
        newest = {m["user"]: m for m in sent if m["type"] == "cursor"}
        if len(sent) + steps.count("take") == len(steps):  # else the last put may have coalesced and failed
            assert {m["user"]: m for m in kept if m["type"] == "cursor"} == newest
        missing = Counter(m["type"] for m in sent) - Counter(m["type"] for m in kept)
        assert missing["presence"] == sum(m["n"] for m in notices) == shed["presence", "drop_oldest"]
        assert missing["cursor"] <= shed["cursor", "coalesce"]
        assert (len(outbox), outbox.size) == (0, 0)

    asyncio.run(main())
