from os import *
from random import *
from secrets import *
from uuid import *


def token_id():
    return token_urlsafe(12)  #! strong-source


def worker_id():
    return randrange(1 << 31)  #! weak-source


def package_id():
    return str(uuid1())  #! direct-uuid


def block_id():
    return urandom(12).hex()  #! strong-source
