"""Every bound of a hub, in one place."""

from __future__ import annotations

import random
from typing import NamedTuple


class Limits(NamedTuple):
    """Times are seconds. uvicorn's `ws_max_size` must not be below `max_message`."""

    auth_timeout: float = 5.0  # from accepting to being authenticated
    ticket_ttl: float = 30.0  # from issuing a ticket to connecting with it
    handshakes: int = 500  # between accepting and being let in, at once; the next one is closed with 1013
    heartbeat: float = 20.0  # between two pings; a client silent for two of them is gone
    close_timeout: float = 2.0  # for what is queued, and again for the close frame; then the transport is cut
    shutdown_grace: float = 20.0  # for runs to end by themselves after SIGTERM
    retry_after_min: float = 1.0  # between these two, at random, each client is told to wait before it
    retry_after_max: float = 10.0  # comes back after a restart
    session_grace: float = 60.0  # how long a session outlives its last connection and run
    max_message: int = 64 * 1024  # bytes of one message from a client
    ids_per_message: int = 100  # that are checked; a message with more is refused
    messages_per_second: float = 50.0  # of one connection, pongs included; above that it is closed with 1008
    message_burst: int = 250  # messages at once, after a silence
    bytes_per_second: float = 256 * 1024
    byte_burst: int = 2 * 1024 * 1024  # counts as `max_message` if that is more
    idle_timeout: float | None = None  # without a message other than a pong; then it is closed with 4408
    inbox_messages: int = 16  # messages waiting for the application; then nothing more is read
    outbox_messages: int = 1000  # messages waiting for a client; then it is closed with 1013
    outbox_bytes: int = 1024 * 1024
    run_events: int = 10_000  # kept of a run for those who come back
    run_bytes: int = 1024 * 1024
    run_retention: float = 300.0  # how long they are kept after its end
    runs_per_principal: int = 200  # ended runs kept; beyond that the one that ended first is forgotten
    run_bytes_per_principal: int = 8 * 1024 * 1024  # of their events
    runs_remembered: int = 10_000  # IDs of forgotten runs, so that those who come back can be told
    connections_per_principal: int = 32  # the next one is closed with 1008
    closes: int = 1000  # how many endings the hub remembers

    def draw_retry(self) -> float:
        """Seconds after which one client is to come back; not the same for all, so that they spread."""
        return random.uniform(self.retry_after_min, self.retry_after_max)  # noqa: S311


POSITIVE = (
    "auth_timeout", "heartbeat", "close_timeout", "max_message", "messages_per_second",
    "message_burst", "bytes_per_second", "inbox_messages", "outbox_messages", "outbox_bytes", "run_events",
    "run_bytes",
)  # fmt: skip


def check_limits(limits: Limits) -> None:
    """ValueError for a bound with which nothing would work, or that is none."""
    for name, value in limits._asdict().items():
        if value is None and name == "idle_timeout":
            continue
        if not isinstance(value, int | float) or not value >= 0 or (value == 0 and name in POSITIVE):
            raise ValueError(f"limits.{name} is {value!r}; expected a number above 0")
    if limits.retry_after_max < limits.retry_after_min:
        raise ValueError("limits.retry_after_max is below limits.retry_after_min")
