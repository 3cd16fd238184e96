"""How much memory the drop-in facades keep, in processes of their own.

python benchmarks/compat_memory.py            # a million of each
python benchmarks/compat_memory.py --count 250000
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from rows import finish, row

MILLION = 1_000_000
NEVER_RELEASED = 120  # MB of growth that a million IDs may cost
FLAT = 12  # MB, as much as the lately released ones that are still known


def release(count: int) -> None:
    from canonid.compat.unified_id_manager import IDType, get_id_manager

    manager = get_id_manager()
    for _ in range(count):
        manager.release_id(manager.generate_id(IDType.REQUEST))


def keep(count: int) -> None:
    from canonid.compat.unified_id_manager import IDType, get_id_manager

    manager = get_id_manager()
    for _ in range(count):
        manager.generate_id(IDType.REQUEST)


def keep_contexts(count: int) -> None:
    from canonid.compat.unified_id_manager import IDType, get_id_manager

    manager = get_id_manager()
    for number in range(count):
        manager.generate_id(IDType.REQUEST, context={"user": number})


def contexts(count: int) -> None:
    from canonid.compat.unified_id_generator import UnifiedIdGenerator

    for number in range(count // 3):
        UnifiedIdGenerator.generate_user_context_ids(f"user_{number}", "chat")


def runs(count: int) -> None:
    from canonid.compat.unified_id_manager import UnifiedIDManager

    for number in range(count):
        UnifiedIDManager.generate_run_id(f"thread_{number}")


def sessions(count: int) -> None:
    from canonid.compat.unified_id_generator import UnifiedIdGenerator

    for number in range(count // 3):
        UnifiedIdGenerator.get_or_create_user_session(f"user_{number}", "thread-1")


def base(count: int) -> None:
    from canonid.compat.unified_id_generator import UnifiedIdGenerator

    for _ in range(count):
        UnifiedIdGenerator.generate_base_id("user")


SCENARIOS: dict[str, tuple[Callable[[int], None], int]] = {
    "made and released": (release, FLAT),
    "made, never released": (keep, NEVER_RELEASED),
    "made with a context, never released": (keep_contexts, NEVER_RELEASED),
    "generator, plain": (base, FLAT),
    "generator, thread, run and request": (contexts, NEVER_RELEASED),
    "runs of as many threads": (runs, NEVER_RELEASED),
    "sessions of users": (sessions, NEVER_RELEASED),
}


def resident() -> float:
    """MB of this process in memory now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def growth(scenario: str, count: int) -> float:
    """MB that a scenario adds to a process of its own that has made 1,000 before."""
    command = [sys.executable, __file__, "--one", scenario, "--count", str(count)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=MILLION)
    parser.add_argument("--one", choices=SCENARIOS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.one:
        run, _ = SCENARIOS[options.one]
        run(1000)
        before = resident()
        run(options.count)
        print(resident() - before)
        return 0
    rows = []
    for name, (_, limit) in SCENARIOS.items():
        megabytes = growth(name, options.count)
        print(f"{name:36} {megabytes:8.1f} MB   (at most {limit})")
        rows.append(row(f"MB, {options.count} IDs {name}", megabytes, target=limit, better="lower"))
    return finish(rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
