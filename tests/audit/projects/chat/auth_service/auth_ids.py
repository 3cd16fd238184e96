import uuid


def new_session_id():
    return f"sess_{uuid.uuid4().hex}"


def new_token_id():
    return f"tok_{uuid.uuid4().hex}"
