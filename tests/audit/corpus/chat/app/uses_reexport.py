from app import reexport
from app.reexport import fresh_id, new_uuid


def create_room(name):
    return {"id": str(new_uuid()), "name": name}  #! direct-uuid


def create_user(name):
    return {"user_id": fresh_id().hex, "name": name}  #! direct-uuid


def create_bot(name):
    return {"bot_id": reexport.new_uuid(), "name": name}  #! direct-uuid
