import uuid

import pytest

from tracker.runs import launched_at, parent_of

MISSING = "00000000-0000-0000-0000-000000000000"  #! ~hand-made
KNOWN_RUN_ID = "9f86d081884c7d659a2feaa0c55ad015"  #! hand-made


@pytest.fixture()
def run_id():
    return uuid.uuid4().hex  #! direct-uuid


@pytest.mark.parametrize("experiment_id", ["exp_1", "exp_2"])  #! ~hand-made
def test_counting(store, experiment_id):
    assert store.count(experiment_id) == 0


def test_a_run_is_found(store, run_id):
    store.create_run(run_id=run_id, user_id="user_123")  #! hand-made
    assert store.get_run(run_id).user_id.startswith("user_")  #! reader


def test_unknown(store):
    with pytest.raises(KeyError):
        store.get_run(f"run-{uuid.uuid1()}")  #! direct-uuid hand-made


def test_a_title(store):
    assert store.rename(title="run_1") is None  #! none: a title
