"""Two versions of a registry: what is compatible, what breaks, and a proof for every text."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from canonid import Registry, RegistryError, load_registry
from canonid.core.diffing import diff
from canonid.core.inclusion import Undecided

ROOT = Path(__file__).parents[2]
BASE = """\
[kinds.user]
prefix = "user"
writer = "auth"
[kinds.thread]
parent = "user"
[kinds.run]
parent = "thread"
[formats.ulid]
kinds = ["user"]
[formats.manager]
pattern = "{kind}-{counter:int}-{random:hex(8)}"
kinds = ["user", "thread"]
[formats.run]
pattern = "run_{thread:id(thread)}_{time:time(ms % 100000)}_{random:hex(8)}"
kinds = ["run"]
[services.auth]
accepts = ["typeid", "manager"]
emits = { user = "manager" }
[services.chat]
accepts = ["typeid", "manager", "run"]
emits = { thread = "manager", run = "run" }
"""
PLAIN = BASE.replace("{thread:id(thread)}", "{thread:int}")  # nothing is nested


def changes(before, after):
    return diff(Registry.from_toml(before), Registry.from_toml(after))


def told(*edits, base=BASE):
    """What is told of the base with these replacements: {path: (breaking, sentence)}."""
    after = base
    for old, new in edits:
        assert old in after
        after = after.replace(old, new)
    found = [(change.path, (change.breaking, change.sentence)) for change in changes(base, after)]
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.mark.parametrize(
    "path", ["examples/goldenpath/canonid.toml", "tests/registries/legacy.toml"], ids=["golden", "legacy"]
)
def test_a_registry_does_not_differ_from_itself(path):
    assert diff(load_registry(ROOT / path), load_registry(ROOT / path)) == []
    assert changes(BASE, BASE) == []


# Kinds


def test_a_new_kind_is_compatible_and_one_that_is_gone_breaks():
    more = BASE + "[kinds.note]\n"
    assert [(c.path, c.breaking) for c in changes(BASE, more)] == [("kinds.note", False)]
    assert [(c.path, c.breaking) for c in changes(more, BASE)] == [("kinds.note", True)]


def test_a_changed_prefix_breaks_unless_the_old_one_is_retired():
    assert told(('prefix = "user"', 'prefix = "person"')) == {
        "kinds.user.prefix": (
            True,
            "IDs with 'user' are no longer read; keep it with retired_prefixes = [\"user\"]",
        )
    }
    assert told(('prefix = "user"', 'prefix = "person"\nretired_prefixes = ["user"]')) == {
        "kinds.user.prefix": (
            False,
            "was user, is person; IDs with 'user' still name the same things, but their canonical ones begin"
            " with 'person': rewrite what is stored",
        )
    }


def test_a_retired_prefix_that_is_forgotten_breaks_and_one_that_is_added_does_not():
    retired = BASE.replace('prefix = "user"', 'prefix = "user"\nretired_prefixes = ["usr"]')
    ((path, (breaking, sentence)),) = told(('retired_prefixes = ["usr"]\n', ""), base=retired).items()
    assert (path, breaking) == ("kinds.user.retired_prefixes", True)
    assert "IDs with 'usr' are no longer read" in sentence
    (change,) = changes(BASE, retired)
    assert (change.path, change.breaking) == ("kinds.user.retired_prefixes", False)


@pytest.mark.parametrize("history", ['prefix = "usr"', 'prefix = "user"\nretired_prefixes = ["usr"]'])
def test_a_prefix_that_another_kind_had_is_reused_and_breaks(history):
    before = BASE.replace('prefix = "user"', history)
    after = BASE + '[kinds.account]\nprefix = "usr"\n'
    found = {change.path: change for change in changes(before, after)}
    assert found["kinds.account.prefix"].breaking
    assert "'usr' is re-used: it stands in IDs of kind 'user'" in found["kinds.account.prefix"].sentence


def test_a_narrow_canonical_format_keeps_names_under_a_retired_prefix():
    base = BASE.replace('writer = "auth"', 'canonical = "manager"')
    ((_, sentence),) = told(
        ('prefix = "user"', 'prefix = "person"\nretired_prefixes = ["user"]'), base=base
    ).values()
    assert sentence == "was user, is person; IDs with 'user' still name the same things"


@pytest.mark.parametrize(
    ("edit", "path", "breaking", "sentence"),
    [
        (('parent = "thread"', 'parent = "user"'), "kinds.run.parent", True, "was thread, is user; recorded"),
        (('parent = "thread"', ""), "kinds.run.parent", True, "was thread, is none; recorded lineage"),
        (
            ('writer = "auth"', 'writer = "auth"\ncanonical = "ulid"'),
            "kinds.user.canonical",
            True,
            "was typeid, is ulid; every canonical ID is another text now",
        ),
        (('writer = "auth"', ""), "kinds.user.writer", False, "was auth, is none"),
        (
            ('parent = "user"', 'parent = "user"\nretired = true'),
            "kinds.thread.retired",
            True,
            "its IDs are still read, but minting one raises now",
        ),
        (('parent = "user"', 'parent = "user"\nwriter = "chat"'), "kinds.thread.writer", False, "is chat"),
        (('parent = "user"', 'parent = "user"\nrate = "90/min"'), "kinds.thread.rate", False, "was none, is"),
        (
            ('parent = "user"', 'parent = "user"\nprivate = true'),
            "kinds.thread.private",
            False,
            "new IDs no longer tell when they were made",
        ),
        (('parent = "user"', 'parent = "user"\ndescription = "x"'), "kinds.thread.description", False, ""),
    ],
)
def test_keys_of_kinds(edit, path, breaking, sentence):
    ((found, (breaks, said)),) = told(edit).items()
    assert (found, breaks) == (path, breaking)
    assert sentence in said


def test_another_writer_breaks_the_one_that_minted_before():
    emits = ("emits = { thread", 'emits = { user = "typeid", thread')
    found = told(('writer = "auth"', 'writer = "chat"'), emits)
    assert found["kinds.user.writer"] == (True, "was auth, is chat; auth may no longer mint one")
    assert not found["services.chat.emits.user"][0]


def test_a_kind_that_is_minted_again_is_compatible():
    base = BASE.replace('parent = "thread"', 'parent = "thread"\nretired = true')
    assert told(("retired = true", ""), base=base) == {"kinds.run.retired": (False, "is minted again")}


# Formats


def test_formats_come_and_go():
    more = BASE + '[formats.extra]\npattern = "x-{r:hex(8)}"\nkinds = ["run"]\n'
    assert [(c.path, c.breaking) for c in changes(BASE, more)] == [("formats.extra", False)]
    assert [(c.path, c.breaking) for c in changes(more, BASE)] == [("formats.extra", True)]


def test_a_kind_that_a_format_no_longer_writes_breaks():
    both = BASE.replace('[formats.ulid]\nkinds = ["user"]', '[formats.ulid]\nkinds = ["user", "run"]')
    (change,) = changes(both, BASE)
    assert (change.path, change.breaking) == ("formats.ulid.kinds", True)
    assert change.sentence == "run IDs are no longer read in this format"


def test_a_format_may_be_used_for_another_kind():
    after = BASE.replace('kinds = ["run"]', 'kinds = ["run", "user"]')
    (change,) = [change for change in changes(BASE, after) if not change.breaking]
    assert (change.path, change.sentence) == ("formats.run.kinds", "user IDs are written so as well")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("{kind}-{counter:int(1..999999999999)}-{random:hex(8)}", "user-0-00000000"),
        ("{kind}-{counter:int}-{random:hex(9)}", "user-0-00000000"),
        ("{kind}-x{counter:int}-{random:hex(8)}", "user-0-00000000"),
        ("{kind}-{counter:int(0..99)}-{random:hex(8)}", "user-100-00000000"),
    ],
)
def test_a_narrower_grammar_breaks_with_the_shortest_text_that_is_no_longer_read(pattern, text):
    (change,) = changes(PLAIN, PLAIN.replace("{kind}-{counter:int}-{random:hex(8)}", pattern))
    assert (change.path, change.breaking, change.text) == ("formats.manager.pattern", True, text)
    assert change.sentence == f"{text!r} is no longer read (user, thread)"


def test_a_wider_grammar_is_compatible_and_shows_what_is_new():
    after = BASE.replace("{counter:int}-{random:hex(8)}", "{counter:int}[-{random:hex(8)}]")
    (change,) = changes(BASE, after)
    assert (change.breaking, change.text) == (False, "user-0")
    assert change.sentence == "accepts everything it did, and more, such as 'user-0' (user, thread)"


def test_a_grammar_that_is_only_written_differently_is_compatible():
    after = BASE.replace("{counter:int}", "{counter:int(0..999999999999)}")
    (change,) = changes(BASE, after)
    assert (change.breaking, change.sentence) == (False, "accepts exactly what it did (user, thread)")


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("{kind}-{number:int}-{random:hex(8)}", "field 'counter' is gone"),
        ("{kind}-{counter:text(0-9, 1..12)}-{random:hex(8)}", "field 'counter' was int and is text"),
        ("{kind}-{counter:time(s)}-{random:hex(8)}", "field 'counter' was int and is time(s)"),
        ("{kind}-{counter:time(s % 60)}-{random:hex(8)}", "field 'counter' was int and is time(s % 60)"),
        ("{kind}-{counter:int}-{random:id(run)}", "field 'random' was hex and is id(run)"),
        ("{kind}-{counter:int}-{random:hex(8)}-{stage:one-of(a, b)}", "minting needs stage= now"),
        ("{kind}-{id:uuid}", "its IDs were derived and are exact, so every text names another thing"),
    ],
)
def test_fields_that_change_break_those_who_use_them(pattern, sentence):
    after = PLAIN.replace("{kind}-{counter:int}-{random:hex(8)}", pattern)
    assert (True, sentence) in [(c.breaking, c.sentence) for c in changes(PLAIN, after)]


def test_a_text_that_is_split_into_other_fields_breaks():
    base = BASE.replace("{counter:int}-{random:hex(8)}", "{a:int}-{b:int}")
    found = changes(base, base.replace("{a:int}-{b:int}", "{b:int}-{a:int}"))
    assert ("'user-0-0' is split into its fields at other places (user, thread)", True, "user-0-0") in [
        (c.sentence, c.breaking, c.text) for c in found
    ]


def test_slugs_out_of_bounds_do_not_count_as_split_differently():
    base = PLAIN.replace("{counter:int}-{random:hex(8)}", "{a:slug(3..5)}-{b:slug(1..2)}")
    after = base.replace("{a:slug(3..5)}-{b:slug(1..2)}", "{b:slug(1..2)}-{a:slug(3..5)}")
    assert [c.sentence for c in changes(base, after)] == ["'user-000-0' is no longer read (user, thread)"]


def test_other_words_for_the_kind_are_a_changed_grammar():
    prefixes = 'kinds = ["user", "thread"]\nprefixes = { user = "U" }'
    (change,) = changes(BASE, BASE.replace('kinds = ["user", "thread"]', prefixes))
    assert (change.path, change.breaking) == ("formats.manager.prefixes", True)
    assert change.text == "user-0-00000000"


def test_a_nested_id_that_is_no_longer_read_breaks_what_nests_it():
    found = changes(BASE, BASE.replace("{counter:int}-", "{counter:int(0..9)}-"))
    by_path = {change.path: change for change in found}
    assert by_path["formats.run.pattern"].text == "run_thread-10-00000000_0_00000000"


def test_a_pattern_without_the_kind_is_compared_though_the_prefix_changed():
    base = BASE.replace('pattern = "{kind}-{counter', 'pattern = "u-{counter').replace(
        'kinds = ["user", "thread"]', 'kinds = ["user"]'
    ).replace('thread = "manager"', 'thread = "typeid"')  # fmt: skip
    after = base.replace('prefix = "user"', 'prefix = "person"\nretired_prefixes = ["user"]')
    after = after.replace("-{counter:int}-{random:hex(8)}", "-{counter:int}-{random:hex(9)}")
    found = {change.path: change for change in changes(base, after)}
    assert found["formats.manager.pattern"].text == "u-0-00000000"


def test_overlaps_and_descriptions_of_formats_are_compatible():
    assert told(('kinds = ["run"]', 'kinds = ["run"]\noverlaps = ["manager"]\ndescription = "x"')) == {
        "formats.run.overlaps": (False, "now manager"),
        "formats.run.description": (False, "says something else"),
    }


def test_what_is_too_much_to_prove_counts_as_breaking(monkeypatch):
    def give_up(*_):
        raise Undecided

    monkeypatch.setattr("canonid.core.rewritten.shortest_missing", give_up)
    (change,) = changes(PLAIN, PLAIN.replace("{counter:int}", "{counter:int(0..9)}"))
    assert change.breaking
    assert change.sentence == "whether all old texts are still read is too much to prove (user, thread)"


def test_what_is_too_much_to_prove_distinct_counts_as_breaking(monkeypatch):
    def give_up(*_):
        raise Undecided

    monkeypatch.setattr("canonid.core.diffing.shortest_missing", give_up)
    found = changes(BASE, BASE.replace('[formats.ulid]\nkinds = ["user"]', "[formats.ulid]"))
    assert ("formats.ulid", "whether it reads texts of format 'ulid' is too much to prove") in [
        (change.path, change.sentence) for change in found if change.breaking
    ]


# Confusion


def test_a_text_that_had_an_answer_and_becomes_ambiguous_breaks():
    hand = '[formats.hand]\npattern = "user-{n:int(7..8)}-{r:hex(8)}"\nkinds = ["run"]\n'
    hand += 'overlaps = ["manager"]\n'
    found = {change.path: change for change in changes(BASE, BASE + hand) if change.breaking}
    assert found.keys() == {"formats.hand"}
    assert found["formats.hand"].text == "user-7-00000000"
    assert "was user only and may now be run" in found["formats.hand"].sentence


def test_what_was_ambiguous_before_does_not_break_again():
    bare = '[formats.uuid]\nkinds = ["user", "thread"]\n'
    more = (BASE + bare).replace('[formats.uuid]\nkinds = ["user", "thread"]', "[formats.uuid]")
    assert not any(change.breaking for change in changes(BASE + bare, more))


def test_a_bare_format_that_gets_its_second_kind_breaks():
    after = BASE.replace('[formats.ulid]\nkinds = ["user"]', "[formats.ulid]")
    found = [change for change in changes(BASE, after) if change.breaking]
    assert {change.path for change in found} == {"formats.ulid"}
    assert found[0].text == "0" * 26


def test_an_exact_reading_of_what_was_derived_breaks():
    base = '[kinds.user]\n[formats.any]\npattern = "{x:text(0-9a-f-, 36..36)}"\nkinds = ["user"]\n'
    found = [c for c in changes(base, base + 'overlaps = ["uuid"]\n[formats.uuid]\n') if c.breaking]
    assert [c.path for c in found] == ["formats.uuid"]
    assert "(any) may now name another user" in found[0].sentence


# Services


@pytest.mark.parametrize(
    ("edit", "path", "breaking", "sentence"),
    [
        (
            ('accepts = ["typeid", "manager"]', 'accepts = ["typeid"]'),
            "services.auth.accepts",
            True,
            "format 'manager' is no longer accepted",
        ),
        (
            ('accepts = ["typeid", "manager"]', 'accepts = ["typeid", "manager", "run"]'),
            "services.auth.accepts",
            False,
            "format 'run' is accepted as well",
        ),
        (
            ('{ thread = "manager", run = "run" }', '{ run = "run" }'),
            "services.chat.emits.thread",
            True,
            "is no longer minted here",
        ),
        (
            ('thread = "manager"', 'thread = ["typeid", "manager"]'),
            "services.chat.emits.thread",
            False,
            "was manager, is typeid, manager",
        ),
        (
            ('user = "manager"', 'user = "ulid"'),
            "services.auth.emits.user",
            True,
            "was manager, is ulid; service 'auth' accepted 'manager' and does not accept 'ulid'; service"
            " 'chat' accepted 'manager' and does not accept 'ulid'",
        ),
        (
            ('user = "manager"', 'user = "manager", run = "run"'),
            "services.auth.emits.run",
            False,
            "is emitted now, as run",
        ),
        (("[services.chat]", '[services.chat]\ndescription = "x"'), "services.chat.description", False, ""),
    ],
)
def test_keys_of_services(edit, path, breaking, sentence):
    ((found, (breaks, said)),) = told(edit).items()
    assert (found, breaks) == (path, breaking)
    assert sentence in said


def test_services_come_and_go():
    more = BASE + "[services.mail]\n"
    assert [(c.path, c.breaking) for c in changes(BASE, more)] == [("services.mail", False)]
    assert [(c.path, c.breaking) for c in changes(more, BASE)] == [("services.mail", True)]


def test_a_format_that_settled_ambiguous_texts_must_stay_in_the_list():
    base = (
        '[kinds.session]\n[kinds.thread]\n[formats.a]\npattern = "s-{n:int}"\nkinds = ["session"]\n'
        '[formats.b]\npattern = "s-{t:time(s)}"\nkinds = ["thread"]\noverlaps = ["a"]\n'
        '[services.chat]\nemits = { thread = "b" }\n'
    )
    assert told(('"b" }', '"typeid" }'), base=base) == {
        "services.chat.emits.thread": (
            True,
            "was b, is typeid; 's-0' from here is no longer taken for thread",
        )
    }
    assert told(('"b" }', '["typeid", "b"] }'), base=base) == {
        "services.chat.emits.thread": (False, "was b, is typeid, b")
    }


# Properties

PARTS = [
    "a",
    "-",
    "{x:hex(1)}",
    "{y:int(0..12)}",
    "{x:one-of(a, b, ab)}",
    "{z:text(ab-, 1..2)}",
    "{y:slug(1..2)}",
]
WIDER = {"0..12": "0..99", "b, ab": "b, ab, 1", "1..2": "1..3"}
LISTS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4)
ENDS = st.sampled_from(["", "[-b]", "[a{w:hex(1)}]"])
SHORT = ["".join(text) for size in range(1, 5) for text in product("ab01-_", repeat=size)]
VERY_SHORT = [text for text in SHORT if len(text) < 4]


@st.composite
def versions(draw):
    """A pattern and another, mostly a relative of it: parts added, left out, replaced, in another order."""
    parts, end = draw(LISTS), draw(ENDS)
    how = draw(st.sampled_from(["same", "wider", "wider", "end", "other", "order", "add", "drop", "replace"]))
    at = draw(st.integers(0, len(parts) - 1))
    part = draw(st.sampled_from(PARTS))
    after = {
        "same": parts,
        "wider": [wider(part) for part in parts],
        "end": parts,
        "other": draw(LISTS),
        "order": draw(st.permutations(parts)),
        "add": [*parts[:at], part, *parts[at:]],
        "drop": parts[:at] + parts[at + 1 :],
        "replace": [*parts[:at], part, *parts[at + 1 :]],
    }[how]
    return pattern(parts) + end, pattern(after) + (draw(ENDS) if how in ("end", "other") else end)


def wider(part):
    for narrow, wide in WIDER.items():
        part = part.replace(narrow, wide)
    return part


def pattern(parts):
    """The parts in a row; a name that stands already becomes another, and there is at least one field."""
    named = []
    for part in parts:
        while part[0] == "{" and any(part[:2] == other[:2] for other in named):
            part = "{" + chr(ord(part[1]) - 3) + part[2:]
        named.append(part)
    return "".join(named if any(part[0] == "{" for part in parts) else ["{x:hex(1)}", *named])


def loaded(text):
    try:
        return Registry.from_toml(text)
    except RegistryError:
        return None


def one_format(pattern):
    return loaded(f'[kinds.user]\n[formats.own]\npattern = "{pattern}"\nkinds = ["user"]\n')


def two_kinds(users, threads):
    return loaded(
        f'[kinds.user]\n[kinds.thread]\n[formats.own]\npattern = "{users}"\nkinds = ["user"]\n'
        f'[formats.other]\npattern = "{threads}"\nkinds = ["thread"]\noverlaps = ["own"]\n'
    )


def fields_in(registry, text):
    found = [r for r in registry.recognise(text, "user").readings if r.format == "own"]
    return dict(found[0].fields) if found else None


@settings(max_examples=200, deadline=None)
@given(versions())
def test_pairs_of_patterns_agree_with_brute_force_over_short_texts(patterns):
    old, new = map(one_format, patterns)
    assume(old and new)
    found = [change for change in diff(old, new) if change.path == "formats.own.pattern"]
    accepted = {text: fields for text in SHORT if (fields := fields_in(old, text)) is not None}
    refused = [change.text for change in found if "is no longer read" in change.sentence]
    missing = [text for text in accepted if fields_in(new, text) is None]
    if refused:
        assert fields_in(old, refused[0]) is not None
        assert fields_in(new, refused[0]) is None
        assert all(len(refused[0]) <= len(text) for text in missing)
    else:
        assert not missing
    for change in found:
        if "and more" in change.sentence:
            assert fields_in(new, change.text) is not None
            assert fields_in(old, change.text) is None
        if "is split" in change.sentence:
            assert fields_in(old, change.text) is not None
            assert fields_in(new, change.text) is not None


@settings(max_examples=200, deadline=None)
@given(versions(), versions())
def test_what_is_called_compatible_leaves_every_answer_and_every_field_as_it_was(users, threads):
    old, new = two_kinds(users[0], threads[0]), two_kinds(users[1], threads[1])
    assume(old and new)
    if any(change.breaking for change in diff(old, new)):
        return
    for text in VERY_SHORT:
        found = old.recognise(text)
        if found.answer is not None:
            assert new.recognise(text).answer == found.answer
        if (fields := fields_in(old, text)) is not None:
            assert fields.items() <= fields_in(new, text).items()


@settings(deadline=None)
@given(versions())
def test_no_pattern_differs_from_itself(patterns):
    registry = one_format(patterns[0])
    assume(registry)
    assert diff(registry, one_format(patterns[0])) == []


def test_a_text_that_becomes_ambiguous_breaks_also_under_a_retired_prefix():
    before = (
        "[kinds.a]\nretired_prefixes = ['olda']\n[kinds.b]\n"
        "[formats.f]\npattern = 'x{h:hex(2)}[.{kind}{n:int(1..9)}]'\nkinds = ['a']\noverlaps = ['f']\n"
    )
    found = changes(before, before.replace("kinds = ['a']", "kinds = ['a', 'b']"))
    assert [(change.breaking, change.text) for change in found if change.breaking] == [(True, "x00")]
