"""Patterns: what is accepted, what is refused and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonid import Registry, RegistryError
from canonid.core.grammar import PatternError, parse_pattern

BAD = {
    "": "at least one field",
    "thread": "at least one field",
    "{name}": "has no type",
    "{n:number}": "not a field type",
    "{N:int}": "is not a field",
    "a b{n:int}": "can't stand in a pattern",
    "é{n:int}": "can't stand in a pattern",
    "{n:int": "does not belong to a field",
    "n:int}": "does not belong to a field",
    "[{n:int}": "never closed",
    "{n:int}]": "without a '['",
    "[a[b]]{n:int}": "can't hold another",
    "[]{n:int}": "must hold a field",
    "[a-]{n:int}": "must hold a field",
    "[{kind}-]{n:int}": "declare two formats",
    "{n:int}_{n:int}": "two fields are named 'n'",
    "{n:hex}": "number of digits",
    "{n:hex(0)}": "number of digits",
    "{n:hex(999)}": "stay within",
    "{n:int(9..1)}": "is empty",
    "{n:text(a-z)}": "alphabet and a length",
    "{n:text(z-a, 1..2)}": "runs backwards",
    "{n:text(a-z, 5..2)}": "must rise",
    "{n:slug(0..4)}": "must rise",
    "{n:one-of(a, a)}": "stands twice",
    "{n:one-of()}": "expected words",
    "{n:time(min)}": "expected time(ms)",
    "{n:time(ms, 12)}": "expected 13 to 16",
    "{n:time(ms % 0)}": "expected time(ms)",
    "{n:uuid(9)}": "versions from 1 to 8",
    "{n:uuid()4}": "is not a field",
    "{n:uuid(4, 4)}": "stands twice",
    "{n:ulid(7)}": "no options after ulid",
    "{n:ksuid(ms)}": "no options after ksuid",
    "{n:snowflake}": "name twitter, discord",
    "{n:snowflake(reddit)}": "expected a layout",
    "{n:snowflake(Twitter)}": "expected a layout",
    "{n:snowflake(41, 10, 12)}": "expected a layout",
    "{n:snowflake(epoch 0)}": "expected a layout",
    "{n:snowflake(epoch 0, worker 10, time 41, sequence 12)}": "begins with time",
    "{n:snowflake(epoch 0, time 41, worker 10)}": "has one sequence",
    "{n:snowflake(epoch 0, time 41, sequence 4, sequence 4)}": "has one sequence",
    "{n:snowflake(epoch 0, time 41, node 4, node 4, sequence 4)}": "same name",
    "{n:snowflake(epoch 0, time 41, time 4, sequence 4)}": "same name",
    "{n:snowflake(epoch 0, time 41, worker 0, sequence 12)}": "1 bit or more",
    "{n:snowflake(epoch 0, time 41, worker 12, sequence 12)}": "at most 64, not 65",
    "{worker:int}-{n:snowflake(twitter)}": "two fields are named 'worker'",
    "{a:snowflake(discord)}-{b:snowflake(discord)}": "two fields are named 'worker'",
    "{n:id}": "kind of the nested ID",
}


@pytest.mark.parametrize(("pattern", "expected"), BAD.items(), ids=map(repr, BAD))
def test_a_faulty_pattern_is_refused_with_what_was_expected(pattern, expected):
    with pytest.raises(PatternError) as caught:
        parse_pattern(pattern)
    assert expected in caught.value.message
    assert 1 <= caught.value.column <= len(pattern) + 1


@given(st.text(alphabet="{}[]:()_%,.- abkindhextmslug019", max_size=40))
def test_any_text_is_a_pattern_or_a_pattern_error(text):
    try:
        parse_pattern(text)
    except PatternError:
        return


def registry_with(pattern, more=""):
    return Registry.from_toml(
        f'[kinds.thing]\n{more}\n[formats.f]\npattern = "{pattern}"\nkinds = ["thing"]\n'
    )


@pytest.mark.parametrize(
    ("pattern", "text", "fields"),
    [
        ("{t:time(ms)}-{n:int}", "1700000000000-0", {"t": 1700000000000, "n": 0}),
        ("{t:time(ms, 13)}", "0000000000042", {"t": 42}),
        ("x{t:time(s)}", "x1700000000", {"t": 1700000000}),
        ("a_{t:time(ms % 100000)}", "a_99999", {"t": 99999}),
        ("o_{n:int(15..17)}", "o_16", {"n": 16}),
        ("n_{n:text(A-Za-z0-9_-, 21..21)}", "n_V1StGXR8_Z5jdHi6B-myT", {"n": "V1StGXR8_Z5jdHi6B-myT"}),
        ("{stage:one-of(prod, dev)}-{r:hex(4)}", "dev-00ff", {"stage": "dev", "r": "00ff"}),
        ("[{p:slug}_]x_{r:hex(2)}", "x_0f", {"r": "0f"}),
        ("[{p:slug}_]x_{r:hex(2)}", "a_b_x_0f", {"p": "a_b", "r": "0f"}),
        ("x.{r:hex(2)}+", "x.0f+", {"r": "0f"}),
    ],
)
def test_fields_are_read_and_written_back_identically(pattern, text, fields):
    registry = registry_with(pattern)
    reading = registry.parse(text, "thing", "f")
    assert reading.fields == fields
    assert registry.mint("thing", format="f", **fields) == text


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("{t:time(ms)}-{n:int}", "1700000000000-01"),
        ("a_{t:time(ms % 100000)}", "a_100000"),
        ("o_{n:int(15..17)}", "o_18"),
        ("x.{r:hex(2)}", "xa0f"),
        ("x_{r:hex(2)}", "x_0F"),
        ("x_{s:slug(1..3)}_{r:hex(2)}", "x_abcd_00"),
        ("x_{s:slug}_{r:hex(2)}", "x__a_00"),
        ("x_{s:slug}_{r:hex(2)}", "x_a__00"),
    ],
)
def test_what_a_field_does_not_accept_has_no_reading(pattern, text):
    assert registry_with(pattern).recognise(text).readings == ()


@pytest.mark.parametrize(
    "pattern",
    [
        "{a:slug}_{b:slug}",
        "{a:int}{b:int}",
        "x[{a:hex(2)}][{b:hex(2)}]",
        "{a:slug}[_{b:hex(8)}]",
        "{prefix:slug}_{time:time(ms, 13)}_{counter:int(0..9999999999999)}[_{random:hex(8)}]",
    ],
)
def test_a_pattern_with_two_readings_is_refused_with_the_text(pattern):
    with pytest.raises(RegistryError) as caught:
        registry_with(pattern)
    ((path, sentence),) = caught.value.faults
    assert path == "formats.f.pattern"
    assert "in two ways" in sentence
