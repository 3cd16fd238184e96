"""What a client has seen of each run, and whether it was told in order, whole and once."""

from __future__ import annotations

from typing import Any


class StreamBroken(AssertionError):
    """Events of a run were lost, repeated, or came after the final one. The message says which."""


class Streams:
    """Follows the `event` and `gap` messages of any number of runs."""

    def __init__(self) -> None:
        self.last_seq: dict[str, int] = {}
        self.finished: set[str] = set()
        self.gaps: list[tuple[str, int, int]] = []

    def begin(self, run: str, last_seq: int) -> None:
        """What is told of a run from now on comes after `last_seq`."""
        self.last_seq[run] = last_seq
        self.finished.discard(run)

    def follow(self, message: dict[str, Any]) -> None:
        """Take in a message of any type. Raises StreamBroken."""
        if message.get("type") == "event":
            self._event(message)
        elif message.get("type") == "gap":
            self._gap(message)

    @property
    def unfinished(self) -> dict[str, int]:
        """The last number seen of each run whose final event has not come."""
        return {run: seq for run, seq in self.last_seq.items() if run not in self.finished}

    def _event(self, message: dict[str, Any]) -> None:
        run, seq = message["run"], message.get("seq")
        seen = self.last_seq.get(run, 0)
        if run in self.finished:
            raise StreamBroken(f"run {run}: {message['event']} came after the final event")
        if seq is not None:
            self._expect(run, seq, seen, f"event {seq}")
            self.last_seq[run] = seq
        elif not message.get("final"):  # only of a run that is gone or lost there is nothing to number
            raise StreamBroken(f"run {run}: {message['event']} has no number")
        if message.get("final"):
            self.finished.add(run)

    def _gap(self, message: dict[str, Any]) -> None:
        run, first, last = message["run"], message["from"], message["to"]
        self._expect(run, first, self.last_seq.get(run, 0), f"a gap from {first}")
        if last < first:
            raise StreamBroken(f"run {run}: a gap from {first} to {last}")
        self.gaps.append((run, first, last))
        self.last_seq[run] = last

    def _expect(self, run: str, seq: int, seen: int, what: str) -> None:
        if seq <= seen:
            raise StreamBroken(f"run {run}: {what} was repeated; {seen} had been seen")
        if seq > seen + 1:
            raise StreamBroken(f"run {run}: {what} came after {seen}, so {seen + 1} to {seq - 1} are lost")
