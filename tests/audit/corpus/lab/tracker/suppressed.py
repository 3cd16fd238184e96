"""Places that are known, and places that should be."""

import random
import uuid


def legacy_id():
    return str(uuid.uuid4())  # canonid: ignore[CID101] old clients expect this form  #! none: ignored with a reason


def unexplained_id():
    return str(uuid.uuid4())  # canonid: ignore[CID101]  #! direct-uuid suppression


def unnamed_id():
    return str(uuid.uuid4())  # canonid: ignore because it is old  #! direct-uuid suppression


def wrong_code():
    model_id = uuid.uuid4()  # canonid: ignore[CID301] no randomness matters here  #! direct-uuid suppression
    return model_id


def nothing_here(rows):
    return sorted(rows)  # canonid: ignore[CID101] was once an ID  #! suppression


def over_lines():
    return dict(
        model_id=uuid.uuid4().hex,  #! none: ignored with a reason
        name="model",
    )  # canonid: ignore[CID101] moves with the next release


def quoted():
    return "# canonid: ignore[CID101]"  #! none: a text


def both():
    lab_id = f"lab_{uuid.uuid4().hex}"  # canonid: ignore[CID101, CID201] shown on printed labels  #! none: ignored
    return lab_id


def sampled(rows):
    return random.sample(rows, 3)  #! none: sampling
