"""What nobody should pass, to every public function of the core, the stores and the scopes."""

from __future__ import annotations

import asyncio
import uuid

import pytest

import canonid
from canonid import (
    CanonidError,
    InvalidId,
    NotFound,
    Registry,
    RegistryError,
    StoreError,
    UnknownName,
    find_registry,
    load_registry,
)
from canonid.aliases import SQLiteStore
from canonid.core.checking import check
from canonid.core.diffing import diff
from canonid.core.grammar import PatternError, parse_pattern
from canonid.core.snowflake import DISCORD
from canonid.scopes import ScopeTree
from canonid.websockets import Tickets
from core.bad_input import (
    BAD,
    BIG_TEXTS,
    FAST,
    MB,
    NOT_TEXTS,
    USER,
    check_message,
    outcome,
    rich,
    seconds,
)

R = rich()
T = R.mint("thread")
PARTS = {"time": DISCORD.epoch, "worker": 1, "process": 0, "sequence": 0}

# Each takes a text; whatever it gets it raises InvalidId (or has the documented answer of the second table).
READERS = {
    "parse": lambda x: R.parse(x, "user"),
    "parse in a format": lambda x: R.parse(x, "user", "old"),
    "bound parse": R.bind("user").parse,
    "identify": R.identify,
    "identify a kind": lambda x: R.identify(x, "run", service="backend"),
    "canonical": R.canonical,
    "translate": lambda x: R.translate(x, "uuid"),
    "translate a kind": lambda x: R.translate(x, "uuid", "user"),
    "translate a format": lambda x: R.translate(x, "uuid", "user", format="typeid"),
    "translator": R.translator("uuid", "user", "typeid"),
    "translator of uuids": R.translator("typeid", "user", "uuid"),
    "translator of derived": R.translator("uuid", "thread", "old"),
    "writings": lambda x: R.writings("user", x),
}
ANSWERS = {
    "is_valid": (R.is_valid, False),
    "is_valid for a kind": (lambda x: R.is_valid(x, "run"), False),
    "is_valid in a format": (lambda x: R.is_valid(x, "user", "typeid"), False),
    "bound is_valid": (R.bind("session").is_valid, False),
    "recognise": (lambda x: R.recognise(x).answer, None),
    "recognise readings": (lambda x: R.recognise(x, "run", service="backend").readings, ()),
    "recognise ambiguous": (lambda x: R.recognise(x).ambiguous, False),
    "same": (lambda x: R.same(x, USER), False),
    "same the other way": (lambda x: R.same(USER, x), False),
    "same as itself": (lambda x: R.same(x, x), False),
}
# Each takes the name of a kind, a format or a service.
NAMES = {
    "kind": R.kind,
    "format": R.format,
    "service": R.service,
    "mint": R.mint,
    "mint for a service": lambda x: R.mint("run", service=x, thread=T),
    "mint in a format": lambda x: R.mint("user", format=x),
    "mint both": lambda x: R.mint("run", service="backend", format=x, thread=T),
    "mint_many": lambda x: R.mint_many(x, 1),
    "mint_many in a format": lambda x: R.mint_many("user", 1, format=x),
    "bind": R.bind,
    "bind for a service": lambda x: R.bind("user", service=x),
    "bind in a format": lambda x: R.bind("user", format=x),
    "parse": lambda x: R.parse(USER, x),
    "parse in a format": lambda x: R.parse(USER, "user", x),
    "is_valid": lambda x: R.is_valid(USER, x),
    "is_valid in a format": lambda x: R.is_valid(USER, "user", x),
    "is_valid in a format alone": lambda x: R.is_valid(USER, None, x),
    "recognise": lambda x: R.recognise(USER, x),
    "recognise of a service": lambda x: R.recognise(USER, service=x),
    "identify": lambda x: R.identify(USER, x),
    "canonical of a service": lambda x: R.canonical(USER, service=x),
    "same": lambda x: R.same(USER, USER, x),
    "translate": lambda x: R.translate(USER, x),
    "translate a kind": lambda x: R.translate(USER, "uuid", x),
    "translate a format": lambda x: R.translate(USER, "uuid", format=x),
    "translate with all": lambda x: R.translate(USER, "uuid", "user", format=x),
    "translator to": lambda x: R.translator(x, "user", "typeid"),
    "translator of a kind": lambda x: R.translator("uuid", x, "typeid"),
    "translator of a format": lambda x: R.translator("uuid", "user", x),
    "writings": lambda x: R.writings(x, USER),
}
OPTIONAL = (  # where None says nothing
    {name for name in NAMES if "service" in name or "in a format" in name or "both" in name} - {"service"}
    | {"is_valid", "recognise", "identify", "same", "translate a kind"}
    | {"translate a format", "translate with all"}
)
# Each takes the value of a field of a format.
VALUES = {
    "slug": lambda x: R.mint("user", format="old", operation=x),
    "counter": lambda x: R.mint("user", format="old", operation="a", counter=x),
    "random": lambda x: R.mint("user", format="old", operation="a", random=x),
    "nested ID": lambda x: R.mint("run", service="backend", thread=x),
    "time": lambda x: R.mint("session", format="stage", stage="dev", time=x),
    "optional": lambda x: R.mint("session", format="stage", stage="dev", part=x),
    "choice": lambda x: R.mint("session", format="stage", stage=x),
    "machine": lambda x: R.mint("post", format="snowflake", worker=x, process=0),
    "snowflake": lambda x: R.mint("post", format="snowflake", id=x),
    "ksuid": lambda x: R.mint("alert", format="ksuid", id=x),
    "payload": lambda x: R.mint("user", id=x),
    "uuid": lambda x: R.mint("user", format="uuid", id=x),
    "text": lambda x: R.mint("key", format="nano", id=x),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_id_is_an_invalid_id(name, what):
    result, error = outcome(READERS[name], BAD[what])
    assert isinstance(error, InvalidId), result
    check_message(error)
    if what in NOT_TEXTS:
        assert str(error) == f"expected a text, got {type(BAD[what]).__name__}"
    assert len(error.text) <= 64


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("name", ANSWERS)
def test_what_only_answers_never_raises_for_a_text(name, what):
    call, answer = ANSWERS[name]
    assert call(BAD[what]) == answer


@pytest.mark.parametrize("what", BAD)
def test_reasons_are_one_safe_line(what):
    for kind in (None, "user", "run"):
        found = R.recognise(BAD[what], kind)
        check_message(found.reason)
        assert len(found.text) <= 64 or found.text is BAD[what]


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_name_is_unknown(name, what):
    result, error = outcome(NAMES[name], BAD[what])
    if BAD[what] is None and name in OPTIONAL:
        assert error is None or isinstance(error, InvalidId)
        return
    assert isinstance(error, UnknownName), result
    check_message(error)
    assert isinstance(error.name, str) and len(error.name) <= 64
    if what in NOT_TEXTS:
        assert f"got {type(BAD[what]).__name__}" in str(error)


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("name", VALUES)
def test_what_does_not_fit_a_field_is_an_invalid_id(name, what):
    result, error = outcome(VALUES[name], BAD[what])
    if error is None:
        assert what in ("int", "None")  # a number fits a number; None is as good as not given
        assert R.is_valid(result)
        return
    assert isinstance(error, InvalidId)
    check_message(error)


def test_fields_that_are_not_declared_are_named_in_one_line():
    for field in ("", "a\nb", "x" * MB, "us\u0435r"):
        _, error = outcome(lambda name: R.mint("user", format="old", **{name: "a"}), field)
        assert isinstance(error, InvalidId)
        check_message(error)


COUNTS = {
    "kind": lambda n: R.mint_many("user", n),
    "private": lambda n: R.mint_many("secret", n),
    "format": lambda n: R.mint_many("alert", n, format="ksuid"),
    "bound": R.bind("user").mint_many,
}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize(
    "count",
    [None, True, "3", b"3", 1.0, [], -1, -(10**5000), 10**8, 10**5000],
    ids=lambda _: "count",
)
def test_a_wrong_count_is_a_value_error_that_says_so(name, count):
    with pytest.raises(ValueError, match=r"^expected how many IDs|^from 0 to 10000000 IDs") as caught:
        COUNTS[name](count)
    check_message(caught.value)


def test_a_clock_out_of_range_is_told():
    for clock in (lambda: -1.0, lambda: 2.0**60):
        registry = Registry.from_toml("[kinds.user]", clock=clock)
        with pytest.raises(OverflowError, match="the clock says"):
            registry.mint("user")


# Mutations

LETTERS = "0179aAfgZzilo_-.: \n\t\0{\u0435\uff11\u0661\u200b\u00e9\u0130\ud800"
VALID = {
    "typeid": USER,
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
    "ulid": "01H455VB4PEX5VSKNK084SN02Q",
    "ksuid": "0ujtsYcgvSTl8PAuAdqWYSMnLOv",
    "snowflake": "175928847299117063",
    "old": "thread_chat_room_41_9f3c2b1a",
    "run-of-thread": "run:thread_chat_41_9f3c2b1a:83123:ab12cd34",
    "stage": "ws.prod.1757409218490.00ff",
    "nano": "k-V1StGXR8_Z5jdHi6B-myT",
}


def mutations(text):
    """Every text that one slip of the hand away is."""
    for place, char in enumerate(text):
        yield text[:place] + text[place + 1 :]
        yield text[:place] + char.swapcase() + text[place + 1 :]
        yield text[:place] + text[place + 1 : place + 2] + char + text[place + 2 :]
        for other in LETTERS:
            yield text[:place] + other + text[place + 1 :]
            yield text[:place] + other + text[place:]
    for other in LETTERS:
        yield text + other


@pytest.mark.parametrize("form", VALID)
def test_no_mutation_of_an_id_has_its_identity(form):
    text = VALID[form]
    original = R.recognise(text)
    own = {reading.key for reading in original.readings}
    assert original.readings and form in {reading.format for reading in original.readings}
    for mutated in {*mutations(text)} - {text}:
        found = R.recognise(mutated)
        if not found.readings:
            check_message(found.reason)
            continue
        assert mutated.isascii()
        for reading in found.readings:
            assert reading.key not in own
            assert R.translate(mutated, reading.format, reading.kind) == mutated
        assert not R.same(mutated, text)


def test_mutations_of_a_uuid_are_read_as_the_standard_library_does():
    text = VALID["uuid"]
    for mutated in mutations(text):
        found = [reading for reading in R.recognise(mutated, "user").readings if reading.format == "uuid"]
        try:
            value = uuid.UUID(mutated)
        except ValueError:
            assert not found
        else:
            assert bool(found) == (mutated == str(value))
            assert all(reading.payload == value.int for reading in found)


# 1 MB

TEXT_CALLS = READERS | {name: call for name, (call, _) in ANSWERS.items()}
TEXT_CALLS |= {
    "reason": lambda x: R.recognise(x).reason,
    "reason for a kind": lambda x: R.recognise(x, "run").reason,
}


@pytest.mark.parametrize("what", BIG_TEXTS)
@pytest.mark.parametrize("name", TEXT_CALLS | NAMES | VALUES)
def test_a_text_of_1_mb_takes_no_time(name, what):
    for calls in (TEXT_CALLS, NAMES, VALUES):
        if name in calls:
            assert seconds(calls[name], BIG_TEXTS[what]) < FAST


@pytest.mark.parametrize("unit", ["a", "_", "a_", "0", "user_", "thread_a_1_", "run:thread_a_", "1."])
def test_the_longest_text_that_may_be_an_id_takes_no_time_either(unit):
    longest = max(writing.longest for writing in R.declarations.writings)
    for size in (longest, longest - 1, longest + 1):
        text = (unit * longest)[:size]
        R.recognise(text).reason  # compiles what is compiled when first asked for
        for name in ("identify", "reason", "is_valid", "translate"):
            assert seconds(TEXT_CALLS[name], text) < FAST


PATTERNS = {
    "a": "a" * MB, "_": "_" * MB, "a_": "a_" * (MB // 2), "{": "{" * MB, "{a": "{a" * (MB // 2),
    "one brace": "{" + "a" * MB, "}": "}" * MB, "{}": "{}" * (MB // 2), "[": "[" * MB, "[]": "[]" * (MB // 2),
    "fields": "{a:int}" * (MB // 7),
    "slugs": "".join(f"{{a{n}:slug}}_" for n in range(MB // 16)),
    "optional slugs": "".join(f"[{{a{n}:slug}}]" for n in range(MB // 17)),
    "spaces": "{a" + " " * MB + "}", "options": "{a:hex(" + "1" * MB + ")}",
    "brackets": "{a:" + "(" * MB + "}", "words": "{a:one-of(" + "ab," * (MB // 3) + "c)}",
    "alphabet": "{a:text(" + "a" * MB + ", 1..2)}",
    "layout": "{a:snowflake(epoch 1, " + "a 1," * (MB // 4) + ")}",
}  # fmt: skip


@pytest.mark.parametrize("what", PATTERNS)
def test_a_pattern_of_1_mb_takes_no_time(what):
    with pytest.raises(PatternError) as caught:
        parse_pattern(PATTERNS[what])
    check_message(caught.value)
    start = "[kinds.a]\n[formats.f]\nkinds = ['a']\npattern = "
    for call in (Registry.from_toml, check):
        assert seconds(call, f"{start}'{PATTERNS[what]}'") < FAST
    with pytest.raises(RegistryError):
        Registry.from_toml(f"{start}'{PATTERNS[what]}'")

    def parse(text):
        with pytest.raises(PatternError):
            parse_pattern(text)

    assert seconds(parse, PATTERNS[what]) < FAST


@pytest.mark.parametrize(
    "pattern",
    [
        "{" + "a" * 4000,
        "{" + "a" * 3900 + ":nothing}",
        "{" + "a" * 1900 + ":hex(1)}{" + "a" * 1900 + ":hex(1)}",
        "{a:hex(" + "1" * 4000 + ")}",
        "{a:" + "b" * 4000 + "}",
        "{a:one-of(a,\u0435)}",
        "\x1b[31m",
    ],
    ids=lambda pattern: ascii(pattern)[:30],
)
def test_a_long_or_odd_pattern_is_refused_in_one_short_line(pattern):
    with pytest.raises(PatternError) as caught:
        parse_pattern(pattern)
    check_message(caught.value)


# Registry files

TOML = {
    "a number without end": "x = " + "1" * 5000,
    "a long name": f"[kinds.{'a' * 5000}]",
    "a long key": "[kinds.a]\n" + "b" * 5000 + " = 1",
    "a long prefix": f"[kinds.a]\nprefix = '{'a' * 5000}'",
    "a long parent": f"[kinds.a]\nparent = '{'a' * 5000}'",
    "a long format": f"canonical = '{'a' * 5000}'\n[kinds.a]",
    "a long table": f"[kinds.a]\n[formats.'{'f' * 5000}\\n']\npattern = '{{kind}}'",
    "a long rate": f"[kinds.a]\nrate = '{'1' * 5000}/s'",
    "a long layout": f"[kinds.a]\n[formats.snowflake]\nlayout = 'epoch {'1' * 5000}'",
    "a long service": f"[kinds.a]\n[services.s]\naccepts = ['{'a' * 5000}']\nemits = '{'b' * 5000}'",
    "a control character": '[kinds."\\u001b[31m"]',
    "a look-alike": '[kinds."us\\u0435r"]',
    "a long circle": "".join(
        f"[kinds.k{n:04d}]\nprefix = '{''.join(chr(97 + int(c)) for c in f'{n:04d}')}'\n"
        f"parent = 'k{(n + 1) % 500:04d}'\n"
        for n in range(500)
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD | TOML)
def test_what_is_no_registry_is_a_registry_error(what):
    text = (BAD | TOML)[what]
    with pytest.raises(RegistryError) as caught:
        Registry.from_toml(text)
    check_message(caught.value)
    assert tuple(check(text).faults) == caught.value.faults


@pytest.mark.parametrize("what", BIG_TEXTS)
def test_a_registry_of_1_mb_is_refused_at_once(what):
    for call in (Registry.from_toml, check):
        assert seconds(call, BIG_TEXTS[what]) < FAST


def test_a_registry_with_thousands_of_faults_takes_no_quadratic_time():
    def registry(size):
        kinds = "".join(f"[kinds.k{n}]\nprefix = 'user'\nparent = 'nobody'\nx = 1\n" for n in range(size))
        return seconds(check, kinds)

    small, large = registry(500), registry(4000)
    assert large < 30 * small  # eight times as long, or a little more


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_registry_file_is_a_registry_error(what, tmp_path):
    value = BAD[what]
    if value is not None:
        with pytest.raises(RegistryError) as caught:
            load_registry(value)
        if "\u0435" not in what and isinstance(value, str) and value.isascii():
            check_message(caught.value)
    result, error = outcome(find_registry, value)
    assert result is None or isinstance(result, type(tmp_path))
    if error is not None:
        assert isinstance(error, RegistryError)
        check_message(error)


def test_a_number_is_not_taken_for_an_open_file(capfd):
    for number in (True, 1, 2):
        with pytest.raises(RegistryError, match="expected a path, got"):
            load_registry(number)
    print("still open")
    assert capfd.readouterr().out == "still open\n"


def test_a_file_without_end_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "canonid.toml"
    path.write_text("#" * MB)
    with pytest.raises(RegistryError, match="may have 262144 characters"):
        load_registry(path)


def test_only_registries_are_compared():
    for wrong in NOT_TEXTS.values():
        for pair in ((wrong, R), (R, wrong)):
            with pytest.raises(TypeError, match="expected a Registry, got"):
                diff(*pair)


# Snowflakes


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_snowflake_is_an_invalid_id(what):
    value = BAD[what]
    calls = [DISCORD.join, lambda x: DISCORD.join(PARTS | {"worker": x})]
    calls += [DISCORD.split, lambda x: DISCORD.join(PARTS | {"time": x})] if what != "int" else []
    for call in calls:
        result, error = outcome(call, value)
        if (what, result) == ("int", DISCORD.join(PARTS | {"worker": 7})):
            continue
        assert isinstance(error, InvalidId | OverflowError), what
        check_message(error)
    for name in PARTS:
        with pytest.raises(InvalidId, match="expected a mapping with time, worker"):
            DISCORD.join({other: part for other, part in PARTS.items() if other != name})


# Stores


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with SQLiteStore(tmp_path_factory.mktemp("store") / "ids.db", R) as made:
        made.record(USER)
        made.link("known", USER, source="test")
        yield made


SESSION = R.mint("session")
STORE_TEXTS = {
    "resolve": (lambda s, x: s.resolve(x), InvalidId),
    "link": (lambda s, x: s.link(x, USER, source="t"), InvalidId),
    "link to": (lambda s, x: s.link("other", x, source="t"), InvalidId),
    "record": (lambda s, x: s.record(x), InvalidId),
    "lineage": (lambda s, x: s.lineage(x), NotFound),
    "ancestry": (lambda s, x: s.ancestry(x), NotFound),
    "children": (lambda s, x: s.children(x), NotFound),
    "authorise": (lambda s, x: s.authorise(x, principal=USER), NotFound),
    "authorise for": (lambda s, x: s.authorise(USER, principal=x), NotFound),
    "undo": (lambda s, x: s.undo(x), UnknownName),
    "record under": (lambda s, x: s.record(SESSION, parent=x), (InvalidId, canonid.LineageConflict)),
    "record for": (lambda s, x: s.record(USER, principal=x), canonid.LineageConflict),
}
STORE_NAMES = {
    "resolve": lambda s, x: s.resolve(USER, x),
    "resolve for a service": lambda s, x: s.resolve(USER, None, x),
    "link": lambda s, x: s.link("other", USER, kind=x, source="t"),
    "record": lambda s, x: s.record(USER, kind=x),
    "record under": lambda s, x: s.record(SESSION, parent=USER, parent_kind=x),
    "lineage": lambda s, x: s.lineage(USER, x),
    "ancestry": lambda s, x: s.ancestry(USER, x),
    "children": lambda s, x: s.children(USER, x),
    "kind of children": lambda s, x: s.children(USER, kind_of_children=x),
    "authorise": lambda s, x: s.authorise(USER, kind=x, principal=USER),
    "aliases": lambda s, x: s.aliases(kind=x),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("name", STORE_TEXTS)
def test_a_store_refuses_what_is_no_id(store, name, what):
    call, expected = STORE_TEXTS[name]
    if BAD[what] is None and name == "record for":
        return
    result, error = outcome(call, store, BAD[what])
    assert isinstance(error, expected), result
    check_message(error)
    if what in BIG_TEXTS:
        assert seconds(call, store, BAD[what]) < FAST


@pytest.mark.parametrize("what", [what for what in BAD if what != "None"])
@pytest.mark.parametrize("name", STORE_NAMES)
def test_a_store_knows_no_other_names(store, name, what):
    result, error = outcome(STORE_NAMES[name], store, BAD[what])
    assert isinstance(error, UnknownName), result
    check_message(error)


@pytest.mark.parametrize("what", BAD)
def test_a_store_finds_no_aliases_of_what_is_none(store, what):
    if what != "None":
        assert list(store.aliases(text=BAD[what])) == []
        assert list(store.aliases(batch=BAD[what])) == []
        _, error = outcome(lambda x: list(store.aliases(canonical=x)), BAD[what])
        assert isinstance(error, InvalidId)
    if what not in ("None", "int", "huge int"):
        with pytest.raises(ValueError, match="expected None or a number from 0 as limit="):
            store.aliases(limit=BAD[what])


@pytest.mark.parametrize("what", NOT_TEXTS | {"half a surrogate pair": 0})
def test_a_source_or_note_that_cant_be_kept_is_a_store_error(store, what):
    def batch(**words):
        with store.batch(**{"source": "t"} | words) as opened:
            opened.link("never", USER)

    for call in (
        lambda x: store.link("never", USER, source=x),
        lambda x: batch(source=x),
        lambda x: batch(note=x),
    ):
        result, error = outcome(call, BAD[what])
        assert isinstance(error, StoreError), result
        check_message(error)
    assert list(store.aliases(text="never")) == []


def test_what_is_no_path_of_a_store_is_a_store_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for wrong in [*NOT_TEXTS.values(), "nul\0", "half\ud800", "no/such/folder/\x1b[31m", "a" * MB]:
        _, error = outcome(lambda path: SQLiteStore(path, R), wrong)
        assert isinstance(error, StoreError)
        assert str(error).isprintable() and len(str(error)) < 300
    assert list(tmp_path.iterdir()) == []


# Scopes


@pytest.fixture
def tree(store):
    return ScopeTree(store.resolve)


@pytest.mark.parametrize("what", BAD)
def test_a_scope_tree_refuses_what_is_no_id(tree, what):
    root = tree.open("user", USER, principal=USER)
    for call in (
        lambda x: tree.open("user", x, principal=USER),
        lambda x: root.open("session", x),
        lambda x: root.claim("session", x),
    ):
        result, error = outcome(call, BAD[what])
        assert isinstance(error, InvalidId), result
        check_message(error)
    with pytest.raises(NotFound):
        tree.find("user", BAD[what], principal=USER)
    with pytest.raises(NotFound):
        tree.find("user", USER, principal=BAD[what])
    assert asyncio.run(root.release("session", BAD[what])) is False
    assert tree.snapshot(BAD[what]) == ()
    assert (tree.stats.scopes, tree.stats.resources) == (1, 0)


@pytest.mark.parametrize("what", [what for what in BAD if what != "None"])
def test_a_scope_tree_knows_no_other_kinds(tree, what):
    root = tree.open("user", USER, principal=USER)
    for call in (
        lambda x: tree.open(x, USER, principal=USER),
        lambda x: root.open(x, SESSION),
        lambda x: root.claim(x, SESSION),
        lambda x: tree.find(x, SESSION, principal=USER),
        lambda x: asyncio.run(root.release(x, SESSION)),
    ):
        result, error = outcome(call, BAD[what])
        assert isinstance(error, UnknownName), result
        check_message(error)


@pytest.mark.parametrize("what", [what for what in NOT_TEXTS if what != "None"])
def test_an_entry_that_is_refused_leaves_nothing_behind(tree, what):
    with pytest.raises(InvalidId, match="expected a text as principal="):
        tree.open("user", USER, principal=NOT_TEXTS[what])
    with pytest.raises(TypeError, match="expected an Identity as identity="):
        tree.open("user", USER, principal=USER, identity=NOT_TEXTS[what])
    root = tree.open("user", USER, principal=USER)
    with pytest.raises(TypeError, match="expected a callable as release="):
        root.claim("session", SESSION, NOT_TEXTS[what])
    assert (tree.stats.scopes, tree.stats.resources) == (1, 0)


# WebSockets


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_ticket_is_not_redeemed(what):
    tickets = Tickets()
    token = tickets.issue(principal=USER, session=SESSION, expires_at=2.0**40)
    assert tickets.redeem(BAD[what]) is None
    assert tickets.redeem(token).principal == USER


def test_every_public_name_meets_bad_input():
    errors = {
        name
        for name in canonid.__all__
        if isinstance(value := getattr(canonid, name), type) and issubclass(value, CanonidError)
    }
    values = {"Format", "Identity", "Kind", "Reading", "Recognition", "Service"}  # made by the registry only
    assert set(canonid.__all__) - errors - values == {"Registry", "find_registry", "load_registry"}
    verbs = {name for name in vars(Registry) if not name.startswith("_")}
    assert verbs == {
        "from_toml", "kind", "format", "service", "overlaps", "mint", "mint_many", "bind", "recognise",
        "parse", "is_valid", "identify", "canonical", "same", "translate", "translator", "writings",
    }  # fmt: skip
