"""The ratchet: old findings are tolerated, new ones are not."""

import ast
import json
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonid.audit.baseline import BaselineError, compare, entries, read, write
from canonid.audit.findings import Draft, Place
from canonid.audit.fingerprints import findings_of
from canonid.audit.rules import RULES
from canonid.audit.scanning import scan

BY_CODE = {rule.code: rule for rule in RULES}


def found(files):
    """The findings of {path: text}."""
    return [
        finding
        for path, text in sorted(files.items())
        for finding in findings_of(path, scan(path, text.encode()).drafts, BY_CODE, in_tests=False)
    ]


def function(number, body):
    return f"def make_{number}(user):\n    {body}\n"


BODIES = [
    "return str(uuid.uuid4())",
    "return uuid.uuid4().hex[:8]",
    "user_id = f'user_{uuid.uuid4()}'\n    return user_id",
    "run_id = uuid.uuid1()\n    return run_id",
    "return 'nothing of that'",
]
functions = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(BODIES)), max_size=4)
repositories = st.dictionaries(st.sampled_from(["a.py", "b.py", "c/d.py", "c/e.py"]), functions, min_size=1)


def written(repository):
    return {
        path: "import uuid\n" + "".join(function(number, body) for number, body in bodies)
        for path, bodies in repository.items()
    }


@settings(deadline=None)
@given(repositories)
def test_what_is_in_the_baseline_is_not_new(repository):
    findings = found(written(repository))
    assert compare(entries(findings), findings) == ([], findings, 0, 0, [])


@settings(deadline=None)
@given(repositories, st.integers(0, 9))
def test_another_layout_keeps_it(repository, blank):
    before = written(repository)
    tolerated = entries(found(before))
    after = {
        path: "\n" * blank + ast.unparse(ast.parse(text)).replace("(user):", "(\n    user,\n):")
        for path, text in before.items()
    }
    result = compare(tolerated, found(after))
    assert (result.new, result.gone) == ([], 0)


@settings(deadline=None)
@given(repositories, st.randoms(use_true_random=False))
def test_functions_that_change_their_files_keep_it(repository, chance):
    tolerated = entries(found(written(repository)))
    everything = [each for bodies in repository.values() for each in bodies]
    chance.shuffle(everything)
    cut = chance.randint(0, len(everything))
    moved = {"a.py": everything[:cut], "new/name.py": everything[cut:]}
    result = compare(tolerated, found(written(moved)))
    assert (result.new, result.gone) == ([], 0)


@settings(deadline=None)
@given(repositories, st.sampled_from(BODIES[:4]), st.sampled_from(["a.py", "z.py"]))
def test_an_added_one_fails(repository, body, path):
    before = found(written(repository))
    added = {**repository, path: [*repository.get(path, []), (7, body)]}
    after = found(written(added))
    new = compare(entries(before), after).new
    assert len(new) == len(after) - len(before) > 0
    assert {(each.path, each.symbol) for each in new} == {(path, "make_7")}


@settings(deadline=None)
@given(repositories, st.data())
def test_a_different_one_fails_though_as_many_were_fixed(repository, data):
    before = found(written(repository))
    fixed = dict(repository)
    path = data.draw(st.sampled_from(sorted(fixed)))
    fixed[path] = []
    fixed["z.py"] = [(7, body) for _, body in repository[path]]
    result = compare(entries(before), found(written(fixed)))
    assert len(result.new) == result.gone == sum(each.path == path for each in before)
    assert result.moved == 0


@settings(deadline=None)
@given(repositories, st.data())
def test_a_fixed_one_is_gone(repository, data):
    before = found(written(repository))
    path = data.draw(st.sampled_from(sorted(repository)))
    result = compare(entries(before), found(written({**repository, path: []})))
    assert (result.new, result.moved) == ([], 0)
    assert result.gone == sum(each.path == path for each in before)


def test_one_more_of_the_same_in_a_function_is_new():
    once, twice = (
        found({"a.py": f"import uuid\ndef f():\n{'    print(uuid.uuid4())' + chr(10)}{more}"})
        for more in ("", "    print(uuid.uuid4())\n")
    )
    assert len(compare(entries(once), twice).new) == 1
    assert compare(entries(twice), once)[:3:2] == ([], 1)


def test_a_copy_beside_the_original_is_no_move():
    before = {"a.py": "import uuid\ndef f():\n    return uuid.uuid4()\n"}
    after = {**before, "b.py": before["a.py"]}
    assert [each.path for each in compare(entries(found(before)), found(after)).new] == ["b.py"]


def test_a_question_is_neither_new_nor_written():
    draft = Draft("CID101", Place(1, 1, 1, 9), "question", "", "", "?", "uuid4()")
    findings = findings_of("a.py", [draft], BY_CODE, in_tests=False)
    assert entries(findings) == []
    assert compare([], findings).new == []


def test_the_file_is_sorted_and_has_a_finding_a_line(tmp_path):
    findings = found(written({"b.py": [(1, BODIES[1])], "a.py": [(1, BODIES[0]), (2, BODIES[0])]}))
    path = tmp_path / "baseline.json"
    write(path, entries(findings)[::-1])
    first = path.read_text()
    lines = first.splitlines()
    entry_lines = [line for line in lines if line.startswith("{") and line.endswith(",")]
    assert [json.loads(line[:-1])["fingerprint"] for line in entry_lines] != []
    assert len(entry_lines) == len(findings) == len(lines) - 257
    assert read(path) == entries(findings)
    write(path, read(path))
    assert path.read_text() == first
    assert [each.name for each in tmp_path.iterdir()] == ["baseline.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "findings": []}',
        '{"version": 1, "findings": [{"path": 3}]}',
        "<<<<<<< HEAD",
    ],
)
def test_a_file_that_is_no_baseline_is_refused(tmp_path, text):
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(BaselineError, match=r"baseline\.json"):
        read(path)


@pytest.fixture
def branches(tmp_path):
    """Merges what two branches made of a baseline; the entries after it."""

    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    def commit(repository):
        write(tmp_path / "canonid-baseline.json", entries(found(written(repository))))
        git("add", "-A")
        git("commit", "-qm", "next")

    def merge(start, ours, theirs, attributes=""):
        git("init", "-qb", "main")
        (tmp_path / ".gitattributes").write_text(attributes)
        commit(start)
        git("switch", "-qc", "other")
        commit(theirs)
        git("switch", "-q", "main")
        commit(ours)
        git("merge", "-q", "other")
        return read(tmp_path / "canonid-baseline.json")

    return merge


def test_branches_that_change_different_files_merge(branches):
    start = {f"{name}.py": [(1, BODIES[0])] for name in "abcdefgh"}
    ours = {**start, "a.py": [], "c.py": [(2, BODIES[1])], "new.py": [(3, BODIES[0])]}
    theirs = {**start, "b.py": [], "d.py": [(2, BODIES[1])], "other.py": [(3, BODIES[0])]}
    merged = {**ours, **{name: theirs[name] for name in ("b.py", "d.py", "other.py")}}
    assert branches(start, ours, theirs) == entries(found(written(merged)))


def test_branches_that_change_one_file_merge_as_a_union(branches):
    start = {"a.py": [(1, BODIES[0]), (2, BODIES[0])]}
    ours = {"a.py": [(1, BODIES[0]), (3, BODIES[1])]}
    theirs = {"a.py": [(2, BODIES[0]), (4, BODIES[1])]}
    tolerated = branches(start, ours, theirs, "canonid-baseline.json merge=union\n")
    merged = found(written({"a.py": [(3, BODIES[1]), (4, BODIES[1])]}))
    assert compare(tolerated, merged).new == []
