"""The command line as people use it: a process, its output, its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from canonid import load_registry
from canonid.aliases import SQLiteStore

ROOT = Path(__file__).parents[2]
REGISTRY = ROOT / "tests" / "registries" / "legacy.toml"
USER = "user_01h455vb4pex5vsknk084sn02q"
UUID = "01890a5d-ac96-774b-bcce-b302099a8057"


def canonid(*arguments, stdin="", registry=REGISTRY, cwd=ROOT, text=True):
    named = ["--registry", str(registry)] if registry else []
    return subprocess.run(
        [sys.executable, "-m", "canonid.cli", *arguments, *named],
        input=stdin, capture_output=True, text=text, cwd=cwd, timeout=60,
    )  # fmt: skip


def test_mint_prints_as_many_as_asked():
    result = canonid("id", "mint", "user", "-n", "3")
    ids = result.stdout.split()
    assert (result.returncode, len(set(ids))) == (0, 3)
    assert ids == sorted(ids)
    assert all(text.startswith("user_") for text in ids)


def test_mint_writes_as_a_service_emits_with_the_fields_given():
    thread = "thread_chat_41_9f3c2b1a"
    result = canonid("id", "mint", "run", "--service", "backend", "--field", f"thread={thread}")
    assert result.stdout.startswith(f"run_{thread}_")
    missing = canonid("id", "mint", "run", "--service", "backend")
    assert (missing.returncode, missing.stderr) == (
        1,
        "canonid: minting a run in format 'manager-run' needs thread=\n",
    )


def test_check_is_silent_when_valid_and_says_why_on_standard_error_when_not():
    good = canonid("id", "check", "--kind", "user", "--format", "typeid", USER)
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    for arguments, reason in (
        (["--kind", "thread", USER], "names a user (format 'typeid'), not a thread"),
        (["--format", "uuid", USER], "is in format 'typeid', not 'uuid'"),
        ([USER + "x"], "expected"),
        ([""], "the text is empty"),
    ):
        bad = canonid("id", "check", *arguments)
        assert (bad.returncode, bad.stdout) == (1, "")
        assert reason in bad.stderr


def test_translate_prints_one_line_per_line_in_order_and_marks_what_it_could_not_read():
    lines = [USER, "", "nonsense", UUID, "thread_chat_41_9f3c2b1a", "x" * 3000, "é"]
    result = canonid("id", "translate", "--to", "ulid", stdin="\n".join(lines))
    out = result.stdout.splitlines()
    assert result.returncode == 1
    assert len(out) == len(lines)
    assert [line.startswith("! ") for line in out] == [False, True, True, True, False, True, True]
    assert out[0] == "01H455VB4PEX5VSKNK084SN02Q"
    assert "fits several kinds" in out[3]


def test_bytes_that_are_not_utf8_and_windows_line_ends_keep_one_line_per_line():
    result = canonid("id", "translate", stdin=b"\xff\xfe\r\n" + USER.encode() + b"\r\n\0\n", text=False)
    out = result.stdout.decode().splitlines()
    assert [line[:2] for line in out] == ["! ", "us", "! "]


def test_many_lines_stream_in_constant_memory(tmp_path):
    count = 30_000
    source = tmp_path / "ids.txt"
    source.write_text(f"{USER}\n" * count)
    code = (
        "import resource, sys; from canonid.cli.main import main;"
        f"code = main(['id', 'translate', '--to', 'uuid', '--registry', {str(REGISTRY)!r}]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
    )

    def run(lines):
        with source.open("rb") as stdin:
            return subprocess.run(
                ["bash", "-c", f"head -n {lines} | {sys.executable} -c \"$0\"", code],
                stdin=stdin, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True,
            )  # fmt: skip

    small, large = run(300), run(count)
    assert large.stdout == f"{UUID}\n" * count
    assert int(large.stderr) < int(small.stderr) + 4096  # KiB


def test_output_is_streamed_before_the_input_ends():
    command = [
        sys.executable,
        "-m",
        "canonid.cli",
        "id",
        "translate",
        "--to",
        "uuid",
        "--registry",
        str(REGISTRY),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        process.stdin.write(f"{USER}\n" * 2000)
        process.stdin.flush()
        assert process.stdout.readline() == f"{UUID}\n"
        process.stdin.close()
        assert len(process.stdout.readlines()) == 1999


def test_a_reader_that_stops_early_is_not_an_error():
    translate = f"{sys.executable} -m canonid.cli id translate --registry {REGISTRY}"
    command = f"yes {USER} | head -n 20000 | {translate} | head -n 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert result.stdout == f"{USER}\n"
    assert result.stderr == ""


def test_explain_shows_every_reading_and_every_writing():
    result = canonid("id", "explain", "run_thread_chat_41_9f3c2b1a_83123_ab12cd34")
    assert result.returncode == 0
    for part in (
        "run_5a19fcb0axgfc8s0zty6mvnt0k",
        "thread=thread_chat_41_9f3c2b1a",
        "generator-context",
        "(uuid)",
    ):
        assert part in result.stdout
    ambiguous = canonid("id", "explain", "session_0_00000000")
    assert ambiguous.returncode == 1
    assert "fits several kinds (session, thread)" in ambiguous.stdout
    assert "2023-06-30T03:34:18.518Z" in canonid("id", "explain", USER).stdout


def test_explain_with_a_store_shows_aliases_and_lineage(tmp_path):
    registry = load_registry(REGISTRY)
    path = tmp_path / "aliases.db"
    thread = registry.mint("thread")
    with SQLiteStore(path, registry) as store:
        store.record(USER)
        store.record(thread, parent=USER)
        store.link("old-thread-7", thread, source="test")
    shown = canonid("id", "explain", "--store", str(path), "old-thread-7", "--kind", "thread")
    assert shown.returncode == 0
    assert f"{thread} ← {USER}" in shown.stdout
    assert "old-thread-7" in shown.stdout
    resolved = canonid("id", "resolve", "--store", str(path), "old-thread-7", thread)
    assert resolved.stdout.split() == [thread, thread]


def test_a_store_that_does_not_exist_is_said_and_not_created(tmp_path):
    path = tmp_path / "none.db"
    result = canonid("id", "resolve", "--store", str(path), USER)
    assert result.returncode == 3
    assert str(path) in result.stderr
    assert not path.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["id", "mint", "user"],
        ["id", "explain", USER],
        ["id", "check", USER],
        ["id", "translate", USER],
        ["registry", "check"],
    ],
)
def test_json_is_one_object_a_line(arguments):
    (line,) = canonid(*arguments, "--json").stdout.splitlines()
    assert isinstance(json.loads(line), dict)


def test_registry_check_lists_faults_and_overlaps(tmp_path):
    good = canonid("registry", "check", "--json")
    overlaps = json.loads(good.stdout)["overlaps"]
    assert "session_0_00000000" in [overlap["text"] for overlap in overlaps]
    broken = tmp_path / "canonid.toml"
    broken.write_text('[kinds.user]\nprefix = "U"\ncolour = 1\n')
    bad = canonid("registry", "check", registry=broken)
    assert bad.returncode == 1
    assert "kinds.user.prefix" in bad.stdout
    assert "kinds.user.colour" in bad.stdout
    assert canonid("id", "mint", "user", registry=broken).returncode == 3


def test_the_nearest_registry_upwards_is_used(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.canonid.kinds.pet]\n")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert canonid("id", "mint", "pet", registry=None, cwd=inner).stdout.startswith("pet_")


def test_wrong_usage_is_exit_code_2_and_names_what_was_meant():
    for arguments in (["id", "mint", "usr"], ["id", "translate", "--to", "uid", USER]):
        result = canonid(*arguments)
        assert result.returncode == 2
        assert "did you mean" in result.stderr
    assert canonid("id", "mint", "user", "-n", "0").returncode == 2
    assert canonid("id").returncode == 2


@pytest.mark.parametrize("command", [[], ["id"], ["id", "mint"], ["id", "translate"], ["registry", "check"]])
def test_help_has_examples_and_exit_codes(command):
    result = subprocess.run(
        [sys.executable, "-m", "canonid.cli", *command, "--help"],
        capture_output=True, text=True, cwd=ROOT, env=os.environ | {"COLUMNS": "60"}, check=True,
    )  # fmt: skip
    assert "examples:\n  canonid" in result.stdout
    assert "exit codes:" in result.stdout


def test_the_command_line_needs_no_third_party_package():
    code = (
        "import sys, canonid.cli.main;"
        "print(sorted({'asyncio', 'fastapi', 'httpx', 'sqlite3'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
