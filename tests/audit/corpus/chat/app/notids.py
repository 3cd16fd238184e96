"""Random and unique values that are nobody's ID."""

import hashlib
import logging
import os
import random
import secrets
import tempfile
import time
import uuid
from datetime import date, datetime

logger = logging.getLogger(__name__)


def lock(redis, name):
    token = str(uuid.uuid4())  #! none: lock token
    if redis.set(f"lock:{name}", token, nx=True, px=5000):
        return token
    return None


def acquire(client, key):
    lock_token = uuid.uuid4().hex  #! none: lock token
    return client.set(key, lock_token, nx=True)


def oauth_nonce():
    nonce = uuid.uuid4().hex  #! none: nonce
    return nonce


def csp(response):
    response.headers["Content-Security-Policy"] = f"script-src 'nonce-{secrets.token_hex(16)}'"  #! none: nonce


def state(session):
    session["oauth_nonce"] = secrets.token_urlsafe(16)  #! none: nonce


def scratch(path):
    tmp = f"{path}.{uuid.uuid4().hex}.tmp"  #! none: temp-file
    os.replace(path, tmp)


def scratch_dir():
    return os.path.join(tempfile.gettempdir(), "export-" + uuid.uuid4().hex)  #! none: temp-file


def write_atomic(target, data):
    temp_path = target.with_suffix("." + uuid.uuid4().hex[:8] + ".tmp")  #! none: temp-file
    temp_path.write_bytes(data)
    temp_path.replace(target)


def multipart():
    boundary = uuid.uuid4().hex  #! none: boundary
    return f"multipart/form-data; boundary={boundary}"


def mime():
    boundary = "----=_Part_" + str(uuid.uuid4())  #! none: boundary
    return boundary


def cache_key(payload):
    return "render:" + hashlib.sha256(payload).hexdigest()[:16]  #! none: content cache key


def etag(body):
    return hashlib.md5(body).hexdigest()[:12]  #! none: content digest


def hash_password(password):
    salt = uuid.uuid4().hex  #! none: password salt
    return hashlib.sha256(salt.encode() + password.encode()).hexdigest() + ":" + salt


def salted(password):
    salt = os.urandom(16)  #! none: password salt
    return hashlib.pbkdf2_hmac("sha256", password, salt, 100_000)


def joined(user_id):
    logger.info("user %s joined", user_id[:8])  #! none: log line


def left(user_id, room_id):
    logger.debug(f"{user_id[:8]} left {room_id[:8]}")  #! none: log line


def printed(session_id):
    print(f"session {session_id[:6]}… closed")  #! none: log line


def report_name():
    return f"report_{datetime.now():%Y%m%d_%H%M%S}.csv"  #! none: dated file name


def backup_path(root):
    filename = "backup-" + date.today().isoformat() + ".tar.gz"  #! none: dated file name
    return os.path.join(root, filename)


def bucket(user_id):
    return f"rate:{user_id}:{int(time.time() // 60)}"  #! none: rate-limit bucket


def rate_limit_key(ip):
    window = int(time.time()) // 60
    return f"ratelimit:{ip}:{window}"  #! none: rate-limit bucket


def span():
    span_id = secrets.token_hex(8)  #! none: W3C span ID
    return span_id


def traceparent(trace_id):
    return f"00-{trace_id}-{os.urandom(8).hex()}-01"  #! none: W3C span ID


def jitter(delay):
    return delay + random.uniform(0, 1)  #! none: jitter


def sample(rows):
    return random.sample(rows, 10)  #! none: sampling


def timed(call):
    started = time.time()  #! none: duration
    call()
    return time.time() - started


def shuffle(deck):
    random.shuffle(deck)  #! none: order


def documented():
    """Use `str(uuid.uuid4())` for a new user.

    >>> uuid.uuid4().hex[:8]
    """


TEMPLATE = '''
import uuid

def new_id():
    return str(uuid.uuid4())
'''  #! none: code template


def generate_module(name):
    return f"import uuid\n{name}_id = uuid.uuid4()\n"  #! none: code template


def count(rows):
    total = len(rows)  #! none: a count
    return f"{total} rows"


def same_object(a, b):
    return id(a) == id(b)  #! none: identity


class Point:
    def __hash__(self):
        return hash((self.x, self.y))  #! none: __hash__


def csrf():
    csrf_token = secrets.token_urlsafe(32)  #! none: secret
    return csrf_token


def greeting(name):
    return "hello_" + name  #! none: nothing varies


def isoformat():
    return {"created_at": datetime.utcnow().isoformat()}  #! none: a time
