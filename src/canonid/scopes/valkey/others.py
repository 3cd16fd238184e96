"""Which of the other processes are silent, as one process has seen them count up, by its own clock."""

from __future__ import annotations

from collections.abc import Sequence

WATCHED = 100  # that one beat tells of, at most
STALE = 40  # leases after which what was seen of one is forgotten

Other = tuple[str, str, str, int]
"""As the store tells: its name, epoch, beat, and lease in milliseconds."""


class Others:
    """What was seen of the other processes of a bucket."""

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._seen: dict[str, tuple[str, str, float]] = {}  # name: epoch, beat, since when

    def silent(self, others: Sequence[Other], now: float) -> list[tuple[str, str, str]]:
        """Name, epoch and beat of those whose beat has not changed for a lease, or that are being reaped."""
        before, self._seen = self._seen, {}
        if len(others) >= WATCHED - 1:  # some of many: what was seen of the rest may come in useful
            self._seen = {name: seen for name, seen in before.items() if now - seen[2] < STALE * self._lease}
        silent = []
        for name, epoch, beat, lease in others:
            seen = before.get(name)
            since = now if seen is None or seen[:2] != (epoch, beat) else seen[2]
            self._seen[name] = (epoch, beat, since)
            if epoch == "" or now - since >= max(self._lease, lease / 1000):
                silent.append((name, epoch, beat))
        return silent

    def learnt_nothing(self, now: float) -> None:
        """Nobody could beat, or this process could not look: all of them have a whole lease anew."""
        self._seen = {name: (epoch, beat, now) for name, (epoch, beat, _) in self._seen.items()}

    def forget(self) -> None:
        """The store is another one."""
        self._seen.clear()
