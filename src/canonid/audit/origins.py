"""What makes the varying part of an ID: functions of libraries, and what can be said of their results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal["uuid", "strong", "random", "time", "counter", "hash", "len", "address", "pyhash"]


class Origin(NamedTuple):
    """What a function gives. `bits` of it can't be guessed; None where they depend on the arguments."""

    kind: Kind
    field: str  # as it is called in a template
    bits: float | None


UUIDS = {
    "uuid1": Origin("uuid", "uuid1", 14.0),
    "uuid2": Origin("uuid", "uuid2", 14.0),
    "uuid3": Origin("uuid", "uuid3", 122.0),
    "uuid4": Origin("uuid", "uuid", 122.0),
    "uuid5": Origin("uuid", "uuid5", 122.0),
    "uuid6": Origin("uuid", "uuid6", 62.0),
    "uuid7": Origin("uuid", "uuid7", 74.0),
    "uuid8": Origin("uuid", "uuid8", 122.0),
}

# By origin: functions, those of one module behind it in braces.
_TABLE: tuple[tuple[Origin, str], ...] = (
    (UUIDS["uuid4"], "uuid_utils.uuid4_str django.contrib.postgres.functions.RandomUUID"),
    (UUIDS["uuid4"], "sqlalchemy.func.{gen_random_uuid uuid_generate_v4 uuidv4}"),
    (UUIDS["uuid1"], "sqlalchemy.func.uuid_generate_v1"),
    (UUIDS["uuid7"], "sqlalchemy.func.uuidv7 uuid7.create uuid_extensions.uuid7str"),
    (
        Origin("strong", "token", None),
        "secrets.{token_hex token_urlsafe token_bytes randbelow choice randbits} os.urandom"
        " random.SystemRandom.{random randint randrange getrandbits choice choices sample randbytes}"
        " secrets.SystemRandom.{random randint randrange getrandbits choice choices sample randbytes}"
        " django.utils.crypto.get_random_string",
    ),
    (Origin("strong", "shortuuid", 122.0), "shortuuid.{uuid random ShortUUID.uuid ShortUUID.random}"),
    (
        Origin("strong", "ulid", 80.0),
        "ulid.{new ULID ulid monotonic.new from_timestamp ULID.from_timestamp ULID.from_datetime}"
        " ulid_transform.{ulid_now ulid_hex ulid ulid_at_time ulid_now_bytes}",
    ),
    (Origin("strong", "ksuid", 128.0), "ksuid.{ksuid Ksuid KsuidMs} svix_ksuid.Ksuid cyksuid.ksuid.ksuid"),
    (
        Origin("strong", "nanoid", 126.0),
        "nanoid.{generate non_secure_generate} fastnanoid.generate pynanoid.generate",
    ),
    (Origin("strong", "cuid", 100.0), "cuid.cuid cuid2.{cuid_wrapper Cuid.generate}"),
    (Origin("strong", "objectid", 40.0), "bson.{ObjectId objectid.ObjectId} beanie.PydanticObjectId"),
    (Origin("strong", "snowflake", 0.0), "snowflake.client.get_guid"),
    (Origin("strong", "typeid", 74.0), "typeid.TypeID"),
    (
        Origin("random", "random", None),
        "random.{random randint randrange getrandbits choice choices sample uniform randbytes shuffle}"
        " random.Random.{random randint randrange getrandbits choice choices sample randbytes}",
    ),
    (Origin("time", "s", 0.0), "time.{time monotonic perf_counter}"),
    (Origin("time", "ns", 0.0), "time.{time_ns monotonic_ns perf_counter_ns}"),
    (
        Origin("time", "time", 0.0),
        "time.{strftime ctime} datetime.{datetime.now datetime.utcnow datetime.today date.today now utcnow}"
        " django.utils.timezone.now timezone.now pendulum.now arrow.{utcnow now}",
    ),
    (Origin("address", "address", 0.0), "builtins.id"),
    (Origin("pyhash", "hash", 0.0), "builtins.hash"),
    (Origin("len", "len", 0.0), "builtins.len"),
)

UUID_MODULES = "uuid uuid6 uuid_utils uuid_utils.compat uuid7 uuid_extensions fastuuid six.moves.uuid"
HASHES = frozenset(
    [
        "hashlib.md5",
        "hashlib.sha1",
        "hashlib.sha224",
        "hashlib.sha256",
        "hashlib.sha384",
        "hashlib.sha512",
        "hashlib.blake2b",
        "hashlib.blake2s",
        "hashlib.sha3_256",
        "hashlib.new",
        "xxhash.xxh64",
        "xxhash.xxh32",
        "xxhash.xxh3_64",
        "mmh3.hash",
        "zlib.crc32",
        "zlib.adler32",
        "binascii.crc32",
        "hmac.new",
    ]
)


def _named(functions: str) -> Iterator[str]:
    module = ""
    for word in functions.split():
        if "{" in word:
            module, _, word = word.partition("{")
        yield module + word.rstrip("}")
        if word.endswith("}"):
            module = ""


ORIGINS: dict[str, Origin] = {
    **{f"{module}.{name}": origin for module in UUID_MODULES.split() for name, origin in UUIDS.items()},
    **{name: origin for origin, functions in _TABLE for name in _named(functions)},
}


def origin_of(target: str) -> Origin | None:
    """What a function of that dotted name makes, also where a module of the repository hands `uuid` on."""
    origin = ORIGINS.get(target)
    if origin is not None or target.startswith(":"):
        return origin
    module, _, name = target.rpartition(".")
    return UUIDS.get(name) if module else None
