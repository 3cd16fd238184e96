from __future__ import annotations

from collections.abc import Iterator
from secrets import token_hex

import pytest

from stores import Server


@pytest.fixture(scope="package")
def shared_valkey() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def valkey() -> Iterator[Server]:
    """One that a test may stop and kill."""
    with Server() as server:
        yield server


@pytest.fixture
def prefix() -> str:
    """Of the keys of one test alone."""
    return f"t{token_hex(6)}:"
