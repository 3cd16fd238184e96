"""The chat service: threads, runs of the agent, and the WebSocket they are watched on."""

from .app import create_app

__all__ = ["create_app"]
