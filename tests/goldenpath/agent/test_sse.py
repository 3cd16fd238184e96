import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenpath.agent.sse import sse_data


def read(*chunks: bytes) -> list[str]:
    async def collect() -> list[str]:
        async def stream() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        return [data async for data in sse_data(stream())]

    return asyncio.run(collect())


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: one\n\ndata: two\n\n", ["one", "two"]),
        (b"data:one\n\ndata:  two \n\n", ["one", " two "]),
        (b"data: first\ndata: second\n\n", ["first\nsecond"]),
        (b": keep-alive\n\ndata: one\n: comment\n\n", ["one"]),
        (b"event: message\nid: 7\nretry: 10\ndata: one\n\n", ["one"]),
        (b"data: one\r\n\r\ndata: two\r\n\r\n", ["one", "two"]),
        (b"data: one\r\rdata: two\r\r", ["one"]),  # the last CR may be half of a CR LF
        (b"\n\n\ndata: one\n\n\n", ["one"]),
        (b"data: one\n\ndata: cut o", ["one"]),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"", []),
    ],
)
def test_events_of_a_stream(stream: bytes, data: list[str]) -> None:
    assert read(stream) == data


LINES = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"))


@given(
    st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=4),
    st.sampled_from(["\n", "\r\n"]),
    st.lists(st.integers(0, 400)),
)
def test_events_do_not_depend_on_where_the_bytes_are_cut(
    events: list[list[str]], line_end: str, cuts: list[int]
) -> None:
    text = "".join("".join(f"data: {line}{line_end}" for line in event) + line_end for event in events)
    stream = text.encode()
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(edges)]
    assert read(*chunks) == ["\n".join(event) for event in events]
    assert read(*(bytes([byte]) for byte in stream)) == ["\n".join(event) for event in events]
