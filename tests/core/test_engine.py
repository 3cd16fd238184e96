"""What every engine promises: texts that are ordered, unguessable, and safe across threads and forks."""

import gc
import os
import subprocess
import sys
import threading
import uuid
import warnings
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonid.core import payload, system
from canonid.core.engine import Minter, ticking, untimed

NOW = 1_700_000_000.0
ENGINES = {
    "python": ticking,
    "python, threads in parallel": partial(ticking, one_thread_runs=False),
}
TYPES = ("base32", "ulid", "uuid")

engines = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
types = pytest.mark.parametrize("type_", TYPES)


def make(engine, type_="base32", before="", after="", clock=system.clock, entropy=system.entropy) -> Minter:
    return engine(type_, before, after, clock, entropy)


def bits(texts, type_="base32"):
    return [payload.read(type_, text) for text in texts]


def in_child(work: Callable[[], bytes]) -> bytes:
    """What `work` gives in a forked child."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking a process with threads
        child = os.fork()
    if child == 0:
        try:
            os.write(writer, work())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


@engines
@types
def test_texts_are_uuidv7_of_the_clocks_time_and_strictly_increasing(engine, type_):
    source = make(engine, type_, clock=lambda: NOW)
    texts = [source.mint() for _ in range(3000)]
    assert texts == sorted(set(texts))
    for value in bits(texts, type_):
        read = uuid.UUID(int=value)
        assert (read.version, read.variant, value >> 80) == (7, uuid.RFC_4122, 1_700_000_000_000)


@engines
@types
def test_what_stands_around_the_bits_is_kept(engine, type_):
    source = make(engine, type_, before="user_", after="-x", clock=lambda: NOW)
    for text in (*[source.mint() for _ in range(100)], *source.many(3)):
        assert text.startswith("user_") and text.endswith("-x")
        assert payload.write(type_, payload.read(type_, text[5:-2])) == text[5:-2]


@engines
@given(steps=st.lists(st.integers(-40, 3), max_size=300), sizes=st.lists(st.integers(0, 40), max_size=3))
def test_order_holds_while_the_clock_stands_or_steps_back(engine, steps, sizes):
    now = NOW
    source = make(engine, clock=lambda: now)
    texts = []
    for step in steps:
        now += step / 1000
        texts.append(source.mint())
        if step in (1, -2):
            texts += [text for size in sizes for text in source.many(size)]
    assert texts == sorted(set(texts))


@engines
def test_a_clock_that_steps_back_an_hour_changes_nothing(engine):
    now = NOW
    source = make(engine, clock=lambda: now)
    before = [source.mint() for _ in range(10)]
    now -= 3600
    after = [source.mint() for _ in range(20_000)]
    assert [*before, *after] == sorted({*before, *after})
    assert bits(after)[-1] >> 80 <= 1_700_000_000_003, "time runs ahead by no more than what was counted"


@engines
def test_a_counter_that_is_used_up_takes_the_next_millisecond(engine):
    source = make(engine, clock=lambda: NOW)
    texts = [source.mint() for _ in range(40_000)]
    assert texts == sorted(set(texts))
    times = [value >> 80 for value in bits(texts)]
    assert times[0] == 1_700_000_000_000
    assert {later - earlier for earlier, later in pairwise(times)} == {0, 1}
    assert times[-1] <= 1_700_000_000_004


@engines
def test_each_millisecond_of_a_clock_is_read_exactly(engine):
    now = 0
    source = make(engine, clock=lambda: now / 1000)
    for now in range(1_700_000_000_000, 1_700_000_005_000):
        assert bits([source.mint()])[0] >> 80 == now


@engines
@pytest.mark.parametrize("now", [-0.001, -5.0, 2.0**48 / 1000, 1e30])
def test_a_clock_that_48_bits_cannot_hold_is_refused_not_wrapped(engine, now):
    source = make(engine, clock=lambda: now)
    with pytest.raises(OverflowError, match="48 bits"):
        source.mint()
    with pytest.raises(OverflowError, match="48 bits"):
        source.many(2)


@engines
def test_a_broken_clock_or_source_of_entropy_breaks_the_call_and_nothing_else(engine):
    broken = False

    def entropy(size: int) -> bytes:
        if broken:
            raise OSError("no entropy")
        return os.urandom(size)

    now = NOW
    source = make(engine, clock=lambda: now, entropy=entropy)
    texts = [source.mint() for _ in range(3)]
    broken, now = True, NOW + 1
    with pytest.raises(OSError, match="no entropy"):
        source.many(5)
    with pytest.raises(OSError, match="no entropy"):
        for _ in range(1000):  # the first few are drawn in advance
            texts.append(source.mint())  # noqa: PERF401
    broken = False
    texts += [source.mint(), *source.many(2)]
    assert texts == sorted(set(texts))


@engines
def test_no_text_tells_the_next_one(engine):
    source = make(engine, clock=lambda: NOW)
    values = bits([source.mint() for _ in range(5000)])
    gaps = [later - earlier for earlier, later in pairwise(values)]
    assert len(set(gaps)) == len(gaps), "no two steps are alike"
    # 40 bits of each ID are its own: over 5,000 of them each is a one about half the time.
    for place in range(40):
        assert 2200 < sum(value >> place & 1 for value in values) < 2800


@engines
def test_entropy_is_asked_for_every_text(engine):
    given = 0

    def entropy(size: int) -> bytes:
        nonlocal given
        given += size
        return os.urandom(size)

    source = make(engine, clock=lambda: NOW, entropy=entropy)
    for _ in range(1000):
        source.mint()
    assert given >= 5 * 1000


@engines
def test_threads_never_get_the_same_text(engine):
    source = make(engine)
    batches: list[list[str]] = [[] for _ in range(8)]

    def work(into: list[str]) -> None:
        for number in range(2000):
            into += source.many(3) if number % 500 == 0 else [source.mint()]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(into,)) for into in batches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    texts = [text for batch in batches for text in batch]
    assert len(set(texts)) == len(texts) == 8 * 2008
    assert all(batch == sorted(batch) for batch in batches)


@engines
@pytest.mark.parametrize("made", [1, 7, 40, 700])
def test_a_forked_child_repeats_no_text_of_its_parent(engine, made):
    source = make(engine, clock=lambda: NOW)
    for _ in range(made):
        source.mint()
    childs = in_child(lambda: b"".join(source.mint().encode() for _ in range(300))).decode()
    parents = {source.mint() for _ in range(300)}
    texts = {childs[at : at + 26] for at in range(0, len(childs), 26)}
    assert len(texts) == 300
    assert not parents & texts


@engines
def test_a_fork_while_another_thread_mints_leaves_the_child_able_to(engine):
    inside, go_on = threading.Event(), threading.Event()

    def entropy(size: int) -> bytes:
        if threading.current_thread().name == "holder" and not go_on.is_set():
            inside.set()
            go_on.wait(30)
        return os.urandom(size)

    source = make(engine, entropy=entropy)
    holder = threading.Thread(target=source.mint, name="holder")
    holder.start()
    assert inside.wait(30)
    child = in_child(lambda: source.mint().encode())
    go_on.set()
    holder.join()
    assert len(child) == 26


@engines
def test_minting_in_the_midst_of_minting_neither_blocks_nor_repeats(engine):
    inner: list[str] = []
    depth = 0

    def entropy(size: int) -> bytes:
        nonlocal depth
        if depth == 0 and len(inner) < 50:
            depth = 1
            inner.append(source.mint())  # as a finaliser or a signal handler would
            depth = 0
        return os.urandom(size)

    source = make(engine, clock=lambda: NOW, entropy=entropy)
    outer = [source.mint() for _ in range(3000)]
    assert outer == sorted(outer)
    assert len(inner) > 5
    assert len({*outer, *inner}) == 3000 + len(inner)


@engines
@pytest.mark.parametrize("verb", ["mint", "many"])
def test_a_child_starts_afresh_also_if_only_a_verb_was_kept(engine, verb):
    kept = getattr(make(engine, clock=lambda: NOW), verb)
    gc.collect()

    def take(count):
        return kept(count) if verb == "many" else [kept() for _ in range(count)]

    take(30)
    childs = in_child(lambda: "".join(take(300)).encode()).decode()
    assert not {*take(300)} & {childs[at : at + 26] for at in range(0, len(childs), 26)}


@engines
def test_what_is_minted_in_the_midst_of_minting_comes_before_what_follows(engine):
    inner: list[str] = []
    busy = False

    def entropy(size: int) -> bytes:
        nonlocal busy
        if not busy:
            busy = True
            inner.append(source.mint())
            busy = False
        return os.urandom(size)

    for number in range(300):
        source = make(engine, clock=lambda: NOW, entropy=entropy)
        source.mint()
        assert len(inner) > number
        assert source.mint() > inner[-1]


@engines
def test_threads_that_mint_after_one_another_are_in_order(engine):
    source = make(engine)
    latest, lock = "", threading.Lock()

    def work() -> None:
        nonlocal latest
        for _ in range(2000):
            with lock:
                seen = latest
            text = source.mint()
            assert text > seen
            with lock:
                latest = max(latest, text)

    failures: list[object] = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    hook, threading.excepthook = threading.excepthook, failures.append
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.excepthook = hook
    assert not failures


@engines
def test_many_let_others_in_between(engine):
    source = make(engine)
    got: list[list[str]] = []
    thread = threading.Thread(target=lambda: got.append(source.many(400_000)))
    thread.start()
    between = [source.mint() for _ in range(2000)]
    inside = thread.is_alive()
    thread.join()
    assert inside
    assert got[0] == sorted(got[0]) and between == sorted(between)
    assert len({*got[0], *between}) == 402_000


@engines
def test_many_are_increasing_and_go_on_where_the_others_were(engine):
    source = make(engine, clock=lambda: NOW)
    texts = []
    for size in (0, 1, 2, 100, 5000):
        texts += [source.mint(), source.mint(), *source.many(size)]
    assert len(texts) == 5103 + 10
    assert texts == sorted(set(texts))
    assert source.many(-1) == []


@engines
def test_minting_keeps_nothing(engine):
    source = make(engine)
    for _ in range(20_000):
        source.mint()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(100_000):
        source.mint()
    gc.collect()
    assert len(gc.get_objects()) - before < 20


def test_a_million_mints_and_translations_leave_the_memory_flat():
    script = """
import gc, resource
from canonid import Registry
registry = Registry.from_toml('[kinds.thread]\\n[formats.old]\\npattern = "{kind}_{n:int}_{r:hex(8)}"\\n')
mint = registry.bind("thread").mint
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def work(times):
    for number in range(times):
        mint()
        registry.mint("thread")
        if number % 5 == 0:
            registry.translate(f"thread_{number}_00c0ffee", "typeid", "thread", format="old")
work(50_000)
before = peak()
work(500_000)
print(peak() - before)
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(out.stdout) < 1024, "KiB"


@types
def test_untimed_texts_are_random_uuidv4(type_):
    source = untimed(type_, "a_", "", system.entropy)
    texts = [source.mint() for _ in range(500)] + source.many(500)
    assert len(set(texts)) == 1000
    for text in texts:
        read = uuid.UUID(int=payload.read(type_, text[2:]))
        assert (read.version, read.variant) == (4, uuid.RFC_4122)
    high = bits([text[2:] for text in texts], type_)
    assert high != sorted(high)
    assert 400 < sum(value >> 127 for value in high) < 600, "not even the first bit is a time"
