import concurrent.futures
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aliases.stores import resolved, typeid

TESTS = Path(__file__).parents[1]
USER = typeid("user", 1)


class Child:
    """A process with the store of a folder."""

    def __init__(self, action: str, folder: Path, name: str) -> None:
        paths = [str(TESTS), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, str(TESTS / "aliases" / "child.py"), action, str(folder), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        self.heard("ready")

    def heard(self, word: str) -> None:
        assert self.process.stdout and self.process.stdout.readline() == word + "\n"

    def go_on(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def ended(self) -> int:
        return self.process.wait(60)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Callable[[str, str], Child]]:
    with contextlib.ExitStack() as stack:

        def start(action: str, name: str) -> Child:
            started = Child(action, tmp_path, name)
            stack.callback(started.process.__exit__, None, None, None)
            stack.callback(started.process.kill)
            return started

        yield start


@pytest.fixture
def reopened(open_store, tmp_path):
    """Opens the store of the children, closed at the end of the block."""
    return lambda: contextlib.closing(open_store(tmp_path))


def test_processes_that_create_one_store_at_once_all_write_to_it(child, reopened):
    children = [child("link", f"p{number}") for number in range(4)]
    for each in children:
        each.go_on()
    assert [each.ended() for each in children] == [0, 0, 0, 0]
    with reopened() as store:
        assert len(store.batches()) == len(list(store.aliases())) == 80
        assert resolved(store, "p3-19") == typeid("user", 19)


def test_processes_that_record_the_same_things_record_them_once(child, reopened):
    with reopened() as store:
        children = [child("record", f"p{number}") for number in range(2)]
        for each in children:
            each.go_on()
        assert [each.ended() for each in children] == [0, 0]
        assert store.record(USER).child == USER


def test_one_process_sees_what_another_has_recorded(child, reopened):
    with reopened() as store:
        other = child("link", "other")
        other.go_on()
        assert other.ended() == 0
        assert resolved(store, "other-1") == USER


def test_a_process_killed_in_a_batch_leaves_nothing_of_it_and_no_lock(child, reopened):
    with reopened() as store:
        store.link("before", USER, source="before")
        victim = child("batch", "victim")
        victim.go_on()
        victim.heard("linked")
        assert [alias.text for alias in store.aliases()] == ["before"]
        victim.process.send_signal(signal.SIGKILL)
        assert victim.ended() == -signal.SIGKILL
        store.link("after", USER, source="after")
    with reopened() as store:
        assert [alias.text for alias in store.aliases()] == ["before", "after"]
        assert [batch.source for batch in store.batches()] == ["before", "after"]


def test_a_batch_that_ends_is_there_after_the_process(child, reopened):
    writer = child("batch", "writer")
    writer.go_on()
    writer.heard("linked")
    writer.go_on()
    assert writer.ended() == 0
    with reopened() as store:
        (batch,) = store.batches()
        assert batch.links == 20_000
        assert store.undo(batch.id) == 20_000


def test_everything_survives_a_restart(reopened):
    thread = typeid("thread", 1)
    with reopened() as store:
        store.record(USER)
        store.record(thread, parent=USER)
        store.link("old-thread-7", thread, source="import")
        undone = store.link("old-thread-8", thread, source="import").batch
        store.undo(undone)
        before = store.batches(), list(store.aliases()), store.ancestry("old-thread-7")
    with reopened() as store:
        assert (store.batches(), list(store.aliases()), store.ancestry("old-thread-7")) == before


def test_threads_share_a_store(store):
    user = store.record(USER)
    threads = [typeid("thread", number) for number in range(4)]

    def work(number: int) -> list[object]:
        texts = [f"{number}-{count}" for count in range(15)]
        for text in texts:
            store.link(text, USER, source=text)
        return [
            [resolved(store, text) for text in texts],
            [store.record(thread, parent=USER) for thread in threads],
            store.lineage(USER),
        ]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    recorded = [store.lineage(thread) for thread in threads]
    assert results == [[[USER] * 15, recorded, user]] * 8
    assert len(list(store.aliases(canonical=USER))) == 120
    assert len(store.children(USER)) == 4


def test_readers_do_not_wait_for_an_open_batch(store):
    store.record(USER)
    with store.batch("import") as batch:
        batch.link("old-1", USER)
        assert store.lineage(USER) == store.record(USER)
        assert resolved(store, USER) == USER
    assert resolved(store, "old-1") == USER
