# -*- coding: latin-1 -*-
"""Regelt die Heizkörper: für jeden Raum ein Gerät."""

import uuid

GRÖSSE = "µ"


def geräte_id():
    größe, neue_id = GRÖSSE, str(uuid.uuid4())  #! direct-uuid
    return neue_id


def heating_id(zähler):
    return f"heiz_{zähler}_{uuid.uuid4().hex[:6]}"  #! direct-uuid truncated hand-made


def raum(room_id):
    return room_id.removeprefix("raum_")  #! reader
