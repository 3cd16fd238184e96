"""Snowflakes: published examples, layouts, and a sequence that never repeats and never wraps."""

import os
import signal
import threading
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonid import InvalidId, Registry, RegistryError
from canonid.core.snowflake import DISCORD, TWITTER, Layout, Snowflakes, layout

SMALL = Layout(1000, (("time", 20), ("node", 3), ("sequence", 2)))
LAYOUTS = st.sampled_from([TWITTER, DISCORD, SMALL, layout("epoch 0, time 39, sequence 8, machine 16")])


def tweets(layout="twitter", **options):
    return Registry.from_toml(f"[kinds.tweet]\n[formats.snowflake]\nlayout = '{layout}'\n", **options)


def test_the_example_of_discords_reference_is_read():
    parts = {"time": 1462015105796, "worker": 1, "process": 0, "sequence": 7}
    assert DISCORD.split(175928847299117063) == parts
    assert DISCORD.join(parts) == 175928847299117063
    assert tweets("discord").parse("175928847299117063", "tweet").time == 1462015105796


def test_a_tweet_of_june_2022_is_read():
    # en.wikipedia.org/wiki/Snowflake_ID: 2022-06-28 16:07:40.105 UTC, machine 378, sequence 0
    parts = TWITTER.split(1541815603606036480)
    assert parts == {"time": 1656432460105, "datacenter": 378 >> 5, "worker": 378 & 31, "sequence": 0}
    assert tweets().parse("1541815603606036480", "tweet").fields == {"id": 1541815603606036480}


@pytest.mark.parametrize(("name", "bits"), [("twitter", 63), ("discord", 64)])
def test_the_bounds_are_those_of_the_bits(name, bits):
    registry = tweets(name)
    for number in (1, 10**15, 2**bits - 1):
        assert registry.parse(str(number), "tweet").fields == {"id": number}
    for text in ("0", str(2**bits), str(10 * 2**bits), "-1", "+1", "01", "1_0", "1.0", "1e3", ""):
        assert registry.recognise(text).readings == ()


@given(LAYOUTS, st.data())
def test_split_and_join_are_inverse(packed, data):
    number = data.draw(st.integers(1, 2**packed.bits - 1))
    parts = packed.split(number)
    assert list(parts) == [name for name, _ in packed.parts]
    assert packed.join(parts) == number
    assert packed.time_of(number) == parts["time"]


@given(LAYOUTS, st.data())
def test_a_part_that_has_no_room_is_refused_not_wrapped(packed, data):
    parts = packed.split(data.draw(st.integers(1, 2**packed.bits - 1)))
    name, bits = data.draw(st.sampled_from(packed.parts))
    low = packed.epoch if name == "time" else 0
    wrong = data.draw(st.one_of(st.integers(max_value=low - 1), st.integers(min_value=low + 2**bits)))
    with pytest.raises(OverflowError if name == "time" else InvalidId):
        packed.join({**parts, name: wrong})


@pytest.mark.parametrize("number", [0, -1, 2**63, 1 << 200, None, "1", b"1", True, 1.5])
def test_a_number_that_has_no_room_is_not_split(number):
    with pytest.raises(InvalidId, match="expected a number from 1 to 9223372036854775807"):
        TWITTER.split(number)


def test_a_layout_can_be_described():
    assert layout("epoch 1000, time 20, node 3,sequence  2") == SMALL
    assert layout("twitter") is TWITTER
    described = "epoch 1288834974657, time 41, datacenter 5, worker 5, sequence 12"
    assert layout(described) == TWITTER
    text = tweets(described).mint("tweet", format="snowflake", datacenter=1, worker=2)
    assert tweets().parse(text, "tweet").time is not None


# Minting


def test_a_minted_one_holds_the_clock_and_the_machine():
    registry = tweets(clock=lambda: 1_700_000_000.123)
    text = registry.mint("tweet", format="snowflake", datacenter=3, worker=31)
    reading = registry.parse(text, "tweet")
    assert reading.time == 1_700_000_000_123
    assert TWITTER.split(reading.fields["id"]) == {
        "time": 1_700_000_000_123,
        "datacenter": 3,
        "worker": 31,
        "sequence": 0,
    }
    assert registry.mint("tweet", format="snowflake", id=int(text)) == text
    assert registry.mint("tweet", format="snowflake", id=int(text), worker=31) == text
    assert registry.mint("tweet", format="snowflake", id=text, worker="31", datacenter="3") == text


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ({}, "needs datacenter="),
        ({"datacenter": 1}, "needs worker="),
        ({"datacenter": 1, "worker": 32}, "expected worker= from 0 to 31, got 32"),
        ({"datacenter": 1, "worker": -1}, "got -1"),
        ({"datacenter": 1, "worker": 1 << 200}, "got a number of 201 bits"),
        ({"datacenter": 1, "worker": "32"}, "expected worker= from 0 to 31, got 32"),
        ({"datacenter": 1, "worker": "01"}, "expected a whole number as worker=, got '01'"),
        ({"datacenter": 1, "worker": "１"}, "expected a whole number as worker="),
        ({"datacenter": 1, "worker": ""}, "expected a whole number as worker=, got ''"),
        ({"datacenter": 1, "worker": True}, "got bool"),
        ({"datacenter": 1, "worker": None}, "got NoneType"),
        ({"datacenter": 1, "worker": 1.5}, "got float"),
        ({"datacenter": 1, "workr": 1}, "no field 'workr'; did you mean 'worker'"),
        ({"datacenter": 1, "worker": 1, "sequence": 5}, "no field 'sequence'"),
        ({"id": 1541815603606036480, "worker": 25}, "check the fields"),
        ({"id": 2**63}, "check the fields"),
        ({"id": 0}, "check the fields"),
    ],
)
def test_machine_numbers_that_do_not_fit_are_named(given_, reason):
    with pytest.raises(InvalidId, match=reason):
        tweets().mint("tweet", format="snowflake", **given_)


def test_machine_numbers_may_be_texts_as_the_command_line_gives_them():
    text = tweets().mint("tweet", format="snowflake", datacenter="0", worker="31")
    parts = TWITTER.split(int(text))
    assert (parts["datacenter"], parts["worker"]) == (0, 31)


@pytest.mark.parametrize("now", [0, 1_288_834_974_656, 1_288_834_974_657 + 2**41])
def test_a_clock_out_of_range_is_refused_not_wrapped(now):
    with pytest.raises(OverflowError, match=f"the clock says {now} ms; the snowflake holds"):
        tweets(clock=lambda: now / 1000).mint("tweet", format="snowflake", datacenter=1, worker=1)


def test_a_used_up_sequence_takes_the_next_millisecond():
    mint = Snowflakes(clock=lambda: 5000)
    made = [SMALL.split(mint(SMALL, {"node": 6})) for _ in range(9)]
    assert [parts["time"] for parts in made] == [5000] * 4 + [5001] * 4 + [5002]
    assert [parts["sequence"] for parts in made] == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert {parts["node"] for parts in made} == {6}


def test_a_sequence_that_is_used_up_in_the_last_millisecond_is_refused():
    mint = Snowflakes(clock=lambda: 1000 + 2**20 - 1)
    for _ in range(4):
        mint(SMALL, {"node": 0})
    for _ in range(2):
        with pytest.raises(OverflowError):
            mint(SMALL, {"node": 0})


@given(st.lists(st.integers(-3, 3), max_size=60))
def test_order_holds_while_the_clock_stands_or_steps_back(steps):
    now = 5000
    times = iter([now := now + step for step in steps])
    mint = Snowflakes(clock=lambda: next(times))
    made = [mint(SMALL, {"node": 1}) for _ in steps]
    assert made == sorted(set(made))


def test_a_refused_machine_number_uses_nothing_up():
    mint = Snowflakes(clock=lambda: 5000)
    with pytest.raises(InvalidId):
        mint(SMALL, {"node": 8})
    assert SMALL.split(mint(SMALL, {"node": 7}))["sequence"] == 0


def test_all_kinds_and_machines_of_a_registry_share_a_sequence():
    registry = Registry.from_toml(
        "[kinds.a]\n[kinds.b]\n[formats.snowflake]\nlayout = 'discord'\n", clock=lambda: 1_700_000_000
    )
    made = [
        registry.mint(kind, format="snowflake", worker=worker, process=0)
        for kind in "ab"
        for worker in (1, 2)
        for _ in range(50)
    ]
    assert sorted(DISCORD.split(int(text))["sequence"] for text in made) == list(range(200))


def test_threads_never_get_the_same_one():
    mint = Snowflakes()
    batches: list[list[int]] = []

    def work():
        batches.append([mint(TWITTER, {"datacenter": 0, "worker": 1}) for _ in range(2000)])

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [number for batch in batches for number in batch]
    assert len(set(made)) == len(made) == 12_000
    assert all(batch == sorted(batch) for batch in batches)


def test_a_child_forked_while_a_thread_was_minting_goes_on_where_its_parent_was():
    reached, leave = threading.Event(), threading.Event()

    def clock():
        if threading.current_thread() is slow:
            reached.set()
            leave.wait(20)
        return 5000

    mint = Snowflakes(clock)
    slow = threading.Thread(target=lambda: mint(SMALL, {"node": 0}))
    before = mint(SMALL, {"node": 0})
    slow.start()
    assert reached.wait(20)
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking a process with threads
        child = os.fork()
    if child == 0:
        signal.alarm(20)  # a child that waits for its parent's lock would wait for ever
        os.write(writer, str(mint(SMALL, {"node": 0})).encode())
        os._exit(0)
    leave.set()
    slow.join()
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert int(pipe.read()) > before


# Declaring


def test_a_snowflake_may_be_part_of_a_pattern():
    registry = Registry.from_toml(
        "[kinds.tweet]\n[formats.f]\nkinds = ['tweet']\n"
        "pattern = 'tw[-{stage:one-of(prod, dev)}]/{id:snowflake(epoch 1000, time 41, node 3, sequence 2)}'\n"
    )
    text = registry.mint("tweet", format="f", node=5, stage="dev")
    assert text.startswith("tw-dev/")
    assert registry.parse(text, "tweet").time is not None


def test_fields_may_be_named_like_the_parts_that_are_filled_in():
    registry = Registry.from_toml(
        "[kinds.tweet]\n[formats.f]\nkinds = ['tweet']\n"
        "pattern = '{time:time(s)}.{sequence:int}.{id:snowflake(twitter)}'\n"
    )
    text = registry.mint("tweet", format="f", time=5, sequence=6, datacenter=1, worker=2)
    assert text.startswith("5.6.")
    assert registry.parse(text, "tweet").time == 5000


def test_an_optional_snowflake_is_written_if_its_machine_is_given():
    registry = Registry.from_toml(
        "[kinds.tweet]\n[formats.f]\nkinds = ['tweet']\npattern = 't{n:int}[-{id:snowflake(discord)}]'\n",
        clock=lambda: 1420070400.001,
    )
    assert registry.mint("tweet", format="f", n=1) == "t1"
    assert registry.mint("tweet", format="f", n=1, worker=1, process=2) == f"t1-{1 << 22 | 1 << 17 | 2 << 12}"
    assert registry.mint("tweet", format="f", n=1, id=77) == "t1-77"
    with pytest.raises(InvalidId, match="check the fields"):
        registry.mint("tweet", format="f", n=1, worker=1)


@pytest.mark.parametrize(
    ("keys", "path", "reason"),
    [
        (
            "",
            "layout",
            "worker 10, sequence 12, but it is missing",
        ),
        ("layout = 3", "layout", "sequence 12, got a number"),
        ("layout = ''", "layout", "name twitter, discord"),
        ("layout = 'reddit'", "layout", "expected a layout (twitter, discord, or like epoch"),
        ("layout = 'epoch 0, time 41, worker 12, sequence 12'", "layout", "at most 64, not 65"),
        ("layout = 'twitter)}{x:int'", "layout", "expected a layout"),
        ("layout = 'epoch 0, time 41, service 3, sequence 12'", "layout", "can't be named 'service'"),
        ("layout = 'twitter'\nversions = [7]", "versions", "unknown key"),
        ("layout = 'twitter'\npattern = '{id:int}'", "pattern", "unknown key"),
    ],
)
def test_a_faulty_layout_is_one_clear_fault(keys, path, reason):
    with pytest.raises(RegistryError) as caught:
        Registry.from_toml(f"[kinds.tweet]\n[formats.snowflake]\n{keys}\n")
    ((found, sentence),) = caught.value.faults
    assert found == f"formats.snowflake.{path}"
    assert reason in sentence


def test_an_overlap_can_be_declared_on_either_side():
    kinds = "[kinds.tweet]\n[kinds.account]\n"
    oauth = "[formats.oauth]\npattern = '{id:text(0-9, 15..21)}'\nkinds = ['account']\n"
    snowflake = "[formats.snowflake]\nlayout = 'twitter'\nkinds = ['tweet']\n"
    with pytest.raises(RegistryError, match=r"formats\.snowflake: '100000000000000' is both account"):
        Registry.from_toml(kinds + oauth + snowflake)
    for declared in (
        oauth + snowflake + "overlaps = ['oauth']\n",
        snowflake + oauth + "overlaps = ['snowflake']\n",
    ):
        assert Registry.from_toml(kinds + declared).recognise("1541815603606036480").ambiguous


def test_minting_in_the_midst_of_minting_does_not_block():
    inner: list[int] = []

    def clock() -> int:
        if not inner:
            inner.append(0)
            inner[0] = mint(TWITTER, {"datacenter": 1, "worker": 1})  # as a signal handler would
        return 1_700_000_000_000

    mint = Snowflakes(clock)
    assert mint(TWITTER, {"datacenter": 1, "worker": 1}) > inner[0] > 0
