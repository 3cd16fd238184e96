"""TypeID 0.3: the published cases, by name."""

import pytest

from canonid import InvalidId, Registry, RegistryError

REGISTRY = Registry.from_toml('[kinds.prefix]\n[kinds.pre_fix]\nprefix = "pre_fix"\n[formats.uuid]\n')

VALID = {
    "nil": ("prefix_00000000000000000000000000", "00000000-0000-0000-0000-000000000000"),
    "one": ("prefix_00000000000000000000000001", "00000000-0000-0000-0000-000000000001"),
    "ten": ("prefix_0000000000000000000000000a", "00000000-0000-0000-0000-00000000000a"),
    "sixteen": ("prefix_0000000000000000000000000g", "00000000-0000-0000-0000-000000000010"),
    "thirty-two": ("prefix_00000000000000000000000010", "00000000-0000-0000-0000-000000000020"),
    "max-valid": ("prefix_7zzzzzzzzzzzzzzzzzzzzzzzzz", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    "valid-alphabet": ("prefix_0123456789abcdefghjkmnpqrs", "0110c853-1d09-52d8-d73e-1194e95b5f19"),
    "valid-uuidv7": ("prefix_01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057"),
    "prefix-underscore": ("pre_fix_00000000000000000000000000", "00000000-0000-0000-0000-000000000000"),
}

INVALID = {
    "prefix-uppercase": "PREFIX_00000000000000000000000000",
    "prefix-numeric": "12345_00000000000000000000000000",
    "prefix-period": "pre.fix_00000000000000000000000000",
    "prefix-non-ascii": "préfix_00000000000000000000000000",
    "prefix-spaces": "  prefix_00000000000000000000000000",
    "prefix-64-chars": "a" * 64 + "_00000000000000000000000000",
    "separator-empty-prefix": "_00000000000000000000000000",
    "separator-empty": "_",
    "empty": "",
    "suffix-short": "prefix_1234567890123456789012345",
    "suffix-long": "prefix_123456789012345678901234567",
    "suffix-spaces": "prefix_1234567890123456789012345 ",
    "suffix-uppercase": "prefix_0123456789ABCDEFGHJKMNPQRS",
    "suffix-hyphens": "prefix_123456789-123456789-123456",
    "suffix-wrong-alphabet": "prefix_ooooooiiiiiiuuuuuuulllllll",
    "suffix-ambiguous-crockford": "prefix_i23456789ol23456789oi23456",
    "suffix-hyphens-crockford": "prefix_123456789-0123456789-0123456",
    "suffix-overflow": "prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz",
    "prefix-underscore-start": "_prefix_00000000000000000000000000",
    "prefix-underscore-end": "prefix__00000000000000000000000000",
    "prefix-with-digit": "prefix2_00000000000000000000000000",
    "line-break": "prefix_00000000000000000000000000\n",
    "other-digits": "prefix_٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠",
}


@pytest.mark.parametrize(("typeid", "uuid"), VALID.values(), ids=VALID)
def test_valid_typeids_translate_to_their_uuid_and_back(typeid, uuid):
    kind = "pre_fix" if typeid.startswith("pre_fix") else "prefix"
    assert REGISTRY.translate(typeid, "uuid") == uuid
    assert REGISTRY.translate(uuid, "typeid", kind) == typeid


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_invalid_typeids_are_refused_with_a_reason(text):
    found = REGISTRY.recognise(text)
    assert found.readings == ()
    assert found.answer is None
    assert found.reason
    with pytest.raises(InvalidId):
        REGISTRY.canonical(text, "prefix")


def of(prefix):
    return Registry.from_toml(f"[kinds.thing]\nprefix = '{prefix}'\n[formats.uuid]\n")


@pytest.mark.parametrize("prefix", ["a", "a_b", "a__b", "z" * 63, "a" + "_" * 61 + "b"])
def test_a_prefix_of_1_to_63_letters_and_inner_underscores_can_be_declared(prefix):
    registry = of(prefix)
    text = registry.mint("thing")
    assert text.startswith(f"{prefix}_0")
    assert registry.translate(registry.translate(text, "uuid"), "typeid", "thing") == text


@pytest.mark.parametrize(
    "prefix", ["", "_", "_a", "a_", "A", "aB", "a1", "1a", "a.b", "a-b", "a b", " a", "a ", "é", "a" * 64]
)
def test_no_other_prefix_can_be_declared(prefix):
    with pytest.raises(RegistryError, match=r"kinds\.thing\.prefix: expected 1 to 63 letters"):
        of(prefix)


def test_a_typeid_without_a_prefix_names_no_kind():
    assert of("a").recognise("01h455vb4pex5vsknk084sn02q").readings == ()


@pytest.mark.parametrize("first", "89abcdefghjkmnpqrstvwxyz")
def test_a_first_character_above_7_would_be_more_than_128_bits(first):
    registry = of("a")
    assert registry.recognise(f"a_{first}{'0' * 25}").readings == ()
    assert "expected one of 0-7 there" in registry.recognise(f"a_{first}{'0' * 25}").reason
