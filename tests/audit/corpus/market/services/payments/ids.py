"""Payments."""

import uuid


def generate_payment_id() -> str:
    return f"pay_{uuid.uuid4().hex}"  #! hand-made direct-uuid
