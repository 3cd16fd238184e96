"""A process that examines files for another one, which it ends with.

It is started as a program of its own rather than by `multiprocessing`: nothing of the parent is imported
again, no code of the audited folder can be, and it works from any thread of any program.
"""

from __future__ import annotations

import marshal
import os
import sys
from typing import IO, Any

from canonid.audit.examining import Task, collecting_by_hand, examine_all

READY = "ready"


def send(stream: IO[bytes], message: Any) -> None:
    """Raises `OSError` if nobody reads any more."""
    content = marshal.dumps(message)
    stream.write(len(content).to_bytes(8, "big") + content)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """None at the end of the stream, even in the middle of a message."""
    head = stream.read(8)
    content = stream.read(int.from_bytes(head, "big")) if len(head) == 8 else b""
    return marshal.loads(content) if content and len(content) == int.from_bytes(head, "big") else None  # noqa: S302


def serve() -> None:
    """Examines until standard input ends. What is printed meanwhile goes to standard error."""
    with os.fdopen(os.dup(1), "wb") as answers, collecting_by_hand():
        os.dup2(2, 1)
        try:
            send(answers, READY)
            while (tasks := receive(sys.stdin.buffer)) is not None:
                outcomes = examine_all([Task(*task) for task in tasks])
                send(answers, [tuple(outcome) for outcome in outcomes])
        except BrokenPipeError:
            os._exit(1)  # the parent is gone; there is nobody to tell
