"""Dependencies of the endpoints."""

import functools
import secrets
import uuid

from fastapi import Depends, Header, HTTPException, Request


def get_request_id(x_request_id: str | None = Header(None)) -> str:
    return x_request_id or str(uuid.uuid4())  #! direct-uuid


async def correlation(request: Request, call_next):
    correlation_id = request.headers.get("X-Correlation-ID", uuid.uuid4().hex)  #! direct-uuid
    request.state.correlation_id = correlation_id
    response = await call_next(request)
    response.headers["X-Correlation-ID"] = correlation_id
    return response


def store_of(store_id: str, request_id: str = Depends(get_request_id)) -> str:
    if not store_id.startswith(("store_", "st_")):  #! reader ~conflict
        raise HTTPException(404)
    return store_id


def audited(func):
    @functools.wraps(func)
    def inner(*args, **kwargs):
        kwargs.setdefault("audit_id", uuid.uuid4().hex)  #! direct-uuid
        return func(*args, **kwargs)

    return inner


def identified(prefix):
    def decorate(cls):
        cls.new_id = staticmethod(lambda: f"{prefix}_{secrets.token_hex(8)}")  #! strong-source hand-made
        return cls

    return decorate


@identified("wish")
class Wishlist:
    def __init__(self, customer_id):
        self.wishlist_id = self.new_id()
        self.customer_id = customer_id


def csrf(request: Request) -> str:
    request.session["csrf_token"] = secrets.token_urlsafe(32)  #! none: secret
    return request.session["csrf_token"]
