"""A backplane as a whole: how it begins."""

from __future__ import annotations

import asyncio
import gc

import pytest

from canonid import StoreError
from canonid.core import Identity
from canonid.websockets import Limits
from canonid.websockets.valkey import ValkeyBackplane
from stores import Server


def test_a_backplane_that_can_not_start_leaves_nothing_open(valkey: Server) -> None:
    async def main() -> None:
        backplane = ValkeyBackplane(valkey.url)
        ticket_of_nobody = await backplane.take_ticket("x")
        assert ticket_of_nobody is None
        valkey.kill()
        with pytest.raises(StoreError):
            await backplane.start(
                lambda channel, text: None,
                lambda channel: None,
                lambda text, kind: Identity(kind, text),
                limits=Limits(),
                release_timeout=5,
                on_fenced=lambda: None,
                on_rejoined=lambda: None,
            )
        del backplane
        gc.collect()

    asyncio.run(main())
