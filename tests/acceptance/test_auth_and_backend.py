"""Auth ↔ backend ID compatibility: what one service writes, the other reads as the same user."""

from __future__ import annotations

import pytest

from acceptance.legacy import Generator, Manager
from canonid import load_registry
from golden import Person, golden_path
from goldenpath.ids import REGISTRY


def check(backend_reads: dict[str, object]) -> None:
    """By name of the writing: the user that the backend takes each writing for."""
    assert None not in backend_reads.values(), f"some writings are not accepted: {backend_reads}"
    assert len(set(backend_reads.values())) == 1, f"one user is taken for several: {backend_reads}"


def test_a_backend_that_knows_its_own_format_only_refuses_what_auth_writes():
    auth, backend = Generator(), Manager()
    written = {"auth": auth.base("user"), "backend": backend.generate("user")}
    with pytest.raises(AssertionError, match="not accepted"):
        check({name: text if backend.is_structured(text) else None for name, text in written.items()})


def test_a_backend_that_normalises_by_the_clock_takes_one_user_for_several():
    # The old repair: an ID of another format is given a new one of its own.
    auth, backend = Generator(), Manager()
    text = auth.base("user")
    with pytest.raises(AssertionError, match="taken for several"):
        check(
            {
                f"call {number}": backend.generate("user")
                for number in (1, 2)
                if not backend.is_structured(text)
            }
        )


def test_every_writing_of_a_user_is_the_same_user_to_the_backend(tmp_path):
    registry = load_registry(REGISTRY)
    with golden_path(tmp_path) as url, Person(url, "ada") as ada:
        me = ada.get("/api/me")["user"]
        assert me["text"] == ada.login["user"], "the token carries what auth wrote"
        assert registry.parse(me["text"], "user").format == "generator"
        writings = {**me["forms"], "auth": ada.login["user"]}
        assert {"typeid", "uuid", "ulid", "generator"} <= writings.keys()
        check({name: registry.canonical(text, "user") for name, text in writings.items()})
        thread = ada.thread()
    # And again after a restart, as another process of the backend would see it.
    with golden_path(tmp_path) as url, Person(url, "ada", log_in=True) as ada:
        assert ada.get("/api/me")["user"]["canonical"] == me["canonical"]
        for text in thread["thread"]["forms"].values():
            assert ada.get(f"/api/threads/{text}")["id"] == thread["id"]
