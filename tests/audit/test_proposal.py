"""The registry that is proposed from what was found."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonid import Registry
from canonid.audit.auditing import audit
from canonid.audit.facts import Part
from canonid.audit.findings import Place
from canonid.audit.kinds import Written
from canonid.audit.linking import link
from canonid.audit.patterns import FIXED, pattern
from canonid.audit.producers import samples
from canonid.audit.proposal import proposal
from canonid.audit.report import Report
from canonid.audit.scanning import scan
from canonid.audit.systems import System
from canonid.core.checking import check
from canonid.core.declaring import MAX_REGISTRY

HERE = Path(__file__).parent
PROJECTS = sorted([*(HERE / "projects").iterdir(), *(HERE / "corpus").iterdir()])


def proposed(texts, name="app"):
    return proposal(link(".", [scan(path, text.encode()) for path, text in texts.items()]), name)


def report(written, systems=(), services=()):
    return Report("/r", 1, 1, (), (), 0, systems, sorted(written), services)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_the_registry_of_a_project_has_no_faults(project):
    found = proposal(audit([project], workers=1), project.name)
    checked = check(found.text)
    assert (checked.faults, checked.concerns) == ([], 0)
    assert sorted(found.kinds) == sorted(checked.declarations.kinds)
    assert {*found.formats} | {"typeid"} == {*checked.declarations.formats}
    assert sorted(found.services) == sorted(checked.declarations.services)


TEXTS = st.sampled_from(
    ["_", "-", "user_", "usr_", "a-b_", "x.", ":", "user", "Ü", "{", " ", "0", "run_user_"]
)
FIELDS = st.builds(
    Part,
    st.sampled_from(["uuid", "strong", "random", "time", "counter", "hash", "id", "other", "pyhash"]),
    st.sampled_from(
        [
            *FIXED,
            *("uuid7", "hex8", "hex32", "hex999", "token", "token8", "random6", "time", "hash", "ms_part"),
            *("user_id", "run_id", "env", "service", "Größe", "a b", ""),
        ]
    ),
    st.sampled_from([0.0, 8.0, 122.0, 4096.0]),
)
TEMPLATES = st.lists(st.one_of(st.builds(Part, st.just(""), TEXTS), FIELDS), max_size=6).map(tuple)
KINDS = st.sampled_from(
    ["user", "run", "user_a", "usr", "thread", "x2", "2x", "größe", "a__b", "uuid", "typeid"]
)
WRITTEN = st.builds(
    Written,
    KINDS,
    TEMPLATES,
    st.sampled_from(["a.py", "b/ü\n\x1b.py"]),
    st.integers(1, 9),
    st.sampled_from(["", "make_id", "A.b\n[x]"]),
    st.sampled_from(["", "auth", "Bad Name"]),
    st.integers(1, 50),
)
SYSTEMS = st.builds(
    lambda name: System(
        name, "a.py", Place(1, 1, 1, 1), ("a\nb",), frozenset(), 1, 1, 0, 0, (), 0.0, True, "why\n[kinds]"
    ),
    st.text(max_size=9),
)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(WRITTEN, max_size=12),
    st.lists(SYSTEMS, max_size=2),
    st.lists(st.sampled_from(["auth", "Bad Name"]), unique=True),
    st.text(max_size=20),
)
def test_whatever_was_found_the_registry_has_no_faults(written, systems, services, name):
    found = proposal(report(written, systems, services), name)
    if found is None:
        assert not {each.kind for each in written} & {"user", "run", "thread", "uuid", "typeid"}
    else:
        checked = check(found.text)
        assert (checked.faults, checked.concerns) == ([], 0)


def test_nothing_that_was_found_is_silently_lost():
    place = ("a.py", 7, "", "", 1)
    written = [
        Written("user", (Part("other", "secret_sauce"),), *place),
        Written("2x", (Part("uuid", "uuid"),), *place),
        Written("run", (Part("", "run_"), Part("uuid", "uuid")), *place),
        Written("job", (Part("", "run_"), Part("uuid", "uuid")), *place),
    ]
    found = proposal(report(written), "app")
    comments = found.text[found.text.index("# Found too") :]
    assert found.left_out == 3
    assert "{secret_sauce}" in comments
    assert "2x" in comments
    assert "would be both" in comments
    assert comments.count("made in a.py:7") == 3


@pytest.mark.parametrize(
    ("code", "prefix"),
    [
        ("user_id = str(uuid.uuid4())", "user"),
        ("user_id = uuid.uuid4().hex", "user"),
        ("user_id = str(uuid.uuid4()).replace('-', '')", "user"),
        ("user_id = f'usr_{uuid.uuid4()}'", "usr"),
        ("user_id = f'usr_{uuid.uuid4().hex[:8]}'", "usr"),
        ("user_id = f'user-{int(time.time() * 1000)}-{uuid.uuid4().hex[:8]}'", "user"),
        ("user_id = f'user.{time.time_ns()}.{uuid.uuid4()}'", "user"),
    ],
)
def test_what_the_code_makes_can_be_read(code, prefix):
    whole = f"import time, uuid\n{code}\n"
    registry = Registry.from_toml(proposed({"a.py": whole}).text)
    names = {}
    exec(whole, names)
    assert registry.is_valid(names["user_id"], "user")
    assert registry.mint("user").startswith(f"{prefix}_")


@pytest.mark.parametrize("name", ["uuid", "hex32", "hex8", "ms", "us", "ns"])
def test_a_pattern_reads_what_its_template_gives(name):
    template = (Part("", "user_"), Part("time" if name.endswith("s") else "uuid", name))
    found = pattern(template, "user", {"user"})
    text = f'[kinds.user]\n[formats.old]\npattern = "{found.text}"\nkinds = ["user"]'
    read = [sample for sample in samples(template) if Registry.from_toml(text).is_valid(sample, "user")]
    assert read


def test_a_prefix_that_few_ids_have_is_not_the_kind_s():
    place = ("a.py", 1, "", "")
    written = [
        Written("user", (Part("", "guest_"), Part("uuid", "uuid")), *place, 2),
        Written("user", (Part("uuid", "hex32"),), *place, 7),
    ]
    declared = tomllib.loads(proposal(report(written), "app").text)
    assert declared["kinds"] == {"user": {}}
    assert {each["pattern"] for each in declared["formats"].values()} == {"{id:hex(32)}", "guest_{id:uuid}"}


def test_the_ids_of_another_kind_are_nested():
    found = proposed(
        {
            "ids.py": "import uuid\ndef make_user_id(): return f'user_{uuid.uuid4().hex}'\n"
            "def make_run_id(user_id): return f'run_{user_id}_{uuid.uuid4().hex[:8]}'\n"
        }
    )
    assert 'pattern = "{kind}_{user:id(user)}_{random:hex(8)}"' in found.text


def test_of_formats_that_share_a_text_the_most_widely_used_one_is_declared():
    maker = "import uuid\ndef make_run_id(): return f'run_{uuid.uuid4().hex}'\n"
    rival = "import uuid\ndef make_job_id(): return f'run_{uuid.uuid4().hex}'\n"
    calls = "from {0} import {1}\n" + "x = {1}()\n" * 5
    texts = {"a.py": maker, "b.py": rival, "c.py": calls.format("b", "make_job_id")}
    declared = tomllib.loads(proposed(texts).text)["formats"]
    assert [each["kinds"] for each in declared.values()] == [["job"]]


def test_a_service_emits_what_it_writes():
    texts = {
        "auth/main.py": "import uuid\ndef make_user_id(): return f'user_{uuid.uuid4().hex}'\n",
        "billing/main.py": "import uuid\ninvoice_id = uuid.uuid4()\n",
    }
    services = tomllib.loads(proposed(texts).text)["services"]
    assert services == {"auth": {"emits": {"user": "user"}}, "billing": {"emits": {"invoice": "uuid"}}}


def test_where_nothing_was_found_nothing_is_proposed():
    assert proposed({"a.py": "x = 1\n"}) is None


def test_a_crowd_of_kinds_is_cut_to_what_a_registry_may_hold():
    letters = "abcdefghij"
    kinds = [f"{a}{b}{c}{d}" for a in letters for b in letters for c in letters[:8] for d in letters[:2]]
    written = [
        Written(
            kind, (Part("", f"{kind}_"), Part("uuid", "hex8")), "a/long/way/to/a/file.py" * 3, 1, "", "", 1
        )
        for kind in kinds
    ]
    found = proposal(report(written), "app")
    assert len(found.text) <= MAX_REGISTRY
    assert check(found.text).faults == []
