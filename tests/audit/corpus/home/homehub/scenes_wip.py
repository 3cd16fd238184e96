"""Scenes, half merged."""  #! broken-file

import uuid


def scene_id():
<<<<<<< HEAD
    return uuid.uuid4().hex
=======
    return str(uuid.uuid4())
>>>>>>> feature/scenes
