"""Takes IDs apart."""

import re
import uuid
from pathlib import Path

THREAD_ID = re.compile(r"^thread_([0-9a-f]{32})$")
UUID_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  #! ~reader


def owner(connection_id):
    return connection_id.split("_")[1]  #! reader


def is_thread(value_id):
    return value_id.startswith("thread_")  #! reader


def is_temporary(room_id: str) -> bool:
    return room_id.endswith("_tmp")  #! reader


def thread_of_run(run_id):
    parts = run_id.split("_")  #! reader
    return parts[1]  #! ~reader


def three_parts(run_id):
    _, thread, stamp = run_id.split("_")  #! reader
    return thread, int(stamp)


def bare(thread_id):
    return thread_id[7:]  #! reader


def without(message_id):
    return message_id.removeprefix("msg_")  #! reader


def replaced(message_id):
    return message_id.replace("msg_", "")  #! reader


def matches(thread_id):
    return THREAD_ID.match(thread_id) is not None  #! reader


def looks_right(user_id):
    return re.match(r"^user_\d+$", user_id)  #! reader


def valid_length(session_id):
    return len(session_id) == 36  #! reader


def as_uuid(external_id):
    return uuid.UUID(external_id)  #! reader


def is_uuid(user_id):
    try:
        uuid.UUID(str(user_id))  #! reader
    except ValueError:
        return False
    return True


def attachment_path(root, attachment_id):
    return Path(root) / f"{attachment_id}.bin"  #! reader


def open_upload(upload_id):
    return open(f"/var/uploads/{upload_id}", "rb")  #! reader


async def fetch(client, user_id):
    return await client.get(f"https://users.internal/api/users/{user_id}")  #! reader


def select(cursor, order_id):
    cursor.execute(f"SELECT * FROM orders WHERE id = '{order_id}'")  #! reader


def remove(cursor, user_id):
    cursor.execute("DELETE FROM users WHERE id = '%s'" % user_id)  #! reader


def safe(cursor, order_id):
    cursor.execute("SELECT * FROM orders WHERE id = %s", (order_id,))  #! none: bound parameter


def same(user_id, thread_id):
    return user_id == thread_id  #! reader


def kinds(event):
    if event.run_id.partition("_")[0] == "run":  #! reader
        return "run"
    if "ws_" in event.connection_id:  #! reader
        return "socket"
    return None


def stamp_of(message_id):
    return int(message_id.rsplit("_", 1)[-1])  #! reader


def words(text):
    return text.split("_")[1]  #! none: a text


def is_private(name):
    return name.startswith("_")  #! none: a name


def extension(filename):
    return filename.rsplit(".", 1)[-1]  #! none: a file name


def header(line):
    key, value = line.split(":", 1)  #! none: a header line
    return key, value


def page(items, limit):
    return items[:limit]  #! none: a list


def same_user(user_id, other_user_id):
    return user_id == other_user_id  #! none: the same kind


def missing(user_id):
    return user_id is None or user_id == ""  #! none: presence


def listed(user_ids):
    return user_ids[:10]  #! none: a list of IDs


def valid(identity):
    return len(identity.groups) == 3  #! none: not an ID
