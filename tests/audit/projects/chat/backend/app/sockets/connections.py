"""Connections of users."""

from auth_service.auth_ids import new_session_id


class Connections:
    def __init__(self, registry):
        self.registry = registry

    def open(self, user_id, socket):
        self.registry.register(f"ws_{user_id}", socket)
        return new_session_id()

    def close(self, user_id):
        self.registry.unregister(f"websocket_{user_id}")

    def reopen(self, user_id, socket):
        self.registry.unregister(f"ws_{user_id}")
        self.registry.register(f"ws_{user_id}", socket)


def session_of(session_id):
    kind, env, token = session_id.split("_")
    return kind, env, token
