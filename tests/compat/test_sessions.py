"""Sessions of users: whose they are, what comes back, how long they stay."""

from __future__ import annotations

import time

import pytest

from canonid.compat.sessions import Session, Sessions
from canonid.compat.unified_id_generator import UnifiedIdGenerator
from canonid.compat.unified_id_manager import UnifiedIDManager

get = UnifiedIdGenerator.get_or_create_user_session
match = UnifiedIdGenerator.ids_match_for_cleanup


def test_the_same_user_and_thread_get_the_same_thread_and_a_new_request():
    first, second = get("user_ada_lovelace", "thread-1"), get("user_ada_lovelace", "thread-1")
    assert first.keys() == {"thread_id", "run_id", "request_id"}
    assert (first["thread_id"], first["run_id"]) == (second["thread_id"], second["run_id"])
    assert first["request_id"] != second["request_id"]
    assert first["thread_id"] != "thread-1"
    assert first["thread_id"].startswith("thread_") and "user_ada" in first["thread_id"]


def test_two_users_who_name_one_thread_get_two():
    assert get("user_ada_1", "thread-1")["thread_id"] != get("user_ada_2", "thread-1")["thread_id"]


def test_a_new_run_changes_only_the_run():
    first = get("ada", "t")
    second = get("ada", "t", "run-2")
    assert (second["run_id"], second["thread_id"]) == ("run-2", first["thread_id"])
    assert get("ada", "t")["run_id"] == "run-2"


def test_an_empty_name_counts_as_none():
    assert get("ada", "", "")["thread_id"] == get("ada")["thread_id"]
    assert UnifiedIdGenerator.get_existing_session("ada", None)["thread_id"] == get("ada")["thread_id"]


def test_a_session_that_does_not_exist_is_none():
    assert UnifiedIdGenerator.get_existing_session("ada", "t") is None
    first = get("ada", "t")
    assert UnifiedIdGenerator.get_existing_session("ada", "t") == first
    assert UnifiedIdGenerator.get_existing_session("bob", "t") is None


def test_sessions_are_counted_cleaned_up_and_invalidated(monkeypatch):
    get("ada", "1"), get("ada", "2"), get("bob", "1")
    assert UnifiedIdGenerator.get_active_sessions_count() == 3
    assert UnifiedIdGenerator.cleanup_expired_sessions() == 0
    assert UnifiedIdGenerator.invalidate_user_sessions("ada") == 2
    assert UnifiedIdGenerator.cleanup_expired_sessions(max_age_hours=0) == 1
    get("ada", "1")
    UnifiedIdGenerator._active_sessions.clear()
    assert UnifiedIdGenerator.get_active_sessions_count() == 0


def test_what_is_unused_for_a_day_goes_without_anybody_calling(monkeypatch):
    now = time.time()
    old = get("ada", "old")
    monkeypatch.setattr(time, "time", lambda: now + 23 * 3600)
    assert get("ada", "old")["thread_id"] == old["thread_id"]
    monkeypatch.setattr(time, "time", lambda: now + 46 * 3600)
    get("bob", "new")
    assert UnifiedIdGenerator.get_existing_session("ada", "old") is not None
    monkeypatch.setattr(time, "time", lambda: now + 80 * 3600)
    get("bob", "newer")
    assert UnifiedIdGenerator.get_active_sessions_count() == 1


def test_the_longest_unused_session_goes_first():
    sessions = Sessions(limit=2)
    for number, name in enumerate("abc"):
        sessions.add(Session(name, "t", f"thread_{name}", "run", number))
        sessions.find("a", "t", number)
    assert set(sessions) == {("a", "t"), ("c", "t")}
    assert ("b", "t") not in sessions
    assert sessions.find("b", "thread_b", 3) is None


def test_lineage_of_a_session_is_user_thread_run_request():
    ids = get("user_ada", "t")
    assert match("user_ada", ids["request_id"]) and match(ids["thread_id"], ids["run_id"])
    assert match(ids["run_id"], ids["request_id"])


def test_naming_another_users_run_gives_no_power_over_it():
    ada = get("user_ada", "t")
    mallory = get("user_mallory", "t", ada["run_id"])
    assert mallory["run_id"] == ada["run_id"]
    assert not match(mallory["thread_id"], ada["run_id"])
    assert not match(mallory["thread_id"], ada["request_id"])
    assert not match(ada["thread_id"], mallory["request_id"]), (
        "nor does ada's clean-up reach mallory's request"
    )
    assert match(mallory["thread_id"], mallory["request_id"])


@pytest.mark.parametrize("name", ["user_ada", "thread-of-ada"])
def test_nobody_adopts_a_user_or_a_thread_by_calling_it_their_run(name):
    UnifiedIdGenerator.generate_run_id(name)
    below = UnifiedIdGenerator.generate_run_id(name)
    mallory = get("user_mallory", "t", name)
    assert not match(mallory["thread_id"], below) and not match("user_mallory", name)


def test_who_was_called_a_run_before_being_known_is_not_adopted():
    """Before anything was recorded of them: what they make later shows what they are."""
    for number, name in enumerate(("user_ada", "thread-of-ada")):
        ids = get("user_mallory", f"t{number}", name)
        assert match(ids["thread_id"], name), "a run, for all that is known"
    thread, run, request = UnifiedIdGenerator.generate_user_context_ids("user_ada", "chat")
    in_thread = UnifiedIDManager.generate_run_id("thread-of-ada")
    for theirs in (thread, run, request, in_thread, "user_ada"):
        assert not match("user_mallory", theirs)
    get("user_mallory", "t9", "user_ada")
    assert not match("user_mallory", request), "nor later"


def test_a_request_of_a_named_run_leaves_the_run_where_it_is():
    ids = get("user_ada", "t", "my-run")
    request = UnifiedIdGenerator.generate_request_id("my-run")
    assert match(ids["thread_id"], "my-run") and match("user_ada", request)


def test_a_dict_put_in_the_place_of_the_sessions_starts_afresh(monkeypatch):
    get("user_ada", "t")
    monkeypatch.setattr(UnifiedIdGenerator, "_active_sessions", {})
    assert UnifiedIdGenerator.get_active_sessions_count() == 0
    assert get("user_ada", "t")["thread_id"] == get("user_ada", "t")["thread_id"]
    assert UnifiedIdGenerator.get_active_sessions_count() == 1


def test_a_blank_user_has_no_session():
    for blank in ("", "  "):
        with pytest.raises(ValueError, match="user_id is blank"):
            get(blank, "t")
