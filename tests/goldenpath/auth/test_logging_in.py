"""Sign-up, log-in, refresh and log-out over HTTP."""

from __future__ import annotations

import asyncio
import json
import queue
import re
import socket
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from canonid import load_registry
from canonid.testing import serve
from golden import PASSWORD
from goldenpath.apps import auth_app
from goldenpath.auth import create_app
from goldenpath.auth.passwords import Passwords
from goldenpath.auth.users import Users
from goldenpath.ids import REGISTRY, open_ids
from goldenpath.settings import Settings

Start = Callable[..., Any]


def test_sign_up_answers_with_ids_in_the_formats_of_the_auth_service(auth: Any) -> None:
    answer = auth.sign_up("ada")
    assert answer.status_code == 201
    body = answer.json()
    assert body.keys() == {"user", "session", "expires_at", "token"}
    assert auth.registry.parse(body["user"], "user").format == "generator"
    session = auth.registry.parse(body["session"], "session")
    assert session.format == "generator"
    assert session.fields["detail"] == f"web_{body['user'][:8]}"
    assert answer.headers["cache-control"] == "no-store"


def test_sign_up_records_the_lineage_of_user_and_session(auth: Any) -> None:
    body = auth.sign_up("ada").json()
    user = auth.records.resolve(body["user"], "user").canonical
    assert auth.records.lineage(body["user"], "user").principal == user
    session = auth.records.authorise(body["session"], kind="session", principal=user)
    assert (session.parent, session.principal) == (user, user)


def test_every_log_in_is_a_session_of_its_own(auth: Any) -> None:
    first = auth.sign_up("ada").json()
    answer = auth.log_in("ada")
    assert answer.status_code == 200
    second = answer.json()
    assert second["user"] == first["user"]
    assert second["session"] != first["session"]
    user = auth.records.resolve(first["user"], "user").canonical
    assert auth.records.lineage(second["session"], "session").parent == user


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer_at_the_same_cost(auth: Any) -> None:
    auth.sign_up("ada")
    answers, costs = [], []
    for name in ("ada", "nobody"):
        before = auth.hasher.verified, auth.hasher.hashed
        answers.append(auth.log_in(name, "not the password"))
        costs.append((auth.hasher.verified - before[0], auth.hasher.hashed - before[1]))
    assert costs == [(1, 0), (1, 0)]
    wrong, unknown = answers
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    assert {**wrong.headers, "date": ""} == {**unknown.headers, "date": ""}


@pytest.mark.parametrize("password", ["", "x", "y" * 5000, "\0" * 8, "ünïcödé" * 3])
def test_a_password_nobody_can_have_is_just_wrong(auth: Any, password: str) -> None:
    auth.sign_up("ada")
    assert auth.log_in("ada", password).status_code == 401


def test_the_same_characters_composed_otherwise_are_the_same_password(auth: Any) -> None:
    auth.sign_up("ada", "caf\u00e9 caf\u00e9")
    assert auth.log_in("ada", "cafe\u0301 cafe\u0301").status_code == 200


@pytest.mark.parametrize("name", ["ada", "ADA", "aDa"])
def test_a_name_is_taken_in_any_letters(auth: Any, name: str) -> None:
    assert auth.sign_up("Ada").status_code == 201
    answer = auth.sign_up(name)
    assert answer.status_code == 409
    assert answer.json().keys() == {"detail"}
    assert auth.log_in(name).status_code == 200


def test_of_two_sign_ups_with_one_name_at_once_one_wins(auth: Any) -> None:
    with ThreadPoolExecutor(2) as pool:
        for n in range(10):
            answers = list(pool.map(auth.sign_up, [f"user-{n}", f"USER-{n}"]))
            assert sorted(answer.status_code for answer in answers) == [201, 409]


@pytest.mark.parametrize("name", ["abc", "a" * 40, "a.b_c-d@e+f", "123"])
def test_a_fit_name_is_accepted(auth: Any, name: str) -> None:
    assert auth.sign_up(name).status_code == 201


@pytest.mark.parametrize("length", [8, 200])
def test_a_password_of_a_fit_length_is_accepted(auth: Any, length: int) -> None:
    assert auth.sign_up("ada", "p" * length).status_code == 201


@pytest.mark.parametrize(
    "name", ["", "ab", "a" * 41, "a b c", "ада", "ada\n", "ada/..", "a\0b\0c", "<b>x</b>", "ａｄａ"]
)
def test_an_unfit_name_is_refused_with_a_sentence(auth: Any, name: str) -> None:
    answer = auth.sign_up(name)
    assert answer.status_code == 422
    assert answer.json() == {"detail": "name must be 3 to 40 letters (a to z), digits or . _ - @ +"}
    assert auth.hasher.hashed == 1  # only nobody's, at the start


@pytest.mark.parametrize("length", [0, 7, 201, 2000])
def test_an_unfit_password_is_refused_and_not_repeated(auth: Any, length: int) -> None:
    answer = auth.sign_up("ada", "§" * length)
    assert answer.status_code == 422
    assert answer.json() == {"detail": "password must have 8 to 200 characters"}


@pytest.mark.parametrize("path", ["/sign-up", "/login"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 16_000,
        b"9" * 16_000,
        b'"Swordfish1"',
        b'{"password": "Swordfish1"}',
        b'{"name": "ada", "password": ["Swordfish1"]}',
        b'{"name": {"Swordfish1": 1}, "password": "Swordfish1"}',
        b'{"name": "ada", "password": null}',
        b'{"name": "ada", "password": "Swordfish1\\ud800"}',
        b'{"name": "Swordfish1\\udfff", "password": "Swordfish1"}',
    ],
)
def test_a_body_that_is_no_name_and_password_is_refused_in_one_sentence(
    auth: Any, path: str, body: bytes
) -> None:
    answer = auth.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json().keys() == {"detail"}
    assert isinstance(answer.json()["detail"], str)
    assert "Swordfish1" not in answer.text


def test_a_huge_body_is_not_read(auth: Any) -> None:
    def pieces() -> Any:
        yield b" " * 20_000  # no length is announced, so only reading tells

    answer = auth.post("/login", content=pieces())
    assert answer.status_code == 413
    assert answer.json().keys() == {"detail"}


def test_a_client_that_vanishes_in_its_request_harms_nobody(auth: Any) -> None:
    url = urlsplit(auth.url)
    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert auth.sign_up("ada").status_code == 201


def test_the_cookie_is_for_this_site_and_not_for_scripts(auth: Any) -> None:
    answer = auth.sign_up("ada")
    name, _, attributes = answer.headers["set-cookie"].partition("; ")
    assert name == f"token={answer.json()['token']}"
    assert set(attributes.lower().split("; ")) == {"httponly", "samesite=strict", "path=/", "max-age=3600"}


def test_the_cookie_is_secure_over_https(auth: Any) -> None:
    headers = {"x-forwarded-proto": "https"}  # which uvicorn believes of a proxy on this machine
    answer = auth.post("/sign-up", json={"name": "ada", "password": "correct horse"}, headers=headers)
    assert "secure" in answer.headers["set-cookie"].lower().split("; ")


def test_refresh_gives_a_new_token_of_the_same_session(auth: Any) -> None:
    first = auth.sign_up("ada").json()
    answer = auth.refresh(first["token"])
    assert answer.status_code == 200
    second = answer.json()
    assert (second["user"], second["session"]) == (first["user"], first["session"])
    assert second["token"] != first["token"]
    assert auth.tokens.verify(second["token"]).sid == first["session"]


def test_the_cookie_alone_will_do(auth: Any) -> None:
    client = auth.client()
    client.post("/sign-up", json={"name": "ada", "password": "correct horse"})
    assert client.post("/refresh").status_code == 200
    assert client.post("/logout").status_code == 204
    assert not client.cookies
    assert client.post("/refresh").status_code == 401


def test_log_out_ends_the_session_and_tells_of_it(auth: Any) -> None:
    body = auth.sign_up("ada").json()
    other = auth.log_in("ada").json()
    answer = auth.log_out(body["token"])
    assert answer.status_code == 204
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert auth.logouts == [body["session"]]
    assert auth.refresh(body["token"]).status_code == 401
    assert auth.refresh(other["token"]).status_code == 200


def test_logging_out_without_being_logged_in_clears_the_cookie_and_nothing_else(auth: Any) -> None:
    answer = auth.log_out("forged")
    assert answer.status_code == 204
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert auth.logouts == []


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer"}, {"Authorization": "Basic YTpi"}])
def test_refresh_without_a_token_is_refused(auth: Any, headers: dict[str, str]) -> None:
    answer = auth.post("/refresh", headers=headers)
    assert answer.status_code == 401
    assert answer.json().keys() == {"detail"}


def test_an_expired_token_is_not_refreshed(start: Start, settings: Settings) -> None:
    auth = start(replace(settings, token_seconds=-1))
    body = auth.sign_up("ada").json()
    assert auth.refresh(body["token"]).status_code == 401


def test_an_expired_session_is_not_refreshed(start: Start, settings: Settings) -> None:
    body = start(replace(settings, session_seconds=-1)).sign_up("ada").json()
    auth = start(settings)
    still_valid = auth.tokens.issue(
        user=body["user"], session=body["session"], name="ada", session_ends_at=2**40
    )
    assert auth.refresh(still_valid.text).status_code == 401


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1", ""])
@pytest.mark.parametrize("path", ["/sign-up", "/login", "/refresh", "/logout"])
def test_a_page_of_another_site_is_refused(auth: Any, path: str, origin: str) -> None:
    body = auth.sign_up("ada").json()
    headers = {"Origin": origin, "Authorization": f"Bearer {body['token']}"}
    answer = auth.post(path, json={"name": "eve", "password": "correct horse"}, headers=headers)
    assert answer.status_code == 403
    assert answer.json().keys() == {"detail"}
    assert auth.refresh(body["token"]).status_code == 200


def test_a_page_of_this_site_or_of_an_allowed_one_is_not(start: Start, settings: Settings) -> None:
    auth = start(replace(settings, origins=("https://chat.example",)))
    for name, origin in (("ada", auth.url), ("bob", "https://chat.example")):
        answer = auth.post(
            "/sign-up", json={"name": name, "password": "correct horse"}, headers={"Origin": origin}
        )
        assert answer.status_code == 201


def test_after_five_failures_a_name_must_wait_whether_it_exists_or_not(auth: Any) -> None:
    auth.sign_up("ada")
    for name in ("ada", "nobody"):
        assert {auth.log_in(name, "a wrong one").status_code for _ in range(5)} == {401}
        answer = auth.log_in(name.upper())  # the right password, too
        assert answer.status_code == 429
        assert 290 <= int(answer.headers["retry-after"]) <= 300
        assert answer.json().keys() == {"detail"}
    auth.sign_up("bob")
    assert auth.log_in("bob").status_code == 200


def test_guessing_at_once_gets_no_further(auth: Any) -> None:
    auth.sign_up("ada")
    before = auth.hasher.verified
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(auth.log_in, ["ada"] * 10, ["a wrong one"] * 10))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 5
    assert auth.hasher.verified - before == 5


def test_many_right_log_ins_at_once_all_pass(auth: Any) -> None:
    auth.sign_up("ada")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(auth.log_in, ["ada"] * 10))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["session"] for answer in answers}) == 10


def cheap() -> PasswordHasher:
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class GatedHasher(PasswordHasher):
    """Verifies nothing until the gate opens."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.gate = threading.Event()

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self.gate.wait(20)
        return super().verify(hash, password)


def test_one_client_can_not_keep_all_others_waiting(start: Start, settings: Settings) -> None:
    hasher = GatedHasher()
    auth = start(settings, hasher)

    def log_in(name: str, address: str) -> int:
        headers = {"x-forwarded-for": address}  # which uvicorn believes of a proxy on this machine
        answer = auth.post("/login", json={"name": name, "password": PASSWORD}, headers=headers)
        return int(answer.status_code)

    with ThreadPoolExecutor(13) as pool:
        try:
            many = [pool.submit(log_in, f"name-{n}", "10.0.0.1") for n in range(12)]
            first = as_completed(many)
            turned_away = [next(first).result(), next(first).result()]
            other = pool.submit(log_in, "ada", "10.0.0.2")
        finally:
            hasher.gate.set()
        assert turned_away == [503, 503]
        assert other.result() == 401
        assert sorted(asked.result() for asked in many) == [401] * 10 + [503] * 2


def test_a_locked_database_holds_up_neither_reading_nor_other_work(
    settings: Settings,
) -> None:
    """40 log-outs wait for the lock; the default threads of the event loop would be full."""
    registry, records = open_ids(settings)
    under_way: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def on_logout(session: str) -> None:
        under_way.put(session)

    async def elsewhere(request: Request) -> Response:
        return Response(await asyncio.to_thread(lambda: "done"))

    auth = create_app(settings, registry, records, on_logout, passwords=Passwords(cheap()))
    app = Starlette(routes=[Route("/elsewhere", elsewhere), Mount("/auth", auth)])
    with closing(records), serve(app) as url, httpx.Client(base_url=url, timeout=20) as client:
        client.post("/auth/sign-up", json={"name": "ada", "password": PASSWORD})
        cookies = dict(client.cookies)
        with ThreadPoolExecutor(40) as pool, closing(sqlite3.connect(settings.data / "auth.db")) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            assert Users(settings, registry, records).find("ada") is not None
            waiting = [pool.submit(httpx.post, f"{url}/auth/logout", cookies=cookies) for _ in range(40)]
            for _ in waiting:
                under_way.get(timeout=20)
            assert client.get("/elsewhere").text == "done"
            assert not any(answer.done() for answer in waiting)
            lock.rollback()
            assert {answer.result().status_code for answer in waiting} == {204}


def test_served_alone_it_gives_its_threads_back_at_the_end(settings: Settings) -> None:
    registry, records = open_ids(settings)
    before = set(threading.enumerate())
    with closing(records):
        app = create_app(settings, registry, records, passwords=Passwords(cheap()))
        with serve(app) as url:
            httpx.post(f"{url}/sign-up", json={"name": "ada", "password": PASSWORD})
            mine = {thread.name.partition("_")[0] for thread in set(threading.enumerate()) - before}
            assert {"users", "passwords"} <= mine
        for thread in set(threading.enumerate()) - before:
            thread.join(20)
            assert not thread.is_alive()


def test_guessing_raises_one_alert_that_does_not_hold_the_name(auth: Any) -> None:
    for _ in range(7):
        auth.log_in("ada", "a wrong one")
    assert len(auth.alerts) == 1
    assert "ada" not in auth.alerts[0]


def test_the_alert_has_an_id_and_is_logged_in_one_line(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(auth_app(settings)) as url:
        for _ in range(6):
            httpx.post(f"{url}/login", json={"name": "adalovelace", "password": "a wrong one"})
    (line,) = [record.getMessage() for record in caplog.records if record.name == "goldenpath.auth"]
    alert, _, sentence = line.partition(": ")
    assert load_registry(REGISTRY).parse(alert, "alert").fields["level"] == "warning"
    assert re.search(r": [0-9a-f]{32}$", sentence)
    assert "lovelace" not in sentence
    assert "\n" not in line


def test_an_old_hash_is_renewed_by_the_next_log_in(start: Start, settings: Settings) -> None:
    old = start(settings)
    old.sign_up("ada")
    stronger = type(old.hasher)(time_cost=2)
    auth = start(settings, stronger)
    assert auth.log_in("ada").status_code == 200
    found = Users(settings, auth.registry, auth.records).find("ada")
    assert found is not None
    parameters = extract_parameters(found.hash)
    assert (parameters.type, parameters.time_cost) == (Type.ID, 2)
    hashed = stronger.hashed
    assert auth.log_in("ada").status_code == 200
    assert stronger.hashed == hashed


def test_it_says_that_it_is_well(auth: Any) -> None:
    answer = auth.client().get("/healthz")
    assert (answer.status_code, json.loads(answer.content)) == (200, {"ok": True})
