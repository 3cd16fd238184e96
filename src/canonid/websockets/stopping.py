"""SIGTERM, heard before the server hears it: a server that stops closes or cuts every socket first."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager


@contextmanager
def before_sigterm(wind_up: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """While entered, SIGTERM runs `wind_up` to its end and reaches the server then; a second one at once.

    To be entered in the main thread, in the server's loop, once the server listens for signals, as it does
    before the lifespan begins.
    """
    loop = asyncio.get_running_loop()
    # uvicorn's listener can be put back. granian's, in the loop, can't; but it listens to SIGINT alike.
    previous = signal.getsignal(signal.SIGTERM)
    in_loop = loop.remove_signal_handler(signal.SIGTERM)
    winding_up: asyncio.Task[None] | None = None
    listening = True

    def unlisten() -> None:
        nonlocal listening
        listening = False
        loop.remove_signal_handler(signal.SIGTERM)
        if not in_loop:
            signal.signal(signal.SIGTERM, previous)

    def pass_on() -> None:
        if listening:
            unlisten()
            signal.raise_signal(signal.SIGINT if in_loop else signal.SIGTERM)

    async def wind_up_first() -> None:
        try:
            await wind_up()
        finally:
            pass_on()

    def heard() -> None:
        nonlocal winding_up
        if winding_up is None:
            winding_up = loop.create_task(wind_up_first())
        else:
            winding_up.cancel()

    loop.add_signal_handler(signal.SIGTERM, heard)
    try:
        yield
    finally:
        if listening:
            unlisten()
        if winding_up is not None:
            winding_up.cancel()
