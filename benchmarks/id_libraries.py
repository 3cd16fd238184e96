"""One library, measured in a process of its own: prints what it measured as one JSON object.

    python benchmarks/id_libraries.py NAME WHAT [COUNT]

WHAT is `speed` (seconds for each metric), `memory` (bytes for each of COUNT IDs that are kept), `flat` (bytes
that the process grew by while COUNT IDs were made) or `checks` (see `checks`). Times are of the process
(CPU), so another program at work does not count.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import itertools
import json
import os
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

REGISTRY = Path(__file__).with_name("ids.toml")
LOOPS = 2_000
BULK = 1_000_000
TICKS = 400

SLUG = "[a-z0-9]+(?:_[a-z0-9]+)*"
INT = "(?:0|[1-9][0-9]{0,11})"
HEX8 = "[0-9a-f]{8}"
TYPEID = "[0-7][0-9a-hjkmnp-tv-z]{25}"
KINDS = "user|session|connection|thread|run|request|agent|tool|transaction|alert|order|invite"
TWELVE = [  # the formats of ids.toml, each as somebody would write it by hand
    f"(?:{KINDS})_{TYPEID}",
    f"{HEX8}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}}",
    "[0-7][0-9A-HJKMNP-TV-Z]{25}",
    f"(?:user|session)(?:_{SLUG})?_[0-9]{{13}}_{INT}(?:_{HEX8})?",
    f"(?:thread|req)_{SLUG}_{INT}_{HEX8}",
    f"(?:{SLUG}_)?(?:session|agent|tool)_{INT}_{HEX8}",
    f"session_{INT}_{HEX8}",
    f"run_(?:thread_{SLUG}_{INT}_{HEX8}|session_{INT}_{HEX8}|thread_{TYPEID})_{INT}_{HEX8}",
    f"ws_(?:prod|dev|staging)_[0-9]{{13}}_{HEX8}",
    f"txn_{INT}_[0-9a-f]{{12}}",
    f"alert-(?:info|warning|error)-{INT}-{HEX8}",
    "[A-Za-z0-9_-]{21}",
]
TEXTS = [  # one of each, and one that nobody writes
    "user_01h455vb4pex5vsknk084sn02q",
    "01890a5d-ac96-774b-bcce-b302099a8057",
    "01H455VB4PEX5VSKNK084SN02Q",
    "user_1795414266599_1_013cd6c0",
    "thread_chat_41_9f3c2b1a",
    "agent_4_9f3c2b1a",
    "session_66599_efa61c50",
    "run_thread_chat_41_9f3c2b1a_83123_ab12cd34",
    "ws_prod_1795414266599_5e1f00aa",
    "txn_1795414266_5e1f00aa5e1f",
    "alert-info-1795414266-5e1f00aa",
    "V1StGXR8_Z5jdHi6B-myT",
    "sesion-66599_efa61c50!",
]
LEGACY = "thread_chat_41_9f3c2b1a"

BAD_PREFIXES = {  # TypeID 0.3
    "digit in the prefix": "user2_01h455vb4pex5vsknk084sn02q",
    "capital in the prefix": "User_01h455vb4pex5vsknk084sn02q",
    "prefix begins with _": "_user_01h455vb4pex5vsknk084sn02q",
    "prefix ends with _": "user__01h455vb4pex5vsknk084sn02q",
    "prefix of 64": f"{'a' * 64}_01h455vb4pex5vsknk084sn02q",
    "first character over 7": "user_81h455vb4pex5vsknk084sn02q",
    "capitals": "user_01H455VB4PEX5VSKNK084SN02Q",
    "line break at the end": "user_01h455vb4pex5vsknk084sn02q\n",
}


class Library(NamedTuple):
    """A library: `verbs` imports it, `entropy` says where its randomness comes from."""

    verbs: Callable[[], Verbs]
    entropy: str


class Verbs(NamedTuple):
    """The calls of a library, as its own documentation shows them; None where it has no such thing."""

    mint: Callable[[], Any]  # a new ID with the prefix `user`, as text, where the library has prefixes
    many: Callable[[int], list[Any]] | None = None
    parse: Callable[[str], Any] | None = None
    validate: Callable[[str], Any] | None = None


def canonid() -> Verbs:
    from canonid import load_registry

    users = load_registry(REGISTRY).bind("user")
    return Verbs(users.mint, users.mint_many, users.parse, users.is_valid)


def typeid_python() -> Verbs:
    from typeid import TypeID

    def mint() -> str:
        return str(TypeID(prefix="user"))

    return Verbs(mint, lambda n: [mint() for _ in range(n)], TypeID.from_string, TypeID.from_string)


def uuid_utils() -> Verbs:
    from uuid_utils import UUID, uuid7

    return Verbs(lambda: "user_" + str(uuid7()), parse=lambda text: UUID(text[5:]))


def uuid4() -> Verbs:
    return Verbs(lambda: "user_" + str(uuid.uuid4()), parse=lambda text: uuid.UUID(text[5:]))


def python_ulid() -> Verbs:
    from ulid import ULID

    return Verbs(lambda: str(ULID()), parse=ULID.from_str)


def ulid_transform() -> Verbs:
    from ulid_transform import ulid_now

    return Verbs(ulid_now)


def svix_ksuid() -> Verbs:
    from ksuid import Ksuid

    return Verbs(lambda: str(Ksuid()), parse=Ksuid.from_base62)


def fastuuidv7() -> Verbs:
    from fastuuidv7 import uuid7_str

    return Verbs(uuid7_str)


def epyxid() -> Verbs:
    from epyxid import xid_create

    return Verbs(lambda: str(xid_create()))


LIBRARIES = {
    "canonid": Library(canonid, "os.urandom"),
    "typeid-python": Library(typeid_python, "uuid-utils, or uuid6"),
    "uuid-utils": Library(uuid_utils, "the system's, by Rust's rand"),
    "uuid.uuid4": Library(uuid4, "os.urandom"),
    "python-ulid": Library(python_ulid, "os.urandom"),
    "svix-ksuid": Library(svix_ksuid, "secrets"),
    "ulid-transform": Library(ulid_transform, "its own, in C++"),
    "fastuuidv7": Library(fastuuidv7, "its own, not cryptographic"),
    "epyxid": Library(epyxid, "a counter and the machine's ID"),
}


def each(call: Callable[..., Any], *arguments: object, loops: int = LOOPS) -> float:
    """Seconds of one call: the least of a few rounds of a hot loop."""
    times = []
    for _ in range(7):
        began = time.process_time()
        for _ in range(loops):
            call(*arguments)
        times.append(time.process_time() - began)
    return min(times) / loops


def first_of_a_tick(mint: Callable[[], Any]) -> float:
    """Seconds of the first call in a millisecond: the median."""
    clock, timer = time.time, time.perf_counter
    times = []
    for _ in range(TICKS):
        tick = int(clock() * 1000)
        while int(clock() * 1000) == tick:
            pass
        began = timer()
        mint()
        times.append(timer() - began)
    return sorted(times)[TICKS // 2]


def in_bulk(many: Callable[[int], list[Any]]) -> float:
    """Seconds for each of a million IDs in a list."""
    times = []
    for _ in range(2):
        began = time.process_time()
        kept = many(BULK)
        times.append(time.process_time() - began)
        assert len(kept) == BULK
        del kept
    return min(times) / BULK


def speed(verbs: Verbs) -> dict[str, float]:
    text = str(verbs.mint())
    found = {"mint": each(verbs.mint), "first of a tick": first_of_a_tick(verbs.mint)}
    if verbs.parse:
        found["parse"] = each(verbs.parse, text)
    if verbs.validate:
        found["validate"] = each(verbs.validate, text)
    if verbs.many:
        found["bulk"] = in_bulk(verbs.many)
    return found


def canonid_speed() -> dict[str, float]:
    """The same, and what others have no such verb for."""
    from canonid import load_registry

    registry = load_registry(REGISTRY)
    translate = registry.translator("typeid", "thread", "context")
    everything = [each(registry.recognise, text, loops=LOOPS // 4) for text in TEXTS]
    return speed(canonid()) | {
        "registry.mint": each(registry.mint, "user"),
        "registry.parse": each(registry.parse, TEXTS[0], "user"),
        "registry.is_valid": each(registry.is_valid, TEXTS[0], "user"),
        "recognise": sum(everything) / len(TEXTS),
        "translate": each(translate, LEGACY),
    }


def bare_speed() -> dict[str, float]:
    """What the standard library takes for the parts, and Python for nothing at all."""
    patterns = [re.compile(pattern).fullmatch for pattern in TWELVE]

    def twelve(text: str) -> list[int]:
        return [number for number, fullmatch in enumerate(patterns) if fullmatch(text)]

    def hashed() -> bytes:
        data = b"thread\0thread_chat_41_9f3c2b1a"
        return hashlib.blake2b(data, digest_size=16, person=b"canonid-derive-1").digest()

    def split(count: int) -> list[str]:
        lines = "\n".join(["user_01h455vb4pex5vsknk084sn02q"] * 1000)
        return [text for _ in range(count // 1000) for text in lines.split("\n")]

    everything = [each(twelve, text, loops=LOOPS // 4) for text in TEXTS]
    return {
        "twelve fullmatch": sum(everything) / len(TEXTS),
        "blake2b": each(hashed),
        "empty call": each(lambda: None),
        "clock": each(time.time),
        "ready texts, kept": in_bulk(split),
    }


def memory(verbs: Verbs, count: int) -> dict[str, float]:
    kept = [None] * count
    gc.collect()
    before = resident()
    for number in range(count):
        kept[number] = verbs.mint()
    return {"bytes": (resident() - before) / count}


def flat(verbs: Verbs, count: int) -> dict[str, float]:
    for _ in range(50_000):
        verbs.mint()
    before = resident()
    for _ in range(count):
        verbs.mint()
    return {"bytes": resident() - before}


def resident() -> int:
    """Bytes of this process in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def checks(verbs: Verbs) -> dict[str, Any]:
    """Whether IDs come in order, how many a forked child repeats, and which wrong texts are taken for IDs."""
    ids = [str(verbs.mint()) for _ in range(20_000)]
    ordered = all(first < second for first, second in itertools.pairwise(ids))
    accepted = []
    if verbs.parse:
        for fault, text in BAD_PREFIXES.items():
            with contextlib.suppress(Exception):
                verbs.parse(text)
                accepted.append(fault)
    return {
        "ordered": ordered,
        "different": len(set(ids)) == len(ids),
        "repeated after fork": len({*forked(verbs)} & {str(verbs.mint()) for _ in range(500)}),
        "accepted": accepted if verbs.parse else None,
    }


def forked(verbs: Verbs) -> Iterator[str]:
    """The next 500 IDs as a forked child makes them."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, "\n".join(str(verbs.mint()) for _ in range(500)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        yield from pipe.read().split("\n")
    os.waitpid(child, 0)


def main(name: str, what: str, count: str = "0") -> None:
    if what == "speed" and name in ("canonid", "python"):
        found: dict[str, Any] = canonid_speed() if name == "canonid" else bare_speed()
    else:
        verbs = LIBRARIES[name].verbs()
        match what:
            case "speed":
                found = speed(verbs)
            case "memory":
                found = memory(verbs, int(count))
            case "flat":
                found = flat(verbs, int(count))
            case _:
                found = checks(verbs)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
