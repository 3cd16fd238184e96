"""IDs of the shop."""

import functools
import sys
import uuid


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(kwargs.pop("session", None), *args, **kwargs)

    return wrapper


@logged
def generate_order_id(session, customer):
    return f"ord_{uuid.uuid4().hex}"


if sys.version_info >= (3, 14):

    def generate_item_id(order_id):
        return f"item_{uuid.uuid7().hex}"

else:

    def generate_item_id():
        return f"item_{uuid.uuid4().hex}"


def generate_user_id(*parts, **options):
    return f"usr_{uuid.uuid4().hex}"


def generate_cart_id(name=None, /, *, kind="cart"):
    return f"{kind}_{uuid.uuid4().hex}"


new_cart_id = functools.partial(generate_cart_id, kind="c")
