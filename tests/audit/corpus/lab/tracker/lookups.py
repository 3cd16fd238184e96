"""IDs of runs, jobs and cameras, looked up by what they are made of."""

import re
import uuid
from urllib.parse import quote

import numpy as np

from tracker.storage import client

CAMERA_PREFIX = "camera_"
SESSION_ID_RE = re.compile(r"^s-[a-z0-9]{8,}$")  #! reader
SQL_IDENTIFIER_RE = re.compile(r"^[A-Za-z_]\w*$")


def camera(camera_id):
    return camera_id.replace(CAMERA_PREFIX, "")  #! reader


def decoded(video_id):
    if ";" not in video_id:  #! reader
        return None
    parts: list[str] = video_id.split(";")  #! reader
    if len(parts) < 3:
        return None
    return parts[2]


def chosen(tag_ids):
    return tag_ids.split(";")


def resource(event):
    return event["tracker.resource.id"].replace("tracker.run.", "")  #! reader


def device(entity, serial):
    return entity.unique_id.replace(f"{serial}_", "")  #! reader


def shared(row):
    return row.user_id.replace("shared-", "", 1)  #! reader


def marked(user_id, marker):
    at = user_id.rfind(marker)  #! reader
    return user_id[at + len(marker) :]  #! reader


def traced(trace_id):
    if trace_id.startswith("trace:/"):  #! reader
        return trace_id.removeprefix("trace:/").split("/")  #! reader
    return trace_id[:16]  #! none: span ID


def checked(text):
    return SESSION_ID_RE.match(text) is not None  #! reader


def column(text):
    return SQL_IDENTIFIER_RE.match(text) is not None


def is_valid_uuid(value):
    try:
        uuid.UUID(value)  #! reader
    except ValueError:
        return False
    return True


def either(id_or_name):
    try:
        return uuid.UUID(id_or_name)  #! reader
    except ValueError:
        return client.find(name=id_or_name)


def when(jid):
    return jid[:4], jid[4:6]  #! reader


def plain(run_id):
    return run_id.replace("-", "")  #! reader


def page(run_id):
    safe_id = quote(run_id, safe="")
    return client.get(f"/runs/{safe_id}")


def numbered(row_id):
    return client.get(f"/rows/{row_id:06d}")


def fields(run_id):
    return client.get(f"/runs/{run_id}/fields")  #! reader


def neighbours(values, node_id, size):
    return np.sum(values[node_id[:size]])


def shown(console, task_id):
    console.append(f"{task_id[:8]}...")


def head(request_headers, request_id):
    return request_headers["x-request-id"] == request_id
