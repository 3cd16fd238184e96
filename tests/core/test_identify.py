"""Recognise, translate, same, canonical: pure, reversible where exact, and never a guess."""

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonid import AmbiguousId, InvalidId, Registry, UnknownName, Untranslatable, load_registry

REGISTRY = load_registry(Path(__file__).parents[1] / "registries" / "legacy.toml")
UUIDS = st.uuids().map(str)
KINDS = st.sampled_from(sorted(REGISTRY.kinds))

# Published: a change here would give every stored derived ID a new name.
DERIVED = {
    ("thread", "thread_chat_41_9f3c2b1a"): "38592ea2-ccf1-801d-ba40-a9d556ddc729",
    ("run", "run_thread_chat_41_9f3c2b1a_83123_ab12cd34"): "aa0a5ec5-815d-83d8-8c83-faf1a9bae813",
    ("user", "user_1700000000000_7_9f3c2b1a"): "5d63dd9f-0217-82dd-8206-be1c791eae34",
    ("session", "session_0_00000000"): "c7ded963-afca-8b60-9725-566039112a51",
    ("thread", "session_0_00000000"): "5487bd7e-0861-85e5-89b5-be753853e65b",
}


@pytest.mark.parametrize(("kind", "text"), DERIVED)
def test_derived_ids_equal_the_published_vectors(kind, text):
    assert REGISTRY.translate(text, "uuid", kind) == DERIVED[kind, text]
    assert uuid.UUID(DERIVED[kind, text]).version == 8
    assert uuid.UUID(DERIVED[kind, text]).variant == uuid.RFC_4122


def test_another_process_gives_the_same_answer():
    code = (
        "import canonid; r = canonid.load_registry('tests/registries/legacy.toml');"
        "print(r.canonical('session_0_00000000', 'thread'))"
    )
    root = Path(__file__).parents[2]
    env = {"PYTHONHASHSEED": "7", "PYTHONPATH": str(root / "src")}
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == REGISTRY.canonical("session_0_00000000", "thread")


@given(UUIDS, KINDS)
def test_exact_formats_translate_there_and_back(text, kind):
    for name in ("typeid", "ulid"):
        there = REGISTRY.translate(text, name, kind)
        assert REGISTRY.translate(there, "uuid", kind) == text
        assert REGISTRY.same(there, text, kind)
        assert REGISTRY.canonical(there, kind) == REGISTRY.canonical(text, kind)


def test_ulid_agrees_with_the_published_example():
    # github.com/ulid/spec: 01ARZ3NDEKTSV4RRFFQ69G5FAV
    text = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert REGISTRY.translate(text, "uuid", "user") == "01563e3a-b5d3-d676-4c61-efb99302bd5b"
    assert REGISTRY.parse(text, "user").time == 1469922850259
    for wrong in (text.lower(), "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", text[:-1], text.replace("V", "U")):
        assert REGISTRY.recognise(wrong, "user").answer is None


FORMATS = st.sampled_from(
    [
        ("user", "generator", {"prefix": "user"}),
        ("session", "generator", {"prefix": "session_web_user_170"}),
        ("thread", "generator-context", {"operation": "chat_room"}),
        ("request", "generator-context", {"operation": "a_1"}),
        ("tool", "manager", {}),
        ("agent", "manager", {"prefix": "my_first"}),
        ("thread", "manager-thread", {}),
        ("run", "manager-run", {"thread": "thread_chat_41_9f3c2b1a"}),
        ("connection", "websocket", {"stage": "prod"}),
        ("message", "typeid", {}),
        ("message", "uuid", {}),
        ("message", "ulid", {}),
    ]
)


@given(FORMATS)
def test_what_is_minted_parses_as_its_kind_and_is_written_back_identically(case):
    kind, form, fields = case
    text = REGISTRY.mint(kind, format=form, **fields)
    reading = REGISTRY.parse(text, kind, form)
    assert (reading.kind, reading.format) == (kind, form)
    assert REGISTRY.mint(kind, format=form, **reading.fields) == text
    assert REGISTRY.canonical(text, kind) == REGISTRY.canonical(REGISTRY.canonical(text, kind), kind)


def test_nested_ids_and_slugs_are_read_from_the_right():
    text = "run_thread_chat_41_9f3c2b1a_83123_ab12cd34"
    assert REGISTRY.parse(text, "run", "manager-run").fields == {
        "thread": "thread_chat_41_9f3c2b1a",
        "time": 83123,
        "random": "ab12cd34",
    }
    typed = REGISTRY.mint("thread")
    run = REGISTRY.mint("run", service="backend", thread=typed)
    assert REGISTRY.parse(run, "run", "manager-run").fields["thread"] == typed


def test_ambiguity_is_an_answer_and_the_kind_settles_it():
    found = REGISTRY.recognise("session_0_00000000")
    assert found.ambiguous
    assert found.answer is None
    assert "(session, thread)" in found.reason
    with pytest.raises(AmbiguousId):
        REGISTRY.canonical("session_0_00000000")
    assert REGISTRY.recognise("session_0_00000000", "thread").answer.kind == "thread"
    assert not REGISTRY.same("session_0_00000000", "session_0_00000000")


def test_the_emitting_service_settles_it_too():
    assert REGISTRY.identify("session_0_00000000", service="backend").kind == "thread"
    assert REGISTRY.recognise("session_0_00000000", service="auth").answer is None


def test_a_bare_uuid_fits_every_kind_and_so_needs_one():
    text = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert {reading.kind for reading in REGISTRY.recognise(text).readings} == set(REGISTRY.kinds)
    assert REGISTRY.canonical(text, "user") == "user_01h455vb4pex5vsknk084sn02q"


def test_same_needs_an_answer_on_both_sides():
    text = REGISTRY.mint("user")
    assert REGISTRY.same(text, REGISTRY.translate(text, "ulid"), "user")
    assert not REGISTRY.same(text, REGISTRY.mint("user"))
    assert not REGISTRY.same("nonsense", "nonsense")
    # Under one kind both UUIDs are readable, but they are different users.
    assert not REGISTRY.same(str(uuid.uuid4()), str(uuid.uuid4()), "user")


def test_a_canonical_format_too_narrow_for_derived_ids_needs_an_alias():
    registry = Registry.from_toml(
        '[kinds.alert]\ncanonical = "short"\n[formats.uuid]\n'
        '[formats.short]\npattern = "alert-{n:int}"\nkinds = ["alert"]\n'
    )
    assert registry.canonical("alert-7") == "alert-7"
    with pytest.raises(Untranslatable, match="link an alias"):
        registry.canonical("01890a5d-ac96-774b-bcce-b302099a8057")
    with pytest.raises(Untranslatable, match="can't hold the 128 bits"):
        registry.translate("01890a5d-ac96-774b-bcce-b302099a8057", "short")


def test_a_declared_pattern_around_a_uuid_is_exact():
    registry = Registry.from_toml('[kinds.conn]\n[formats.old]\npattern = "c-{id:uuid}"\nkinds = ["conn"]\n')
    text = "c-01890a5d-ac96-774b-bcce-b302099a8057"
    assert registry.canonical(text) == "conn_01h455vb4pex5vsknk084sn02q"
    assert registry.translate(registry.canonical(text), "old") == text


def test_all_exact_writings_are_listed_canonical_first():
    text = "user_01h455vb4pex5vsknk084sn02q"
    assert list(REGISTRY.writings("user", text)) == ["typeid", "uuid", "ulid"]
    legacy = REGISTRY.writings("thread", "thread_chat_41_9f3c2b1a")
    assert legacy["generator-context"] == "thread_chat_41_9f3c2b1a"
    assert legacy["uuid"] == DERIVED["thread", "thread_chat_41_9f3c2b1a"]


HOSTILE = [
    *(None, b"user_1", 7, "", " ", "\n", "\0", "{}", "'; drop", "é", "\ud800"),
    *("user_01h455vb4pex5vsknk084sn02q\n", " user_01h455vb4pex5vsknk084sn02q"),
    *("x" * 1_000_000, "a_" * 500_000),
    *("thread_chat_41_9f3c2b1ａ", "session_０_00000000"),
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:30])
def test_hostile_input_has_no_answer_and_a_short_clear_reason(text):
    found = REGISTRY.recognise(text)
    assert found.readings == ()
    assert found.reason.isascii() or "…" in found.reason
    assert len(found.reason) < 300
    assert not REGISTRY.same(text, text)
    for verb in (REGISTRY.canonical, REGISTRY.identify):
        with pytest.raises(InvalidId):
            verb(text)
    with pytest.raises(InvalidId):
        REGISTRY.translate(text, "uuid", "user")
    with pytest.raises(InvalidId):
        REGISTRY.parse(text, "user")


@given(st.text(max_size=60))
def test_recognising_never_raises(text):
    REGISTRY.recognise(text)
    REGISTRY.recognise(text, "thread")


@given(UUIDS, st.data())
def test_a_changed_character_never_matches_the_same_id(uuid_text, data):
    text = REGISTRY.translate(uuid_text, "typeid", "user")
    at = data.draw(st.integers(0, len(text) - 1))
    char = data.draw(st.characters(exclude_characters=text[at]))
    changed = text[:at] + char + text[at + 1 :]
    assert not REGISTRY.same(text, changed)


def test_reasons_name_what_was_wrong():
    reason = lambda text, kind=None: REGISTRY.recognise(text, kind).reason  # noqa: E731
    assert "prefix 'user2' is not a declared kind; did you mean 'user'?" in reason(
        "user2_01h455vb4pex5vsknk084sn02q"
    )
    assert "up to character 30" in reason("user_01h455vb4pex5vsknk084sn02u")
    assert "names a thread (format 'typeid'), not a user" in reason(
        "thread_01h455vb4pex5vsknk084sn02q", "user"
    )
    assert "(U+000A) as character 7" in reason("user_1\n")
    assert "too long" in reason("a" * 5000)


def test_undeclared_names_are_the_callers_mistake():
    for call in (
        lambda: REGISTRY.recognise("x", "usr"),
        lambda: REGISTRY.mint("usr"),
        lambda: REGISTRY.translate("x", "uid"),
        lambda: REGISTRY.recognise("x", service="auht"),
    ):
        with pytest.raises(UnknownName, match="did you mean"):
            call()
