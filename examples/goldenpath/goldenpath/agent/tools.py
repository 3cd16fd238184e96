"""The tools that every agent of this application has."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .calculator import calculate
from .contract import ToolCompleted, ToolError
from .search import Docs

CALCULATOR = "calculator"
DOCS_SEARCH = "docs_search"
NOTHING_FOUND = "Nothing in the docs matches."


@dataclass(frozen=True)
class Tool:
    """A function from one text to another; `run` raises `ToolError` if it can't give a result."""

    description: str
    argument: str
    run: Callable[[str], Awaitable[str]]


Tools = Mapping[str, Tool]


def toolbox(docs: Docs) -> Tools:
    """The calculator and the search over `docs`, by name."""

    async def calculator(expression: str) -> str:
        return calculate(expression)

    async def search(query: str) -> str:
        try:
            hits = await asyncio.to_thread(docs.search, query)
        except sqlite3.Error as error:
            raise ToolError(f"the index of the docs can't be read: {error}") from error
        return "\n\n".join(f"“{hit.snippet}” ({hit.path}, {hit.section})" for hit in hits) or NOTHING_FOUND

    return {
        CALCULATOR: Tool(
            "Exact arithmetic: + - * / // % ^, parentheses, sqrt, abs, round, min, max, pi, e, '15% of 80'.",
            "expression",
            calculator,
        ),
        DOCS_SEARCH: Tool(
            "Full-text search in this project's documentation; gives passages with file and section.",
            "query",
            search,
        ),
    }


async def execute(tools: Tools, call: str, name: str, arguments: Mapping[str, Any]) -> ToolCompleted:
    """Run one tool; a call it can't serve, from a model's mistake or its own failure, is `ok=False`."""
    tool = tools.get(name)
    if tool is None:
        known = ", ".join(tools)
        return ToolCompleted(call, name, f"there is no tool {name[:64]!a}; there are {known}", False)
    text = arguments.get(tool.argument)
    if not isinstance(text, str):
        return ToolCompleted(call, name, f"{name} needs the argument '{tool.argument}', a text", False)
    try:
        return ToolCompleted(call, name, await tool.run(text), True)
    except ToolError as error:
        return ToolCompleted(call, name, str(error), False)
