"""Names that others import from here."""

from uuid import uuid4 as new_uuid
from uuid import uuid4

from app.ids import new_id, short_id

fresh_id = uuid4  #! direct-uuid

__all__ = ["fresh_id", "new_id", "new_uuid", "short_id"]
