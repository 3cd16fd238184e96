"""By what names code makes IDs, and of which kind an ID is by its name."""

from __future__ import annotations

import re
from functools import cache, lru_cache

# What people have IDs of: two of these are hardly ever one thing.
KINDS = re.compile(
    r"account|agent|area|booking|campaign|cart|channel|chat|comment|company|conversation|course|customer"
    r"|dataset|device|document|event|experiment|file|flow|group|invoice|job|merchant|message|order|org"
    r"|organization|payment|post|product|project|role|room|run|session|shop|step|store|subscription|supplier"
    r"|task|team|tenant|thread|ticket|trace|user|vendor|workflow|workspace"
)
_ID = r"(?:u?u?id|guid|ulid|identifier)"
_VERB = r"(?:generate|gen|make|new|create|next|mint|allocate|build|fresh|random)"
_ROLES = (
    *("generator", "manager", "factory", "provider", "maker", "minter", "allocator", "service", "registry"),
    *("issuer", "authority", "gen", "utils?", "helpers?", "builder", "creator"),
)
_ROLE = f"(?:{'|'.join(_ROLES)})"
_CAMEL_ROLE = f"(?:{'|'.join([role.capitalize() for role in _ROLES])})"
FUNCTION = re.compile(
    rf"^_*(?:async_)?{_VERB}_(?:(\w+?)_)?{_ID}s?(?:_(?:for|from|of|with)_\w+|_str|_hex)?$"
    rf"|^_*(?:generate|make|new|create|next|mint)(\w*?)(?:Id|ID|Uuid|UUID|Guid|GUID)s?$"
)
CLASS = re.compile(
    rf"(?:^|[a-z0-9_])(?:Id|ID|Uuid|UUID|Guid|GUID|Ulid|ULID|Identifier|Snowflake)s?_?{_CAMEL_ROLE}(?:V\d+|Impl)?s?$"
    rf"|^(?:U?UID|Guid|GUID|Ulid|ULID){_CAMEL_ROLE}$"
    rf"|(?:^|[a-z0-9_])I[dD]s$"
)
HOLDER = re.compile(rf"(?:^|_){_ID}s?_{_ROLE}s?$")
CHOICES = re.compile(
    r"(?:^|[a-z0-9_])(?:Id|ID|Identifier)_?(?:Type|Kind|Format|Prefix|Style|Category|Scheme|Source)(?:e?s)?$"
)
_ENDING = re.compile(
    r"_?(?:u?u?id|guid|ulid|oid|pk|identifier)s?(?:_str|_hex)?$|(?:Id|ID|Uuid|UUID|Guid|GUID)s?$"
)
CLAIM = re.compile(
    r"single source of truth|\bSSOT\b|\bcanonical\b|\bthe only\b|\bunified\b|\bcentrali[sz]ed\b|\bcentral\b"
    r"|one true\b|\bauthoritative\b|source of truth",
    re.I,
)
CLAIMING = re.compile(r"Unified|Central|Canonical|Universal|SSOT|Authoritative")

ACQUIRES = frozenset({"acquire", "register", "subscribe", "lock", "attach", "track", "reserve", "claim"})
RELEASES = frozenset(
    {"release", "unregister", "unsubscribe", "unlock", "detach", "untrack", "deregister", "unclaim"}
)
HOLDING = ACQUIRES | RELEASES
_HOLDS = re.compile(rf"\.(?:{'|'.join(sorted(RELEASES))})\(\s*[fF]?[\"']".encode())

_STAR = re.compile(rb"^from ([\w.]+) import \*", re.M)

# What the text of a file must hold to be of interest to others: a name that is called or defined, or stands
# alone in a list of imports. Each pattern begins with what is rare, since `re` finds that many times faster.
_USED = r"(?:_(?:for|from|of|with)_\w+|_str|_hex)?\s*(?:\(|as\b|,?[ \t]*(?:#[^\n]*)?\r?\n)"


@cache
def _marks() -> tuple[re.Pattern[bytes], ...]:
    verbs = "|".join([rf"(?<={verb}_)" for verb in _VERB[3:-1].split("|")])
    words = ("Id", "ID", "Uuid", "UUID", "Guid", "GUID", "Ulid", "Identifier", "Snowflake")
    named = [
        *[rf"{word}s?_?{_CAMEL_ROLE}" for word in words],
        *[rf"{word}(?:Type|Kind|Format|Prefix|Category|Scheme)" for word in ("Id", "ID")],
        *(r"Ids\(", r"IDs\("),
    ]
    patterns = (
        rf"_(?:{verbs})(?:\w{{1,40}}_)?(?:uu|u|gu)?(?:id|lid|identifier)s?{_USED}",
        "|".join(named),  # few capital letters are looked at
        rf"id_{_ROLE}\b",
    )
    return tuple([re.compile(pattern.encode()) for pattern in patterns])


def concerns_others(data: bytes) -> bool:
    """Whether a file may define, call or hand on something that makes IDs, by the names in it."""
    return any(mark.search(data) for mark in _marks())


def stars(data: bytes) -> tuple[str, ...]:
    """The modules of which a file takes all names, told without a tree."""
    return tuple([each.decode() for each in _STAR.findall(data)]) if b"import *" in data else ()


def holds(data: bytes) -> bool:
    """Whether a file may give back what it holds under a text that it puts together on the spot."""
    return _HOLDS.search(data) is not None


@lru_cache(maxsize=20_000)
def is_telling(dotted: str) -> bool:
    """Whether a part of a dotted name says that it makes IDs, or holds what does."""
    return any(is_maker(part) for part in dotted.replace("()", "").replace("(~)", "").lstrip(".:").split("."))


@lru_cache(maxsize=50_000)
def is_maker(name: str) -> bool:
    return any(pattern.search(name) is not None for pattern in (FUNCTION, CLASS, HOLDER, CHOICES))


def kind_of_function(name: str) -> str:
    """The "thread" of `generate_thread_id`; "" where no kind is said."""
    found = FUNCTION.search(name)
    return _snake(found[1] or found[2] or "") if found else ""


@lru_cache(maxsize=20_000)
def kind_of_name(name: str) -> str:
    """The "thread" of `thread_id` and `threadId`; "" where no kind is said."""
    return _snake(_ENDING.sub("", name))


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).strip("_").lower()
