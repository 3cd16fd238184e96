"""What makes the varying part of an ID: functions of libraries, and what can be said of their results."""

from __future__ import annotations

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
    "uuid3": Origin("uuid", "uuid3", 0.0),
    "uuid4": Origin("uuid", "uuid", 122.0),
    "uuid5": Origin("uuid", "uuid5", 0.0),
    "uuid6": Origin("uuid", "uuid6", 62.0),
    "uuid7": Origin("uuid", "uuid7", 74.0),
    "uuid8": Origin("uuid", "uuid8", 122.0),
}
UUID_MODULES = (
    "uuid",
    "uuid6",
    "uuid_utils",
    "uuid_utils.compat",
    "uuid7",
    "uuid_extensions",
    "fastuuid",
    "six.moves.uuid",
)
_TIME = Origin("time", "s", 0.0)
_NOW = Origin("time", "time", 0.0)
_STRONG = Origin("strong", "token", None)
_RANDOM = Origin("random", "random", None)

ORIGINS: dict[str, Origin] = {
    **{f"{module}.{name}": origin for module in UUID_MODULES for name, origin in UUIDS.items()},
    "uuid_utils.uuid4_str": UUIDS["uuid4"],
    "uuid7.create": UUIDS["uuid7"],
    "uuid_extensions.uuid7str": UUIDS["uuid7"],
    "uuid7.uuid7": UUIDS["uuid7"],
    "django.contrib.postgres.functions.RandomUUID": UUIDS["uuid4"],
    "sqlalchemy.func.gen_random_uuid": UUIDS["uuid4"],
    "sqlalchemy.func.uuid_generate_v4": UUIDS["uuid4"],
    "sqlalchemy.func.uuid_generate_v1": UUIDS["uuid1"],
    "sqlalchemy.func.uuidv7": UUIDS["uuid7"],
    "sqlalchemy.func.uuidv4": UUIDS["uuid4"],
    **{f"secrets.{name}": _STRONG for name in ("token_hex", "token_urlsafe", "token_bytes", "randbelow", "choice", "randbits")},
    "os.urandom": _STRONG,
    "shortuuid.uuid": Origin("strong", "shortuuid", 122.0),
    "shortuuid.random": Origin("strong", "shortuuid", 122.0),
    "shortuuid.ShortUUID.uuid": Origin("strong", "shortuuid", 122.0),
    "shortuuid.ShortUUID.random": Origin("strong", "shortuuid", 122.0),
    **{name: Origin("strong", "ulid", 80.0) for name in ("ulid.new", "ulid.ULID", "ulid.ulid", "ulid.monotonic.new", "ulid.from_timestamp", "ulid.ULID.from_timestamp", "ulid.ULID.from_datetime", "ulid_transform.ulid_now", "ulid_transform.ulid_hex", "ulid_transform.ulid", "ulid_transform.ulid_at_time", "ulid_transform.ulid_now_bytes")},
    **{name: Origin("strong", "ksuid", 128.0) for name in ("ksuid.ksuid", "ksuid.Ksuid", "ksuid.KsuidMs", "svix_ksuid.Ksuid", "cyksuid.ksuid.ksuid")},
    **{name: Origin("strong", "nanoid", 126.0) for name in ("nanoid.generate", "nanoid.non_secure_generate", "fastnanoid.generate", "pynanoid.generate")},
    **{name: Origin("strong", "cuid", 100.0) for name in ("cuid.cuid", "cuid2.cuid_wrapper", "cuid2.Cuid.generate")},
    **{name: Origin("strong", "objectid", 40.0) for name in ("bson.ObjectId", "bson.objectid.ObjectId", "beanie.PydanticObjectId")},
    **{name: Origin("strong", "snowflake", 0.0) for name in ("snowflake.SnowflakeGenerator", "snowflake.client.get_guid")},
    **{name: Origin("strong", "typeid", 74.0) for name in ("typeid.TypeID",)},
    **{f"random.{name}": _RANDOM for name in ("random", "randint", "randrange", "getrandbits", "choice", "choices", "sample", "uniform", "randbytes", "shuffle")},
    **{f"random.Random.{name}": _RANDOM for name in ("random", "randint", "randrange", "getrandbits", "choice", "choices", "sample", "randbytes")},
    **{f"random.SystemRandom.{name}": _STRONG for name in ("random", "randint", "randrange", "getrandbits", "choice", "choices", "sample", "randbytes")},
    "django.utils.crypto.get_random_string": Origin("strong", "token", None),
    "time.time": _TIME,
    "time.time_ns": Origin("time", "ns", 0.0),
    "time.monotonic": _TIME,
    "time.monotonic_ns": Origin("time", "ns", 0.0),
    "time.perf_counter": _TIME,
    "time.perf_counter_ns": Origin("time", "ns", 0.0),
    "time.strftime": _NOW,
    "time.ctime": _NOW,
    **{f"datetime.{name}": _NOW for name in ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "now", "utcnow")},
    **{name: _NOW for name in ("django.utils.timezone.now", "pendulum.now", "arrow.utcnow", "arrow.now", "timezone.now")},
    "builtins.id": Origin("address", "address", 0.0),
    "builtins.hash": Origin("pyhash", "hash", 0.0),
    "builtins.len": Origin("len", "len", 0.0),
}  # fmt: skip

HASHES = frozenset(
    {f"hashlib.{name}" for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s", "sha3_256", "new")}
    | {"xxhash.xxh64", "xxhash.xxh32", "xxhash.xxh3_64", "mmh3.hash", "zlib.crc32", "zlib.adler32", "binascii.crc32", "hmac.new"}
)  # fmt: skip


def origin_of(target: str) -> Origin | None:
    """What a function of that dotted name makes, also where a module of the repository hands `uuid` on."""
    origin = ORIGINS.get(target)
    if origin is not None or target.startswith(":"):
        return origin
    module, _, name = target.rpartition(".")
    return UUIDS.get(name) if module else None
