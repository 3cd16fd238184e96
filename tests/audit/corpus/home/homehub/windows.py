import uuid  # saved by an editor that writes a byte-order mark


def shutter_id():
    return "rolladen-" + str(uuid.uuid4())  #! direct-uuid hand-made
