"""One way to time-ordered IDs, whatever is installed."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

try:
    import uuid6 as _impl
except ImportError:
    import uuid as _impl

try:
    from ulid import ULID
except ImportError:
    ULID = None

try:
    from nanoid import generate
except ImportError:

    def generate(alphabet="0123456789", size=10):
        import random

        return "".join(random.choice(alphabet) for _ in range(size))  #! weak-source


def ordered_id() -> "UUID":
    return _impl.uuid4()  #! direct-uuid


def upload_id():
    if ULID is not None:
        return str(ULID())  #! strong-source
    import uuid

    return uuid.uuid4().hex  #! direct-uuid


def share_id():
    return generate(size=12)  #! strong-source
