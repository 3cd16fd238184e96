"""The audit beside other tools that read a whole codebase, on real packages.

    python benchmarks/audit.py [--quick] [--corpus FOLDER] [--json FILE]

Its bias: the others answer a small part of what the audit answers (ripgrep: lines with "uuid4"; ruff: imports
of banned functions; ast-grep and semgrep: five patterns; ast.parse: nothing at all, in one process). Every
tool starts as a program of its own on the same copy of the code, without a cache of its own; they take
turns, and a ratio is the median of the rounds' own ratios. Files are in the memory of the machine.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from audit_corpus import PACKAGES, QUICK, corpus, default_folder
from rows import Row, beside, finish, row

AUDIT = """
import sys
from canonid.audit.auditing import audit
from canonid.audit.cache import Cache
report = audit([sys.argv[1]], cache=Cache(sys.argv[2]))
print(report.files, report.lines, len(report.findings))
"""
PARSE = """
import ast, pathlib, sys, warnings
warnings.simplefilter("ignore")
for file in pathlib.Path(sys.argv[1]).rglob("*.py"):
    try:
        ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        pass
"""
PATTERNS = ("uuid.uuid4()", "uuid4()", "uuid.uuid4().hex[:$N]", "$X.split('_')[$N]", "$X.startswith('user_')")
BANNED = ", ".join([f'"uuid.uuid{version}" = {{ msg = "mint it" }}' for version in (1, 3, 4, 5, 6, 7, 8)])
ORDINARY_BYTES = 40_000  # of the file that is changed
SETTLED_SECONDS = 2.5  # a file that was written a moment ago is read again
MB = 1 << 20

Times = dict[str, list[float]]


class Ran(NamedTuple):
    seconds: float
    output: str
    peak: int  # bytes of all its processes at once; 0 if that was not watched


def run(command: Sequence[str | Path], *, watched: bool = False, also: tuple[int, ...] = ()) -> Ran:
    """A tool from its start to its end. Exit code 1 means that it found something; `also` are others."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.DEVNULL)
        peaks = [0]
        watcher = threading.Thread(target=_watch, args=(process, peaks))
        if watched:
            watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - begun
        if watched:
            watcher.join()
        output.seek(0)
        text = output.read().decode(errors="replace")
    if code not in (0, 1, *also):
        raise SystemExit(f"{command[0]} ended with {code}: {text[-500:]}")
    return Ran(seconds, text, peaks[0])


def _watch(process: subprocess.Popen[bytes], peaks: list[int]) -> None:
    while process.poll() is None:
        peaks[0] = max(peaks[0], _resident(process.pid))
        time.sleep(0.02)


def _resident(pid: int) -> int:
    """Bytes in memory of a process and all below it, by /proc."""
    try:
        held = re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        listed = [each.read_text() for each in Path(f"/proc/{pid}/task").glob("*/children")]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    below = sum([_resident(int(child)) for each in listed for child in each.split()])
    return below + (int(held[1]) * 1024 if held else 0)


def peers(code: Path, rules: Path, quick: bool) -> dict[str, list[str | Path]]:
    """The command of each other tool that is there."""
    text = "\n---\n".join(
        [f"id: p{at}\nlanguage: python\nrule:\n  pattern: {each}" for at, each in enumerate(PATTERNS)]
    )
    rules.write_text(
        "rules:\n"
        + "".join(
            [
                f"- id: p{at}\n  languages: [python]\n  severity: INFO\n  message: it\n  pattern: {each}\n"
                for at, each in enumerate(PATTERNS)
            ]
        ).replace("$N", "$A")
    )
    setting = ['lint.select = ["TID251"]', f"lint.flake8-tidy-imports.banned-api = {{ {BANNED} }}"]
    settings = [part for each in setting for part in ("--config", each)]
    found: dict[str, list[str | Path]] = {
        "ripgrep": ["rg", "--no-config", "--no-ignore", "--type=py", "uuid4", code],
        "ruff": ["ruff", "check", "--isolated", "--no-cache", "--output-format=concise", *settings, code],
        "ast-grep": ["ast-grep", "scan", "--inline-rules", text, "--json=stream", "--no-ignore=vcs", code],
        "ast.parse": [sys.executable, "-c", PARSE, code],
    }
    if not quick:
        semgrep = [
            "semgrep",
            "scan",
            "--metrics=off",
            "--disable-version-check",
            "--no-git-ignore",
            "--quiet",
        ]
        found["semgrep"] = [*semgrep, "--config", rules, code]
    there = {name: [_program(str(command[0])), *command[1:]] for name, command in found.items()}
    for name in [name for name, command in there.items() if not command[0]]:
        print(f"{name} is not there: left out (benchmarks/requirements.txt says how to get it)")
    return {name: command for name, command in there.items() if command[0]}


def _program(name: str) -> str:
    beside_python = str(Path(sys.executable).parent)
    return shutil.which(name, path=os.pathsep.join([beside_python, os.environ.get("PATH", "")])) or ""


def measure(code: Path, folder: Path, rounds: int, quick: bool) -> tuple[Times, int]:
    """Seconds of every tool, round by round, and the peak of ours in bytes."""
    times: Times = {}
    peak = 0
    cache = folder / "cache"
    audit: list[str | Path] = [sys.executable, "-c", AUDIT, code, cache]
    commands = peers(code, folder / "rules.yaml", quick)
    changed = min(code.rglob("*.py"), key=lambda file: abs(file.stat().st_size - ORDINARY_BYTES))
    for number in range(rounds):
        shutil.rmtree(cache, ignore_errors=True)
        time.sleep(SETTLED_SECONDS)
        cold = run(audit, watched=True)
        warm = run(audit)
        if warm.output != cold.output:
            raise SystemExit(f"from the cache: {warm.output}, without: {cold.output}")
        with changed.open("a") as file:
            file.write("# changed\n")
        one = run(audit)
        peak = max(peak, cold.peak)
        if number == 0:
            print("files, lines, findings:", cold.output.strip())
        for name, seconds in (("cold", cold.seconds), ("warm", warm.seconds), ("changed", one.seconds)):
            times.setdefault(name, []).append(seconds)
        for name, command in commands.items():
            if name == "semgrep" and number:
                continue
            times.setdefault(name, []).append(run(command, also=(2,) if name == "semgrep" else ()).seconds)
    return times, peak


def rows_of(times: Times, peak: int) -> list[Row]:
    rows = []
    targets = {("cold", "ruff"): 8, ("cold", "ast-grep"): 0.7, ("warm", "ruff"): 0.5}
    for ours in ("cold", "warm", "changed"):
        for peer in [name for name in times if name not in ("cold", "warm", "changed")]:
            ratio = median([a / b for a, b in zip(times[ours], times[peer], strict=False)])
            mine, theirs = median(times[ours]), median(times[peer])
            target = targets.get((ours, peer))
            rows.append(
                beside(f"{ours}, s", mine, theirs, better="lower", peer_name=peer, target=target, ratio=ratio)
            )
    rows.append(row("one changed file, s", median(times["changed"]), better="lower", target=0.5))
    rows.append(row("peak memory of all processes, MB", peak / MB, better="lower", target=500))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two packages, no semgrep: under a minute")
    parser.add_argument("--corpus", type=Path, default=default_folder(), help="where the code is kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as one JSON array")
    options = parser.parse_args()
    packages = corpus(options.corpus, QUICK if options.quick else PACKAGES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for package in packages:
            shutil.copytree(package, folder / "code" / package.name)
        times, peak = measure(folder / "code", folder, 2 if options.quick else 3, options.quick)
    for tool, seconds in times.items():
        print(f"{tool:12} {median(seconds):8.2f} s   ({', '.join([f'{each:.2f}' for each in seconds])})")
    rows = rows_of(times, peak)
    for each in rows:
        if each.ratio is not None:
            print(f"{each.metric:12} {each.ratio:8.3f} x {each.peer_name}")
    print(f"peak memory {peak / MB:.0f} MB")
    return finish(rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
