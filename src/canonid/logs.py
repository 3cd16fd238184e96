"""Structured logs with the lineage bound: whose work a line is about, wherever in the work it was written."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

FIELDS = ("principal", "session", "connection", "thread", "run")

_lineage: ContextVar[Mapping[str, str]] = ContextVar("canonid.lineage", default=MappingProxyType({}))


def lineage() -> Mapping[str, str]:
    """The canonical IDs that are bound here, by field."""
    return _lineage.get()


@contextmanager
def bound(**ids: str | None) -> Iterator[None]:
    """Bind IDs for a block and the tasks and `asyncio.to_thread` calls that begin in it; None unbinds.

    A hub binds what belongs to a connection, or to a run, for all of its code.

    >>> with bound(principal="user_1", run="run_1"), bound(run=None):
    ...     dict(lineage())
    {'principal': 'user_1'}
    """
    unknown = ids.keys() - set(FIELDS)
    if unknown:
        raise TypeError(f"expected {', '.join(FIELDS)}, got {', '.join(sorted(unknown))}")
    merged = {name: text for name, text in {**_lineage.get(), **ids}.items() if text is not None}
    token = _lineage.set(MappingProxyType(merged))
    try:
        yield
    finally:
        _lineage.reset(token)


def bind(ids: Mapping[str, str]) -> None:
    """Bind exactly these IDs for the rest of the current task, and for what it begins."""
    _lineage.set(ids)


class LineageFilter(logging.Filter):
    """Gives each record the attributes principal, session, connection, thread_id, run: "" where not bound.

    Belongs on handlers, or on a QueueHandler: a filter of a logger sees only what is logged to that one.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        ids = _lineage.get()
        for field in FIELDS:
            setattr(record, attribute(field), ids.get(field, ""))
        return True


class JsonLines(logging.Formatter):
    """One JSON object in one line of ASCII: at, level, logger, message, what is bound, exception, stack.

    `at` is UTC. The lineage is there where the handler has a `LineageFilter`.
    """

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        for field in FIELDS:
            if text := getattr(record, attribute(field), ""):
                line[field] = text
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:
            line["exception"] = record.exc_text
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line)


def attribute(field: str) -> str:
    """The name of a field on a record, where `thread` is the number of the thread of the interpreter."""
    return "thread_id" if field == "thread" else field
