"""Telling a cancellation that was asked for from whatever else the application raises."""

from __future__ import annotations

import asyncio


def cancelled(error: BaseException) -> bool:
    """Whether the current task is to end: it was cancelled, or its loop is closing.

    The application may let a CancelledError of its own get out, from a task that it cancelled itself; then
    nobody has asked this one to stop.
    """
    if isinstance(error, GeneratorExit):
        return True
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
