"""What IDs of private kinds tell: only what they are sent with, and every such field."""

import pytest

from canonid.core.declaring import declare
from canonid.core.grammar import Field
from canonid.core.leaks import holds_time, leaks


def leaks_of(text):
    return [(leak.kind, leak.format, leak.field, leak.tells) for leak in leaks(declare(text, "test"))]


def private(pattern, more=""):
    return (
        f'[kinds.invite]\nprivate = true\ncanonical = "own"\n[kinds.user]\n{more}\n[formats.ulid]\n'
        f'[formats.uuid]\n[formats.own]\npattern = "{pattern}"\nkinds = ["invite"]\n'
    )


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("{kind}_{random:hex(8)}", []),
        ("{kind}_{t:time(ms)}_{random:hex(8)}", [("t", "time")]),
        ("{kind}[-{t:time(s)}]_{random:hex(8)}", [("t", "time")]),
        ("{kind}_{t:time(ms % 100000)}_{random:hex(8)}", []),
        ("{kind}-{id:uuid}", []),
        ("{kind}-{id:base32}", []),
        ("{kind}-{id:ulid}", [("id", "time")]),
        ("{kind}-{for:id(user)}-{t:time(s)}-{random:hex(8)}", [("for", "id"), ("t", "time")]),
    ],
)
def test_every_field_that_tells_is_found(pattern, told):
    assert leaks_of(private(pattern)) == [("invite", "own", *field) for field in told]


def test_a_kind_that_is_not_private_may_tell():
    assert leaks_of(private("{kind}_{t:time(ms)}_{r:hex(8)}").replace("private = true", "")) == []


def test_what_any_service_emits_counts_and_what_is_only_accepted_does_not():
    text = """
[kinds.invite]
private = true
writer = "auth"
[kinds.user]
[formats.ulid]
[formats.old]
pattern = "{kind}-{t:time(s)}-{r:hex(8)}"
[formats.older]
pattern = "{kind}+{t:time(s)}"
[services.auth]
emits = { invite = ["typeid", "old"], user = "old" }
[services.mail]
emits = { invite = "ulid" }
"""
    assert leaks_of(text) == [("invite", "old", "t", "time"), ("invite", "ulid", "id", "time")]


def test_the_sentence_names_the_field_and_what_it_tells():
    found = leaks(declare(private("{kind}-{for:id(user)}-{t:time(s)}-{id:ulid}"), "test"))
    assert [leak.sentence for leak in found] == [
        "field 'for' holds the ID of another thing (user)",
        "field 't' is the time it was made",
        "field 'id' is a ULID, which begins with the time it was made",
    ]


@pytest.mark.parametrize("type_", ["ulid", "ksuid", "snowflake"])
def test_types_that_begin_with_a_time_hold_one(type_):
    assert holds_time(Field("id", type_, None))


def test_a_remainder_that_does_not_recur_within_a_year_is_the_time():
    assert leaks_of(private("{kind}-{t:time(ms % 100000)}-{r:hex(8)}")) == []
    assert leaks_of(private("{kind}-{t:time(ms % 99999999999999)}-{r:hex(8)}")) == [
        ("invite", "own", "t", "time")
    ]
