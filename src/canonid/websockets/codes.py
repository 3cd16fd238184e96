"""Close codes: chosen, never accidental."""

from __future__ import annotations

import logging
import math
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from canonid.counters import Counters
from canonid.errors import StoreError

log = logging.getLogger("canonid.websockets")

MAX_REASON = 123  # bytes; RFC 6455 §5.5: a control frame holds 125, two of them are the code


class Code(IntEnum):
    """Every code a server sends, with its usual reason.

    1009 comes from uvicorn too, where its own limit (`ws_max_size`) is met first, and 1012 when it is
    told to stop.
    """

    NORMAL = 1000
    POLICY = 1008
    TOO_BIG = 1009
    INCIDENT = 1011  # only where the application's or our own code raised
    RESTARTING = 1012
    OVERLOADED = 1013
    NOT_AUTHENTICATED = 4401
    NOT_FOUND = 4404  # one answer for unknown, malformed and another principal's
    IDLE = 4408  # not 1000, which is an end that the application chose

    @property
    def reason(self) -> str:
        return REASONS[self]


REASONS = {
    Code.NORMAL: "done",
    Code.POLICY: "policy violation",
    Code.TOO_BIG: "message too big",
    Code.INCIDENT: "server error",
    Code.RESTARTING: "server restarting",
    Code.OVERLOADED: "too slow to keep up",
    Code.NOT_AUTHENTICATED: "not authenticated or expired",
    Code.NOT_FOUND: "unknown or not yours",
    Code.IDLE: "idle for too long",
}


class Ending(NamedTuple):
    """Why a connection ends. Not `ours` where the client, the network or the server below us ended it.

    `flush`: whether what is queued is still sent.
    """

    code: int
    reason: str
    ours: bool = True
    flush: bool = True


class Refusal(Exception):
    """Raise it where a client broke a rule: its connection is closed with this code and reason.

    `limit` names the field of `Limits` that was exceeded, if one was; it is counted.
    """

    def __init__(self, reason: str = "", code: Code = Code.POLICY, *, limit: str | None = None) -> None:
        super().__init__(reason or code.reason)
        self.ending = ending(code, reason)
        self.limit = limit


def restarting(seconds: float) -> Ending:
    """1012, with a hint when to come back."""
    return ending(Code.RESTARTING, f"restarting; retry after {math.ceil(seconds)} s")


def sole(error: BaseException) -> BaseException:
    """The one error in a group, such as a task group raises; else the error itself."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


@lru_cache(256)
def ending(code: Code, reason: str = "") -> Ending:
    """An ending with the code's usual reason or another one, cut to what a close frame holds."""
    return Ending(int(code), fit(reason or code.reason))


def unavailable(error: StoreError, during: str, counters: Counters) -> Ending:
    """1013 where a store gives no answer: nobody's fault that a client could mend, and over soon."""
    counters.add("store_failures", during=during)
    log.error("a store failed during a %s: %s", during, error)
    return ending(Code.OVERLOADED, "try again; a store does not answer")


def shown(why: Ending) -> str:
    """The code for counting: a client may choose among thousands, and then it is "other"."""
    return str(why.code) if why.ours or why.code < 3000 else "other"


def fit(reason: str) -> str:
    """The reason, cut to 123 bytes of UTF-8 at a character's border."""
    return reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")
