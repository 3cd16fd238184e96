"""Who still calls an old name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from canonid import compat
from canonid.compat import unified_id_manager
from canonid.compat.counting import OTHERS, Usage
from canonid.compat.unified_id_generator import UnifiedIdGenerator
from canonid.compat.unified_id_manager import IDType, UnifiedIDManager


def facade_over(usage):
    """A function that counts its calls as those of the facades do."""

    def called():
        usage.count("old")

    def facade():
        called()

    return facade


def test_calls_are_counted_by_service_name_and_place():
    compat.configure(service="auth")
    before = time.time()
    for _ in range(3):
        UnifiedIdGenerator.generate_base_id()
    UnifiedIdGenerator.generate_base_id()
    often, once = compat.usage()
    assert (often.service, often.name, often.calls) == ("auth", "UnifiedIdGenerator.generate_base_id", 3)
    assert (once.calls, once.name) == (1, often.name)
    file, _, line = often.place.rpartition(":")
    code = Path(file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert (file, code.strip()) == (__file__, "UnifiedIdGenerator.generate_base_id()")
    assert before <= often.last <= once.last <= time.time()


def test_what_the_facade_calls_itself_is_not_counted():
    unified_id_manager.generate_thread_id()
    assert [use.name for use in compat.usage()] == ["unified_id_manager.generate_thread_id"]


def test_every_kind_of_method_names_its_caller():
    UnifiedIDManager().generate_id(IDType.USER)
    UnifiedIDManager.generate_run_id("thread-1")
    UnifiedIdGenerator.generate_user_id()
    UnifiedIdGenerator.get_active_sessions_count()
    assert {use.place.rpartition(":")[0] for use in compat.usage()} == {__file__}
    assert len(compat.usage()) == 4


def test_a_warning_is_given_once_for_each_place_and_only_if_wanted():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        UnifiedIdGenerator.generate_user_id()
        assert not caught
        compat.configure(warn=True)
        for _ in range(3):
            UnifiedIdGenerator.generate_user_id()
        UnifiedIDManager.generate_thread_id()
    assert [(warning.category, warning.filename) for warning in caught] == [
        (DeprecationWarning, __file__)
    ] * 2
    assert str(caught[0].message) == (
        "UnifiedIdGenerator.generate_user_id stands in for a module that is to go; "
        'use registry.mint("user") instead'
    )


@pytest.mark.parametrize(("value", "warned"), [("1", True), ("0", False), ("", False), ("off", False)])
def test_the_environment_switches_warnings_on_and_names_the_service(value, warned):
    code = (
        "from canonid import compat; from canonid.compat import unified_id_generator as old;"
        "old.generate_uuid_replacement(); print(compat.usage()[0].service)"
    )
    result = subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        env=os.environ | {"CANONID_COMPAT_WARN": value, "CANONID_COMPAT_SERVICE": "auth"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "auth\n"
    assert ("DeprecationWarning" in result.stderr) is warned


def test_the_table_is_bounded_and_counts_further_places_together():
    usage = Usage("s", warn=False, limit=3)
    facade = facade_over(usage)

    for number in range(10):
        exec(compile("\n" * number + "facade()", "caller.py", "exec"), {"facade": facade})
    others, *rest = usage.table()
    assert (others.place, others.calls) == (OTHERS, 7)
    assert [use.place for use in rest] == ["caller.py:1", "caller.py:2", "caller.py:3"]


def test_threads_lose_no_call():
    def work(_):
        for _ in range(500):
            UnifiedIdGenerator.get_active_sessions_count()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert [use.calls for use in compat.usage()] == [4000]


def test_counting_costs_a_few_microseconds_at_most():
    facade = facade_over(Usage("s", warn=False))

    def bare():
        pass

    def spent(function):
        start = time.perf_counter()
        for _ in range(5000):
            function()
        return (time.perf_counter() - start) / 5000

    assert min(spent(facade) for _ in range(9)) - min(spent(bare) for _ in range(9)) < 3e-6
