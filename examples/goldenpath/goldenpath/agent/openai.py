"""An agent behind any endpoint that speaks OpenAI's chat completions, streamed, with tools."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import httpx

from .contract import AgentError, Completed, Event, Message, Thinking, Token, ToolExecuting, Usage
from .sse import sse_data
from .tools import Tools, execute

MAX_ROUNDS = 5  # requests per reply; the last one may not call tools
MAX_SHOWN = 200  # characters of an endpoint's own words in an error
# Reading: the longest silence between two chunks, the first one included.
TIMEOUT = httpx.Timeout(connect=10, read=60, write=10, pool=10)
INSTRUCTIONS = (
    "You answer questions about this project and do arithmetic. Use the calculator for every calculation "
    "and docs_search before you say anything about the project; name the file and section you quote. "
    "If the tools give no answer, say so instead of guessing."
)


class OpenAIAgent:
    """Answers with a model at `base_url`, the part of its address before `/chat/completions`.

    An empty `api_key` sends no Authorization header. No error ever holds the key.
    """

    def __init__(
        self, base_url: str, api_key: str, model: str, tools: Tools, *, timeout: httpx.Timeout = TIMEOUT
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise AgentError("the base URL of the model endpoint must start with http:// or https://")
        if not (api_key.isascii() and api_key.isprintable()):
            raise AgentError("the API key holds characters that an HTTP header can't carry")
        self.name = model
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._api_key = api_key
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._tools = tools
        self._timeout = timeout
        self._ssl_context = httpx.create_ssl_context()

    async def reply(self, history: Sequence[Message]) -> AsyncGenerator[Event, None]:
        messages: list[dict[str, Any]] = [{"role": "system", "content": INSTRUCTIONS}]
        messages += [{"role": message.role, "content": message.text} for message in history]
        answer = ""
        usage: Usage | None = None
        handles = (f"call_{number}" for number in count(1))
        async with httpx.AsyncClient(verify=self._ssl_context, timeout=self._timeout) as client:
            for round_number in count(1):
                plan = "I ask {}." if round_number == 1 else "I give the results to {}."
                yield Thinking(plan.format(self.name))
                turn = _Turn()
                separator = "\n\n" if answer else ""
                request = self._request(messages, may_call_tools=round_number < MAX_ROUNDS)
                async with aclosing(self._chunks(client, request)) as chunks:
                    async for chunk in chunks:
                        turn.add(chunk)
                        if chunk.text:
                            answer += separator + chunk.text
                            yield Token(separator + chunk.text)
                            separator = ""
                if not turn.finished:
                    raise AgentError("the model endpoint broke off in the middle of its answer; try again")
                usage = _sum(usage, turn.usage)
                if not turn.calls:
                    break
                if round_number == MAX_ROUNDS:
                    raise AgentError(f"the model still wanted to call tools after {MAX_ROUNDS} rounds")
                messages.append(turn.message())
                for requested in turn.calls.values():
                    handle, arguments = next(handles), requested.parsed()
                    yield ToolExecuting(handle, requested.name, arguments)
                    completed = await execute(self._tools, handle, requested.name, arguments)
                    yield completed
                    messages.append(
                        {"role": "tool", "tool_call_id": requested.id, "content": completed.result}
                    )
        if not answer:
            raise AgentError("the model gave an empty answer")
        yield Completed(answer, usage)

    def _request(self, messages: list[dict[str, Any]], *, may_call_tools: bool) -> dict[str, Any]:
        functions = [
            {
                "name": name,
                "description": tool.description,
                "parameters": {
                    "type": "object",
                    "properties": {tool.argument: {"type": "string"}},
                    "required": [tool.argument],
                },
            }
            for name, tool in self._tools.items()
        ]
        return {
            "model": self.name,
            "messages": messages,
            "tools": [{"type": "function", "function": function} for function in functions],
            "tool_choice": "auto" if may_call_tools else "none",
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    async def _chunks(
        self, client: httpx.AsyncClient, request: dict[str, Any]
    ) -> AsyncGenerator[_Chunk, None]:
        # Escaped by json.dumps, even half a surrogate pair in a user's text can be sent.
        body = json.dumps(request).encode()
        try:
            async with client.stream("POST", self._url, content=body, headers=self._headers) as response:
                await self._check(response)
                async with aclosing(sse_data(response.aiter_bytes())) as events:
                    async for data in events:
                        if data.strip() == "[DONE]":
                            yield _DONE
                            return
                        yield self._chunk(data)
        except httpx.TimeoutException:
            raise AgentError("the model endpoint took too long to answer; try again") from None
        except (httpx.RemoteProtocolError, httpx.ReadError):
            raise AgentError("the model endpoint broke off in the middle of its answer; try again") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AgentError(f"the model endpoint can't be reached ({type(error).__name__})") from None

    async def _check(self, response: httpx.Response) -> None:
        content_type = response.headers.get("content-type", "")
        if response.is_success and content_type.startswith("text/event-stream"):
            return
        if response.is_success:
            sent = self._shown(content_type) or "no content type"
            raise AgentError(f"the model endpoint sent {sent} instead of events; is its base URL right?")
        await response.aread()
        raise AgentError(f"the model endpoint answered {response.status_code}: {self._shown(response.text)}")

    def _chunk(self, data: str) -> _Chunk:
        try:
            chunk = _json(data)
            if not chunk.get("error"):
                return _Chunk.read(chunk)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            raise AgentError(f"the model endpoint sent something unreadable: {self._shown(data)}") from None
        raise AgentError(f"the model endpoint reports an error: {self._shown(json.dumps(chunk['error']))}")

    def _shown(self, text: str) -> str:
        """An endpoint's own words: on one line, short, without the key even if it echoes it."""
        hidden = text.replace(self._api_key, "***") if self._api_key else text
        return " ".join(hidden.split())[:MAX_SHOWN]


class _CallPart(NamedTuple):
    number: int
    id: str
    name: str
    arguments: str


class _Chunk(NamedTuple):
    """What one event of a completion says."""

    text: str = ""
    calls: tuple[_CallPart, ...] = ()
    finished: bool = False
    usage: Usage | None = None

    @classmethod
    def read(cls, chunk: dict[str, Any]) -> _Chunk:
        choice = (chunk.get("choices") or [{}])[0]
        delta = choice.get("delta") or {}
        usage = chunk.get("usage")
        return cls(
            text=_text(delta.get("content")),
            calls=tuple(
                _CallPart(
                    int(call.get("index", position)),
                    _text(call.get("id")),
                    _text(call.get("function", {}).get("name")),
                    _text(call.get("function", {}).get("arguments")),
                )
                for position, call in enumerate(delta.get("tool_calls") or [])
            ),
            finished=bool(choice.get("finish_reason")),
            usage=Usage(int(usage["prompt_tokens"]), int(usage["completion_tokens"])) if usage else None,
        )


_DONE = _Chunk(finished=True)


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise TypeError("expected a text")


def _json(text: str) -> Any:
    value = json.loads(text)
    if "\\ud" not in text.lower():
        return value
    # Half a surrogate pair may stand escaped in JSON, but nobody could encode it again.
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


@dataclass
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""

    def parsed(self) -> dict[str, Any]:
        """The arguments, or none if the model wrote something else than a JSON object."""
        try:
            arguments = _json(self.arguments)
        except (ValueError, RecursionError):
            return {}
        return arguments if isinstance(arguments, dict) else {}


@dataclass
class _Turn:
    """One completion, put together from its chunks."""

    text: str = ""
    calls: dict[int, _Call] = field(default_factory=dict)
    finished: bool = False
    usage: Usage | None = None

    def add(self, chunk: _Chunk) -> None:
        self.text += chunk.text
        self.finished = self.finished or chunk.finished
        self.usage = chunk.usage or self.usage
        for part in chunk.calls:
            call = self.calls.setdefault(part.number, _Call())
            call.id = call.id or part.id or f"call_{part.number}"
            call.name += part.name
            call.arguments += part.arguments

    def message(self) -> dict[str, Any]:
        """This completion as the next request has to repeat it."""
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.parsed())},
            }
            for call in self.calls.values()
        ]
        return {"role": "assistant", "content": self.text or None, "tool_calls": calls}


def _sum(first: Usage | None, second: Usage | None) -> Usage | None:
    if first is None or second is None:
        return first or second
    return Usage(first.tokens_in + second.tokens_in, first.tokens_out + second.tokens_out)
