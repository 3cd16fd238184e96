"""Reads what other services have written."""

import os.path
import re
import uuid

ORDER = re.compile(r"ord_(?P<hex>[0-9a-f]{10})")  #! ~reader
PHONE = re.compile(r"^\+?\d{7,15}$")


def hex_of(order_id):
    match = ORDER.fullmatch(order_id)  #! reader
    return match["hex"] if match else None


def number_of(order_id):
    return int(re.sub(r"\D", "", order_id))  #! reader


def phone(value):
    return PHONE.match(value)  #! none: a phone number


def store_of(reservation_id):
    store, _, _ = reservation_id.partition("-")  #! reader
    return store


def last_of(order):
    return order.invoice_id.rsplit("-", maxsplit=1)[-1]  #! reader


def day_of(event):
    return event["cart_id"][5:13]  #! reader


def region_of(row):
    return row["warehouse_id"].split(":")[0]  #! reader


def is_refund(charge_id):
    return charge_id.endswith("_refund")  #! reader


def is_guest(customer_id: str) -> bool:
    return "guest-" in customer_id  #! reader


def numeric(product_id):
    return product_id.isdigit()  #! reader ~conflict


def as_number(product_id):
    return int(product_id)  #! ~reader


def is_old(invoice_id):
    if len(invoice_id) == 12:  #! reader ~conflict
        return True
    return False


def version_of(shipment_id):
    return uuid.UUID(hex=shipment_id).version  #! reader


def mixed(order, invoice):
    return order.customer_id == invoice.store_id  #! reader


def equal(order, invoice):
    return order.customer_id == invoice.customer_id  #! none: the same kind


def pair(order_id, payment_id):
    if order_id != payment_id:  #! reader
        raise ValueError("not the payment of this order")


def label_file(root, parcel_id):
    return os.path.join(root, "labels", parcel_id + ".zpl")  #! reader


def by_customer(cursor, customer_id):
    query = "SELECT * FROM orders WHERE customer_id = '" + customer_id + "'"  #! reader
    return cursor.execute(query)


def by_ids(cursor, order_ids):
    marks = ", ".join(["%s"] * len(order_ids))  #! none: placeholders
    return cursor.execute("SELECT * FROM orders WHERE id IN (" + marks + ")", order_ids)  #! none: bound parameter


def first_word(title):
    return title.split("-")[0]  #! none: a text


def country(locale):
    return locale.split("_")[1]  #! none: a locale


def last_four(card_number):
    return card_number[-4:]  #! none: a card number


def valid(video):
    return video.startswith("data:")  #! none: not an ID


def pages(product_ids, size):
    return [product_ids[start : start + size] for start in range(0, len(product_ids), size)]  #! none: a list of IDs


def present(order_id):
    return bool(order_id) and order_id != "null"  #! none: presence


def width(grid):
    return len(grid) == 9  #! none: not an ID


def idle(session):
    return session.idle_seconds // 60 == 5  #! none: not an ID


def suffix_of(path):
    return os.path.splitext(path)[1].removeprefix(".")  #! none: a file name
