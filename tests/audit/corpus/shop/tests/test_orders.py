import uuid

import pytest

from billing.numbers import order_id


@pytest.fixture
def customer_id():
    return f"test-customer-{uuid.uuid4()}"  #! direct-uuid hand-made


@pytest.fixture
def store_id():
    return uuid.uuid4().hex[:6]  #! direct-uuid truncated


def test_order_id_has_a_prefix():
    assert order_id().startswith("ord_")  #! reader


def test_order_is_found(client, customer_id):
    reply = client.post("/orders/", json={"customer": customer_id, "request": str(uuid.uuid4())})  #! direct-uuid
    assert reply.status_code == 200


def test_unknown_order(client):
    assert client.get("/orders/ord_missing").status_code == 404  #! ~hand-made


def test_payment(monkeypatch):
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=7))  #! none: a replacement
