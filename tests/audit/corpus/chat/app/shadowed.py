"""Names that look like the standard library's and are not."""

import uuid


class FakeUUID:
    def uuid4(self):
        return "0"


def with_parameter(uuid):
    return uuid.uuid4()  #! none: shadowed by a parameter


def with_local():
    uuid = FakeUUID()
    return uuid.uuid4()  #! none: shadowed by a local variable


def uuid4():
    return "fixed"


def own_function():
    return uuid4()  #! none: a function of this module


def real():
    user_id = uuid.uuid4()  #! direct-uuid
    return user_id


class Client:
    def uuid4(self):
        return self.session.get("/uuid4")

    def fetch(self):
        return self.uuid4()  #! none: a method of its own
