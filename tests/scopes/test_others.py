"""Who is silent among very many, told of in parts."""

from __future__ import annotations

from canonid.scopes.valkey.others import STALE, WATCHED, Others


def told(*names: str, beat: str = "1") -> list[tuple[str, str, str, int]]:
    """As one beat of a store tells of many: these, and enough of others."""
    rest = [(f"other{number}", "e", "1", 1000) for number in range(WATCHED)]
    return [*[(name, "e", beat, 1000) for name in names], *rest]


def silent(others: Others, *names: str, now: float, beat: str = "1") -> set[str]:
    return {
        name for name, _, _ in others.silent(told(*names, beat=beat), now) if not name.startswith("other")
    }


def test_who_was_not_told_of_meanwhile_is_silent_if_its_beat_is_the_same() -> None:
    others = Others(1.0)
    assert silent(others, "dead", "living", now=0.0) == set()
    assert silent(others, now=0.5) == set()
    assert silent(others, "dead", now=1.0) == {"dead"}
    assert silent(others, "living", now=1.0, beat="2") == set()


def test_nobody_is_silent_in_a_time_in_which_nothing_was_learnt() -> None:
    others = Others(1.0)
    silent(others, "dead", now=0.0)
    others.learnt_nothing(5.0)
    assert silent(others, "dead", now=5.5) == set()
    assert silent(others, "dead", now=6.0) == {"dead"}
    others.forget()
    assert silent(others, "dead", now=7.0) == set()


def test_a_longer_lease_of_the_other_counts_and_who_is_being_reaped_goes_on_to_be() -> None:
    others = Others(1.0)
    for now, expected in ((0.0, set()), (2.9, set()), (3.0, {"slow"})):
        assert {name for name, _, _ in others.silent([("slow", "e", "1", 3000)], now)} == expected
    assert others.silent([("half", "", "1", 1000)], 0.0) == [("half", "", "1")]


def test_what_was_seen_of_the_gone_is_forgotten() -> None:
    others = Others(1.0)
    silent(others, "gone", now=0.0)
    silent(others, now=STALE + 1.0)
    assert "gone" not in others._seen
    silent(others, "gone", now=100.0)
    others.silent([("few", "e", "1", 1000)], 100.5)
    assert set(others._seen) == {"few"}, "where all are told of, the rest is gone"
