"""Cases that once went wrong, each by its smallest example."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from canonid import AmbiguousId, InvalidId, Registry, RegistryError, find_registry, load_registry

THING = "[kinds.thing]\n"


def one_format(pattern: str, kinds: str = THING) -> Registry:
    return Registry.from_toml(f"{kinds}[formats.f]\npattern = '{pattern}'\nkinds = ['thing']\n")


@pytest.mark.parametrize(
    "pattern",
    [
        "x[{a:int}{b:int}]y",
        "x[_{a:slug}_{b:slug}]y.{h:hex(2)}",
        "[{b:text(a0,1..2)}{c:text(a0,1..2)}]-_",
        "{a:slug(3..3)}_{b:slug}",
    ],
)
def test_free_fields_in_an_optional_part_or_with_bounds_are_still_two_readings(pattern):
    with pytest.raises(RegistryError, match="in two ways"):
        one_format(pattern)


@pytest.mark.parametrize("pattern", ["", "[{s:slug}]"])
def test_a_pattern_must_not_accept_the_empty_text(pattern):
    with pytest.raises(RegistryError, match=r"formats\.f\.pattern"):
        one_format(pattern)


def test_formats_of_one_kind_that_name_different_things_are_an_overlap():
    for formats, first, second in (
        (
            "short = {pattern='a-{n:int}', kinds=['thing']}\n"
            "old = {pattern='a-{h:text(0-9a-z,1..8)}', kinds=['thing']}",
            "short",
            "old",
        ),
        (
            "p = {pattern='0{id:base32}', kinds=['thing']}\nq = {pattern='{id:base32}0', kinds=['thing']}",
            "p",
            "q",
        ),
    ):
        canonical = "canonical = 'short'\n" if "short" in formats else ""
        with pytest.raises(RegistryError, match=f"format '{first}' and thing in format '{second}'"):
            Registry.from_toml(f"{canonical}{THING}[formats]\n{formats}\n")


def test_what_is_in_the_canonical_format_names_itself():
    registry = Registry.from_toml(
        f"{THING}[formats.uuid]\n[formats.any]\npattern = '{{x:text(0-9a-z_,32..32)}}'\nkinds = ['thing']\n"
        "overlaps = ['typeid']\n"
    )
    text = registry.mint("thing")
    assert len(registry.recognise(text).readings) == 2
    assert registry.canonical(text) == text
    assert registry.translate(registry.translate(text, "uuid"), "typeid", "thing") == text


def test_translating_never_chooses_between_two_things():
    registry = Registry.from_toml(
        "canonical = 'short'\n[kinds.thing]\n[formats.short]\npattern = 's-{n:int}'\nkinds = ['thing']\n"
        "[formats.any]\npattern = '{x:text(0-9a-z-,36..36)}'\nkinds = ['thing']\noverlaps = ['uuid']\n"
        "[formats.uuid]\n[formats.ulid]\n"
    )
    text = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert registry.recognise(text).ambiguous
    with pytest.raises(AmbiguousId):
        registry.translate(text, "ulid")


def test_a_nested_id_may_have_no_fields_of_its_own():
    registry = Registry.from_toml(
        "[kinds.a]\n[kinds.b]\n[formats.root]\npattern = 'root[-{x:hex(2)}]'\nkinds = ['a']\n"
        "[formats.n]\npattern = 'n:{p:id(a)}:{h:hex(2)}'\nkinds = ['b']\n"
    )
    assert registry.parse("n:root:00", "b").fields == {"p": "root", "h": "00"}


def test_minting_writes_what_was_given_or_refuses():
    two = one_format("x_{a:hex(2)}_{b:slug}")
    with pytest.raises(InvalidId, match="check the fields"):
        two.mint("thing", format="f", a="00_11", b="foo")
    optional = one_format("g[-{p:slug}-{q:slug}]-{h:hex(8)}")
    with pytest.raises(InvalidId, match="check the fields"):
        optional.mint("thing", format="f", p="lost")
    with pytest.raises(InvalidId, match="check the fields"):
        one_format("x_{h:hex(8)}").mint("thing", format="f", h=255)


def test_a_field_may_be_named_kind_or_self_but_not_service():
    text = one_format("x_{kind:slug}.{self:slug}").mint("thing", format="f", kind="a", self="b")
    assert text == "x_a.b"
    with pytest.raises(RegistryError, match="means something to mint"):
        one_format("x_{service:slug}")


def test_a_counter_alone_is_never_filled_in():
    registry = one_format("a-{n:int}")
    with pytest.raises(InvalidId, match="needs n="):
        registry.mint("thing", format="f")
    assert registry.mint("thing", format="f", n=7) == "a-7"
    assert one_format("{t:time(s)}-{n:int(1000..9999)}").mint("thing", format="f").endswith("-1000")


@pytest.mark.parametrize(
    "text",
    [
        "[tool]\ncanonid = 3",
        "[[tool.canonid]]",
        "[project]\nname = 'other'",
        "x = " + "1" * 5000,
        "x = " + "[" * 3000,
        "kinds = []",
        "[kinds.a]\nprefix = []\nparent = 3\nwriter = true\ncanonical = 1979-05-27",
        "[kinds.a]\n[formats.f]\npattern = 3\nkinds = {}\noverlaps = 'x'\nprefixes = []",
        "[kinds.a]\n[formats.f]\npattern = '{x:int(٣..٩)}'\nkinds = ['a']",
        "[kinds.a]\n[formats.f]\npattern = '{x:hex(2)}'\nkinds = []",
        "[kinds.a]\n[services.s]\naccepts = 1\nemits = [1]",
        "[kinds.a]\n[services.s]\nemits = { a = ['typeid', 'typeid'] }",
        '[kinds."\\u001b[31m"]',
        "".join(f"[kinds.k{chr(97 + n // 26)}{chr(97 + n % 26)}]\nparent = 'nobody'\n" for n in range(600)),
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_whatever_is_wrong_with_a_registry_is_a_registry_error(text):
    with pytest.raises(RegistryError) as caught:
        Registry.from_toml(text)
    assert str(caught.value).isprintable() or "\n" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_long_chain_of_parents_is_no_circle():
    names = [f"k{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(300)]
    text = "".join(
        f"[kinds.{name}]\nparent = '{above}'\n" for name, above in zip(names[1:], names, strict=False)
    )
    assert len(Registry.from_toml(f"[kinds.{names[0]}]\n{text}").kinds) == 300


def test_nesting_is_bounded_before_it_grows():
    deep = "".join(
        f"[formats.f{n}]\npattern = 'x{n}-{{i:id(k{chr(97 + n)})}}'\nkinds = ['k{chr(98 + n)}']\n"
        for n in range(20)
    )
    kinds = "".join(f"[kinds.k{chr(97 + n)}]\n" for n in range(22))
    with pytest.raises(RegistryError, match="nested more than 3 deep"):
        Registry.from_toml(kinds + deep)
    wide = ".".join(f"{{x{n}:id(thing)}}" for n in range(3))
    with pytest.raises(RegistryError, match="more than 2 nested IDs"):
        Registry.from_toml(f"{THING}[kinds.b]\n[formats.f]\npattern = '{wide}'\nkinds = ['b']\n")


def test_the_emitting_service_settles_between_formats_of_one_kind_too():
    registry = Registry.from_toml(
        "[kinds.thing]\n[formats.uuid]\n"
        "[formats.any]\npattern = '{x:text(0-9a-z-,36..36)}'\nkinds = ['thing']\n"
        "overlaps = ['uuid']\n[services.s]\nemits = { thing = 'uuid' }\n"
    )
    text = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert registry.recognise(text).answer is None
    assert registry.canonical(text, service="s") == "thing_01h455vb4pex5vsknk084sn02q"


def test_reasons_count_the_bounds_of_slugs_and_know_ulids():
    assert "should end there" in one_format("x_{s:slug(1..3)}").recognise("x_abcd").reason
    registry = Registry.from_toml(f"{THING}[formats.ulid]\n")
    assert "up to character 25" in registry.recognise("01ARZ3NDEKTSV4RRFFQ69G5FAI").reason


def test_somebody_elses_broken_pyproject_above_is_passed_over(tmp_path: Path):
    for content in ("tool = 3", "[tool]\nx = " + "[" * 3000, "\xff"):
        (tmp_path / "pyproject.toml").write_text(content, encoding="latin-1")
        inner = tmp_path / "inner"
        inner.mkdir(exist_ok=True)
        assert find_registry(inner) != tmp_path / "pyproject.toml"
    with pytest.raises(RegistryError, match="not valid"):
        load_registry("\0")


def test_what_the_registry_holds_cannot_be_changed():
    registry = Registry.from_toml(THING)
    with pytest.raises(TypeError):
        registry.kinds["x"] = registry.kinds["thing"]  # type: ignore[index]


def test_a_format_may_begin_with_an_underscore():
    registry = one_format("_{kind}_{h:hex(8)}")
    text = registry.mint("thing", format="f")
    assert text.startswith("_thing_")
    assert registry.parse(text, "thing", "f").fields["h"] == text[-8:]


def test_an_optional_part_that_begins_with_the_kind_is_found_for_every_kind():
    registry = Registry.from_toml(
        "[kinds.a]\n[kinds.b]\n[formats.own]\npattern = '{p:slug}[{kind}-{h:hex(3)}]-x'\n"
        "prefixes = { a = 'A', b = 'b' }\noverlaps = ['own']\n"
    )
    assert {reading.kind for reading in registry.recognise("xA-abc-x").readings} == {"a"}
    assert {reading.kind for reading in registry.recognise("xb-abc-x").readings} == {"b"}


def test_what_is_canonical_names_itself_in_every_verb():
    registry = Registry.from_toml(
        "canonical = 'uuid'\n[kinds.user]\n[formats.uuid]\n"
        "[formats.old]\npattern = '{x:text(0-9a-f-,36)}'\nkinds = ['user']\noverlaps = ['uuid']\n"
    )
    text = "01890a5d-ac96-774b-bcce-b302099a8057"
    wanted = registry.translate(text, "typeid", "user")
    assert wanted == "user_01h455vb4pex5vsknk084sn02q"
    assert registry.translate(text, "typeid", "user", format="old") == wanted
    assert registry.translator("typeid", "user", "old")(text) == wanted
    assert registry.parse(text, "user", "old").bits == registry.parse(text, "user").bits


def test_a_bounded_counter_begins_anew_instead_of_running_over():
    registry = one_format("{kind}-{n:int(3..5)}-{h:hex(8)}")
    numbers = [registry.parse(registry.mint("thing", format="f"), "thing").fields["n"] for _ in range(7)]
    assert numbers == [3, 4, 5, 3, 4, 5, 3]
    assert one_format("{kind}-{n:int(0..0)}-{h:hex(8)}").mint("thing", format="f").startswith("thing-0-")


def test_readings_are_equal_by_what_they_say_and_can_be_pickled():
    toml = f"{THING}[formats.f]\npattern = '{{kind}}-{{s:slug}}-{{n:int}}'\nkinds = ['thing']\n"
    first, second = Registry.from_toml(toml), Registry.from_toml(toml)
    for text in ("thing-a_b-7", first.mint("thing")):
        reading = first.parse(text, "thing")
        assert reading == second.parse(text, "thing")
        copy = pickle.loads(pickle.dumps(reading))
        assert copy == reading
        assert (copy.canonical, copy.fields, copy.time) == (reading.canonical, reading.fields, reading.time)


def test_one_word_for_two_kinds_in_a_format_is_an_overlap():
    toml = "[kinds.a]\n[kinds.b]\n[formats.f]\npattern = '{kind}-{h:hex(8)}'\nprefixes = { b = 'a' }\n"
    with pytest.raises(RegistryError, match="'a-00000000' is both"):
        Registry.from_toml(toml)
    assert Registry.from_toml(toml + "overlaps = ['f']\n").recognise("a-00000000").ambiguous
