"""UUIDs of named versions: what is accepted, minted, and refused rather than altered."""

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonid import InvalidId, Registry, RegistryError, Untranslatable

# RFC 9562, appendices A and B; the nil and the max UUID (§5.9, §5.10) are of no version.
PUBLISHED = {
    1: "c232ab00-9414-11ec-b3c8-9f6bdeced846",
    3: "5df41881-3aed-3515-88a7-2f4a814cf09e",
    4: "919108f7-52d1-4320-9bac-f847db4148a8",
    5: "2ed6657d-e927-568b-95e1-2665a8aea6a2",
    6: "1ec9414c-232a-6b00-b3c8-9f6bdeced846",
    7: "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    8: "2489e9ad-2ee2-8e00-8ec9-32d5f69181c0",
}
OF_NO_VERSION = (
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",  # variant of the NCS
    "017f22e2-79b0-7cc3-d8c4-dc0c0c07398f",  # variant of Microsoft
    "017f22e2-79b0-0cc3-98c4-dc0c0c07398f",
    "017f22e2-79b0-9cc3-98c4-dc0c0c07398f",
)


def thing(versions, **options):
    return Registry.from_toml(
        f"[kinds.thing]\n[formats.uuid]\nversions = {versions}\n[formats.ulid]\n"
        "[formats.old]\npattern = 't-{n:int}'\nkinds = ['thing']\n",
        **options,
    )


@pytest.mark.parametrize("version", PUBLISHED)
def test_only_the_named_versions_are_accepted(version):
    registry = thing([version])
    for other, text in PUBLISHED.items():
        assert bool(registry.recognise(text).readings) == (other == version)
    for text in OF_NO_VERSION:
        assert registry.recognise(text).readings == ()


@pytest.mark.parametrize("text", [*PUBLISHED.values(), *OF_NO_VERSION])
def test_without_versions_any_128_bits_are_accepted(text):
    assert Registry.from_toml("[kinds.thing]\n[formats.uuid]\n").parse(text, "thing").payload is not None


@pytest.mark.parametrize("version", [1, 6, 7])
def test_the_creation_time_is_read_where_the_version_holds_one(version):
    # All three are of Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00.
    assert thing([version]).parse(PUBLISHED[version], "thing").time == 1_645_557_742_000


@pytest.mark.parametrize("version", [3, 4, 5, 8])
def test_other_versions_hold_no_creation_time(version):
    assert thing([version]).parse(PUBLISHED[version], "thing").time is None


def test_a_version_in_a_pattern_says_the_same():
    registry = Registry.from_toml(
        "[kinds.conn]\n[formats.old]\npattern = 'c-{id:uuid(7, 4)}'\nkinds = ['conn']\n"
    )
    assert registry.canonical(f"c-{PUBLISHED[7]}") == "conn_01fwhe4ydgfk1shh6w1g60eecf"
    assert registry.recognise(f"c-{PUBLISHED[1]}").readings == ()


@pytest.mark.parametrize(("versions", "minted"), [([7], 7), ([4], 4), ([4, 7], 7), ([1, 4], 4), ([8, 7], 7)])
def test_a_minted_uuid_is_of_a_named_version(versions, minted):
    made = uuid.UUID(thing(versions).mint("thing", format="uuid"))
    assert (made.version, made.variant) == (minted, uuid.RFC_4122)


@settings(deadline=None)  # loads a registry each time
@given(st.binary(min_size=16, max_size=16))
def test_a_uuid_of_version_4_takes_all_its_bits_from_the_entropy_but_six(random):
    made = thing([4], entropy=lambda size: random[:size]).mint("thing", format="uuid")
    assert made == str(uuid.UUID(bytes=random, version=4))


@pytest.mark.parametrize("version", [1, 2, 3, 5, 6, 8])
def test_what_takes_more_than_clock_and_entropy_is_not_minted(version):
    with pytest.raises(InvalidId, match="needs id="):
        thing([version]).mint("thing", format="uuid")


@settings(deadline=None)  # loads a registry each time
@given(st.uuids())
def test_bits_of_an_excluded_version_are_refused_not_altered(value):
    registry = thing([4])
    ulid = Registry.from_toml("[kinds.thing]\n[formats.uuid]\n[formats.ulid]\n").translate(
        str(value), "ulid", "thing"
    )
    if value.version == 4:
        assert registry.translate(ulid, "uuid", "thing") == str(value)
    else:
        with pytest.raises(Untranslatable, match="holds UUIDs of version 4 only"):
            registry.translate(ulid, "uuid", "thing")
        assert list(registry.writings("thing", ulid)) == ["typeid", "ulid"]


def test_the_reason_names_the_version_that_was_found():
    registry = thing([4, 7])
    with pytest.raises(
        Untranslatable, match=r"of version 4 or 7 only, but 't.*' has version 1; link an alias"
    ):
        registry.translate(
            Registry.from_toml("[kinds.thing]\n[formats.uuid]\n").canonical(PUBLISHED[1], "thing"), "uuid"
        )
    with pytest.raises(Untranslatable, match=r"but 'thing_0*' is no UUID of RFC 9562"):
        registry.translate("thing_00000000000000000000000000", "uuid")
    with pytest.raises(Untranslatable, match="the derived ID of 't-5' has version 8"):
        registry.translate("t-5", "uuid")
    assert uuid.UUID(thing([8]).translate("t-5", "uuid")).version == 8


def test_a_canonical_format_of_some_versions_answers_only_for_those():
    registry = Registry.from_toml(
        "canonical = 'uuid'\n[kinds.thing]\n[formats.uuid]\nversions = [7]\n[formats.ulid]\n"
        "[formats.old]\npattern = 't-{n:int}'\nkinds = ['thing']\n"
    )
    assert registry.canonical("01FWHE4YDGFK1SHH6W1G60EECF") == PUBLISHED[7]
    for text, held in (("t-5", "a derived ID"), ("00000000000000000000000000", "its 128 bits")):
        assert registry.recognise(text).answer is None
        with pytest.raises(Untranslatable, match=f"canonical format 'uuid' can't hold {held}; link an alias"):
            registry.canonical(text)


def test_two_formats_that_read_the_same_bits_from_a_text_are_no_overlap():
    registry = Registry.from_toml(
        "[kinds.thing]\n[formats.uuid]\nversions = [7]\n"
        "[formats.any]\npattern = '{id:uuid}'\nkinds = ['thing']\n"
    )
    assert registry.overlaps() == []
    found = registry.recognise(PUBLISHED[7])
    assert [reading.format for reading in found.readings] == ["uuid", "any"]
    assert found.answer is not None


@pytest.mark.parametrize("versions", ["7", "[]", "[0]", "[9]", "[7, 7]", "['7']", "[true]", "[7.0]", "{}"])
def test_faulty_versions_are_one_clear_fault(versions):
    with pytest.raises(RegistryError) as caught:
        thing(versions)
    assert caught.value.faults == (
        ("formats.uuid.versions", "expected a list of different versions from 1 to 8, e.g. [4, 7]"),
    )
