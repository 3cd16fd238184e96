"""Minting: ordered, typed, unguessable, safe across threads and forks."""

import os
import threading
import uuid
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonid import InvalidId, Registry
from canonid.core.minting import UUIDv7

TOML = '[kinds.user]\n[formats.uuid]\n[formats.old]\npattern = "{kind}_{t:time(s)}_{n:int}_{r:hex(8)}"\n'


def test_minted_ids_are_uuidv7_and_strictly_increasing():
    registry = Registry.from_toml(TOML)
    ids = [registry.mint("user") for _ in range(5000)]
    assert ids == sorted(set(ids))
    for text in ids[:50]:
        value = uuid.UUID(registry.translate(text, "uuid"))
        assert (value.version, value.variant) == (7, uuid.RFC_4122)


@given(st.lists(st.integers(-3, 3), max_size=50))
def test_order_holds_while_the_clock_stands_or_steps_back(steps):
    now = 1_700_000_000_000
    times = iter([now := now + step for step in steps])
    mint = UUIDv7(clock=lambda: next(times))
    values = [mint() for _ in steps]
    assert values == sorted(set(values))


def test_random_bits_that_run_over_move_the_time_ahead():
    mint = UUIDv7(clock=lambda: 1000, entropy=lambda size: b"\xff" * size)
    first, second = mint(), mint()
    assert (first >> 80, second >> 80) == (1000, 1001)


def test_the_time_of_an_id_is_the_clocks():
    registry = Registry.from_toml(TOML, clock=lambda: 1_700_000_000_123)
    assert registry.parse(registry.mint("user"), "user").time == 1_700_000_000_123


def test_a_clock_beyond_48_bits_is_refused_not_wrapped():
    with pytest.raises(OverflowError):
        UUIDv7(clock=lambda: 1 << 48)()


def test_threads_never_get_the_same_id():
    registry = Registry.from_toml(TOML)
    batches: list[list[str]] = []

    def work():
        batches.append([registry.mint("user") for _ in range(1000)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = [text for batch in batches for text in batch]
    assert len(set(texts)) == len(texts) == 8000
    assert all(batch == sorted(batch) for batch in batches)


def test_a_forked_child_mints_other_ids_than_its_parent():
    mint = UUIDv7(clock=lambda: 1_700_000_000_000)
    mint()
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking a process with threads
        child = os.fork()
    if child == 0:
        os.write(writer, b"".join(mint().to_bytes(16, "big") for _ in range(100)))
        os._exit(0)
    parents = {mint() for _ in range(100)}
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    children = {int.from_bytes(data[at : at + 16], "big") for at in range(0, len(data), 16)}
    assert len(children) == 100
    assert not parents & children


def test_legacy_fields_are_filled_from_clock_counter_and_entropy():
    registry = Registry.from_toml(TOML, clock=lambda: 1_700_000_000_999, entropy=lambda size: b"\xab" * size)
    assert [registry.mint("user", format="old") for _ in range(2)] == [
        "user_1700000000_1_abababab",
        "user_1700000000_2_abababab",
    ]
    assert registry.mint("user", format="old", n=41) == "user_1700000000_41_abababab"


def test_a_service_writes_only_what_it_emits_and_no_kind_has_two_writers(registry):
    owned = Registry.from_toml(
        '[kinds.user]\nwriter = "auth"\n[services.auth]\nemits = { user = "typeid" }\n'
        '[services.backend]\nemits = { user = "typeid" }\n'
    )
    assert owned.mint("user", service="auth").startswith("user_")
    with pytest.raises(InvalidId, match="'backend' does not write user IDs; 'auth' does"):
        owned.mint("user", service="backend")
    with pytest.raises(InvalidId, match="'auth' does not write thread IDs"):
        registry.mint("thread", service="auth")
    with pytest.raises(InvalidId, match="emits user IDs as generator, not 'typeid'"):
        registry.mint("user", service="auth", format="typeid")


def test_missing_and_unknown_fields_are_named(registry):
    with pytest.raises(InvalidId, match="needs thread="):
        registry.mint("run", service="backend")
    with pytest.raises(InvalidId, match="no field 'thred'; did you mean 'thread'"):
        registry.mint("run", service="backend", thred="x")
    with pytest.raises(InvalidId, match="check the fields"):
        registry.mint("run", service="backend", thread="not a thread")
