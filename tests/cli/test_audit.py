"""`canonid audit` as people and CI use it."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = "import uuid\n\n\ndef make():\n    return uuid.uuid4().hex[:8]\n"
PAGE = (ROOT / "docs" / "audit.md").read_text()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("GIT_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "a.py").write_text(CODE)
    monkeypatch.chdir(folder)
    return folder


def canonid(*arguments):
    command = [sys.executable, "-m", "canonid.cli", "audit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, encoding="utf-8")


def git(*arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def codes(result):
    return [json.loads(line)["code"] for line in result.stdout.splitlines()]


def test_findings_are_one_and_none_is_zero(repository):
    assert canonid().returncode == 1
    assert canonid("--exit-zero").returncode == 0
    (repository / "a.py").write_text("x = 1\n")
    clean = canonid()
    assert (clean.returncode, clean.stderr) == (0, "")
    assert "Nothing was found" in clean.stdout


def test_a_broken_file_is_told_and_stops_nothing(repository):
    (repository / "b.py").write_text("import uuid\nuuid.uuid4(\n")
    result = canonid("--json")
    assert result.returncode == canonid("--exit-zero").returncode == 3
    assert {"CID301"} < set(codes(result))
    canonid("--update-baseline")
    assert canonid("--baseline", "canonid-baseline.json").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--format", "xml"], 2),
        (["--explain", "CID999"], 2),
        (["--force"], 2),
        (["--since", "HEAD", "--update-baseline"], 2),
        (["--update-baseline", "-o", "b.json"], 2),
        (["--show-ignored", "--json"], 2),
        (["--workers", "0"], 2),
        (["nowhere"], 3),
        (["--baseline", "nowhere.json"], 3),
        (["--baseline", "a.py"], 3),
        (["--since", "no-such-revision"], 3),
        (["-o", "no/such/folder.txt"], 3),
    ],
)
def test_what_can_not_be_done_is_said_on_standard_error(repository, arguments, code):
    result = canonid(*arguments)
    assert (result.returncode, result.stdout) == (code, "")
    assert "Traceback" not in result.stderr
    assert "canonid" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "no such file or folder"),
        (["--root", "nowhere"], "no such file or folder"),
        ([".", "--root", "inner"], ". is not below --root inner"),
        (["--root", "inner"], ". is not below --root inner"),
        (["--baseline", "nowhere.json"], "there is no baseline nowhere.json; --update-baseline writes it"),
        (["--baseline", "inner"], "inner can't be read: Is a directory"),
        (["--update-baseline", "--baseline", "no/b.json"], "no/b.json can't be written"),
        (["--since", "HEAD"], "is in no git work tree"),
        (["-o", "no/x.html"], "there is no folder no to write x.html in"),
        (["-o", "inner"], "inner is a folder"),
        (["--format", "hmtl"], "there is no format 'hmtl'; did you mean 'html'?"),
        (["--format", "zzz"], "there are text, json, jsonl, sarif, markdown, html"),
        (["--explain", "CID20"], "did you mean\n  CID201  an ID put together by hand\n"),
        (["--explain", "nothing"], "there are\n  CID001  "),
        (["--explain", "CIDD101"], "  CID101  a UUID made on the spot\n"),
    ],
)
def test_what_is_wrong_is_said_in_words(repository, arguments, told):
    (repository / "inner").mkdir()
    result = canonid(*arguments)
    assert told in result.stderr
    assert "Errno" not in result.stderr
    assert result.returncode in (2, 3)


def test_a_revision_without_git_is_said_in_words(repository, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    result = canonid("--since", "HEAD")
    assert (result.returncode, "there is no git here" in result.stderr) == (3, True)


def test_an_unknown_revision_is_told(repository):
    git("init", "-q")
    assert "git knows no revision 'no-such-revision'" in canonid("--since", "no-such-revision").stderr


def test_a_registry_with_faults_is_told_and_stops_nothing(repository):
    (repository / "canonid.toml").write_text("[kinds")
    result = canonid("--json")
    assert result.returncode == 1
    assert "CID301" in codes(result)
    assert "canonid.toml is not heeded where it has faults: TOML: " in result.stderr


def test_a_registry_that_is_named_must_be_there(repository):
    assert canonid("--registry", "nowhere.toml").returncode == 3


def test_the_registry_that_is_named_is_the_one_that_counts(repository):
    (repository / "canonid.toml").write_text("[kinds")
    (repository / "other.toml").write_text("[kinds.user]\n")
    result = canonid("--registry", "other.toml")
    assert (result.returncode, result.stderr) == (1, "")


def test_a_reader_that_has_enough_is_no_fault(repository):
    (repository / "many.py").write_text("import uuid\n" + "x = uuid.uuid4()\n" * 5000)
    command = f"{sys.executable} -m canonid.cli audit --json | head -n 1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "sarif", "markdown", "html"])
def test_a_file_holds_what_standard_output_would(repository, form):
    to_output = canonid("--format", form)
    to_file = canonid("--format", form, "-o", "../report")
    assert to_file.stdout == ""
    assert to_output.returncode == to_file.returncode == 1
    assert (repository.parent / "report").read_text(encoding="utf-8") == to_output.stdout
    assert "CID301" in to_output.stdout


def test_paths_are_relative_to_what_is_named(repository):
    (repository / "src").mkdir()
    (repository / "a.py").rename(repository / "src" / "a.py")
    paths = [
        {json.loads(line)["path"] for line in canonid("--json", *arguments).stdout.splitlines()}
        for arguments in (["src"], ["."], [str(repository)], ["src", "--root", "."])
    ]
    assert paths == [{"a.py"}, {"src/a.py"}, {"src/a.py"}, {"src/a.py"}]


def test_sarif_names_files_as_the_repository_does(repository):
    (repository / "src").mkdir()
    (repository / "a.py").rename(repository / "src" / "a.py")

    def uris(*arguments):
        (run,) = json.loads(canonid(*arguments, "--format", "sarif").stdout)["runs"]
        places = [each["locations"][0]["physicalLocation"] for each in run["results"]]
        return {each["artifactLocation"]["uri"] for each in places}

    assert uris("src") == {"a.py"}
    git("init", "-q")
    assert uris() == uris("src") == {"src/a.py"}
    assert uris("src", "--root", "src") == {"a.py"}


def test_an_explanation_needs_no_code(repository):
    result = canonid("--explain", "cid301")
    assert result.returncode == 0
    assert result.stdout.startswith("CID301")


def test_the_baseline_only_shrinks(repository):
    baseline = repository / "canonid-baseline.json"
    assert canonid("--update-baseline").returncode == 0
    first = baseline.read_text()
    other = "\n\ndef other():\n    run_id = uuid.uuid1()\n    return run_id\n"
    (repository / "a.py").write_text(CODE + other)
    refused = canonid("--update-baseline")
    assert refused.returncode == 1
    assert "other" not in baseline.read_text()
    assert baseline.read_text() == first
    assert "a.py:9:" in refused.stdout
    assert canonid("--update-baseline", "--force").returncode == 0
    assert "other" in baseline.read_text()
    (repository / "a.py").write_text("x = 1\n")
    stale = canonid("--baseline", str(baseline))
    assert (stale.returncode, stale.stdout) == (0, "")
    assert "gone" in stale.stderr
    assert canonid("--update-baseline").returncode == 0
    assert "path" not in baseline.read_text()


def test_the_baseline_keeps_what_can_not_be_read_just_now(repository):
    canonid("--update-baseline")
    (repository / "a.py").write_text(CODE + "<<<<<<< ours\n")
    assert canonid("--update-baseline").returncode == 3
    (repository / "b.py").write_text(CODE)
    new = canonid("--baseline", "canonid-baseline.json", "--json")
    assert (new.returncode, "b.py" in new.stdout) == (3, True)  # what can't be read has moved nowhere
    (repository / "b.py").unlink()
    (repository / "a.py").write_text(CODE)
    assert canonid("--baseline", "canonid-baseline.json").returncode == 0


def test_the_baseline_keeps_what_is_not_below_the_paths_that_are_named(repository):
    (repository / "b.py").write_text(CODE)
    canonid("--root", ".", "--update-baseline")
    narrow = canonid("--root", ".", "a.py", "--baseline", "canonid-baseline.json")
    assert (narrow.returncode, narrow.stderr) == (0, "")
    assert canonid("--root", ".", "a.py", "--update-baseline").returncode == 0
    assert canonid("--root", ".", "--baseline", "canonid-baseline.json").returncode == 0


def test_another_id_in_the_place_of_a_tolerated_one_is_new(repository):
    (repository / "a.py").write_text("import uuid\nrun_id = uuid.uuid4()\n")
    canonid("--update-baseline")
    (repository / "a.py").write_text("import uuid\norder_id = uuid.uuid4()\n")
    assert canonid("--baseline", "canonid-baseline.json").returncode == 1
    (repository / "a.py").write_text("import uuid\n")
    (repository / "b.py").write_text("import uuid\n\n\nrun_id  = (\n    uuid.uuid4())\n")
    assert canonid("--baseline", "canonid-baseline.json").returncode == 0


def test_a_tolerated_broken_file_is_known_by_its_name(repository):
    (repository / "b.py").write_text("import uuid\nprint uuid.uuid4()\n")
    canonid("--update-baseline")
    (repository / "b.py").write_text("import uuid\n\n\nprint (uuid.uuid4()\n")
    assert canonid("--baseline", "canonid-baseline.json").returncode == 0
    (repository / "c.py").write_text((repository / "b.py").read_text())
    (repository / "b.py").unlink()
    assert canonid("--baseline", "canonid-baseline.json").returncode == 3


def test_beside_a_baseline_only_new_ones_are_told(repository):
    canonid("--update-baseline")
    (repository / "moved.py").write_text("# another layout\n" + CODE.replace("return", "return \\\n       "))
    (repository / "a.py").write_text("import uuid\nuser_id = uuid.uuid4()\n")
    result = canonid("--baseline", "canonid-baseline.json", "--json")
    assert (result.returncode, codes(result)) == (1, ["CID101"])
    assert json.loads(result.stdout)["path"] == "a.py"


def test_since_a_revision_only_changed_lines_count(repository):
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    assert canonid("--since", "HEAD").returncode == 0
    (repository / "a.py").write_text("# a line above\n" + CODE)
    assert canonid("--since", "HEAD").returncode == 0
    (repository / "new.py").write_text(CODE)
    result = canonid("--since", "HEAD", "--json")
    assert result.returncode == 1
    assert {json.loads(line)["path"] for line in result.stdout.splitlines()} == {"new.py"}


def test_one_more_of_the_same_is_new_where_it_was_added(repository):
    text = "import uuid\nprint(uuid.uuid4())\n"
    (repository / "a.py").write_text(text)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    canonid("--update-baseline")
    (repository / "a.py").write_text(text.replace("print", "x = 1; print(uuid.uuid4())\nprint", 1))
    result = canonid("--since", "HEAD", "--baseline", "canonid-baseline.json", "--json")
    assert [json.loads(line)["line"] for line in result.stdout.splitlines()] == [2]


def test_ignored_are_listed_with_the_reason(repository):
    (repository / "a.py").write_text(
        "import uuid\nnonce = uuid.uuid4().hex\nx_id = uuid.uuid4()  # canonid: ignore[CID101] a fixture\n"
    )
    result = canonid("--show-ignored")
    assert result.returncode == 0
    assert "a.py:2:" in result.stdout and "nonce" in result.stdout
    assert "a.py:3:" in result.stdout and "comment: a fixture" in result.stdout


def on_terminal(*arguments, rows=24, columns=80, **environment):
    """What the command writes on a terminal of that size."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    clean = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "canonid.cli", "audit", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**clean, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    said = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            said += os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
    process.communicate()
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def test_on_a_terminal_it_takes_one_screen(repository):
    for number in range(40):
        (repository / f"m{number}.py").write_text(CODE + "user_id = f'user_{uuid.uuid4()}'\n" * 3)
    shown = on_terminal()
    assert "\x1b[33m" in shown
    plain = re.sub(r"\x1b\[\d+m", "", shown).splitlines()
    assert len(plain) < 24
    assert max(map(len, plain)) <= 80
    assert "\x1b" not in on_terminal(NO_COLOR="1")
    assert "\x1b" not in canonid().stdout


def test_the_commands_of_the_page_do_what_it_says(repository):
    (repository / "a.py").unlink()
    (repository / "app").mkdir()
    code = re.search(r"^```python\n# app/ids.py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]
    (repository / "app" / "ids.py").write_text(code)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    commands = re.findall(r"^\$ (.*?)  # (\d)$", PAGE, re.MULTILINE)
    assert len(commands) > 10
    assert len(commands) == len(re.findall(r"^\$ ", PAGE, re.MULTILINE))
    for command, code in commands:
        if "--since" in command:
            git("add", "-A")
            git("commit", "-qm", "next")
        result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
        assert (command, result.returncode, result.stderr.count("Traceback")) == (command, int(code), 0)


def test_the_comment_of_the_page_hides_what_it_names(repository):
    block = re.search(r"^```python\n(request_id.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]
    (repository / "a.py").write_text("import uuid\n" + block)
    assert canonid().returncode == 0


def test_the_hook_runs(repository):
    entry = re.search(r"^  entry: (.*)$", (ROOT / ".pre-commit-hooks.yaml").read_text(), re.MULTILINE)[1]
    git("init", "-q")
    git("commit", "-qm", "nothing yet", "--allow-empty")
    git("add", "-A")
    result = subprocess.run(["bash", "-c", entry], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "a.py:5:" in result.stdout


def test_a_hook_of_git_refuses_what_is_new(repository):
    git("init", "-q")
    (repository / "src").mkdir()
    (repository / "a.py").rename(repository / "src" / "a.py")
    git("add", "-A")
    git("commit", "-qm", "first")
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec {sys.executable} -m canonid.cli audit src --since HEAD\n")
    hook.chmod(0o755)
    (repository / "src" / "a.py").write_text(CODE + "\n\nuser_id = uuid.uuid4()\n")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        git("commit", "-qam", "second")
    assert b"a.py:8:" in refused.value.stdout + refused.value.stderr
    (repository / "src" / "a.py").write_text(CODE + "\n\nuser_id = mint('user')\n")
    git("commit", "-qam", "second")


@pytest.mark.parametrize("name", ["text", "json", "jsonl", "sarif", "markdown", "html"])
def test_every_format_takes_odd_names_and_encodings_where_nothing_is_utf_8(repository, name, monkeypatch):
    for variable, value in {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}.items():
        monkeypatch.setenv(variable, value)
    files = [
        b"\xe2\x80\xae.py",
        b"latin\xe9.py",
        b"new\nline.py",
        b"\x1b[31m.py",
        b"-x.py",
        b"surrogate\xed\xa0\x80.py",
    ]
    for file in files:
        Path(os.fsdecode(file)).write_text(CODE)
    (repository / "coding.py").write_text("# coding: hex\n" + CODE)
    (repository / "text.py").write_text("import uuid\nuser_id = '\\ud800' + uuid.uuid4().hex[:8]\n")
    result = canonid("--format", name)
    assert (result.returncode, result.stderr) == (3, "")
    assert not set("\x1b\u202e") & set(result.stdout)


def test_with_standard_error_closed_it_is_as_it_was(repository):
    (repository / "b.py").write_text("import uuid\nuuid.uuid4(\n")
    command = ["sh", "-c", '"$0" -m canonid.cli audit --json 2>&-', sys.executable]
    result = subprocess.run(command, stdout=subprocess.PIPE, timeout=60)
    assert (result.returncode, result.stdout.decode()) == (3, canonid("--json").stdout)


def test_the_action_runs(repository):
    script = (ROOT / "action.yml").read_text().split("      run: |\n")[1]
    environment = {
        **os.environ,
        "AUDITED": ".",
        "SINCE": "",
        "BASELINE": "",
        "SARIF": "../audit.sarif",
        "GITHUB_STEP_SUMMARY": "../summary.md",
    }
    bash = ["bash", "-eo", "pipefail", "-c", script]
    failed = subprocess.run(bash, env=environment, capture_output=True, text=True, timeout=60)
    assert failed.returncode == 1, failed.stderr
    assert json.loads(Path("../audit.sarif").read_text())["runs"][0]["results"]
    assert Path("../summary.md").read_text().startswith("# Audit")
    canonid("--update-baseline")
    environment["BASELINE"] = "canonid-baseline.json"
    assert subprocess.run(bash, env=environment, capture_output=True, timeout=60).returncode == 0


def test_other_commands_do_not_pay_for_it():
    code = "import sys, canonid.cli.main; print([name for name in sys.modules if 'canonid.audit' in name])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
