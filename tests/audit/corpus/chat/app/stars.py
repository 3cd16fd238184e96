from uuid import *
from time import *


def project_id():
    return str(uuid4())  #! direct-uuid


def build_id():
    return "build-" + str(int(time()))  #! hand-made time-only
