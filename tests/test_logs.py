"""Lines of logs know whose work they are about."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from canonid.logs import JsonLines, LineageFilter, bound, lineage


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the logger `lines` writes."""
    written = io.StringIO()
    target = logging.StreamHandler(written)
    target.addFilter(LineageFilter())
    target.setFormatter(JsonLines())
    log = logging.getLogger("lines")
    log.addHandler(target)
    log.propagate = False
    yield written
    log.removeHandler(target)


def logged(lines: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_what_is_bound(lines: io.StringIO) -> None:
    with bound(principal="user_1", thread="thread_1"):
        logging.getLogger("lines").warning("hello %s", "you")
    (line,) = logged(lines)
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "lines",
        "message": "hello you",
        "principal": "user_1",
        "thread": "thread_1",
    }


@pytest.mark.parametrize(
    "text", ["a\nb\r\nc", "\x00\x1b[31m", "\u2028\u2029\x85", "\ud800", '"}\n{"level": "x"', "☃"]
)
def test_no_text_makes_a_second_line(lines: io.StringIO, text: str) -> None:
    logging.getLogger("lines").error("%s", text)
    assert lines.getvalue().count("\n") == 1 and lines.getvalue().isascii()
    assert [line["message"] for line in logged(lines)] == [text]


def test_an_exception_stays_in_its_line(lines: io.StringIO) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("lines").exception("failed", stack_info=True)
    (line,) = logged(lines)
    assert line["exception"].endswith("ValueError: two\nlines")
    assert "test_an_exception_stays_in_its_line" in line["stack"]


def test_blocks_nest_and_end(lines: io.StringIO) -> None:
    with bound(principal="user_1", connection="connection_1"):
        with bound(run="run_1", connection=None):
            assert dict(lineage()) == {"principal": "user_1", "run": "run_1"}
        assert dict(lineage()) == {"principal": "user_1", "connection": "connection_1"}
    assert dict(lineage()) == {}
    with pytest.raises(TypeError, match="got user"), bound(user="user_1"):
        pass


def test_tasks_and_worker_threads_begin_with_it_and_keep_their_own(lines: io.StringIO) -> None:
    log = logging.getLogger("lines")

    async def work(name: str, turn: asyncio.Barrier) -> None:
        with bound(principal=name):
            for _ in range(5):
                await turn.wait()
                log.warning("%s in %s", name, threading.get_ident())
                await asyncio.to_thread(log.warning, "%s in a thread", name)

    async def main() -> None:
        turn = asyncio.Barrier(2)
        await asyncio.gather(work("user_1", turn), work("user_2", turn))

    asyncio.run(main())
    assert len(logged(lines)) == 20
    assert all(line["message"].startswith(line["principal"] + " in") for line in logged(lines))


def test_a_record_has_the_fields_for_other_formatters(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(LineageFilter())
    with bound(session="session_1"):
        logging.getLogger("other").warning("x")
    (record,) = caplog.records
    assert (record.session, record.principal, record.thread_id) == ("session_1", "", "")
    assert record.thread == threading.get_ident()
