"""Invoices and payments."""

import secrets
import time
import uuid
from datetime import datetime

from sqlalchemy import Column, DateTime, ForeignKey, Integer, String, func, select, text
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from ulid import ULID


class Base(DeclarativeBase):
    pass


def generate_uuid():  #! ~competing-system
    return str(uuid.uuid4())  #! direct-uuid


class Invoice(Base):
    __tablename__ = "invoices"

    id = Column(UUID(as_uuid=True), primary_key=True, default=uuid.uuid4)  #! direct-uuid
    number = Column(String, unique=True, default=lambda: f"INV-{int(time.time())}")  #! time-only hand-made
    customer_id = Column(String, nullable=False, index=True)
    created_at = Column(DateTime, default=datetime.utcnow)  #! none: a time
    version_id = Column(Integer, nullable=False, default=1)  #! none: a fixed number

    __mapper_args__ = {"version_id_col": version_id}


class Payment(Base):
    __tablename__ = "payments"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=generate_uuid)
    ref: Mapped[str] = mapped_column(String(12), default=lambda: uuid.uuid4().hex[:12])  #! direct-uuid truncated
    event_id: Mapped[uuid.UUID] = mapped_column(server_default=text("gen_random_uuid()"))  #! direct-uuid
    batch_id: Mapped[uuid.UUID] = mapped_column(server_default=func.gen_random_uuid())  #! direct-uuid ~conflict
    payment_id: Mapped[str] = mapped_column(String(26), default=lambda: str(ULID()))  #! strong-source
    invoice_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("invoices.id"))
    paid_at: Mapped[datetime] = mapped_column(server_default=func.now())  #! none: a time
    salt: Mapped[str] = mapped_column(default=lambda: secrets.token_hex(16))  #! none: password salt
    webhook_id: Mapped[str] = mapped_column(default=lambda: "whk_" + secrets.token_urlsafe(12))  #! strong-source hand-made


def by_id(session, invoice_id):
    return session.scalars(select(Invoice).where(Invoice.id == invoice_id)).one()  #! none: the same kind


def payments_of(session):
    return session.execute(select(Payment, Invoice).where(Payment.invoice_id == Invoice.id))  #! none: a join by key


def raw(session, invoice_id):
    return session.execute(text(f"SELECT * FROM invoices WHERE id = '{invoice_id}'"))  #! reader


def raw_bound(session, invoice_id):
    return session.execute(text("SELECT * FROM invoices WHERE id = :id"), {"id": invoice_id})  #! none: bound parameter


def book(session, amount):
    session.execute(
        text("INSERT INTO ledger (id, amount) VALUES (uuid_generate_v4(), :amount)"),  #! direct-uuid
        {"amount": amount},
    )


def drop_customer(connection, customer_id):
    connection.execute("DELETE FROM invoices WHERE customer_id = '{}'".format(customer_id))  #! reader
