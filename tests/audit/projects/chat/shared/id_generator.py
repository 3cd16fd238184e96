"""IDs without a registry."""

import secrets
import time
import uuid


class UnifiedIdGenerator:
    """Unified IDs for requests and connections."""

    _count = 0

    @classmethod
    def generate_base_id(cls, prefix, include_random=True, random_length=8):
        cls._count += 1
        stem = f"{prefix}_{int(time.time() * 1000)}_{cls._count}"
        return f"{stem}_{secrets.token_hex(4)[:random_length]}" if include_random else stem

    @staticmethod
    def generate_websocket_client_id(user_id, timestamp=None):
        return f"ws_client_{user_id[:8]}_{int(time.time() * 1000)}_{uuid.uuid4().hex[:8]}"

    @staticmethod
    def generate_thread_id():
        return f"thread-{uuid.uuid4()}"
