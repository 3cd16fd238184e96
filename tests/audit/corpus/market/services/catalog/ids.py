"""Products."""

import uuid


def generate_product_id() -> str:
    return str(uuid.uuid4())  #! direct-uuid
