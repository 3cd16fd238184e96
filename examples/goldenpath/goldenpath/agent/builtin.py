"""The agent that needs no model: it decides by rules, calls its tools and answers from their results."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Any, NamedTuple

from . import calculator, search
from .contract import Completed, Event, Message, Thinking, Token, ToolCompleted, ToolExecuting, Usage
from .tools import CALCULATOR, DOCS_SEARCH, NOTHING_FOUND, Tools, execute

MAX_EXPRESSIONS = 3  # calculated in one reply
ABILITIES = (
    "I can calculate (try “what is 12.5% of 80?”) and look things up in this project's docs "
    "(try “what is a scope?”)."
)

_GREETING = re.compile(r"\s*(hello|hi|hey|good (morning|afternoon|evening))\b", re.IGNORECASE)
_CALCULATION_WORDS = {"calc", "calculate", "compute", "equal", "equals", "evaluate", "result", "sum", "value"}
# 4401/4404 or 2024-01-05: arithmetic only if the message says nothing else.
_PERHAPS_A_NAME = re.compile(r"[0-9]{4,}([-/][0-9]+)+")


class Step(NamedTuple):
    tool: str
    arguments: dict[str, Any]


class BuiltInAgent:
    """Answers from the calculator and the docs, and never from anything else.

    `token_delay`: seconds between two pieces of the answer, so that streaming can be seen.
    """

    name = "built-in"

    def __init__(self, tools: Tools, *, token_delay: float = 0.02) -> None:
        self._tools = tools
        self._token_delay = token_delay

    async def reply(self, history: Sequence[Message]) -> AsyncGenerator[Event, None]:
        question = next((message.text for message in reversed(history) if message.role == "user"), "")
        steps = decide(question)
        yield Thinking(_thought(steps))
        parts = [] if steps else [_introduction(question)]
        for number, step in enumerate(steps, start=1):
            call = f"call_{number}"
            yield ToolExecuting(call, step.tool, step.arguments)
            completed = await execute(self._tools, call, step.tool, step.arguments)
            yield completed
            parts.append(_part(step, completed))
        answer = "\n\n".join(parts)
        tokens = pieces(answer)
        for token in tokens:
            yield Token(token)
            await asyncio.sleep(self._token_delay)
        yield Completed(answer, Usage(tokens_in=len(pieces(question)), tokens_out=len(tokens)))


def decide(question: str) -> list[Step]:
    """The tools that can answer a question: the calculator for arithmetic, the docs for the other words."""
    expressions, rest = calculator.find(question)
    terms = [term for term in search.terms(rest) if not expressions or term not in _CALCULATION_WORDS]
    names = [text for text in expressions if terms and _PERHAPS_A_NAME.fullmatch(text)]
    expressions = [text for text in expressions if text not in names]
    steps = [Step(CALCULATOR, {"expression": text}) for text in expressions[:MAX_EXPRESSIONS]]
    if terms:
        steps.append(Step(DOCS_SEARCH, {"query": " ".join(terms + names)}))
    return steps


def pieces(text: str) -> list[str]:
    """The text in pieces of a word or less, nothing lost."""
    return re.findall(r"\s*\S{1,8}|\s+", text)


def _thought(steps: list[Step]) -> str:
    plans = {CALCULATOR: "calculate {expression}", DOCS_SEARCH: "look in the docs for “{query}”"}
    todo = [plans[step.tool].format(**step.arguments) for step in steps]
    return f"I will {', then '.join(todo)}." if todo else "There is nothing to calculate or to look up."


def _introduction(question: str) -> str:
    return f"Hello! {ABILITIES}" if _GREETING.match(question) else ABILITIES


def _part(step: Step, completed: ToolCompleted) -> str:
    if step.tool == CALCULATOR:
        expression = step.arguments["expression"]
        return completed.result if completed.ok else f"I can't calculate {expression}: {completed.result}."
    if not completed.ok:
        return f"I can't search the docs: {completed.result}."
    if completed.result == NOTHING_FOUND:
        return f"I found nothing about “{step.arguments['query']}” in the docs. {ABILITIES}"
    return f"The docs say:\n\n{completed.result}"
