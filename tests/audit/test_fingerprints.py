"""A finding is known again by what it is, not by where it stands."""

from canonid.audit.findings import Draft, Place
from canonid.audit.fingerprints import findings_of
from canonid.audit.rules.minting import DirectUuid

RULES = {"CID101": DirectUuid}


def draft(line, normal="uuid.uuid4()", symbol="make", column=1):
    place = Place(line, column, line, column + 5)
    return Draft("CID101", place, "certain", symbol, "", "makes an ID", normal)


def fingerprints(*drafts, path="a.py"):
    return [each.fingerprint for each in findings_of(path, drafts, RULES, in_tests=False)]


def test_place_and_file_have_no_part_in_it():
    assert fingerprints(draft(3)) == fingerprints(draft(70, column=9), path="b/c.py")


def test_rule_symbol_and_code_have():
    assert len({*fingerprints(draft(1), draft(2, symbol="other"), draft(3, "uuid.uuid1()"))}) == 3


def test_equals_of_a_file_are_numbered_in_the_order_of_the_source():
    first, second = findings_of("a.py", [draft(9), draft(2)], RULES, in_tests=False)
    assert (first.line, second.line) == (2, 9)
    assert first.fingerprint.endswith(":1")
    assert second.fingerprint == first.fingerprint.replace(":1", ":2")


def test_how_a_version_of_python_writes_quotes_has_no_part_in_it():
    assert fingerprints(draft(1, "f'{x[\"a\"]}_{ uuid4() }'")) == fingerprints(
        draft(1, "f\"{x['a']}_{uuid4()}\"")
    )


def test_category_is_the_rules_and_priority_too_outside_of_tests():
    (found,) = findings_of("tests/a.py", [draft(4)], RULES, in_tests=True)
    assert (found.category, found.priority, found.in_tests) == ("direct-uuid", "P2", True)
    assert (found.line, found.column, found.end_column) == (4, 1, 6)
