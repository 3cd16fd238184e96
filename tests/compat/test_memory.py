"""Memory stays bounded, and what is forgotten fails safe."""

from __future__ import annotations

import pytest

import compat_memory
from canonid.compat.lineage import Lineage
from canonid.compat.recent import Recent
from canonid.compat.records import Record, Records

ENOUGH = {
    "made and released": 100_000,
    "made, never released": 200_000,
    "generator, thread, run and request": 240_000,
}  # beyond each limit, so that more IDs add nothing; benchmarks/compat_memory.py makes a million


@pytest.mark.parametrize("scenario", ENOUGH)
def test_memory_stays_within_its_bound(scenario):
    _, megabytes = compat_memory.SCENARIOS[scenario]
    assert compat_memory.growth(scenario, ENOUGH[scenario]) <= megabytes


def test_the_oldest_are_forgotten_first_and_counted():
    recent = Recent(32)
    gone = [value for number in range(40) for value in recent.put(f"id_{number}", number)]
    assert gone == list(range(8))
    assert (len(recent), recent.forgotten) == (32, 8)
    assert "id_7" not in recent and "id_8" in recent


def test_long_texts_use_up_the_room_of_several():
    recent = Recent(100)
    for number in range(100):
        recent.put("x" * 1280 + str(number), number)
    assert len(recent) <= 10


def test_long_values_use_up_the_room_of_several_and_give_it_back():
    recent = Recent(100)
    for number in range(100):
        recent.put(str(number), "x" * 1280)
    assert len(recent) <= 10
    for name in list(recent):
        recent.pop(name)
    for number in range(100):
        recent.put(str(number), "x")
    assert len(recent) == 100


def test_putting_again_makes_newest_and_clearing_forgets():
    recent = Recent(2)
    for text in ("a", "b", "a", "c"):
        recent.put(text, text)
    assert list(recent) == ["a", "c"]
    recent.clear()
    assert len(recent) == 0


def test_a_forgotten_id_is_unknown_and_releases_nothing():
    records = Records(limit=16)
    for number in range(20):
        assert records.add(f"id_{number}", Record("t", 0.0, None, None))
    assert not records.is_active("id_0") and records.get("id_0") is None
    assert not records.release("id_0", 1.0)
    assert records.count("t") == len(records.active("t")) == 16
    assert records.add("id_0", Record("t", 0.0, None, None)), "and can be registered again"


def test_released_ids_go_after_an_hour_without_anybody_calling():
    records = Records()
    for number in range(3):
        records.add(f"id_{number}", Record("t", 0.0, None, None))
        records.release(f"id_{number}", now=number * 3000.0)
    assert [records.get(f"id_{number}") is None for number in range(3)] == [True, False, False]


def test_forgotten_lineage_is_below_nothing():
    lineage = Lineage(limit=16)
    for number in range(40):
        lineage.record("user_ada", f"thread_{number}", f"run_{number}")
    below = lineage.at_or_below("user_ada")
    assert not below("run_0") and below("run_39")
    assert len(lineage) == 16 and lineage.forgotten > 0


def test_what_is_released_late_outlives_what_was_released_early():
    records = Records()
    for number, moment in enumerate((0.0, 3000.0, 3700.0, 6700.0, 10_400.0)):
        records.add(f"id_{number}", Record("t", 0.0, None, None))
        records.release(f"id_{number}", now=moment)
        kept = [other for other in range(number + 1) if records.get(f"id_{other}")]
        assert kept == [
            other for other in range(number + 1) if (0, 3000, 3700, 6700, 10_400)[other] > moment - 3600
        ]
