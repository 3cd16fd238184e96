"""How much a client may send: token buckets."""

from __future__ import annotations


class Bucket:
    """Holds `burst` tokens and gains `per_second`; what is taken beyond that is refused."""

    __slots__ = ("_at", "_burst", "_per_second", "_tokens")

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, tokens: float, now: float) -> bool:
        """Whether there were so many. `now` is of any clock that never runs backwards."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if tokens > self._tokens:
            return False
        self._tokens -= tokens
        return True
