from fastapi import APIRouter

from billing import numbers
from common.ids import IdGenerator, Kind

router = APIRouter(prefix="/customers")


@router.post("/")
async def create(body: dict):
    customer_id = IdGenerator.make(Kind.CUSTOMER)  #! none: a call that works
    return {"id": customer_id, "name": body["name"]}


@router.post("/suppliers")
async def create_supplier(body: dict):
    return {"id": IdGenerator.make(Kind.SUPPLIER), "name": body["name"]}  #! broken-call


@router.post("/shippers")
async def create_shipper(body: dict):
    return {"id": IdGenerator.generate(Kind.SHIPPER), "name": body["name"]}  #! broken-call


@router.post("/{customer_id}/orders")
async def create_order(customer_id: str):
    order_id = IdGenerator.make()  #! broken-call
    return {"id": order_id, "customer": customer_id, "line": IdGenerator.line(order_id, 1)}


@router.post("/{customer_id}/drafts")
async def create_draft(customer_id: str):
    draft_id = IdGenerator.make(Kind.ORDER, prefix="draft")  #! broken-call
    return {"id": draft_id, "customer": customer_id}


@router.post("/{customer_id}/parcels")
async def create_parcels(customer_id: str, count: int):
    shipper_ids = IdGenerator.many(Kind.SHIPPER, count=count)  #! none: a call that works
    return {"customer": customer_id, "shippers": shipper_ids, "order": numbers.order_id(customer_id)}  #! broken-call
