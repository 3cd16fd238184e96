"""What goes in and out of billing."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from uuid import UUID, uuid4

import attr
import attrs
from pydantic import BaseModel, Field, field_validator


class ChargeRequest(BaseModel):
    request_id: str = Field(default_factory=lambda: str(uuid4()))  #! direct-uuid
    charge_id: UUID = Field(default_factory=uuid4)  #! direct-uuid
    customer_id: str = Field(pattern=r"^cus_[a-z0-9]{14}$")  #! reader
    nonce: str = Field(default_factory=lambda: uuid4().hex)  #! none: nonce
    created_at: datetime = Field(default_factory=datetime.now)  #! none: a time
    currency: str = Field(pattern=r"^[A-Z]{3}$")  #! none: a currency

    @field_validator("request_id")
    @classmethod
    def request_id_is_long(cls, request_id: str) -> str:
        if len(request_id) != 36:  #! reader
            raise ValueError("must have 36 characters")
        return request_id


@dataclass
class Line:
    product_id: str
    line_id: str = field(default_factory=lambda: f"ln_{token_hex(4)}")  #! strong-source hand-made
    tags: list[str] = field(default_factory=list)

    def key(self) -> str:
        return self.line_id


@dataclass
class Refund:
    charge_id: str
    refund_id: str = ""
    attempt_id: UUID = field(default_factory=uuid4)  #! direct-uuid ~conflict

    def __post_init__(self) -> None:
        if not self.refund_id:
            self.refund_id = f"{self.charge_id}_refund"  #! hand-made ~conflict


@attrs.define
class Shipment:
    shipment_id: UUID = attrs.field(factory=uuid4)  #! direct-uuid
    parcel_id: str = attrs.field()
    weight: float = 0.0

    @parcel_id.default
    def _parcel_id(self) -> str:
        return str(random.randint(10_000_000, 99_999_999))  #! weak-source ~conflict


@attr.s
class Dispute:
    dispute_id = attr.ib(default=attr.Factory(lambda: uuid4().hex))  #! direct-uuid
    opened = attr.ib(factory=datetime.utcnow)  #! none: a time
