"""Lines that have changed since a revision, asked of a real git."""

import os
import subprocess

import pytest

from canonid.audit.changes import NoSuchRevision, changes_since
from canonid.audit.findings import Finding


@pytest.fixture
def git(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def run(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    run("init", "-qb", "main")
    return run


@pytest.fixture
def write(tmp_path):
    def write(path, *lines):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("".join(f"{line}\n" for line in lines))

    return write


def finding(path, line, end_line=None):
    return Finding(
        path, line, 1, end_line or line, 9, "CID101", "direct-uuid", "P1", "certain", False, "", "", "", "a:1"
    )


LINES = [f"line {number}" for number in range(1, 10)]


def commit(git):
    git("add", "-A")
    git("commit", "-qm", "next")


def touched(changes, path):
    return [number for number in range(1, 12) if changes.touch(finding(path, number))]


def test_changed_added_and_removed_lines(git, write, tmp_path):
    write("a.py", *LINES)
    commit(git)
    write("a.py", "new", "line 1", "changed", *LINES[2:6], *LINES[8:])
    changes = changes_since(str(tmp_path), "HEAD")
    assert touched(changes, "a.py") == [1, 3]
    assert changes.touch(finding("a.py", 2, 4))
    assert touched(changes, "b.py") == []


def test_staged_committed_and_untracked(git, write, tmp_path):
    write("a.py", *LINES)
    write(".gitignore", "ignored.py")
    commit(git)
    write("committed.py", "x")
    commit(git)
    write("staged.py", "x")
    git("add", "staged.py")
    write("untracked.py", "x")
    write("ignored.py", "x")
    changes = changes_since(str(tmp_path), "HEAD~1")
    assert touched(changes, "committed.py") == touched(changes, "staged.py") == [1]
    assert changes.touch(finding("untracked.py", 70))
    assert not changes.touch(finding("ignored.py", 1))


def test_a_renamed_file_has_changed_where_its_text_has(git, write, tmp_path):
    write("a.py", *LINES)
    commit(git)
    git("mv", "a.py", "b.py")
    write("b.py", *LINES[:4], "changed", *LINES[5:])
    assert touched(changes_since(str(tmp_path), "HEAD"), "b.py") == [5]


def test_what_others_did_after_the_branch_left_is_not_ours(git, write, tmp_path):
    write("a.py", *LINES)
    commit(git)
    git("switch", "-qc", "topic")
    write("ours.py", "x")
    commit(git)
    git("switch", "-q", "main")
    write("a.py", "theirs", *LINES[1:])
    commit(git)
    git("switch", "-q", "topic")
    changes = changes_since(str(tmp_path), "main")
    assert (touched(changes, "a.py"), touched(changes, "ours.py")) == ([], [1])


def test_a_folder_of_the_work_tree(git, write, tmp_path):
    write("src/a.py", "x")
    write("b.py", "x")
    commit(git)
    write("src/a.py", "y")
    write("b.py", "y")
    write("src/new.py", "y")
    changes = changes_since(str(tmp_path / "src"), "HEAD")
    assert set(changes.lines) == {"a.py"}
    assert changes.untracked == {"new.py"}


@pytest.mark.parametrize(
    "name", ["a b.py", 'quo"te.py', "back\\slash.py", "tab\t.py", "é.py", "b/b/c.py", "1\\101.py"]
)
def test_any_name_of_a_file(git, write, tmp_path, name):
    write(name, "x")
    commit(git)
    write(name, "x", "y")
    assert touched(changes_since(str(tmp_path), "HEAD"), name) == [2]


def test_lines_that_look_like_a_patch(git, write, tmp_path):
    write("a.py", "x")
    commit(git)
    write("a.py", "x", "++ b/other.py", "@@ -1 +1,9 @@", "-- a/other.py")
    git("config", "diff.noprefix", "true")
    git("config", "color.ui", "always")
    changes = changes_since(str(tmp_path), "HEAD")
    assert dict(changes.lines) == {"a.py": [(2, 4)]}


@pytest.mark.parametrize("revision", ["no-such-branch", "--output=x", "HEAD:a.py"])
def test_a_revision_that_git_does_not_know(git, write, tmp_path, revision):
    write("a.py", "x")
    commit(git)
    with pytest.raises(NoSuchRevision, match="no revision"):
        changes_since(str(tmp_path), revision)
    assert sorted(os.listdir(tmp_path)) == [".git", "a.py"]


def test_no_work_tree(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(NoSuchRevision):
        changes_since(str(tmp_path), "HEAD")


def test_before_the_first_commit_all_has_changed(git, write, tmp_path):
    write("a.py", "x", "y")
    git("add", "-A")
    assert touched(changes_since(str(tmp_path), "HEAD"), "a.py") == [1, 2]
    with pytest.raises(NoSuchRevision):
        changes_since(str(tmp_path), "main")


def test_files_that_git_shows_no_difference_of(git, write, tmp_path):
    write(".gitattributes", "a.py -diff")
    write("a.py", "x")
    commit(git)
    write("a.py", "x", "y")
    assert touched(changes_since(str(tmp_path), "HEAD"), "a.py") == [2]


def test_hunks_that_the_configuration_joins(git, write, tmp_path):
    write("a.py", *LINES)
    write("b.py", "x")
    commit(git)
    git("config", "diff.interHunkContext", "5")
    write("a.py", "changed", *LINES[1:4], "changed", *LINES[5:])
    write("b.py", "y")
    changes = changes_since(str(tmp_path), "HEAD")
    assert (touched(changes, "a.py"), touched(changes, "b.py")) == ([1, 5], [1])


def test_a_line_that_is_gone_has_changed_what_stood_around_it(git, write, tmp_path):
    write("a.py", *LINES)
    commit(git)
    write("a.py", *LINES[:3], *LINES[4:])
    changes = changes_since(str(tmp_path), "HEAD")
    assert touched(changes, "a.py") == []
    assert changes.touch(finding("a.py", 3, 4))
    assert not changes.touch(finding("a.py", 1, 3))
    assert not changes.touch(finding("a.py", 4, 5))


def test_a_broken_file_has_changed_where_any_line_has(git, write, tmp_path):
    write("a.py", *LINES)
    write("b.py", *LINES)
    commit(git)
    write("a.py", *LINES[:8])
    changes = changes_since(str(tmp_path), "HEAD")
    broken = [finding(path, 1)._replace(category="broken-file") for path in ("a.py", "b.py")]
    assert [changes.touch(each) for each in broken] == [True, False]


def test_a_repository_in_the_repository(git, write, tmp_path):
    write("a.py", "x")
    commit(git)
    write("inner/b.py", "x")
    git("init", "-q", "inner")
    changes = changes_since(str(tmp_path), "HEAD")
    assert (touched(changes, "a.py"), touched(changes, "inner/b.py")[:2]) == ([], [1, 2])


@pytest.mark.parametrize("name", ["x", "a=b c"])
def test_no_program_that_the_repository_names_is_run(git, write, tmp_path, name):
    write("a.py", "x")
    commit(git)
    write(".git/info/attributes", "*.py filter=x")
    git("config", f"filter.{name}.clean", "touch run; cat")
    git("config", "filter.x.clean", "touch run; cat")
    git("config", "filter.x.required", "true")
    git("config", "core.fsmonitor", "touch run")
    write("a.py", "x", "y")
    assert touched(changes_since(str(tmp_path), "HEAD"), "a.py") == [2]
    assert not (tmp_path / "run").exists()
    git("status")
    assert (tmp_path / "run").exists()  # it would have been


def test_a_work_tree_that_git_refuses(git, write, tmp_path):
    write(".git/HEAD", "broken")
    with pytest.raises(NoSuchRevision, match="git status"):
        changes_since(str(tmp_path), "HEAD")
