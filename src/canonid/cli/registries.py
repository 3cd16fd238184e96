"""`canonid registry …`."""

from __future__ import annotations

import argparse
import sys

from canonid.cli.ids import Command
from canonid.cli.output import line, record
from canonid.core import Registry
from canonid.errors import RegistryError
from canonid.project import UNREADABLE, find_registry, load_registry


def _check(options: argparse.Namespace) -> int:
    path = options.registry or find_registry()
    try:
        registry = load_registry(path)
    except RegistryError as error:
        if options.json:
            record(registry=error.source, ok=False, faults=[{"path": p, "fault": s} for p, s in error.faults])
        else:
            print(f"canonid: {error}", file=sys.stderr)
        return 3 if error.faults[0][0] == UNREADABLE else 1
    (_report_json if options.json else _report)(str(path), registry)
    return 0


def _report_json(path: str, registry: Registry) -> None:
    record(
        registry=path,
        ok=True,
        kinds=sorted(registry.kinds),
        formats={form.name: form.source for form in registry.formats.values()},
        services=sorted(registry.services),
        overlaps=[overlap._asdict() for overlap in registry.overlaps()],
    )


def _report(path: str, registry: Registry) -> None:
    line(f"{path}: no faults")
    for title, names in (
        ("kinds", registry.kinds),
        ("formats", registry.formats),
        ("services", registry.services),
    ):
        line(f"  {len(names)} {title}: {', '.join(names)}")
    overlaps = registry.overlaps()
    if not overlaps:
        line("  no two formats of different kinds share a text")
        return
    count = "1 declared overlap" if len(overlaps) == 1 else f"{len(overlaps)} declared overlaps"
    line(f"  {count}; such a text needs its kind named:")
    for found in overlaps:
        line(f"    {found.text}")
        line(f"      {found.first_kind} ({found.first}) or {found.second_kind} ({found.second})")


COMMANDS = (
    Command(
        "check",
        "every fault of the registry, every declared overlap",
        "Loads the registry and reports every fault at once, each with its place in the file.",
        "canonid registry check\ncanonid registry check --registry canonid.toml --json",
        lambda parser: None,
        _check,
    ),
)
