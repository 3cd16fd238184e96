import functools
import os
from collections.abc import Iterator
from secrets import token_hex

import pytest

from scopes.trees import TREES, resolve
from stores import Server


@pytest.fixture(params=sorted(TREES))
def new_tree(request: pytest.FixtureRequest):
    """A factory of trees of one process over the suite's resolver."""
    return functools.partial(TREES[request.param], resolve)


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The URL of a server for tests that don't break it."""
    given = os.environ.get("CANONID_TEST_VALKEY")
    if given:
        yield given
        return
    with Server() as server:
        yield server.url


@pytest.fixture
def namespace() -> str:
    """Keys of one test alone."""
    return f"t{token_hex(6)}"
