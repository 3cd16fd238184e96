"""Server-sent events (WHATWG HTML §9.2.6), as far as a client of chat completions needs them."""

from __future__ import annotations

import codecs
import io
from collections.abc import AsyncGenerator, AsyncIterable


async def sse_data(chunks: AsyncIterable[bytes]) -> AsyncGenerator[str, None]:
    """The data of each complete event, however the bytes are cut; comments and other fields are skipped."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    unfinished = ""
    data: list[str] = []
    async for chunk in chunks:
        *lines, unfinished = (unfinished + decoder.decode(chunk)).split("\n")
        for line in lines:
            if line.startswith("data:"):
                data.append(line.removeprefix("data:").removeprefix(" "))
            elif not line and data:
                yield "\n".join(data)
                data = []
