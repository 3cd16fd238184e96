"""Counts of what happened, by name and labels. Labels say kind, format or reason, never an ID."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator


class Counters:
    """Counts that only grow. May be used from any thread.

    >>> counters = Counters()
    >>> counters.add("refused", kind="user")
    >>> counters.add("refused", 2, kind="user")
    >>> list(counters)
    [('refused', {'kind': 'user'}, 3)]
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def add(self, name: str, amount: int = 1, **labels: str) -> None:
        """Count something that happened."""
        with self._lock:
            self._counts[name, tuple(sorted(labels.items()))] += amount

    def __iter__(self) -> Iterator[tuple[str, dict[str, str], int]]:
        """(name, labels, value) of each, as they were when asked."""
        with self._lock:
            counts = list(self._counts.items())
        return iter([(name, dict(labels), value) for (name, labels), value in counts])
