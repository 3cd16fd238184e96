"""Retired prefixes and kinds: what they named is still read, nothing new is made with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonid import InvalidId, Registry, RegistryError
from canonid.core import payload

TOML = """
[kinds.user]
prefix = "user"
retired_prefixes = ["usr", "u_old"]
[kinds.thread]
retired_prefixes = ["chat"]
[kinds.note]
retired = true
[formats.uuid]
kinds = ["user"]
[formats.legacy]
pattern = "{kind}-{counter:int}-{random:hex(8)}"
kinds = ["user", "thread", "note"]
prefixes = { note = "n" }
[formats.run]
pattern = "run_{thread:id(thread)}_{random:hex(8)}"
kinds = ["run"]
[kinds.run]
[services.auth]
emits = { user = "legacy", note = "legacy" }
"""
SUFFIX = "01h455vb4pex5vsknk084sn02q"
BITS = st.integers(0, (1 << 128) - 1)


@pytest.fixture(scope="module")
def retired():
    return Registry.from_toml(TOML)


def faults_of(text):
    with pytest.raises(RegistryError) as caught:
        Registry.from_toml(text)
    return dict(caught.value.faults)


def test_a_text_with_a_retired_prefix_names_the_same_thing_under_the_current_one(retired):
    assert retired.canonical(f"usr_{SUFFIX}") == f"user_{SUFFIX}"
    assert retired.same(f"usr_{SUFFIX}", f"u_old_{SUFFIX}")
    assert retired.parse(f"usr_{SUFFIX}", "user").time == 1688096058518


@given(BITS)
def test_the_bits_are_the_same_under_every_prefix(retired, bits):
    suffix = payload.to_base32(bits)
    texts = [f"{prefix}_{suffix}" for prefix in ("user", "usr", "u_old")]
    assert {retired.parse(text, "user").payload for text in texts} == {bits}
    assert {retired.translate(text, "uuid", "user") for text in texts} == {payload.to_uuid(bits)}


def test_nothing_is_written_with_a_retired_prefix(retired):
    old = f"usr_{SUFFIX}"
    assert retired.translate(old, "typeid") == f"user_{SUFFIX}"
    assert retired.writings("user", old) == {
        "typeid": f"user_{SUFFIX}",
        "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
    }
    assert retired.mint("user").startswith("user_0")
    assert retired.mint("user", service="auth").startswith("user-")


def test_a_derived_id_is_what_it_was_before_its_prefix_was_retired(retired):
    before = Registry.from_toml('[kinds.thread]\nprefix = "chat"\n[formats.legacy]\npattern = '
                                '"{kind}-{counter:int}-{random:hex(8)}"')  # fmt: skip
    old = "chat-4-9f3c2b1a"
    assert retired.canonical(old).removeprefix("thread_") == before.canonical(old).removeprefix("chat_")
    assert retired.translate(old, "legacy") == old
    assert retired.canonical(old) != retired.canonical("thread-4-9f3c2b1a")


def test_a_canonical_format_without_128_bits_keeps_the_old_text_as_the_name():
    registry = Registry.from_toml(
        '[kinds.user]\nprefix = "user"\nretired_prefixes = ["usr"]\ncanonical = "old"\n'
        '[formats.old]\npattern = "{kind}-{counter:int}-{random:hex(8)}"\n'
    )
    assert registry.canonical("usr-4-9f3c2b1a") == "usr-4-9f3c2b1a"
    assert registry.canonical("user-4-9f3c2b1a") == "user-4-9f3c2b1a"
    assert registry.mint("user").startswith("user-")


def test_a_nested_id_may_have_a_retired_prefix(retired):
    old = f"run_chat_{SUFFIX}_9f3c2b1a"
    assert retired.parse(old, "run").fields["thread"] == f"chat_{SUFFIX}"
    assert retired.canonical(old).startswith("run_")


def test_a_word_of_a_format_stands_in_place_of_all_prefixes():
    registry = Registry.from_toml(
        '[kinds.user]\nprefix = "user"\nretired_prefixes = ["usr"]\n'
        '[formats.old]\npattern = "{kind}-{n:int}"\nprefixes = { user = "U" }\n'
    )
    assert registry.recognise("U-1").answer is not None
    assert registry.recognise("usr-1").answer is None


def test_a_retired_kind_is_read_and_translated_but_not_minted(retired):
    text = f"note_{SUFFIX}"
    assert retired.canonical(text) == text
    assert retired.canonical("n-4-9f3c2b1a").startswith("note_")
    for options in ({}, {"service": "auth"}, {"format": "legacy"}):
        with pytest.raises(InvalidId, match="kind 'note' is retired: its IDs are still read"):
            retired.mint("note", **options)


def test_a_broken_text_with_a_retired_prefix_is_told_where_it_goes_wrong(retired):
    reason = retired.recognise(f"usr_{SUFFIX[:-1]}u").reason
    assert "fits format 'typeid' (user) up to character 29" in reason


def test_a_retired_prefix_that_another_kind_has_is_refused():
    faults = faults_of('[kinds.user]\nretired_prefixes = ["usr"]\n[kinds.account]\nprefix = "usr"\n')
    assert faults == {
        "kinds.account.prefix": "'usr' is a retired prefix of kind 'user', whose old IDs would then be"
        " read as account; choose a prefix that was never used"
    }


def test_every_fault_of_the_keys_of_a_kind_is_reported_at_once():
    faults = faults_of("""
[kinds.a]
retired_prefixes = ["old", "a"]
rate = "fast"
private = 1
[kinds.b]
retired_prefixes = ["old"]
rate = "0/s"
retired = "yes"
[kinds.c]
retired_prefixes = ["Old"]
rate = 5
[kinds.d]
retired_prefixes = "old"
""")
    assert "is the prefix that this kind has" in faults["kinds.a.retired_prefixes"]
    assert "e.g. \"1000/s\", got 'fast'" in faults["kinds.a.rate"]
    assert "expected true or false, got a number" in faults["kinds.a.private"]
    assert "is a retired prefix of kind 'a' already" in faults["kinds.b.retired_prefixes"]
    assert "a number above 0" in faults["kinds.b.rate"]
    assert "expected true or false, got a text" in faults["kinds.b.retired"]
    assert "TypeID 0.3" in faults["kinds.c.retired_prefixes"]
    assert "expected a text, got a number" in faults["kinds.c.rate"]
    assert "expected a list of names" in faults["kinds.d.retired_prefixes"]


@pytest.mark.parametrize(
    ("rate", "per_second"), [("1000/s", 1000), ("90 / min", 1.5), ("7.2/h", 0.002), ("864/day", 0.01)]
)
def test_a_rate_is_kept_per_second(rate, per_second):
    registry = Registry.from_toml(f'[kinds.user]\nrate = "{rate}"\n')
    assert registry.kind("user").rate == pytest.approx(per_second)


def test_what_a_kind_does_not_say_is_off():
    kind = Registry.from_toml("[kinds.user]\n").kind("user")
    assert (kind.rate, kind.private, kind.retired, kind.retired_prefixes) == (None, False, False, ())


def test_an_overlap_with_a_retired_prefix_is_found_like_any_other():
    clean = '[kinds.user]\n[kinds.ws]\n[formats.hand]\npattern = "usr_{rest:slug}"\nkinds = ["ws"]\n'
    Registry.from_toml(clean)
    faults = faults_of(clean.replace("[kinds.ws]", 'retired_prefixes = ["usr"]\n[kinds.ws]'))
    assert "'usr_00000000000000000000000000' is both user in format 'typeid' and ws" in faults["formats.hand"]


def test_two_prefixes_of_one_kind_that_split_a_text_in_two_ways_are_refused():
    pattern = '[formats.old]\npattern = "{kind}_{operation:slug}_{random:hex(4)}"\n'
    faults = faults_of('[kinds.user]\nretired_prefixes = ["user_old"]\n' + pattern)
    assert faults == {
        "formats.old": "'user_old_0_0000' can be read with two prefixes of kind 'user'; change a pattern,"
        ' or declare it with overlaps = ["old"]'
    }
    registry = Registry.from_toml(
        '[kinds.user]\nretired_prefixes = ["user_old"]\n' + pattern + 'overlaps = ["old"]'
    )
    assert registry.recognise("user_old_0_0000").answer is not None
