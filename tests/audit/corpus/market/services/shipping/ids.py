"""Parcels, and the labels on them."""

import time
import uuid


def generate_parcel_id() -> str:
    return f"parcel-{int(time.time() * 1000)}-{uuid.uuid4().hex[:8]}"  #! hand-made truncated ~direct-uuid ~weak-source


def generate_label_id(parcel_id: str, copy: int) -> str:
    return f"label-{parcel_id}-{copy}"  #! hand-made
