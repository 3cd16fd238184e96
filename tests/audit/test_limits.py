"""A file that takes too long, and those beside it."""

import signal
import threading

import pytest

from canonid.audit.examining import Task, collecting_by_hand, examine, examine_all
from canonid.audit.limits import TookTooLong, cpu_seconds
from canonid.audit.packing import unpack

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no such timer here"),
    # It may be raised inside a callback of the garbage collector, which swallows it: Hypothesis has one.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_a_file_that_takes_too_long_is_broken_and_is_not_remembered(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("import uuid\n" + "user_id = str(uuid.uuid4())\n" * 2_000)
    with collecting_by_hand():  # as it is called: nobody else's code runs when garbage is collected
        outcome = examine(Task("a.py", str(file), b""), limit=0.01)
    assert unpack(outcome.facts).error == "took too long: more than 0.01 s of processor time"
    assert outcome.digest == b""
    assert unpack(examine(Task("a.py", str(file), b"")).facts).error == ""


def test_only_work_counts():
    with cpu_seconds(0.05):
        threading.Event().wait(0.2)
    with pytest.raises(TookTooLong):
        with cpu_seconds(0.05):
            while True:
                pass


@pytest.mark.parametrize("swallow", [lambda: None, lambda: [].pop()])
def test_whatever_becomes_of_it_in_the_body_it_is_told(swallow):
    with pytest.raises(TookTooLong):
        with cpu_seconds(0.02):
            try:
                while True:
                    pass
            except TookTooLong:
                swallow()


def test_faults_of_the_body_stay_what_they_are():
    with pytest.raises(IndexError):
        with cpu_seconds(60):
            [].pop()


def test_afterwards_nothing_is_left_of_it():
    with cpu_seconds(60):
        assert signal.getitimer(signal.ITIMER_PROF)[0] > 0
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0
    assert signal.getsignal(signal.SIGPROF) == signal.SIG_DFL


def test_a_signal_that_the_program_uses_itself_is_left_alone():
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    try:
        with cpu_seconds(60):
            assert signal.getitimer(signal.ITIMER_PROF)[0] == 0
        assert signal.getsignal(signal.SIGPROF) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)


def test_a_thread_works_without_a_bound():
    seen = []

    def work():
        with cpu_seconds(0.001):
            seen.append(signal.getitimer(signal.ITIMER_PROF)[0])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [0]


def test_the_same_files_are_nested_too_deeply_however_deep_the_caller_is(tmp_path):
    tasks = []
    for calls in range(440, 540, 4):
        file = tmp_path / f"{calls}.py"
        file.write_text(f"import uuid\nuser_id = uuid.uuid4(){'.a()' * calls}\n")
        tasks.append(Task(file.name, str(file), b""))

    def broken(above):
        return broken(above - 1) if above else [unpack(each.facts).error for each in examine_all(tasks)]

    here = broken(0)
    assert here == broken(300)
    assert set(here) == {"", "nested too deeply"}


def test_a_notebook_that_is_nested_too_deeply_is_broken(tmp_path):
    file = tmp_path / "a.ipynb"
    file.write_text("[" * 200_000)
    outcome = examine(Task(file.name, str(file), b""))
    assert unpack(outcome.facts).error == "no notebook: nested too deeply"
