"""Agents that answer a conversation with a stream of events: a built-in one, and any OpenAI-compatible model.

Nothing here knows of HTTP servers, WebSockets or IDs: the chat backend names what it wants to keep.
"""

from .contract import (
    Agent,
    AgentError,
    Completed,
    Event,
    Message,
    Thinking,
    Token,
    ToolCompleted,
    ToolExecuting,
    Usage,
)
from .environment import agent_from_environment
from .search import Docs

__all__ = [
    "Agent",
    "AgentError",
    "Completed",
    "Docs",
    "Event",
    "Message",
    "Thinking",
    "Token",
    "ToolCompleted",
    "ToolExecuting",
    "Usage",
    "agent_from_environment",
]
