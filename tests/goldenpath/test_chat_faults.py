"""The chat service when things go wrong: floods, blips at the worst moment, locked databases, odd input."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
import time
import uuid
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from golden import Person, Socket, closed, golden_path, process, settings
from goldenpath.ids import open_ids

SHORT = "What is 2 + 2?"
LONG = "What does lineage mean here?"


@pytest.fixture
def slow(tmp_path):
    """A golden path whose answers take their time, and its data folder."""
    with golden_path(tmp_path, token_delay=0.2) as url:
        yield url, tmp_path


def test_twenty_questions_at_once_are_four_runs_and_a_resent_one_is_no_fifth(slow):
    url, _ = slow
    with Person(url, "ada") as ada, ExitStack() as stack:
        thread = ada.thread()["id"]
        sockets = [stack.enter_context(ada.socket()) for _ in range(10)]
        requests = [socket.ask(thread, LONG) for socket in sockets]
        answers = []
        for socket, request in zip(sockets, requests, strict=True):
            while True:
                message = socket.receive()
                if message["type"] in ("accepted", "error"):
                    answers.append((message["type"], request))
                    break
        accepted = [request for type, request in answers if type == "accepted"]
        assert len(accepted) == 4
        refused = next(request for type, request in answers if type == "error")
        sockets[0].ask(thread, LONG, accepted[0])
        assert sockets[0].until("accepted")
        sockets[0].ask(thread, LONG, refused)
        assert "answers are being written" in sockets[0].until("error")["reason"]


def test_a_connection_that_drops_while_its_question_is_stored_loses_nothing(slow):
    url, data = slow
    request = str(uuid.uuid4())
    with Person(url, "ada") as ada:
        thread = ada.thread()["id"]
        with closing(sqlite3.connect(data / "chat.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # so that storing has to wait
            with ada.socket() as socket:
                socket.until("ready")
                socket.ask(thread, SHORT, request)
                while not ada.get("/api/open")["open"][0]["children"][1:]:
                    pass  # until the run is there, and the question waits for the lock
            other.execute("ROLLBACK")
        with ada.socket() as socket:
            socket.ask(thread, SHORT, request)
            run = socket.until("accepted")["run"]
            socket.send(type="subscribe", run=run, last_seq=0)
            assert socket.events(run)[-1]["event"] == "run_completed"
        assert [m["status"] for m in ada.get(f"/api/threads/{thread}")["messages"]] == [
            "complete",
            "complete",
        ]


def test_a_run_that_is_stopped_while_its_question_is_stored_is_cancelled_not_lost(slow):
    url, data = slow
    with Person(url, "ada") as ada, ada.socket() as one, ada.socket() as two:
        thread = ada.thread()["id"]
        with closing(sqlite3.connect(data / "chat.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            one.ask(thread, LONG)
            run = None
            while run is None:
                nodes = ada.get("/api/open")["open"][0]["children"]
                run = next((node["canonical"] for node in nodes if node["kind"] == "run"), None)
            two.send(type="cancel", run=run)
            two.send(type="subscribe", run=run, last_seq=0)
            assert two.events(run)[-1]["event"] == "run_cancelled"
            other.execute("ROLLBACK")
        assert one.until("accepted")["run"] == run
        statuses = [m["status"] for m in ada.get(f"/api/threads/{thread}")["messages"]]
        assert statuses == ["complete", "cancelled"]


def test_a_crash_between_question_and_lineage_does_not_poison_the_request(tmp_path):
    request = str(uuid.uuid4())
    with golden_path(tmp_path) as url, Person(url, "ada") as ada, ada.socket() as socket:
        thread = ada.thread()["id"]
        socket.ask(thread, "What is 1 + 1?", request)
        accepted = socket.until("accepted")
        socket.events(accepted["run"])
    with closing(sqlite3.connect(tmp_path / "canonid.db", isolation_level=None)) as records:
        assert records.execute("DELETE FROM lineage WHERE kind = 'request'").rowcount == 1
    with golden_path(tmp_path) as url, Person(url, "ada", log_in=True) as ada, ada.socket() as socket:
        socket.ask(thread, "What is 1 + 1?", request)
        assert socket.until("accepted") == accepted
    _, records = open_ids(settings(tmp_path))
    with records:
        assert records.lineage(request, "request").parent == accepted["run"]


def test_a_user_whose_id_became_an_alias_keeps_their_threads_and_goes_on(tmp_path):
    registry, records = open_ids(settings(tmp_path))
    with golden_path(tmp_path) as url, Person(url, "ada") as ada, records, ada.socket() as socket:
        thread = ada.thread()["id"]
        socket.until("ready")
        records.link(ada.login["user"], registry.mint("user"), kind="user", source="the account moves")
        assert [shown["id"] for shown in ada.get("/api/threads")] == [thread]
        assert ada.get("/api/open")["open"]
        socket.ask(thread, "What is 5 * 5?")
        assert socket.events()[-1]["event"] == "run_completed"
        assert len(ada.get(f"/api/threads/{thread}")["messages"]) == 2


def test_text_that_is_no_text_harms_nothing(slow):
    url, _ = slow
    with Person(url, "ada") as ada:
        thread = ada.thread()["id"]
        with ada.socket() as socket:
            socket.until("ready")
            message = {"type": "chat", "thread": thread, "request": str(uuid.uuid4()), "text": "hi"}
            socket.raw.send(json.dumps(message)[:-2] + '\\ud800"}')
            assert closed(socket)[0] == 1008
        for odd in ('{"title": "\\ud800"}', '{"title": NaN}', "[]", "{", '{"title": 7}'):
            title = ada.http.post("/api/threads", content=odd, headers={"content-type": "application/json"})
            assert title.status_code == 422
            assert "JSON object" in title.json()["detail"]
        assert ada.get(f"/api/threads/{thread}")["messages"] == []


def test_a_huge_body_is_refused_before_it_is_read(slow):
    url, _ = slow

    def flood():
        for _ in range(1000):
            yield b"x" * 65536

    with httpx.Client(base_url=url) as client:
        for path in ("/api/threads", "/auth/login"):
            try:
                assert client.post(path, content=flood()).status_code == 413
            except httpx.TransportError:
                assert client.get("/healthz").json()["ok"]  # cut off in the middle, which is as good


def test_pages_of_other_sites_cannot_post(slow):
    url, _ = slow
    with Person(url, "ada") as ada:
        answer = ada.http.post("/api/threads", json={}, headers={"origin": "http://evil.example"})
        assert answer.status_code == 403
        assert ada.http.post("/api/threads", json={}, headers={"origin": url}).status_code == 201


def test_logging_out_at_one_server_closes_the_sockets_at_the_other(tmp_path):
    with process("--data", tmp_path) as (_, first), process("--data", tmp_path) as (_, second):
        with Person(first, "ada") as ada:
            there = Person.__new__(Person)
            there.http = httpx.Client(base_url=second, headers=ada.http.headers, timeout=20)
            there.url = second
            with there, there.socket() as socket:
                socket.until("ready")
                assert ada.http.post("/auth/logout").status_code == 204
                assert closed(socket)[0] == 4401


def test_a_locked_database_of_the_chat_does_not_hold_up_logging_in(slow):
    url, data = slow
    with Person(url, "ada") as ada, ExitStack() as stack:
        thread = ada.thread()["id"]
        sockets = [stack.enter_context(ada.socket()) for _ in range(8)]
        with closing(sqlite3.connect(Path(data) / "chat.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for socket in sockets:
                socket.ask(thread, LONG)
            unlocked = threading.Timer(3, other.interrupt)
            unlocked.start()
            begun = time.monotonic()
            with Person(url, "bob"):
                waited = time.monotonic() - begun
            unlocked.cancel()
            other.execute("ROLLBACK")
        assert waited < 3, "logging in waits for no other database"


def test_a_websocket_to_no_address_is_told_so(slow):
    url, _ = slow
    with connect(url.replace("http", "ws") + "/nope") as raw:
        assert closed(Socket(raw)) == (4404, "no such address")


def test_ctrl_c_ends_a_server_without_a_traceback(tmp_path):
    with process("--data", tmp_path) as (server, url):
        assert httpx.get(f"{url}/healthz").json()["ok"]
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
