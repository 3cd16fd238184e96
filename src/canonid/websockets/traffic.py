"""What went through a hub's sockets, counted where every message passes: plain numbers, no locks."""

from __future__ import annotations

from bisect import bisect_left

SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0)


class Durations:
    """How long something took: how many were at most each of `SECONDS`, and how long all took together."""

    def __init__(self) -> None:
        self.total = 0.0
        self._counts = [0] * (len(SECONDS) + 1)

    def add(self, seconds: float) -> None:
        self.total += seconds
        self._counts[bisect_left(SECONDS, seconds)] += 1

    def cumulative(self) -> list[tuple[str, float]]:
        """(upper bound, how many took at most that), the last one "+Inf"."""
        found, so_far = [], 0
        for bound, count in zip((*map(str, SECONDS), "+Inf"), self._counts, strict=True):
            so_far += count
            found.append((bound, float(so_far)))
        return found


class Traffic:
    """Messages and their bytes, both ways. Only the hub's event loop writes it."""

    def __init__(self) -> None:
        self.messages_in = self.bytes_in = 0
        self.messages_out = self.bytes_out = 0
        self.closing = Durations()  # from the end of a connection until all of it is released

    def came(self, text: str) -> None:
        self.messages_in += 1
        self.bytes_in += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))

    def went(self, text: str) -> None:
        """Texts that go out are ASCII."""
        self.messages_out += 1
        self.bytes_out += len(text)
