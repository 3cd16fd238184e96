import functools

import pytest

from scopes.trees import TREES, resolve


@pytest.fixture(params=sorted(TREES))
def new_tree(request: pytest.FixtureRequest):
    """A factory of trees over the suite's resolver, for every implementation."""
    return functools.partial(TREES[request.param], resolve)
