"""Identifiers of the chat platform."""

import hashlib
import itertools
import random
import secrets
import time
import uuid
from datetime import datetime, timezone

_counter = itertools.count(1)
PREFIX = "msg"


def new_id():
    return str(uuid.uuid4())  #! direct-uuid


def thread_id():
    return f"thread_{uuid.uuid4().hex}"  #! direct-uuid hand-made


def short_id():
    return uuid.uuid4().hex[:8]  #! direct-uuid truncated


def run_id(thread_id):
    return f"run_{thread_id}_{int(time.time() * 1000)}"  #! hand-made time-only


def message_id():
    suffix = uuid.uuid4().hex[:12]  #! direct-uuid truncated
    return PREFIX + "_" + suffix  #! hand-made


def connection_id(user_id):
    stamp = int(time.time() * 1000)
    token = secrets.token_hex(4)  #! strong-source
    return f"ws_{user_id}_{stamp}_{token}"  #! hand-made


def invite_code():
    return "".join(random.choices("ABCDEFGHJKMNPQRSTUVWXYZ23456789", k=8))  #! weak-source


def session_id():
    return "sess_%s" % secrets.token_urlsafe(16)  #! strong-source hand-made


def event_id():
    return "evt-{}".format(next(_counter))  #! weak-source hand-made


def order_id():
    return "ORD-" + datetime.now(timezone.utc).strftime("%Y%m%d%H%M%S")  #! time-only hand-made


def agent_id(name):
    return "_".join(["agent", name, str(random.randint(1000, 9999))])  #! weak-source hand-made


def attachment_id(payload):
    return hashlib.sha256(payload).hexdigest()[:16]  #! truncated


def shard_id(user):
    return hash(user) % 1024  #! ~weak-source


def task_id(task):
    return f"task-{id(task)}"  #! weak-source hand-made


def next_room_id(rooms):
    return f"room_{len(rooms) + 1}"  #! weak-source hand-made


def request_id():
    return str(uuid.uuid1())  #! direct-uuid


def account_id(email):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, email))  #! direct-uuid


def tenant_id(name):
    return uuid.uuid3(uuid.NAMESPACE_DNS, name).hex  #! direct-uuid


def draft_id():
    return hashlib.md5(str(time.time()).encode()).hexdigest()  #! time-only


def trace_ref():
    return time.time_ns()  #! ~time-only
