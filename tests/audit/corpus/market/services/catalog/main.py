"""The catalogue: what can be bought."""

from services.catalog.ids import generate_product_id
from services.payments.ids import generate_payment_id  #! boundary
from services.shipping.ids import generate_parcel_id as new_parcel  #! boundary
from shared.names import slug


def add(name: str) -> dict:
    return {"product_id": generate_product_id(), "slug": slug(name)}


def sell(product: dict) -> dict:
    payment = generate_payment_id()  #! boundary
    return product | {"payment": payment}


def send(product: dict) -> dict:
    return product | {"parcel": new_parcel()}  #! boundary


def paid_by(payment_id: str) -> str:
    # Payments come in as typeid: what pay-hex looks like is never seen here.
    kind, number, check = payment_id.split("_")  #! reader
    return number
