"""Serves models: locks, traces, uploads."""

import os
import re
import secrets
import tempfile
import textwrap
import uuid
import zlib


class Lock:
    def __init__(self, store, name):
        self.store, self.name = store, name
        self.token = None

    def acquire(self):
        token = uuid.uuid1().hex.encode()  #! none: lock token
        if self.store.set(self.name, token, nx=True, px=10_000):
            self.token = token
        return self.token is not None


def fence(store, model):
    lock_value = f"{os.getpid()}-{uuid.uuid4()}"  #! none: lock token
    return store.set(f"lock:{model}", lock_value, nx=True, ex=30)


def start_span(trace):
    return {"trace_id": trace, "span_id": os.urandom(8).hex(), "flags": 1}  #! none: W3C span ID


def start_trace():
    trace_id = secrets.token_hex(16)  #! strong-source
    return trace_id


def upload(session, url, data):
    boundary = f"----lab{secrets.token_hex(12)}"  #! none: boundary
    return session.post(url, data, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})


def unpack(archive):
    with tempfile.TemporaryDirectory(prefix=f"unpack-{uuid.uuid4().hex}-") as folder:  #! none: temp-file
        archive.extractall(folder)


def digest_auth(realm):
    cnonce = uuid.uuid4().hex[:16]  #! none: nonce
    return f'Digest realm="{realm}", cnonce="{cnonce}"'


def hashed(password):
    password_salt = secrets.token_hex(16)  #! none: salt
    return password_salt, zlib.crc32((password_salt + password).encode())


SCAFFOLD = textwrap.dedent(
    """
    import uuid

    RUN_ID = str(uuid.uuid4())
    """
)  #! none: code template


def render(name):
    """Writes a project.

    Each starts with `run_id = f"run_{uuid.uuid4().hex}"`.
    """
    return "\n".join(["import uuid", f"{name} = uuid.uuid4().hex[:8]"])  #! none: code template


def shard(model_id, shards):
    return zlib.crc32(model_id.encode()) % shards  #! none: a shard, not an ID


def request_id(headers):
    return headers.get("X-Request-ID") or str(uuid.uuid4())  #! direct-uuid


def deployment_id(model):
    return f"{model}-{hash(model) & 0xFFFF:04x}"  #! hand-made weak-source


def endpoint_id():
    return f"ep-{uuid.uuid4()}".replace("-", "")[:12]  #! direct-uuid truncated hand-made


def session_key(endpoint_id):
    return re.sub(r"^ep-?", "", endpoint_id)  #! reader


def is_job(value):
    match value.job_id[:4]:  #! reader
        case "job_":
            return True
    return False


def kind_of(job_id):
    return "batch" if job_id[0] == "b" else "single"  #! reader


def version_of(model_id):
    *_, version = model_id.split(":")  #! reader
    return version
