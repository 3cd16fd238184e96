"""Numbers that customers see."""

import base64
import hashlib
import itertools
import os
import random
import string
import time
import uuid
from datetime import date, datetime

ALPHABET = string.ascii_uppercase + string.digits
_sequence = itertools.count(1000)


def _token(length=10):
    return uuid.uuid4().hex[:length]  #! direct-uuid truncated


def _digits(count):
    return "".join(random.choice(string.digits) for _ in range(count))  #! weak-source


def order_id():
    return f"ord_{_token()}"  #! hand-made ~conflict


def order_number():
    return datetime.now().strftime("%y%m%d%H%M%S") + str(random.randint(100, 999))  #! weak-source hand-made


def invoice_number(customer_id):
    today = date.today().strftime("%Y%m%d")
    return f"{customer_id}-{today}"  #! time-only hand-made


def receipt_id():
    return str(int(time.time() * 1000))  #! time-only


def credit_note_id(invoice_id):
    return invoice_id + "-CN"  #! hand-made


def refund_id(order_id):
    digest = hashlib.sha1(f"{order_id}{time.time()}".encode())  #! ~time-only ~hand-made
    return digest.hexdigest()[:10]  #! truncated ~time-only ~conflict


def gift_card_id():
    return "GC-" + _digits(12)  #! hand-made ~weak-source


def pickup_code():
    return "%04d" % random.randrange(10000)  #! weak-source ~hand-made


def tracking_id():
    return base64.urlsafe_b64encode(os.urandom(9)).decode()  #! strong-source


def label_id():
    return base64.b32encode(uuid.uuid4().bytes)[:10].decode()  #! direct-uuid truncated


def parcel_id():
    return uuid.uuid4().int % 10**8  #! direct-uuid truncated ~conflict


def pallet_id():
    return uuid.uuid4().int & 0xFFFFFFFF  #! direct-uuid truncated


def carton_id():
    return str(uuid.uuid4()).split("-")[0]  #! direct-uuid truncated


def crate_id():
    raw = uuid.uuid4().hex  #! direct-uuid
    return raw[-6:]  #! truncated


def container_id():
    return uuid.uuid1().time_low  #! direct-uuid truncated


def campaign_id(name):
    return hashlib.md5(f"{name}-{time.time()}".encode()).hexdigest()  #! time-only ~hand-made


def statement_id():
    return f"st-{next(_sequence)}"  #! weak-source hand-made


def shelf_id(name):
    return abs(hash(name)) % 10_000  #! weak-source


def batch_id(orders):
    return "batch" + str(len(orders))  #! weak-source hand-made ~conflict


def reservation_id(store_id):
    parts = [store_id, _token(6)]
    return "-".join(parts)  #! hand-made


def coupon_id():
    code = "".join(random.sample(ALPHABET, 8))  #! weak-source
    return code


class Numbering:  #! ~competing-system
    """Gives each order the next number."""

    prefix = "ORD"
    last = 0

    def next_id(self):
        self.last += 1  #! ~weak-source
        return f"{self.prefix}{self.last:06d}"  #! weak-source hand-made

    def handle_id(self):
        return hex(id(self))  #! weak-source

    def total(self):
        return f"{self.last} orders"  #! none: a text for people
