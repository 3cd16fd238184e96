"""IDs beside other libraries: how fast they are made, read and translated, and whether they are right.

    python benchmarks/ids.py [--quick] [--json FILE]

Its bias: texts, since canonid gives texts. A library that gives objects is asked for `str(object)` too,
and one without prefixes has "user_" put before. Every library runs in a process of its own, and they take
turns; a ratio is the median of the rounds' own ratios, so a machine that is slower for a while slows both.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from id_libraries import LIBRARIES
from rows import Row, beside, finish, row

Speeds = dict[str, dict[str, list[float]]]
SPEEDS = ("canonid", "typeid-python", "uuid-utils", "uuid.uuid4", "python")


def measure(name: str, what: str, count: int = 0) -> dict[str, Any]:
    """What `id_libraries` says of a library."""
    script = Path(__file__).with_name("id_libraries.py")
    command = [sys.executable, str(script), name, what, str(count)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} can't be measured:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def environment() -> dict[str, str]:
    hidden = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")  # both would spoil the start
    return {key: value for key, value in os.environ.items() if key not in hidden}


def speeds(rounds: int) -> Speeds:
    """Seconds for every library and metric, one for each round."""
    found: Speeds = {name: {} for name in SPEEDS}
    for _ in range(rounds):
        for name in SPEEDS:
            for metric, seconds in measure(name, "speed").items():
                found[name].setdefault(metric, []).append(seconds)
    return found


def rate(found: Speeds, metric: str, ours: str, peer: str, theirs: str, target: float | None) -> Row:
    """Calls per second beside a peer's."""
    mine, other = found["canonid"][ours], found[peer][theirs]
    ratio = median(b / a for a, b in zip(mine, other, strict=True))
    return beside(
        metric,
        1 / median(mine),
        1 / median(other),
        better="higher",
        peer_name=peer,
        target=target,
        ratio=ratio,
    )


def cost(found: Speeds, metric: str, ours: str, peer_name: str, theirs: str, target: float | None) -> Row:
    """Nanoseconds beside those of a part that can't be avoided."""
    mine, other = found["canonid"][ours], found["python"][theirs]
    return beside(
        metric,
        median(mine) * 1e9,
        median(other) * 1e9,
        better="lower",
        peer_name=peer_name,
        target=target,
        ratio=median(a / b for a, b in zip(mine, other, strict=True)),
    )


def speed_rows(rounds: int) -> list[Row]:
    found = speeds(rounds)
    typeid = "typeid-python"
    return [
        rate(found, "mint a typed text, per second", "mint", typeid, "mint", 8),
        rate(found, "mint a typed text, per second", "mint", "uuid-utils", "mint", 1.3),
        rate(found, "mint a typed text, per second", "mint", "uuid.uuid4", "mint", 12),
        rate(found, "the same by registry.mint(kind)", "registry.mint", typeid, "mint", None),
        rate(
            found,
            "first mint of a millisecond, per second",
            "first of a tick",
            typeid,
            "first of a tick",
            0.7,
        ),
        rate(found, "parse to a typed object, per second", "parse", typeid, "parse", 7),
        rate(found, "the same by registry.parse(text, kind)", "registry.parse", typeid, "parse", None),
        rate(found, "validate in full, per second", "validate", typeid, "validate", 10),
        rate(
            found, "the same by registry.is_valid(text, kind)", "registry.is_valid", typeid, "validate", None
        ),
        rate(found, "mint 1M into a list, per second", "bulk", typeid, "bulk", 20),
        # The floor: a million texts that are ready take this long just to become Python's.
        cost(
            found,
            "the same beside ready texts split into a list, ns",
            "bulk",
            "str.split",
            "ready texts, kept",
            None,
        ),
        cost(
            found,
            "recognise among 12 formats, ns",
            "recognise",
            "12 compiled fullmatch",
            "twelve fullmatch",
            2,
        ),
        cost(found, "translate a legacy text, ns", "translate", "blake2b", "blake2b", 5),
    ]


def start_rows(rounds: int) -> list[Row]:
    """Import and a first ID, in an interpreter that has imported nothing else yet."""
    registry = str(Path(__file__).with_name("start.toml"))
    ours = f"import canonid; canonid.load_registry({registry!r}).mint('user')"
    theirs = "from typeid import TypeID; str(TypeID(prefix='user'))"
    times = [(start(ours), start(theirs), start("pass")) for _ in range(rounds)]
    mine, other, nothing = (median(column) * 1000 for column in zip(*times, strict=True))
    print(f"an interpreter that does nothing takes {nothing:.0f} ms in all\n")
    metric = "import, load a small registry and mint, ms"
    return [
        row(
            metric, mine - nothing, better="lower", target=25, peer=other - nothing, peer_name="typeid-python"
        )
    ]


def start(code: str) -> float:
    """Seconds of a whole process that runs the code."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment(), check=True)
    return time.perf_counter() - began


def memory_rows(kept: int, made: int) -> list[Row]:
    ours = measure("canonid", "memory", kept)["bytes"]
    theirs = measure("typeid-python", "memory", kept)["bytes"]
    growth = measure("canonid", "flat", made)["bytes"] / 1024
    return [
        beside(f"bytes of each of {kept:,} kept", ours, theirs, better="lower", peer_name="typeid-python"),
        row(f"growth while {made:,} are minted, KiB", growth, better="lower", target=1024),
    ]


def show_checks() -> None:
    print(f"\n{'':16}{'in order':10}{'repeated':10}{'entropy':34}takes for a TypeID")
    print(f"{'':16}{'':10}{'by a fork':10}")
    for name, library in LIBRARIES.items():
        if not installed(name):
            print(f"{name:16}not installed; pip install -r benchmarks/requirements.txt")
            continue
        found = measure(name, "checks")
        accepted = found["accepted"]
        wrong = (
            "-"
            if accepted is None or name not in ("canonid", "typeid-python")
            else ", ".join(accepted) or "none"
        )
        order = "yes" if found["ordered"] else "no"
        print(f"{name:16}{order:10}{found['repeated after fork']:<10}{library.entropy:34}{wrong}")


def installed(name: str) -> bool:
    if name == "uuid.uuid4":
        return True
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as one JSON array")
    options = parser.parse_args()
    quick: bool = options.quick
    parts: list[Callable[[], list[Row]]] = [
        lambda: speed_rows(2 if quick else 7),
        lambda: start_rows(3 if quick else 15),
        lambda: memory_rows(100_000 if quick else 1_000_000, 500_000 if quick else 10_000_000),
    ]
    rows = [found for part in parts for found in part()]
    for found in rows:
        beside_it = f"{found.ratio:8.2f} x {found.peer:14,.1f}  {found.peer_name}" if found.peer else ""
        goal = "" if found.target is None else f" target {found.target:g}"
        print(f"{found.metric:54}{found.ours:14,.1f}{beside_it}{goal}")
    show_checks()
    return finish(rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
