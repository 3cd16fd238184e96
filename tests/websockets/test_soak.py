"""A few minutes of the soak: benchmarks/soak.py, with fewer clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from faults import fault

ROOT = Path(__file__).parents[2]
MET = (
    "connections",
    "resumed with unfinished runs",
    "events accepted",
    "things released",
    "processes killed",
    "processes frozen",
)


@fault(
    "one of three server processes is killed or frozen every few seconds, under churning clients",
    promised="nothing leaks, nothing foreign is released, no event is lost, each close has its reason",
)
def test_churn_and_crashes_leak_lose_and_mix_up_nothing(tmp_path: Path, seen: Any) -> None:
    rows = tmp_path / "rows.json"
    options = ["--minutes", "3", "--minute", "3.5", "--clients", "16", "--json", rows]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "benchmarks")])
    soak = subprocess.run(
        [sys.executable, "-P", ROOT / "benchmarks" / "soak.py", *options],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert soak.returncode == 0, soak.stdout + soak.stderr
    figures = {row["metric"]: row["ours"] for row in json.loads(rows.read_text())}
    assert all(figures[metric] > 0 for metric in MET), figures
    seen("no object, key or channel left; every event once and in order to both clients of each user")
