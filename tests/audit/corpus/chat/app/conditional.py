import sys

try:
    from uuid import uuid7
except ImportError:
    from uuid_utils import uuid7

try:
    import ulid
except ImportError:
    ulid = None

if sys.version_info >= (3, 14):
    from uuid import uuid6 as ordered
else:
    from uuid import uuid1 as ordered


def event_id():
    return str(uuid7())  #! direct-uuid


def first_eight():
    return str(uuid7())[:8]  #! direct-uuid truncated time-only


def order_id():
    return ordered()  #! direct-uuid


def sortable_id():
    return str(ulid.new())  #! strong-source
