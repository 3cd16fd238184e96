"""What nobody should pass, and what may come of it."""

from __future__ import annotations

import time

from canonid import CanonidError, Registry, RegistryError

MB = 1_000_000
FAST = 0.01  # seconds of process time for a text of 1 MB
USER = "user_01h455vb4pex5vsknk084sn02q"

NOT_TEXTS = {
    "None": None,
    "bytes": USER.encode(),
    "bytearray": bytearray(b"user"),
    "int": 7,
    "bool": True,
    "huge int": 10**5000,
    "float": float("nan"),
    "list": [USER],
    "dict": {"user": 1},
    "object": object(),
}
TEXTS = {
    "empty": "",
    "blank": " \t",
    "newline": USER + "\n",
    "name and newline": "user\n",
    "wide digits": "user_" + "\uff10" * 26,
    "arabic digits": "user_\u0661_deadbeef",
    "look-alike": "us\u0435r_01h455vb4pex5vsknk084sn02q",
    "zero width": USER[:9] + "\u200b" + USER[9:],
    "nul": "user\0",
    "nul in an ID": USER[:8] + "\0" + USER[9:],
    "half a surrogate pair": "\ud800",
    "escape": "\x1b[31muser",
}
BIG_TEXTS = {
    "1 MB": "a" * MB,
    "1 MB of underscores": "_" * MB,
    "1 MB of words": "a_" * (MB // 2),
    "1 MB of zeros": "0" * MB,
    "1 MB of digits": "1757409218490_" * (MB // 14),
    "an ID and 1 MB": USER + "a" * MB,
    "an ID and 1 MB of newlines": USER + "\n" * MB,
    "a prefix and 1 MB": "run_" + "thread_" * (MB // 7),
    "1 MB not ASCII": "\u0435" * MB,
}
BAD = NOT_TEXTS | TEXTS | BIG_TEXTS

# One format of every sort: built-in ones, legacy ones, nested and optional parts, retired prefixes.
RICH = """
[kinds.user]
[kinds.session]
parent = "user"
[kinds.thread]
parent = "user"
retired_prefixes = ["topic"]
[kinds.run]
parent = "thread"
[kinds.alert]
[kinds.post]
[kinds.key]
[kinds.secret]
private = true
[kinds.gone]
retired = true
[formats.uuid]
[formats.ulid]
[formats.ksuid]
kinds = ["alert"]
[formats.snowflake]
layout = "discord"
kinds = ["post"]
[formats.old]
pattern = "{kind}_{operation:slug}_{counter:int}_{random:hex(8)}"
kinds = ["user", "session", "thread"]
[formats.run-of-thread]
pattern = "run:{thread:id(thread)}:{time:time(ms % 100000)}:{random:hex(8)}"
kinds = ["run"]
[formats.stage]
pattern = "ws.{stage:one-of(prod, dev)}.{time:time(ms, 13)}[.{part:hex(4)}]"
kinds = ["session"]
[formats.nano]
pattern = "k-{id:text(A-Za-z0-9_-,21..21)}"
kinds = ["key"]
[services.backend]
emits = { run = "run-of-thread", session = "stage" }
"""


def rich() -> Registry:
    return Registry.from_toml(RICH)


def outcome(call, *arguments):
    """What a call gives, and the error it raises instead; whatever is no plain error goes through."""
    try:
        return call(*arguments), None
    except (CanonidError, ValueError, TypeError, OverflowError) as error:
        return None, error


def check_message(error) -> None:
    """The message is one line, short, and safe to print. Of a registry's faults each is."""
    lines = str(error).split("\n") if isinstance(error, RegistryError) else [str(error)]
    for line in lines:
        assert 0 < len(line) < 300
        assert line.isprintable()
        assert "\u0435" not in line and "\uff10" not in line and "\u0661" not in line


def seconds(call, *arguments) -> float:
    """The least process time of some calls: what else the machine does is not ours."""
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        outcome(call, *arguments)
        best = min(best, time.process_time() - start)
        if best < FAST:
            break
    return best
