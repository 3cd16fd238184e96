import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aliases.stores import STORES
from canonid import Registry
from canonid.aliases import Store


@pytest.fixture(params=sorted(STORES))
def open_store(request: pytest.FixtureRequest, registry: Registry) -> Callable[..., Store]:
    """Opens a store in a folder, for every implementation."""
    return functools.partial(STORES[request.param], registry=registry)


@pytest.fixture
def new_store(open_store: Callable[..., Store], tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Opens an empty store at every call, closed when the test ends."""
    numbers = itertools.count()
    with contextlib.ExitStack() as stack:

        def new(**options: object) -> Store:
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            return stack.enter_context(contextlib.closing(open_store(folder, **options)))

        yield new


@pytest.fixture
def store(new_store: Callable[..., Store]) -> Store:
    return new_store()
