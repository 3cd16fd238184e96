"""The outbox: in order, bounded, and never a wait for the one who puts."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from canonid.websockets.codes import MAX_REASON, fit
from canonid.websockets.outbox import Outbox


async def drain(outbox: Outbox) -> list[str]:
    outbox.finish()
    texts = []
    while (text := await outbox.take()) is not None:
        texts.append(text)
    return texts


def test_it_refuses_beyond_its_count_and_keeps_what_it_has() -> None:
    async def main() -> None:
        outbox = Outbox(max_messages=2, max_bytes=100)
        assert [outbox.put("a"), outbox.put("b"), outbox.put("c")] == [True, True, False]
        assert await drain(outbox) == ["a", "b"]

    asyncio.run(main())


def test_it_refuses_beyond_its_bytes_and_takes_again_once_there_is_room() -> None:
    async def main() -> None:
        outbox = Outbox(max_messages=10, max_bytes=4)
        assert [outbox.put("abc"), outbox.put("de")] == [True, False]
        assert await outbox.take() == "abc"
        assert outbox.put("defg")

    asyncio.run(main())


def test_taking_waits_for_what_is_put_later() -> None:
    async def main() -> None:
        outbox = Outbox(10, 100)
        taking = asyncio.create_task(outbox.take())
        await asyncio.sleep(0)
        outbox.put("late")
        assert await taking == "late"

    asyncio.run(main())


@given(st.lists(st.one_of(st.text("abc", max_size=3), st.lists(st.text("xyz", max_size=3), max_size=4))))
def test_texts_and_replays_come_out_in_the_order_they_went_in(entries: list[str | list[str]]) -> None:
    async def main() -> list[str]:
        outbox = Outbox(1000, 10_000)
        for entry in entries:
            assert outbox.put(entry if isinstance(entry, str) else iter(entry))
        return await drain(outbox)

    expected = [text for entry in entries for text in ([entry] if isinstance(entry, str) else entry)]
    assert asyncio.run(main()) == expected


@given(st.text())
def test_a_close_reason_fits_its_frame_and_is_cut_between_characters(reason: str) -> None:
    cut = fit(reason)
    assert len(cut.encode()) <= MAX_REASON
    assert reason.encode("utf-8", "replace").decode().startswith(cut)
