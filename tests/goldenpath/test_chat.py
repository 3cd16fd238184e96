"""The chat service over real sockets: what a user sees, and that nobody sees another's."""

from __future__ import annotations

import uuid
from pathlib import Path

import httpx
import pytest

from canonid import load_registry
from golden import Person, closed, golden_path

FIVE = ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with golden_path(tmp_path_factory.mktemp("golden")) as url:
        yield url


@pytest.fixture
def ada(url, request):
    with Person(url, f"ada{uuid.uuid4().hex[:8]}") as person:
        yield person


@pytest.fixture
def bob(url):
    with Person(url, f"bob{uuid.uuid4().hex[:8]}") as person:
        yield person


def test_a_question_is_answered_token_by_token_with_all_five_events(ada):
    thread = ada.thread()
    with ada.socket() as socket:
        request = socket.ask(thread["id"], "What is 12.5% of 80?")
        events = socket.events()
    names = [event["event"] for event in events]
    assert [name for name in names if name in FIVE] == FIVE
    assert names[-1] == "run_completed"
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    answer = "".join(event["data"]["text"] for event in events if event["event"] == "token")
    assert "10" in answer
    started, completed = events[0]["data"], events[-2]["data"]
    assert started["request"]["text"] == request
    assert completed["text"] == answer
    shown = ada.get(f"/api/threads/{thread['id']}")
    assert [(m["role"], m["status"], m["text"]) for m in shown["messages"]] == [
        ("user", "complete", "What is 12.5% of 80?"),
        ("assistant", "complete", answer),
    ]
    assert shown["runs"] == []
    assert shown["title"] == "What is 12.5% of 80?"


def test_every_id_is_shown_in_every_form_and_any_form_will_do(ada):
    shown = ada.thread()["thread"]
    assert shown["forms"].keys() == {"typeid", "uuid", "ulid", "manager-thread"}
    assert shown["forms"]["manager-thread"] == shown["text"]
    for text in shown["forms"].values():
        assert ada.get(f"/api/threads/{text}")["id"] == shown["canonical"]


def test_what_is_open_is_shown_as_a_tree_while_a_run_goes_on(ada):
    thread = ada.thread()
    with ada.socket() as socket:
        ready = socket.until("ready")
        socket.ask(thread["id"], "What is 2 + 2?")
        socket.until("event", event="agent_started")
        (session,) = ada.get("/api/open")["open"]
    assert session["kind"] == "session"
    assert session["text"].startswith("session_web_")
    connection = next(node for node in session["children"] if node["kind"] == "connection")
    assert connection["canonical"] == ready["connection"]
    assert connection["text"].startswith("ws_prod_")


def test_asking_again_with_the_same_request_answers_the_same_run(ada):
    thread = ada.thread()["id"]
    with ada.socket() as socket:
        request = socket.ask(thread, "What is 3 * 3?")
        first = socket.until("accepted")
        socket.events(first["run"])
        socket.ask(thread, "What is 3 * 3?", request)
        assert socket.until("accepted") == first
        # Another writing of the same request is the same request.
        registry = load_registry(Path(__file__).parents[2] / "examples" / "goldenpath" / "canonid.toml")
        socket.ask(thread, "What is 3 * 3?", registry.canonical(request, "request"))
        assert socket.until("accepted") == first
    assert len(ada.get(f"/api/threads/{thread}")["messages"]) == 2


def test_a_second_tab_sees_the_run_live_and_a_late_one_from_the_beginning(ada):
    thread = ada.thread()["id"]
    with ada.socket() as one, ada.socket() as two:
        two.send(type="watch", thread=thread)
        two.until("watching")
        one.ask(thread, "What does lineage mean here?")
        first, second = one.events(), two.events()
        assert first == second
        with ada.socket() as late:
            late.send(type="subscribe", run=first[0]["run"], last_seq=3)
            assert late.events() == first[3:]


def test_a_question_that_cannot_be_is_refused_in_a_sentence_and_nothing_happens(ada):
    thread = ada.thread()["id"]
    with ada.socket() as socket:
        for text, request, reason in (
            ("  ", str(uuid.uuid4()), "1 to 8000 characters"),
            ("x" * 8001, str(uuid.uuid4()), "1 to 8000 characters"),
            ("hello", "not-a-request", "request:"),
            ("hello", "user_1795414266599_1_013cd6c0", "not a request"),
        ):
            socket.ask(thread, text, request)
            assert reason in socket.until("error")["reason"]
    assert ada.get(f"/api/threads/{thread}")["messages"] == []


FOREIGN_ANSWER = (404, {"detail": "not found"})
UNKNOWN = (4404, "unknown or not yours")


def test_foreign_unknown_and_malformed_threads_are_one_answer_over_http(ada, bob):
    foreign = bob.thread()["thread"]
    unknown = "thread_00000000000000000000000000"
    for text in (
        *foreign["forms"].values(),
        unknown,
        "x",
        "%00",
        "user_1",
        "session_0_00000000",
        "é",
        "x" * 3000,
    ):
        answer = ada.http.get(f"/api/threads/{text}")
        assert (answer.status_code, answer.json()) == FOREIGN_ANSWER
    assert ada.get("/api/threads") == []


@pytest.mark.parametrize("message", ["watch", "chat"])
def test_foreign_unknown_and_malformed_threads_are_one_close_code_over_the_socket(ada, bob, message):
    foreign = bob.thread()["thread"]
    for text in (foreign["canonical"], foreign["text"], "thread_00000000000000000000000000", "nonsense", "é"):
        with ada.socket() as socket:
            socket.until("ready")
            socket.send(type=message, thread=text, request=str(uuid.uuid4()), text="hello")
            assert closed(socket) == UNKNOWN


def test_foreign_runs_and_requests_are_unknown(ada, bob):
    with bob.socket() as socket:
        request = socket.ask(bob.thread()["id"], "What is 1 + 1?")
        run = socket.until("accepted")["run"]
        socket.events(run)
    for message in (
        {"type": "subscribe", "run": run},
        {"type": "cancel", "run": run},
        {"type": "chat", "thread": ada.thread()["id"], "request": request, "text": "hello"},
    ):
        with ada.socket() as socket:
            socket.until("ready")
            socket.send(**message)
            assert closed(socket) == UNKNOWN


def test_a_run_can_be_stopped_and_what_was_said_stays_said(tmp_path):
    with golden_path(tmp_path, token_delay=0.2) as url, Person(url, "ada") as ada:
        thread = ada.thread()["id"]
        with ada.socket() as socket:
            socket.ask(thread, "What does lineage mean here?")
            run = socket.until("event", event="token")["run"]
            socket.send(type="cancel", run=run)
            assert socket.events(run)[-1]["event"] == "run_cancelled"
        question, answer = ada.get(f"/api/threads/{thread}")["messages"]
        assert (question["status"], answer["status"]) == ("complete", "cancelled")
        assert answer["text"]


def test_without_a_token_there_is_nothing(url):
    for method, path in (
        ("GET", "/api/me"),
        ("GET", "/api/threads"),
        ("POST", "/api/ticket"),
        ("GET", "/api/open"),
    ):
        answer = httpx.request(method, url + path)
        assert (answer.status_code, answer.json()) == (401, {"detail": "not logged in"})


def test_logging_out_closes_the_sockets_and_ends_the_token(ada):
    with ada.socket() as socket:
        socket.until("ready")
        assert ada.http.post("/auth/logout").status_code == 204
        assert closed(socket)[0] == 4401
    assert ada.http.get("/api/me").status_code == 401


def test_pages_carry_their_security_headers(url):
    page = httpx.get(url)
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
