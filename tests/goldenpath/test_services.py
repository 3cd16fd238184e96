"""The golden path as processes: apart, twice on one database, killed, restarted, and out of time."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from golden import ROOT, Person, closed, golden_path, process
from stores import Server

SLOW = {"GOLDENPATH_TOKEN_DELAY": "0.3"}
QUESTION = "What does lineage mean here?"


def test_auth_and_chat_run_apart(tmp_path):
    with (
        process("auth", "--data", tmp_path) as (_, auth),
        process("chat", "--data", tmp_path, "--auth", auth) as (_, url),
        Person(url, "ada") as ada,
    ):
        thread = ada.thread()["id"]
        with ada.socket() as socket:
            socket.ask(thread, "What is 7 * 6?")
            assert socket.events()[-1]["event"] == "run_completed"
            assert ada.http.post("/auth/refresh").status_code == 200
            assert ada.http.post("/auth/logout").status_code == 204
            assert closed(socket)[0] == 4401
        assert ada.http.get("/api/me").status_code == 401
        wrong = ada.http.post("/auth/login", json={"name": "ada", "password": "not this one"})
        assert wrong.status_code == 401


def test_without_the_auth_service_the_chat_says_so(tmp_path):
    with process("chat", "--data", tmp_path, "--auth", "http://127.0.0.1:9") as (_, url):
        with pytest.raises(Exception, match="502"):
            Person(url, "ada")


def test_a_second_server_on_the_same_database_knows_everybody(tmp_path):
    with process("--data", tmp_path) as (_, first), process("--data", tmp_path) as (_, second):
        with Person(first, "ada") as here, Person(second, "ada", log_in=True) as there:
            thread = here.thread()["thread"]
            for person in (here, there):
                with person.socket() as socket:
                    socket.ask(thread["text"], "What is 2 + 2?")
                    assert socket.events()[-1]["event"] == "run_completed"
            shown = [person.get(f"/api/threads/{thread['canonical']}") for person in (here, there)]
            assert shown[0] == shown[1]
            assert len(shown[0]["messages"]) == 4
        with Person(second, "bob") as bob:
            assert bob.http.get(f"/api/threads/{thread['text']}").status_code == 404


def test_a_server_killed_in_mid_answer_keeps_the_question_and_says_that_the_answer_is_lost(tmp_path):
    with process("--data", tmp_path, **SLOW) as (server, url), Person(url, "ada") as ada:
        thread = ada.thread()["id"]
        with ada.socket() as socket:
            socket.ask(thread, QUESTION)
            run = socket.until("event", event="token")["run"]
            server.kill()
            server.wait()
    with process("--data", tmp_path) as (_, url), Person(url, "ada", log_in=True) as ada:
        question, answer = ada.get(f"/api/threads/{thread}")["messages"]
        assert (question["text"], answer["status"], answer["run"]) == (QUESTION, "lost", run)
        with ada.socket() as socket:
            socket.send(type="subscribe", run=run, last_seq=2)
            assert socket.until("event")["event"] == "run_lost"


def test_a_blip_in_mid_answer_loses_and_repeats_nothing(tmp_path):
    with process("--data", tmp_path, GOLDENPATH_TOKEN_DELAY="0.02") as (_, url), Person(url, "ada") as ada:
        thread = ada.thread()["id"]
        seen = []
        with ada.socket() as socket:
            socket.ask(thread, QUESTION)
            while len(seen) < 6:
                seen.append(socket.until("event"))
            socket.raw.socket.close()  # no close frame: as a train in a tunnel
        with ada.socket() as socket:
            socket.send(type="subscribe", run=seen[0]["run"], last_seq=seen[-1]["seq"])
            seen += socket.events(seen[0]["run"])
        assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
        (_, answer) = ada.get(f"/api/threads/{thread}")["messages"]
        assert "".join(e["data"]["text"] for e in seen if e["event"] == "token") == answer["text"]


def test_a_server_that_is_told_to_stop_says_1012(tmp_path):
    with process("--data", tmp_path) as (server, url), Person(url, "ada") as ada:
        with ada.socket() as socket:
            socket.until("ready")
            server.send_signal(signal.SIGTERM)
            assert closed(socket)[0] == 1012
        assert server.wait(20) in (0, -signal.SIGTERM)


def test_a_socket_ends_with_4401_when_its_token_does(tmp_path):
    with golden_path(tmp_path, token_seconds=2) as url, Person(url, "ada") as ada:
        with ada.socket() as socket:
            socket.until("ready")
            assert closed(socket)[0] == 4401
        assert ada.http.get("/api/me").status_code == 401


def test_a_port_in_use_is_said_in_a_sentence(tmp_path):
    with process("--data", tmp_path) as (_, url):
        port = url.rsplit(":", 1)[1]
        second = subprocess.run(
            [sys.executable, "-m", "goldenpath", "--port", port, "--data", str(tmp_path)],
            capture_output=True, text=True, timeout=30, check=False, cwd=ROOT / "examples" / "goldenpath",
        )  # fmt: skip
    assert second.returncode == 1
    assert (
        second.stderr
        == f"goldenpath: can't listen on 127.0.0.1:{port}: Address already in use; try another --port\n"
    )


@pytest.fixture
def valkey():
    with Server() as server:
        yield server


def test_two_services_that_share_valkey_serve_as_one(tmp_path, valkey):
    env = SLOW | {"GOLDENPATH_VALKEY": valkey.url}
    with (
        process("--data", tmp_path, **env) as (first, here),
        process("--data", tmp_path, **env) as (_, there),
        Person(here, "ada") as ada,
        Person(there, "ada", log_in=True) as elsewhere,
    ):
        thread = ada.thread()["id"]
        with ada.socket() as one, elsewhere.socket() as other:
            other.send(type="watch", thread=thread)
            other.until("watching")
            one.ask(thread, QUESTION)
            seen = [other.until("event")["seq"] for _ in range(5)]
            assert seen == [1, 2, 3, 4, 5], "what one writes, the other reads"
            run = one.until("event")["run"]
            other.send(type="cancel", run=run)
            assert one.events(run)[-1]["event"] == "run_cancelled"
            one.ask(thread, QUESTION)
            lost = other.until("event", seq=3)["run"]
            first.kill()
            assert other.events(lost)[-1]["event"] == "run_lost"
        answers = elsewhere.get(f"/api/threads/{thread}")["messages"]
        assert answers[-1]["status"] == "lost"


def test_a_log_out_ends_the_sockets_of_every_service(tmp_path, valkey):
    env = {"GOLDENPATH_VALKEY": valkey.url}
    with (
        process("--data", tmp_path, **env) as (_, here),
        process("--data", tmp_path, **env) as (_, there),
        Person(here, "ada") as ada,
    ):
        ada.url = there
        with ada.socket() as socket:
            assert ada.http.post("/auth/logout").status_code == 204
            assert closed(socket)[0] == 4401
