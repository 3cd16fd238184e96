"""Fixtures shared by all tests."""

import sys
from pathlib import Path

import pytest

from canonid import Registry, load_registry

# Last, since a benchmark may bear the name of a library that it measures.
sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

pytest_plugins = ["faults"]

REGISTRIES = Path(__file__).parent / "registries"


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The mixed world: two legacy systems, hand-made IDs and canonical TypeIDs."""
    return load_registry(REGISTRIES / "legacy.toml")
