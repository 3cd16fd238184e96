"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

from canonid import Registry, load_registry

pytest_plugins = ["faults"]

REGISTRIES = Path(__file__).parent / "registries"


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The mixed world: two legacy systems, hand-made IDs and canonical TypeIDs."""
    return load_registry(REGISTRIES / "legacy.toml")
