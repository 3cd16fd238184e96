"""The endpoints for orders."""

import hashlib
import logging
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Response, WebSocket
from fastapi.responses import FileResponse, RedirectResponse

from api.deps import get_request_id

router = APIRouter(prefix="/orders")
logger = logging.getLogger(__name__)
PAYMENTS = "https://payments.internal"


async def notify(order_id: str) -> None:
    logger.info("order %s placed", order_id[:12])  #! none: log line


@router.post("/")
async def create_order(body: dict, background: BackgroundTasks, request_id: str = Depends(get_request_id)):
    order_id = f"ord_{uuid4().hex}"  #! direct-uuid hand-made ~conflict
    lines = [{**line, "id": f"{order_id}:{index}"} for index, line in enumerate(body["lines"])]  #! hand-made
    background.add_task(notify, order_id)
    return {"id": order_id, "lines": lines, "request": request_id}


@router.get("/{order_id}")  #! none: a route
async def read_order(order_id: str):
    if order_id[:4] != "ord_":  #! reader
        raise HTTPException(404, detail=f"no order {order_id}")
    return {"id": order_id}


@router.get("/{order_id}/charges/{charge_id}")
async def read_charge(order_id: str, charge_id: str):
    async with httpx.AsyncClient() as client:
        reply = await client.get(f"{PAYMENTS}/v1/charges/{charge_id}")  #! reader
    return reply.json()


@router.delete("/{order_id}/charges/{charge_id}")
async def cancel_charge(order_id: str, charge_id: str):
    async with httpx.AsyncClient() as client:
        await client.delete(f"{PAYMENTS}/v1/charges/{quote(charge_id, safe='')}")  #! none: escaped


@router.get("/{order_id}/refunds")
async def list_refunds(order_id: str):
    async with httpx.AsyncClient() as client:
        reply = await client.get(f"{PAYMENTS}/v1/refunds", params={"order": order_id})  #! none: escaped
    return reply.json()


@router.post("/{order_id}/pay")
async def pay(order_id: str):
    return RedirectResponse("/checkout/" + order_id)  #! reader


@router.get("/{order_id}/invoice.pdf")
async def invoice(order_id: str):
    return FileResponse("/srv/invoices/%s.pdf" % order_id)  #! reader


@router.get("/carts/{cart_id}")
async def read_cart(cart_id: str, response: Response):
    try:
        cart_uuid = UUID(cart_id)  #! reader conflict
    except ValueError:
        raise HTTPException(422) from None
    body = f"cart {cart_uuid}"  #! none: a text for people
    response.headers["ETag"] = hashlib.sha256(body.encode()).hexdigest()[:20]  #! none: content digest
    return body


@router.websocket("/live/{customer_id}")
async def live(websocket: WebSocket, customer_id: str):
    client_id = f"{customer_id}:{id(websocket)}"  #! weak-source hand-made
    await websocket.accept()
    await websocket.send_json({"client": client_id})


class Listeners:
    def __init__(self):
        self.active = {}

    def add(self, websocket):
        listener_id = str(len(self.active) + 1)  #! weak-source
        self.active[listener_id] = websocket
        return listener_id

    def many(self):
        return len(self.active) > 100  #! none: a count
