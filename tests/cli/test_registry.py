"""`canonid registry …` as people use it: a process, its output, its exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "examples" / "goldenpath" / "canonid.toml"
UNWISE = """\
[kinds.user]
prefix = "user"
retired_prefixes = ["usr"]
rate = "10/s"
[kinds.session]
canonical = "manager"
rate = "1000/s"
[kinds.thread]
retired = true
[kinds.invite]
private = true
canonical = "ulid"
[formats.ulid]
[formats.manager]
pattern = "{kind}_{counter:int}_{random:hex(8)}"
kinds = ["session"]
[formats.manager-thread]
pattern = "session_{time:time(ms % 100000)}_{random:hex(8)}"
kinds = ["thread"]
overlaps = ["manager"]
[formats.hand]
pattern = "session_{n:int}_{random:hex(8)}"
kinds = ["user"]
overlaps = ["manager", "manager-thread"]
"""
UNWISE_REPORT = """\
canonid.toml: no faults, 2 concerns
  4 kinds: user, session, thread, invite
  5 formats: typeid, ulid, manager, manager-thread, hand
  0 services
  3 declared overlaps; such a text needs its kind named:
    session_0_00000000
      session (manager) or thread (manager-thread)
    session_0_00000000
      session (manager) or user (hand)
    session_0_00000000
      thread (manager-thread) or user (hand)
  1 rate with enough random bits
  1 rate with too few random bits:
    session in format manager
      32 random bits; at 1000/s the first duplicate is
      expected after 82 s
  1 leak of private kinds:
    invite in format ulid
      field 'id' is a ULID, which begins with the time it
      was made
  1 retired kind, read but not minted: thread
  1 retired prefix, read but not written: usr (user)
"""


def registry(cwd, *arguments, stdin=""):
    return subprocess.run(
        [sys.executable, "-m", "canonid.cli", "registry", *arguments],
        input=stdin, capture_output=True, text=True, cwd=cwd, timeout=60,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "canonid.toml").write_text(UNWISE)
    return tmp_path


def test_check_tells_what_is_unwise_and_fails(folder):
    result = registry(folder, "check")
    assert result.stdout.replace(f"{folder}/", "") == UNWISE_REPORT
    assert (result.returncode, result.stderr) == (1, "")


def test_check_fits_a_terminal_of_60_columns(folder):
    for toml in (UNWISE, UNWISE.replace("overlaps", "overlap"), GOLDEN.read_text()):
        (folder / "canonid.toml").write_text(toml)
        told = registry(folder, "check").stdout.splitlines()[1:]  # the first is the path
        assert told
        assert all(len(line) <= 60 for line in told)


def test_check_as_json_holds_all_of_it(folder):
    result = registry(folder, "check", "--json")
    found = json.loads(result.stdout)
    assert (result.returncode, found["ok"], found["faults"]) == (1, False, [])
    assert [overlap["declared"] for overlap in found["overlaps"]] == [True] * 3
    assert [(s["kind"], s["format"], s["weak"]) for s in found["strengths"]] == [
        ("user", "typeid", False),
        ("session", "manager", True),
    ]
    assert found["strengths"][1]["seconds"] == pytest.approx(82, abs=1)
    assert [(leak["kind"], leak["format"], leak["tells"]) for leak in found["leaks"]] == [
        ("invite", "ulid", "time")
    ]
    assert found["retired"] == {"kinds": ["thread"], "prefixes": {"usr": "user"}}


def test_retired_things_alone_are_no_concern(folder):
    toml = '[kinds.user]\nretired_prefixes = ["usr"]\n[kinds.old]\nretired = true\n'
    (folder / "canonid.toml").write_text(toml)
    result = registry(folder, "check")
    assert result.returncode == 0
    assert "no faults\n" in result.stdout
    assert "usr (user)" in result.stdout


def test_check_shows_every_overlap_at_once_declared_or_not(folder):
    (folder / "canonid.toml").write_text(
        UNWISE.replace('overlaps = ["manager", "manager-thread"]', 'overlaps = ["manager-thread"]').replace(
            'overlaps = ["manager"]', ""
        )
    )
    found = json.loads(registry(folder, "check", "--json").stdout)
    assert [fault["path"] for fault in found["faults"]] == ["formats.manager-thread", "formats.hand"]
    assert [(o["first"], o["second"], o["declared"]) for o in found["overlaps"]] == [
        ("manager", "manager-thread", False),
        ("manager", "hand", False),
        ("manager-thread", "hand", True),
    ]
    result = registry(folder, "check")
    assert result.returncode == 1
    assert result.stdout.count("'session_0_00000000' is both") == 2
    assert "1 declared overlap;" in result.stdout
    assert "32 random bits" in result.stdout


def test_check_of_a_file_with_other_faults_tells_those(folder):
    (folder / "canonid.toml").write_text(UNWISE + "colour = 1\n[kinds.x]\nprivate = 3\n")
    result = registry(folder, "check")
    assert result.returncode == 1
    assert ": 2 faults\n  kinds.x.private\n    expected true or false" in result.stdout
    found = json.loads(registry(folder, "check", "--json").stdout)
    assert (found["overlaps"], found["strengths"], found["leaks"]) == ([], [], [])


def test_the_golden_path_has_no_concerns():
    result = registry(ROOT, "check", "--json", "--registry", str(GOLDEN))
    found = json.loads(result.stdout)
    assert (result.returncode, found["ok"], found["faults"], found["leaks"]) == (0, True, [], [])


def test_check_without_a_file_is_exit_code_3(tmp_path):
    result = registry(tmp_path, "check", "--registry", "nowhere.toml")
    assert (result.returncode, result.stdout) == (3, "")
    assert "can't be read" in result.stderr


# diff

OLD = """\
[kinds.user]
prefix = "user"
[formats.own]
pattern = "{kind}-{counter:int}-{random:hex(8)}"
"""
NEW = """\
[kinds.user]
prefix = "person"
retired_prefixes = ["user"]
rate = "10/s"
[formats.own]
pattern = "{kind}-{counter:int(1..9)}-{random:hex(8)}"
"""
DIFFERENCE = """\
breaks readers or producers: 1 change
  formats.own.pattern
    'user-0-00000000' is no longer read
compatible: 2 changes
  kinds.user.prefix
    was user, is person; IDs with 'user' still name the same
    things, but their canonical ones begin with 'person':
    rewrite what is stored
  kinds.user.rate
    was none, is 10/s
"""


@pytest.fixture
def two(tmp_path):
    (tmp_path / "old.toml").write_text(OLD)
    (tmp_path / "canonid.toml").write_text(NEW)
    return tmp_path


def test_diff_tells_what_breaks_first_and_fails(two):
    for arguments in (["old.toml", "canonid.toml"], ["old.toml"], ["old.toml", "--registry", "canonid.toml"]):
        result = registry(two, "diff", *arguments)
        assert (result.returncode, result.stdout, result.stderr) == (1, DIFFERENCE, "")


def test_diff_reads_a_version_from_standard_input(two):
    assert registry(two, "diff", "-", stdin=OLD).stdout == DIFFERENCE
    result = registry(two, "diff", "-", stdin="[kinds.user]\ncolour = 1\n")
    assert result.returncode == 3
    assert "standard input: 1 fault\n  kinds.user.colour" in result.stderr


def test_diff_as_json(two):
    result = registry(two, "diff", "old.toml", "--json")
    found = json.loads(result.stdout)
    assert (result.returncode, found["compatible"]) == (1, False)
    assert found["changes"][2] == {
        "path": "formats.own.pattern",
        "breaking": True,
        "sentence": "'user-0-00000000' is no longer read",
        "text": "user-0-00000000",
    }


def test_diff_of_what_breaks_nothing_succeeds(two):
    (two / "canonid.toml").write_text(OLD + "[kinds.thread]\n")
    result = registry(two, "diff", "old.toml")
    assert (result.returncode, result.stdout) == (0, "compatible: 1 change\n  kinds.thread\n    is new\n")
    same = registry(two, "diff", "old.toml", "old.toml")
    assert (same.returncode, same.stdout) == (0, "no changes\n")


def test_diff_without_one_of_the_files_is_exit_code_3(two):
    result = registry(two, "diff", "nowhere.toml")
    assert (result.returncode, result.stdout) == (3, "")
    assert "nowhere.toml: 1 fault\n  file: can't be read" in result.stderr
    assert registry(two, "diff").returncode == 2


def test_the_help_of_diff_has_examples(two):
    result = registry(two, "diff", "--help")
    assert "git show origin/main:canonid.toml | canonid registry diff -" in result.stdout
    assert "exit codes:" in result.stdout
