"""Rows of a benchmark: what was measured, beside whom, against which target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple


class Row(NamedTuple):
    """`ratio` is ours / peer where there is a peer that is not 0. `ok` judges what the target is for."""

    metric: str
    ours: float
    peer: float | None
    peer_name: str | None
    ratio: float | None
    target: float | None
    better: Literal["higher", "lower"]
    ok: bool


def row(
    metric: str,
    ours: float,
    *,
    better: Literal["higher", "lower"],
    target: float | None = None,
    peer: float | None = None,
    peer_name: str | None = None,
) -> Row:
    """A row that judges ours against its target."""
    ratio = ours / peer if peer else None
    met = target is None or (ours >= target if better == "higher" else ours <= target)
    return Row(metric, ours, peer, peer_name, ratio, target, better, met)


def beside(
    metric: str,
    ours: float,
    peer: float,
    *,
    better: Literal["higher", "lower"],
    peer_name: str,
    target: float | None = None,
    ratio: float | None = None,
) -> Row:
    """A row that judges the ratio ours / peer. `ratio` is given where it was taken round by round."""
    ratio = ours / peer if ratio is None else ratio
    met = target is None or (ratio >= target if better == "higher" else ratio <= target)
    return Row(metric, ours, peer, peer_name, ratio, target, better, met)


def finish(rows: Sequence[Row], path: Path | None) -> int:
    """Write the rows as one JSON array if a file is named; the exit code, 1 if a target was missed."""
    if path is not None:
        path.write_text(json.dumps([row._asdict() for row in rows], indent=1) + "\n")
    missed = [row for row in rows if not row.ok]
    for row in missed:
        figure = f"{row.ours:g}" if row.peer is None else f"{row.ours:g}, ratio {row.ratio:.2f}"
        print(f"missed: {row.metric}: {figure}, target {row.target:g}")
    return 1 if missed else 0
