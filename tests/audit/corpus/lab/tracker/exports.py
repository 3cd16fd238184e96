"""Exports of runs: locks, temporary files, multipart bodies, tables of their own."""

import hashlib
import os
import tempfile
import uuid
from pathlib import Path
from random import randint
from uuid import uuid4

import sqlalchemy as sa

from tracker.storage import Base, redis, session

CREATE = """
CREATE TABLE exports (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(), #! direct-uuid
    name TEXT,
    part UUID DEFAULT uuid_generate_v4() #! direct-uuid
)
"""


def clickhouse(table):
    return f"""
    CREATE TABLE {table} (
        row UUID DEFAULT generateUUIDv4(), #! direct-uuid
        name String
    )"""


class Export(Base):
    uuid = sa.Column(
        sa.Uuid, unique=True,
        default=uuid.uuid4,  #! direct-uuid
    )
    name = sa.Column(sa.String)


def once(key):
    """Held by whoever sets it first."""
    if not redis.set(key, uuid4().hex, nx=True, ex=30):  #! none: lock token
        return False
    return True


def held(name):
    mine = str(uuid4())  #! none: lock token
    redis.set(f"lock:{name}", mine)
    return mine


def hold(key):
    value = uuid4().hex  #! none: lock token
    return redis.set(name=key, value=value, nx=True)


def workfile():
    return open(f"/tmp/export-{uuid4()}.csv", "w")  #! none: temporary file


def workfiles():
    first = "/var/tmp/" + uuid4().hex  #! none: temporary file
    second = os.path.join("/tmp", f"part-{uuid4()}")  #! none: temporary file
    third = Path(tempfile.gettempdir()) / str(uuid4())  #! none: temporary file
    temporary_path = first + f".{uuid4().hex}"  #! none: temporary file
    return first, second, third, temporary_path


def in_folder(tmp_path, temp_dir):
    one = tmp_path / f"{uuid4()}.csv"  #! none: temporary file
    two = os.path.join(temp_dir, f"part-{uuid4()}.csv")  #! none: temporary file
    return one, two


def body(parts):
    edge = uuid4().hex  #! none: boundary
    lines = [f"--{edge}\r\n{part}" for part in parts]
    return lines, f"multipart/mixed; boundary={edge}"


def scratch_column(name):
    temp_col = f"__sort_{uuid4().hex}_{name}"  #! direct-uuid ~hand-made
    return temp_col


def numbers():
    row_id = uuid4().int % 10**9  #! direct-uuid truncated
    shard_id = uuid4().int & 0xFFFFFFFF  #! direct-uuid truncated
    order_id = uuid4().int >> 64  #! direct-uuid truncated
    job_id = uuid4().time_low  #! direct-uuid truncated
    whole = uuid4()  #! direct-uuid
    ticket_id = whole.int % 1_000_000  #! truncated
    return row_id, shard_id, order_id, job_id, ticket_id


def ends():
    last_id = uuid4().hex[-6:]  #! direct-uuid truncated
    first_id = uuid4().hex[0:8]  #! direct-uuid truncated
    group_id = str(uuid4()).split("-")[0]  #! direct-uuid truncated
    all_id = uuid4().hex[:32]  #! direct-uuid
    return last_id, first_id, group_id, all_id


def laid_out():
    digits = uuid4().hex  #! direct-uuid
    return f"{digits[:8]}:{digits[8:16]}:{digits[16:]}"


def batch(rows, ids=None):
    if ids is None:
        ids = [str(randint(0, 2**63)) for _ in rows]  #! weak-source
    row_ids = [hash(row) for row in rows]  #! weak-source
    return ids, row_ids


def flattened(nodes, seen):
    for node in nodes:
        node_id = id(node)  #! none: an object that was seen
        if node_id in seen:
            continue
        seen.add(node_id)
        yield node


def described(item):
    return {"id": id(item), "name": item.name}  #! weak-source


def call_of(item):
    call_id = getattr(item, "id", f"call_{id(item)}")  #! weak-source hand-made
    return call_id


def content(rows):
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:12]


def stored(rows):
    session.execute(sa.text(CREATE))
    return rows
