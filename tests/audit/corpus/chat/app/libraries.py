import os
import secrets
import string
from random import SystemRandom, choice, getrandbits, randint

import nanoid
import shortuuid
import ulid
from bson import ObjectId
from cuid2 import cuid_wrapper
from ksuid import Ksuid
from nanoid import generate as nano
from snowflake import SnowflakeGenerator
from ulid import ULID

gen = SnowflakeGenerator(42)


def user_id():
    return str(ULID())  #! strong-source


def org_id():
    return nanoid.generate(size=21)  #! strong-source


def team_id():
    return nano()  #! strong-source


def item_id():
    return str(Ksuid())  #! strong-source


def post_id():
    return next(gen)  #! strong-source


def page_id():
    return shortuuid.uuid()  #! strong-source


def old_id():
    return ulid.new().str  #! strong-source


def api_key_id():
    return "key_" + secrets.token_hex(16)  #! strong-source hand-made


def blob_id():
    return os.urandom(16).hex()  #! strong-source


def coupon_id():
    return "".join(choice(string.ascii_lowercase) for _ in range(6))  #! weak-source


def ticket_id():
    return randint(100000, 999999)  #! weak-source


def worker_id():
    return "%08x" % getrandbits(32)  #! weak-source


def public_id():
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(10))  #! strong-source


def short_public_id():
    return secrets.token_hex(16)[:6]  #! strong-source truncated
