"""Makers of IDs as values: tables, defaults, partials."""

import functools
import uuid
from collections import defaultdict
from uuid import NAMESPACE_URL, uuid4, uuid5

MAKERS = {
    "run": uuid4,  #! direct-uuid
    "model": lambda: uuid.uuid1().hex,  #! direct-uuid
    "dataset": functools.partial(uuid5, NAMESPACE_URL),  #! direct-uuid
}

fresh = uuid.uuid4  #! direct-uuid
newest = getattr(uuid, "uuid7", None) or uuid.uuid4  #! direct-uuid
ids = defaultdict(uuid.uuid4)  #! direct-uuid


def make(kind):
    return MAKERS[kind]()


def versioned(version):
    return getattr(uuid, f"uuid{version}")()  #! ~direct-uuid


def span(factory=uuid4):  #! direct-uuid
    return factory()


def batch(count):
    return list(map(lambda _: str(fresh()), range(count)))  #! direct-uuid


def keyed(names):
    return dict(zip(names, iter(uuid4, None)))  #! direct-uuid


def handed_on():
    one = uuid
    two = one
    model_id = two.uuid4()  #! direct-uuid
    return model_id


def unpacked():
    make, parse = uuid.uuid4, uuid.UUID  #! direct-uuid
    return parse(str(make()))  #! direct-uuid


def inner():
    def mint():
        return uuid4().hex  #! direct-uuid

    return mint()


class Base:
    new_id = staticmethod(uuid.uuid4)  #! direct-uuid

    def __init__(self, run_id=None):
        self.run_id = run_id if run_id is not None else self.new_id()  #! ~direct-uuid


class Registry:
    def uuid4(self):
        return "fixed"

    def __init__(self, uuid5=None):
        self.first = self.uuid4()  #! none: a method of its own
        self.second = uuid5("x") if uuid5 else None  #! none: a parameter


def shadowed_in_loop(modules):
    for uuid in modules:
        uuid.uuid4()  #! none: a loop's variable


def shadowed_by_with(open_source):
    with open_source() as uuid4:
        return uuid4()  #! none: what a with statement bound


def shadowed_in_comprehension(makers):
    return [uuid4() for uuid4 in makers]  #! none: a comprehension's variable


def still_real():
    return [uuid4() for _ in range(2)]  #! direct-uuid


def only_asked(value):
    return isinstance(value, uuid.UUID)  #! none: a type


def zero():
    return uuid.UUID(int=0)  #! none: a constant
