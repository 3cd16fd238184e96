"""An audit, from paths to the report."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import canonid
from canonid.audit import auditing, examining
from canonid.audit.auditing import audit
from canonid.audit.cache import Cache
from canonid.audit.examining import Task
from canonid.audit.findings import Finding
from canonid.audit.packing import unpack
from canonid.audit.report import IgnoredAt
from canonid.audit.workers import examine_across

SOURCE = Path(canonid.__file__).parent


@pytest.fixture
def project(tmp_path):
    """Some fifty files with all sorts of things in them."""
    root = tmp_path / "project"
    (root / "tests").mkdir(parents=True)
    for number in range(40):
        path = root / ("tests" if number % 4 == 0 else "") / f"module{number}.py"
        path.write_text(
            f"import uuid, time\n\ndef make{number}():\n"
            f"    job_id = f'job{number}_{{int(time.time() * 1000)}}_{{uuid.uuid4().hex[:8]}}'\n"
            "    return job_id\n"
            f"\nnonce = uuid.uuid4()\nuser_id = uuid.uuid4()  # canonid: ignore[CID101] fixture\n"
        )
    (root / "broken.py").write_text("user_id = uuid.uuid4(\n")
    (root / "zeros.py").write_bytes(b"\0uuid")
    (root / "utf16.py").write_bytes("user_id = uuid.uuid4()".encode("utf-16"))
    (root / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nimport uuid\n\xe9_id = uuid.uuid4()\n")
    (root / "empty.py").write_bytes(b"")
    (root / "no.ipynb").write_text("{")
    return root


@pytest.fixture
def across(monkeypatch):
    monkeypatch.setattr(auditing, "SMALL_BYTES", 0)


def age(root, monkeypatch):
    """Lets two seconds go by for stamps."""
    monkeypatch.setattr(examining, "SETTLED_NS", -1)
    for file in root.rglob("*"):
        os.utime(file, ns=(1, 1))


def test_the_report_is_the_same_from_any_number_of_workers(project, across):
    alone = audit([project], workers=1)
    assert alone.findings
    assert alone.broken >= 3
    assert alone.files == 46
    for workers in (2, 3):
        assert audit([project], workers=workers) == alone
    assert all(type(each) is Finding for each in alone.findings)
    assert all(type(each) is IgnoredAt for each in alone.ignored)


def test_the_report_is_the_same_from_the_cache(project, tmp_path, across, monkeypatch):
    age(project, monkeypatch)
    cache = Cache(tmp_path / "cache")
    cold = audit([project], cache=cache)
    monkeypatch.setattr(auditing, "examine_across", None)  # there is nothing left to examine
    warm = audit([project], cache=cache, workers=1)
    assert warm == cold == audit([project], workers=1)


def test_a_file_with_the_same_content_is_not_scanned_again(project, tmp_path, monkeypatch):
    cache = Cache(tmp_path / "cache")
    cold = audit([project], cache=cache)
    monkeypatch.setattr(examining, "scan", None)
    assert audit([project], cache=cache) == cold


def test_what_changed_is_seen_though_size_and_time_are_the_same(project, tmp_path):
    cache = Cache(tmp_path / "cache")
    file = project / "latin.py"
    os.utime(file, ns=(1, 1))
    before = audit([project], cache=cache)
    file.write_bytes(file.read_bytes().replace(b"uuid4", b"uuid1"))
    os.utime(file, ns=(1, 1))
    after = audit([project], cache=cache)
    assert after != before
    assert after == audit([project])


def test_files_that_come_and_go(project, tmp_path):
    cache = Cache(tmp_path / "cache")
    audit([project], cache=cache)
    (project / "module1.py").rename(project / "moved.py")
    (project / "module2.py").unlink()
    assert audit([project], cache=cache) == audit([project])


def test_paths_in_any_order(project):
    assert audit([project / "tests", project / "latin.py"]) == audit(
        [project / "latin.py", project / "tests"]
    )


def test_progress_counts_every_file(project, across):
    told = []
    audit([project], workers=2, progress=lambda done, files: told.append((done, files)))
    assert told == sorted(told)
    assert told[-1] == (46, 46)


def test_the_audited_code_is_never_imported(project, across, monkeypatch):
    for name in ("ast", "json", "canonid", "sitecustomize", "usercustomize", "marshal"):
        (project / f"{name}.py").write_text(f"open('{project}/ran', 'w')\n")
    monkeypatch.chdir(project)
    monkeypatch.setenv("PYTHONPATH", str(project))
    audit(["."], workers=2)
    assert not (project / "ran").exists()


def test_a_file_whose_worker_dies_is_broken_and_the_rest_is_not(project, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    tasks = [(Task("pipe.py", str(pipe), b""), 1 << 21)]
    tasks += [(Task(file.name, str(file), b""), 100) for file in sorted(project.glob("module*.py"))]
    outcomes = []
    for answer in examine_across(tasks, 2):
        outcomes += answer
        if len(outcomes) == len(tasks) - 1:  # only the one that waits for the pipe is still there
            for child in children(os.getpid()):
                os.kill(child, signal.SIGKILL)
    errors = {outcome.path: unpack(outcome.facts).error for outcome in outcomes}
    assert errors.pop("pipe.py") == "the process that read it died (killed by signal 9)"
    assert set(errors.values()) == {""}
    assert len(errors) == 30


def test_where_no_process_starts_the_work_is_done_here(project, across, monkeypatch):
    expected = audit([project], workers=1)
    for python in (str(project / "nothing"), "/bin/false", "", None):
        monkeypatch.setattr(sys, "executable", python)
        assert audit([project], workers=2) == expected


def test_ctrl_c_leaves_no_process():
    code = f"""
        import glob, os, signal, sys, time
        sys.path.append({str(SOURCE.parent)!r})
        from canonid.audit.auditing import audit
        def children():
            return "".join([open(each).read() for each in glob.glob("/proc/self/task/*/children")]).split()
        def stop(done, files):
            print(len(children()))
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(30)  # another thread may get it first; sleeping ends as soon as this one has it
        try:
            audit([{str(SOURCE)!r}], workers=2, progress=stop)
        except KeyboardInterrupt:
            print(len(children()))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    before, after = done.stdout.split()
    assert int(before) > 0
    assert int(after) == 0
    assert done.stderr == ""


def children(process):
    listed = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for each in listed for child in each.read_text().split()]


def test_nothing_but_empty_files(tmp_path, across):
    (tmp_path / "__init__.py").write_bytes(b"")
    (tmp_path / "a.py").write_bytes(b"")
    assert audit([tmp_path], workers=2).files == audit([tmp_path], workers=1).files == 2
