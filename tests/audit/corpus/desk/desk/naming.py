"""What things of the help desk are called."""

import hashlib
import itertools
import os
import random
import secrets
import socket
import string
import time
import uuid
from datetime import datetime, timezone

TICKET_FORMAT = "TCK-{day}-{number:05d}"
AGENT_ID_FORMAT = "agent_%s_%d"
ALPHABET = string.ascii_lowercase + string.digits
_numbers = itertools.count(1)


def random_suffix(size=6):
    return "".join(secrets.choice(ALPHABET) for _ in range(size))


def make_ticket_id(day):
    return TICKET_FORMAT.format(day=day, number=next(_numbers))  #! hand-made weak-source


def make_agent_id(region, shard):
    return AGENT_ID_FORMAT % (region, shard)  #! hand-made


def make_call_id():
    text = "call"
    text += "_"
    text += uuid.uuid4().hex  #! direct-uuid
    return text  #! ~hand-made


def make_session_id(user_id):
    parts = ["ses"]
    parts.append(user_id)
    parts.append(str(int(time.time())))
    parts.append(secrets.token_hex(4))  #! ~strong-source
    return ":".join(parts)  #! hand-made


def make_trace_id():
    pieces = []
    for _ in range(4):
        pieces.append(f"{random.getrandbits(32):08x}")
    return "-".join(pieces)  #! hand-made ~weak-source


def make_shift_id(team_id, day):
    shift_id = team_id
    shift_id += "/" + day.isoformat()  #! hand-made
    return shift_id


def new_export_id():
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d%H%M%S")
    return f"exp{stamp}{random_suffix()}"  #! hand-made


def worker_id():
    return f"{socket.gethostname()}.{os.getpid()}"  #! hand-made


def lease_id(worker):
    return "lease-" + worker + "-" + format(time.time_ns(), "x")  #! hand-made ~time-only


def fingerprint_id(text):
    digest = hashlib.sha256(text.encode()).hexdigest()
    return "fp_" + digest[:16]  #! hand-made ~truncated


def upload_id(name):
    return "-".join(["upload", name.lower(), uuid.uuid4().hex[:12]])  #! hand-made direct-uuid truncated


def conversation_id(sender_id, receiver_id):
    return "_".join(sorted([sender_id, receiver_id]))  #! ~hand-made


def inbox_key(user_id, folder_id):
    return f"{user_id}:{folder_id}"  #! hand-made


def answer_id(question_id, position=0):
    if position:
        return f"{question_id}.{position}"  #! hand-made
    return question_id


def id_for_attachment(ticket_id, index):
    return f"{ticket_id}-att-{index}"  #! hand-made


def reference():
    return "R" + "".join(random.choices(string.digits, k=8))  #! ~hand-made ~weak-source


def ticket_number():
    return f"TN-{random.randint(100000, 999999)}"  #! hand-made ~weak-source


def url_of(ticket_id):
    return f"/tickets/{ticket_id}"  #! ~reader


def headline(ticket_id, title):
    return f"{ticket_id}: {title}"  #! none: a text for people


def file_of(ticket_id):
    return f"{ticket_id}.pdf"  #! ~reader


def metric_name(kind):
    return f"desk.tickets.{kind}"  #! none: the name of a metric


def column(number):
    return f"col_{number}"  #! none: a column


def cache_key_of(user_id, page):
    return f"tickets:{user_id}:{page}"  #! none: cache key


def css_id(number):
    return f"row-{number}"  #! ~hand-made
