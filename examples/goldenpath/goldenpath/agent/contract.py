"""What an agent is: it reads a conversation and answers with a stream of events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Message:
    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class Thinking:
    """What the agent is about to do, in a sentence for the reader."""

    text: str


@dataclass(frozen=True)
class ToolExecuting:
    """A tool starts. `call` names it within this reply only."""

    call: str
    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class ToolCompleted:
    """A tool has ended. If `ok` is false, `result` says in one sentence what went wrong."""

    call: str
    tool: str
    result: str
    ok: bool


@dataclass(frozen=True)
class Token:
    """The next piece of the answer. All pieces joined are the answer."""

    text: str


@dataclass(frozen=True)
class Usage:
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True)
class Completed:
    """The last event: the whole answer, and its cost if that is known."""

    text: str
    usage: Usage | None


Event = Thinking | ToolExecuting | ToolCompleted | Token | Completed


class Agent(Protocol):
    @property
    def name(self) -> str: ...

    def reply(self, history: Sequence[Message]) -> AsyncGenerator[Event, None]:
        """The events of one reply to the last message, ending with `Completed`.

        A failing tool is an event with `ok=False`; anything that makes an answer impossible raises
        `AgentError`. Cancelling the reader, or `aclose()`, stops at once and frees what was in use.
        """
        ...


class AgentError(Exception):
    """No answer is possible: one sentence that can be shown to the user, holding no secret."""


class ToolError(Exception):
    """A tool can't give a result: one sentence that can be shown to the user and to a model."""
