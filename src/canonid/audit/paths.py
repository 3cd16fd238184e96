"""What the path of a file says about it."""

from __future__ import annotations

import re

TESTS = re.compile(
    r"(?:^|/)(?:tests?|tests\.py|testing|testutils?|test_[^/]*|conftest\.py|[^/]*_tests?\.py)(?:/|$)"
)


def is_test(path: str) -> bool:
    """Whether a file is test code, by its name or its folder's."""
    return TESTS.search(path) is not None
