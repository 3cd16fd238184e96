"""The agent against a real HTTP server that speaks chat completions as each test tells it to."""

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from goldenpath.agent import (
    AgentError,
    Completed,
    Docs,
    Event,
    Message,
    Thinking,
    Token,
    ToolCompleted,
    ToolExecuting,
    Usage,
)
from goldenpath.agent.openai import OpenAIAgent
from goldenpath.agent.tools import Tools, toolbox

KEY = "sk-very-secret"
Scene = Callable[[Receive, Send], Awaitable[None]]


class Endpoint:
    """Plays one scene per request, the last one again and again, and keeps what was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.scenes: list[Scene] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        self.paths.append(scope["path"])
        self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        self.bodies.append(json.loads(body))
        scene = self.scenes.pop(0) if len(self.scenes) > 1 else self.scenes[0]
        await scene(receive, send)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    listening = socket.create_server(("127.0.0.1", 0))
    endpoint = Endpoint(f"http://127.0.0.1:{listening.getsockname()[1]}/v1")
    server = uvicorn.Server(
        uvicorn.Config(endpoint, loop="asyncio", http="h11", lifespan="off", log_level="critical")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield endpoint
    server.should_exit = True
    thread.join()


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[Tools]:
    (tmp_path / "concepts.md").write_text("# Concepts\n\n## Scope\n\nA scope holds resources.\n")
    with Docs([tmp_path], tmp_path) as docs:
        yield toolbox(docs)


# Scenes


async def start(
    send: Send, status: int = 200, content_type: str = "text/event-stream; charset=utf-8"
) -> None:
    headers = [(b"content-type", content_type.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def put(send: Send, body: bytes, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def event(data: object) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def text(content: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}]})


def call(**delta: object) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"tool_calls": [delta]}, "finish_reason": None}]})


def finish(reason: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


def used(tokens_in: int, tokens_out: int) -> bytes:
    return event({"choices": [], "usage": {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}})


DONE = b"data: [DONE]\n\n"


def streamed(*chunks: bytes) -> Scene:
    async def scene(receive: Receive, send: Send) -> None:
        await start(send)
        for chunk in chunks:
            await put(send, chunk)
        await put(send, b"", more=False)

    return scene


def answered(status: int, body: str, content_type: str = "application/json") -> Scene:
    async def scene(receive: Receive, send: Send) -> None:
        await start(send, status, content_type)
        await put(send, body.encode(), more=False)

    return scene


async def silent(receive: Receive, send: Send) -> None:
    await gone(receive)


# Asking


def agent_for(endpoint: Endpoint, tools: Tools, key: str = KEY, read_timeout: float = 20) -> OpenAIAgent:
    return OpenAIAgent(endpoint.url, key, "tiny", tools, timeout=httpx.Timeout(20, read=read_timeout))


def reply(agent: OpenAIAgent, history: Sequence[Message] = (Message("user", "hi"),)) -> list[Event]:
    async def collect() -> list[Event]:
        async with aclosing(agent.reply(history)) as events:
            return [event async for event in events]

    return asyncio.run(collect())


def failure(agent: OpenAIAgent) -> str:
    with pytest.raises(AgentError) as caught:
        reply(agent)
    assert KEY not in str(caught.value)
    return str(caught.value)


def test_an_answer_is_streamed_and_completed_with_its_usage(endpoint: Endpoint, tools: Tools) -> None:
    endpoint.scenes = [streamed(text("Hel"), text("lo"), finish("stop"), used(12, 2), DONE)]
    history = [Message("user", "hi"), Message("assistant", "yes?"), Message("user", "greet \ud800 me")]
    assert reply(agent_for(endpoint, tools), history) == [
        Thinking("I ask tiny."),
        Token("Hel"),
        Token("lo"),
        Completed("Hello", Usage(12, 2)),
    ]
    assert endpoint.paths == ["/v1/chat/completions"]
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"
    body = endpoint.bodies[0]
    assert (body["model"], body["stream"], body["stream_options"]) == ("tiny", True, {"include_usage": True})
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
    assert body["messages"][-1]["content"] == "greet \ud800 me"
    assert [tool["function"]["name"] for tool in body["tools"]] == ["calculator", "docs_search"]


def test_without_a_key_no_authorization_is_sent_and_usage_may_be_unknown(
    endpoint: Endpoint, tools: Tools
) -> None:
    endpoint.scenes = [streamed(text("ok"), finish("stop"))]
    assert reply(agent_for(endpoint, tools, key=""))[-1] == Completed("ok", None)
    assert "authorization" not in endpoint.headers[0]


def test_tokens_arrive_while_the_endpoint_is_still_writing(endpoint: Endpoint, tools: Tools) -> None:
    received = threading.Event()

    async def scene(receive: Receive, send: Send) -> None:
        await start(send)
        await put(send, text("first"))
        assert await asyncio.to_thread(received.wait, 20)
        await put(send, text(" second") + DONE, more=False)

    async def read() -> str:
        async for event in agent_for(endpoint, tools).reply([Message("user", "hi")]):
            if isinstance(event, Token):
                received.set()
        assert isinstance(event, Completed)
        return event.text

    endpoint.scenes = [scene]
    assert asyncio.run(read()) == "first second"


def test_an_answer_cut_into_single_bytes_is_whole(endpoint: Endpoint, tools: Tools) -> None:
    stream = b": hello\n\n" + text("naïve → 😀") + finish("stop") + DONE
    stream = stream.replace(b"\n", b"\r\n")
    endpoint.scenes = [streamed(*(bytes([byte]) for byte in stream))]
    assert reply(agent_for(endpoint, tools))[-1] == Completed("naïve → 😀", None)


def test_half_a_surrogate_pair_from_the_endpoint_is_replaced(endpoint: Endpoint, tools: Tools) -> None:
    lone = text("so: X").replace(b"X", rb"\ud83d")
    whole = text("X").replace(b"X", rb"\ud83d\ude00")
    endpoint.scenes = [streamed(lone, whole, DONE)]
    assert reply(agent_for(endpoint, tools))[-1] == Completed("so: ?😀", None)


def test_what_comes_after_done_is_not_awaited(endpoint: Endpoint, tools: Tools) -> None:
    async def scene(receive: Receive, send: Send) -> None:
        await start(send)
        await put(send, text("ok") + DONE)
        await gone(receive)

    endpoint.scenes = [scene]
    assert reply(agent_for(endpoint, tools))[-1] == Completed("ok", None)


def test_tools_are_called_and_their_results_given_back(endpoint: Endpoint, tools: Tools) -> None:
    endpoint.scenes = [
        streamed(
            text("Let me see."),
            call(index=0, id="a", function={"name": "calculator", "arguments": ""}),
            call(index=0, function={"arguments": '{"expres'}),
            call(index=1, id="b", function={"name": "docs_search", "arguments": '{"query":'}),
            call(index=0, function={"arguments": 'sion": "6*7"}'}),
            call(index=1, function={"arguments": ' "scope"}'}),
            finish("tool_calls"),
            used(10, 5),
            DONE,
        ),
        streamed(
            call(index=0, id="a", function={"name": "calculator", "arguments": '{"expression": "1/0"}'}), DONE
        ),
        streamed(text("It is 42."), finish("stop"), used(20, 7), DONE),
    ]
    found = "“A scope holds resources.” (concepts.md, Scope)"
    assert reply(agent_for(endpoint, tools)) == [
        Thinking("I ask tiny."),
        Token("Let me see."),
        ToolExecuting("call_1", "calculator", {"expression": "6*7"}),
        ToolCompleted("call_1", "calculator", "6*7 = 42", ok=True),
        ToolExecuting("call_2", "docs_search", {"query": "scope"}),
        ToolCompleted("call_2", "docs_search", found, ok=True),
        Thinking("I give the results to tiny."),
        ToolExecuting("call_3", "calculator", {"expression": "1/0"}),
        ToolCompleted("call_3", "calculator", "division by zero", ok=False),
        Thinking("I give the results to tiny."),
        Token("\n\nIt is 42."),
        Completed("Let me see.\n\nIt is 42.", Usage(30, 12)),
    ]
    asked, first, second = endpoint.bodies[1]["messages"][-3:]
    assert asked["content"] == "Let me see."
    assert [(made["id"], made["function"]["name"]) for made in asked["tool_calls"]] == [
        ("a", "calculator"),
        ("b", "docs_search"),
    ]
    assert json.loads(asked["tool_calls"][0]["function"]["arguments"]) == {"expression": "6*7"}
    assert first == {"role": "tool", "tool_call_id": "a", "content": "6*7 = 42"}
    assert second == {"role": "tool", "tool_call_id": "b", "content": found}


@pytest.mark.parametrize("arguments", ["{not json", "[1]", ""])
def test_arguments_that_are_no_object_are_a_failing_tool(
    endpoint: Endpoint, tools: Tools, arguments: str
) -> None:
    endpoint.scenes = [
        streamed(call(index=0, id="a", function={"name": "calculator", "arguments": arguments}), DONE),
        streamed(text("sorry"), DONE),
    ]
    events = reply(agent_for(endpoint, tools))
    assert [event.ok for event in events if isinstance(event, ToolCompleted)] == [False]
    assert events[-1] == Completed("sorry", None)


def test_a_model_that_only_calls_tools_is_stopped(endpoint: Endpoint, tools: Tools) -> None:
    endpoint.scenes = [
        streamed(
            call(index=0, id="a", function={"name": "calculator", "arguments": '{"expression": "1"}'}), DONE
        )
    ]
    assert "after 5 rounds" in failure(agent_for(endpoint, tools))
    assert [body["tool_choice"] for body in endpoint.bodies] == ["auto"] * 4 + ["none"]


@pytest.mark.parametrize(
    ("scene", "sentence"),
    [
        (answered(401, f'{{"error": "wrong key {KEY}"}}'), 'answered 401: {"error": "wrong key ***"}'),
        (answered(500, "x" * 100_000, "text/plain"), "answered 500: " + "x" * 200),
        (answered(307, "elsewhere"), "answered 307: elsewhere"),
        (answered(200, "<html>", "text/html"), "sent text/html instead of events; is its base URL right?"),
        (streamed(event({"error": f"busy, {KEY}"})), 'reports an error: "busy, ***"'),
        (streamed(b"data: {oops\n\n"), "sent something unreadable: {oops"),
        (streamed(b"data: [1]\n\n"), "sent something unreadable: [1]"),
        (streamed(event({"choices": [{"delta": {"content": 7}}]})), "sent something unreadable"),
        (streamed(event({"choices": 7})), "sent something unreadable"),
        (streamed(b"data: " + b"[" * 100_000 + b"\n\n"), "sent something unreadable: [[["),
        (streamed(text("half an ans")), "broke off in the middle"),
        (streamed(finish("stop"), DONE), "gave an empty answer"),
    ],
)  # fmt: skip
def test_a_failing_endpoint_is_one_clear_sentence(
    endpoint: Endpoint, tools: Tools, scene: Scene, sentence: str
) -> None:
    endpoint.scenes = [scene]
    said = failure(agent_for(endpoint, tools))
    assert said.startswith("the model")
    assert sentence in said
    assert len(said) < 300
    assert "\n" not in said


def test_a_connection_cut_in_mid_answer_is_said(endpoint: Endpoint, tools: Tools) -> None:
    async def scene(receive: Receive, send: Send) -> None:
        await start(send)
        await put(send, text("half an ans"))  # uvicorn cuts the connection when a response stays unfinished

    endpoint.scenes = [scene]
    assert "broke off in the middle" in failure(agent_for(endpoint, tools))


def test_an_endpoint_that_is_not_there_is_said(tools: Tools) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    agent = OpenAIAgent(f"http://127.0.0.1:{port}", KEY, "tiny", tools)
    assert failure(agent) == "the model endpoint can't be reached (ConnectError)"


def test_an_endpoint_that_stays_silent_is_given_up(endpoint: Endpoint, tools: Tools) -> None:
    endpoint.scenes = [silent]
    assert "took too long" in failure(agent_for(endpoint, tools, read_timeout=0.1))


@pytest.mark.parametrize("way", ["cancel", "aclose"])
def test_stopping_in_mid_answer_closes_the_http_stream(endpoint: Endpoint, tools: Tools, way: str) -> None:
    closed = threading.Event()

    async def scene(receive: Receive, send: Send) -> None:
        await start(send)
        await put(send, text("endless"))
        await gone(receive)
        closed.set()

    async def stop_after_the_first_token() -> bool:
        seen = asyncio.Event()

        async def read() -> None:
            async with aclosing(agent_for(endpoint, tools).reply([Message("user", "hi")])) as events:
                async for event in events:
                    if isinstance(event, Token):
                        seen.set()
                        if way == "aclose":
                            return

        task = asyncio.create_task(read())
        await seen.wait()
        if way == "cancel":
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() == (way == "cancel")
        return await asyncio.to_thread(closed.wait, 20)

    endpoint.scenes = [scene]
    assert asyncio.run(stop_after_the_first_token())


def test_cancelling_before_the_first_byte_closes_the_connection(endpoint: Endpoint, tools: Tools) -> None:
    asked, closed = threading.Event(), threading.Event()

    async def scene(receive: Receive, send: Send) -> None:
        asked.set()
        await gone(receive)
        closed.set()

    async def cancel() -> bool:
        task = asyncio.create_task(anext(agent_reply))
        assert isinstance(await task, Thinking)
        task = asyncio.create_task(anext(agent_reply))
        assert await asyncio.to_thread(asked.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.to_thread(closed.wait, 20)

    endpoint.scenes = [scene]
    agent_reply = agent_for(endpoint, tools).reply([Message("user", "hi")])
    assert asyncio.run(cancel())
