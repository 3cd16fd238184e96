"""IDs with a registry."""

from __future__ import annotations

import time
import uuid
from enum import Enum
from threading import Lock


class IDType(Enum):
    USER = "user"
    THREAD = "thread"
    RUN = "run"
    WEBSOCKET = "websocket"

    @classmethod
    def parse(cls, text: str) -> IDType:
        return cls(text)


class UnifiedIDManager:
    """The single source of truth for every ID of the platform."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[str, IDType] = {}

    def generate_id(self, id_type: IDType, prefix: str | None = None, *, context: dict | None = None) -> str:
        new_id = f"{prefix or id_type.value}_{int(time.time() * 1000)}_{uuid.uuid4().hex[:8]}"
        with self._lock:
            self._known[new_id] = id_type
        return new_id

    def release_id(self, id_value: str) -> bool:
        return self._known.pop(id_value, None) is not None

    @classmethod
    def generate_run_id(cls, thread_id: str) -> str:
        return f"run_{thread_id}_{uuid.uuid4().hex[:8]}"

    @staticmethod
    def generate_thread_id() -> str:
        return f"thread_{int(time.time() * 1000)}_{uuid.uuid4().hex[:8]}"


shared_id_manager = UnifiedIDManager()


def get_id_manager() -> UnifiedIDManager:
    return shared_id_manager


def generate_user_id() -> str:
    return get_id_manager().generate_id(IDType.USER)
