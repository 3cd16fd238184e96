"""Tokens, alone: what is accepted, and that everything else gets one answer."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from goldenpath.auth import TokenError, Tokens
from goldenpath.settings import Settings

SETTINGS = Settings(data=Path("nowhere"), secret=b"s" * 32)
TOKENS = Tokens(SETTINGS)


def issued(tokens: Tokens = TOKENS, **changes: Any) -> str:
    about = {"user": "user_1", "session": "session_1", "name": "ada", "session_ends_at": 2**40}
    return tokens.issue(**about | changes).text


def signed(secret: bytes = SETTINGS.secret, algorithm: str = "HS256", **changes: Any) -> str:
    """A token as ours, but for what is changed; None removes a claim."""
    claims = TOKENS.verify(issued())._asdict() | changes
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, secret, algorithm)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_was_issued_is_verified() -> None:
    claims = TOKENS.verify(issued())
    assert (claims.sub, claims.sid, claims.name) == ("user_1", "session_1", "ada")
    assert claims.exp - claims.iat == 3600
    assert TOKENS.verify(signed(name="bob")).name == "bob"  # so what `signed` changes is why it is refused


def test_no_two_tokens_are_the_same() -> None:
    assert issued() != issued()


def test_a_token_does_not_outlive_its_session() -> None:
    ends_at = int(time.time()) + 10
    token = TOKENS.issue(user="u", session="s", name="ada", session_ends_at=ends_at)
    assert token.expires_at == TOKENS.verify(token.text).exp == ends_at


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(issued(Tokens(replace(SETTINGS, token_seconds=-1))), id="expired"),
        pytest.param(issued(Tokens(replace(SETTINGS, token_seconds=0))), id="just-expired"),
        pytest.param(issued(Tokens(replace(SETTINGS, secret=b"t" * 32))), id="wrong-key"),
        pytest.param(signed(aud="elsewhere"), id="wrong-audience"),
        pytest.param(signed(aud=["goldenpath-2"]), id="wrong-audiences"),
        pytest.param(signed(iss="somebody"), id="wrong-issuer"),
        pytest.param(signed(iat=int(time.time()) + 3600), id="from-the-future"),
        pytest.param(signed(sub=1), id="number-as-user"),
        pytest.param(signed(exp="never"), id="text-as-time"),
        pytest.param(signed(secret=SETTINGS.secret * 2, algorithm="HS512"), id="other-algorithm-and-key"),
        pytest.param(signed(secret=b"s" * 64, algorithm="HS512"), id="other-algorithm"),
        pytest.param(jwt.encode({"sub": "user_1"}, None, "none"), id="none"),
        pytest.param(part({"alg": "none"}) + "." + issued().split(".")[1] + ".", id="none-without-signature"),
        pytest.param(part({"alg": "nOnE"}) + issued()[issued().index(".") :], id="none-in-odd-letters"),
        pytest.param(part({"alg": ["HS256"]}) + issued()[issued().index(".") :], id="list-of-algorithms"),
        pytest.param(part([]) + ".e30.", id="list-as-header"),
        pytest.param(
            base64.urlsafe_b64encode(b"[" * 1500).decode()[:2000] + ".e30.e30", id="nested-too-deep"
        ),
        pytest.param(issued() + " " * 5000, id="too-long"),
        pytest.param("", id="empty"),
        pytest.param("ы.ы.ы", id="not-ascii"),
        pytest.param("\ud800.e30.e30", id="half-a-character"),
    ],
)
def test_what_is_not_ours_or_not_valid_any_more_is_refused(token: str) -> None:
    with pytest.raises(TokenError, match="not logged in"):
        TOKENS.verify(token)


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid", "name", "iat", "exp", "jti"])
def test_every_claim_is_required(claim: str) -> None:
    with pytest.raises(TokenError):
        TOKENS.verify(signed(**{claim: None}))


@given(st.data())
def test_a_token_with_any_character_changed_is_refused(data: st.DataObject) -> None:
    token = issued()
    at = data.draw(st.integers(0, len(token) - 2))  # the last one holds two bits that mean nothing
    other = data.draw(st.characters(codec="utf-8").filter(lambda character: character != token[at]))
    with pytest.raises(TokenError):
        TOKENS.verify(token[:at] + other + token[at + 1 :])


@given(st.text(max_size=3000))
def test_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(TokenError):
        TOKENS.verify(text)


@pytest.mark.parametrize(
    "header",
    [
        {"authorization": "Bearer {}"},
        {"Authorization": "bearer  {}"},
        {"cookie": "token={}"},
        {"Cookie": 'theme=dark; token={}; x="'},
        {"cookie": "token={}", "authorization": "Basic YTpi"},
    ],
)
def test_a_token_is_found_in_the_headers(header: dict[str, str]) -> None:
    token = issued()
    headers = Headers({name: value.replace("{}", token) for name, value in header.items()})
    assert TOKENS.claims_of(headers) == TOKENS.verify(token)


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"authorization": "Bearer"},
        {"cookie": "other={}"},
        {"authorization": "Bearer x", "cookie": "token={}"},
    ],
)
def test_without_a_good_token_in_the_headers_nobody_is_logged_in(header: dict[str, str]) -> None:
    token = issued()
    with pytest.raises(TokenError):
        TOKENS.claims_of(Headers({name: value.replace("{}", token) for name, value in header.items()}))
