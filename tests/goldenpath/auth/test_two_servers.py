"""A second server on the same data folder."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from goldenpath.settings import Settings


@pytest.fixture
def both(start: Callable[..., Any], settings: Settings) -> list[Any]:
    again = Settings.from_environment({}, data=settings.data)
    return [start(settings), start(again)]


def test_who_signed_up_here_logs_in_there(both: list[Any]) -> None:
    here, there = both
    user = here.sign_up("ada").json()["user"]
    answer = there.log_in("ada")
    assert answer.status_code == 200
    assert answer.json()["user"] == user
    assert here.refresh(answer.json()["token"]).status_code == 200


def test_who_logged_out_there_is_logged_out_here(both: list[Any]) -> None:
    here, there = both
    token = here.sign_up("ada").json()["token"]
    assert there.log_out(token).status_code == 204
    assert here.refresh(token).status_code == 401


def test_a_name_is_given_once_by_both_together(both: list[Any]) -> None:
    here, there = both
    with ThreadPoolExecutor(2) as pool:
        for n in range(10):
            answers = list(pool.map(lambda service, n=n: service.sign_up(f"user-{n}"), (here, there)))
            assert sorted(answer.status_code for answer in answers) == [201, 409]


def test_a_lineage_that_cannot_be_recorded_leaves_no_user(
    both: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = both

    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(here.records, "record", full)
    assert here.sign_up("ada").status_code == 500
    assert there.sign_up("ada").status_code == 201
