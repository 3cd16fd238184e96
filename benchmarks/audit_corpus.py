"""Real code to audit: large packages of the package registry, as `pip` downloads them.

    python benchmarks/audit_corpus.py [FOLDER]

Nothing is installed or run: wheels are unpacked, and only their Python files. What is there already stays.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

PACKAGES = ("homeassistant", "mlflow", "dagster", "apache-airflow-core", "litellm", "langchain-community")
QUICK = ("dagster", "apache-airflow-core")


def default_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "canonid-benchmarks" / "corpus"


def corpus(folder: Path, packages: Sequence[str] = PACKAGES) -> list[Path]:
    """A folder for each package with its Python files."""
    for package in packages:
        if not (folder / package).exists():
            print(f"downloading {package}", file=sys.stderr)
            _fetch(folder, package)
    return [folder / package for package in packages]


def _fetch(folder: Path, package: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        place = Path(name)
        wheels = place / "wheels"
        # A package's newest release may need a newer Python than this one; its code is only read.
        version = ["--only-binary=:all:", "--python-version", "3.13"]
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        subprocess.run([*command, *version, "--dest", str(wheels), package], check=True)
        (wheel,) = wheels.iterdir()
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(place / "code", [each for each in packed.namelist() if each.endswith(".py")])
        (place / "code").rename(folder / package)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=default_folder())
    files = [file for folder in corpus(parser.parse_args().folder) for file in folder.rglob("*.py")]
    lines = sum([file.read_bytes().count(b"\n") for file in files])
    print(f"{len(files):,} files, {lines:,} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
