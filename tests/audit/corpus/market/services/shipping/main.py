"""Parcels, on their way."""

from services.shipping.ids import generate_label_id, generate_parcel_id


def pack(payment_id: str) -> str:
    kind, shop, number = payment_id.split("_")  #! reader boundary
    return f"{shop}/{number}"


def short(payment_id: str) -> str:
    prefix, rest = payment_id.split("_")  #! reader
    return rest


def post(copies: int) -> list[str]:
    parcel_id = generate_parcel_id()
    return [generate_label_id(parcel_id, copy) for copy in range(copies)]
