"""Threads, and children that are forked."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from canonid.compat import formats
from canonid.compat.locking import ForkSafeLock
from canonid.compat.unified_id_generator import UnifiedIdGenerator
from canonid.compat.unified_id_manager import IDType, UnifiedIDManager, get_id_manager


def in_child(work) -> list[str]:
    """The lines that a forked child writes."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.write(writer, "\n".join(work()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return text.split("\n")


def make() -> list[str]:
    manager = get_id_manager()
    made = [manager.generate_id(IDType.USER) for _ in range(50)]
    made += [UnifiedIdGenerator.generate_base_id() for _ in range(50)]
    made += [text for _ in range(20) for text in UnifiedIdGenerator.generate_user_context_ids("ada")]
    made += [UnifiedIDManager.generate_run_id("thread-1") for _ in range(50)]
    return [*made, UnifiedIdGenerator.get_or_create_user_session("ada", "new")["request_id"]]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_children_repeat_no_id():
    make()
    first, second, own = in_child(make), in_child(make), make()
    assert len({*first, *second, *own}) == len(first) + len(second) + len(own)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings(
    "ignore:This process:DeprecationWarning"
)  # that it is multi-threaded is the point
def test_a_child_forked_while_a_thread_holds_a_lock_is_not_stuck():
    lock = ForkSafeLock()
    held, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait(10)

    def take() -> list[str]:
        with lock:
            return ["taken"]

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    try:
        assert in_child(take) == ["taken"]
    finally:
        done.set()
        thread.join()


def test_threads_make_different_ids_with_rising_counters():
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: [UnifiedIdGenerator.generate_base_id() for _ in range(200)], range(8)))
    counters = [[UnifiedIdGenerator.parse_id(text).counter for text in texts] for texts in made]
    assert all(numbers == sorted(numbers) for numbers in counters)
    assert len({number for numbers in counters for number in numbers}) == 1600


def test_threads_that_share_a_session_get_one_thread():
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: UnifiedIdGenerator.get_or_create_user_session("ada", "t"), range(200)))
    assert len({each["thread_id"] for each in ids}) == 1
    assert len({each["run_id"] for each in ids}) == 1
    assert len({each["request_id"] for each in ids}) == 200


def test_threads_that_ask_first_about_a_format_load_the_formats_once(monkeypatch):
    loaded = []

    def load(text, source):
        time.sleep(0.05)
        loaded.append(source)
        return len(loaded)

    monkeypatch.setattr(formats.Registry, "from_toml", load)
    formats._load.cache_clear()
    try:
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: formats.legacy_registry(test_names=True), range(8))) == {1}
    finally:
        formats._load.cache_clear()
    assert loaded == ["registry.toml + test-names.toml"]
