"""The many ways of getting at a UUID."""

import functools
import importlib
import uuid
import uuid as _uuid
from uuid import uuid4
from uuid import uuid4 as u
from uuid import UUID, uuid1 as time_uuid

make_id = uuid.uuid4  #! direct-uuid
generate = lambda: str(uuid4())  #! direct-uuid
new_hex = functools.partial(uuid.uuid5, uuid.NAMESPACE_OID)  #! direct-uuid


def aliased():
    user_id = u()  #! direct-uuid
    device_id = _uuid.uuid4()  #! direct-uuid
    node_id = time_uuid()  #! direct-uuid
    return user_id, device_id, node_id


def late():
    from uuid import uuid4 as fresh

    return fresh().hex  #! direct-uuid


def late_module():
    import uuid as ids

    return ids.uuid4()  #! direct-uuid


def by_name():
    return getattr(uuid, "uuid4")()  #! direct-uuid


def by_dunder():
    return __import__("uuid").uuid4()  #! direct-uuid


def by_importlib():
    member_id = importlib.import_module("uuid").uuid4()  #! direct-uuid
    return member_id


def assigned():
    mint = uuid.uuid4  #! direct-uuid
    return str(mint())  #! direct-uuid


def several():
    return [str(uuid4()) for _ in range(3)]  #! direct-uuid


def keyed(rows):
    return {str(uuid4()): row for row in rows}  #! direct-uuid


def defaulted(record, record_id=None):
    record["id"] = record_id or str(uuid4())  #! direct-uuid
    record.setdefault("trace", str(uuid4()))  #! direct-uuid
    return record


def two_on_lines():
    return dict(
        thread_id=str(uuid4()),  #! direct-uuid
        run_id=str(uuid4()),  #! direct-uuid
    )


def upper():
    return str(uuid4()).upper().replace("-", "")  #! direct-uuid


def number():
    order_id = uuid4().int  #! direct-uuid
    return order_id


def walrus(cache, key):
    if (found := cache.get(key)) is None:
        found = cache[key] = uuid4()  #! direct-uuid
    return found


async def awaited(store):
    await store.put(id=uuid4().hex)  #! direct-uuid


def parsed(value: str) -> UUID:
    user_id = UUID(value)  #! ~reader
    return user_id
