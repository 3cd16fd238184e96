"""Values that are random or unique and name nothing."""

import base64
import hashlib
import os
import random
import secrets
import time
import uuid

from django.utils.crypto import get_random_string

EXAMPLE = "import uuid; order_id = uuid.uuid4().hex[:8]"  #! none: code template


def sign_in(session):
    session["oidc_nonce"] = get_random_string(32)  #! none: nonce


def challenge():
    code_verifier = secrets.token_urlsafe(64)  #! none: secret
    digest = hashlib.sha256(code_verifier.encode()).digest()
    return code_verifier, base64.urlsafe_b64encode(digest).rstrip(b"=")


def initial_password():
    password = "".join(secrets.choice("abcdefghkmnpqrstuvwxyz23456789") for _ in range(12))  #! none: secret
    return password


def encrypt(cipher, data):
    iv = os.urandom(12)  #! none: nonce
    return iv + cipher.encrypt(iv, data)


def unlock_value():
    owner_token = f"{os.getpid()}-{uuid.uuid4().hex}"  #! none: lock token
    return owner_token


def partial_upload(target):
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")  #! none: temp-file
    return part


def page_key(query):
    cache_key = "search:" + hashlib.md5(query.encode()).hexdigest()[:16]  #! none: content cache key
    return cache_key


def asset_version(content):
    return hashlib.sha1(content).hexdigest()[:8]  #! none: content digest


def form(fields):
    boundary = "----shop" + secrets.token_hex(12)  #! none: boundary
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, fields


def backoff(attempt):
    return min(60, 2**attempt) + random.random()  #! none: jitter


def featured(products):
    return random.choice(products)  #! none: sampling


def variant(customer_id, split):
    return random.Random(customer_id).random() < split  #! none: sampling


def is_expired(expires_at):
    return expires_at < time.time()  #! none: a time


def shelf(products):
    """Puts products in a grid.

    Each cell is named `f"cell_{uuid4().hex[:6]}"` by the caller.
    """
    return [products[start : start + 4] for start in range(0, len(products), 4)]  #! none: a list


def unique(products):
    return len(products) == len(set(products))  #! none: a count


def memo(cache, build):
    return cache.setdefault(id(build), build())  #! none: identity
