"""Pairs devices, and keeps the secrets of the radio."""

import hashlib
import hmac
import os
import random
import secrets
import string
import time
from uuid import getnode, uuid1, uuid4

HEX = string.hexdigits.lower()[:16]


def installation_uuid(store):
    data = store.load() or {}
    if "uuid" not in data:
        data["uuid"] = uuid4().hex  #! direct-uuid
        store.save(data)
    return data["uuid"]


def pairing_code():
    code = "".join(random.choice(string.digits) for _ in range(8))  #! weak-source
    return code


def flow_id():
    return "%032x" % random.getrandbits(128)  #! weak-source


def node_id():
    node_id = random.randint(2, 232)  #! weak-source
    return node_id


def bridge_id():
    return f"{getnode():012X}"  #! none: the address of the hardware


def context_id():
    return f"{int(time.time() * 1000):012x}{random.getrandbits(80):020x}"  #! hand-made weak-source


def subscription_id():
    return uuid1().hex  #! direct-uuid


def refresh(user):
    user.refresh_token = secrets.token_hex(64)  #! none: a secret
    user.jwt_key = secrets.token_hex(64)  #! none: a secret


def sign(key, body):
    request_nonce = secrets.token_hex(12)  #! none: nonce
    mac = hmac.new(key, request_nonce.encode() + body, hashlib.sha256)
    return {"X-Nonce": request_nonce, "X-Mac": mac.hexdigest()}


def srp_challenge(pin):
    s = os.urandom(16)  #! none: salt
    return s, hashlib.scrypt(pin.encode(), salt=s, n=2**14, r=8, p=1)


def camera_stream(parts):
    mark = "frame" + uuid4().hex  #! none: boundary
    yield f"Content-Type: multipart/x-mixed-replace; boundary={mark}\r\n\r\n"
    for part in parts:
        yield f"--{mark}\r\n".encode() + part


def poll_interval(base):
    return base * (0.8 + random.random() * 0.4)  #! none: jitter


def snapshot_path(root, camera):
    return root / f"{camera}-{time.strftime('%Y%m%d-%H%M%S')}.jpg"  #! none: dated file name


def throttle(cache, device):
    slot = f"throttle:{device}:{int(time.monotonic() // 10)}"  #! none: rate-limit bucket
    return cache.incr(slot) <= 20


def thumbnail(cache, picture):
    digest = hashlib.blake2b(picture, digest_size=20).hexdigest()
    return cache.get("thumb-" + digest[:12])  #! none: content cache key


def device_identifier(vendor, serial):
    return hashlib.sha1(f"{vendor}:{serial}".encode()).hexdigest()[:10]  #! truncated


def zone_id():
    return "zone_" + "".join(secrets.choice(HEX) for _ in range(6))  #! hand-made strong-source
