import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldenpath.agent import Completed, Docs, Event, Message, Thinking, Token, ToolCompleted, ToolExecuting
from goldenpath.agent.builtin import BuiltInAgent, decide, pieces
from goldenpath.agent.tools import execute, toolbox


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docs]:
    root = tmp_path_factory.mktemp("project")
    (root / "concepts.md").write_text("# Concepts\n\n## Scope\n\nA scope holds resources; close code 4404.\n")
    with Docs([root], root) as docs:
        yield docs


def reply(docs: Docs, *texts: str) -> list[Event]:
    async def collect() -> list[Event]:
        agent = BuiltInAgent(toolbox(docs), token_delay=0)
        async with aclosing(agent.reply([Message("user", text) for text in texts])) as events:
            return [event async for event in events]

    return asyncio.run(collect())


def answer(events: list[Event]) -> str:
    completed = events[-1]
    assert isinstance(completed, Completed)
    return completed.text


def test_arithmetic_is_answered_by_the_calculator(docs: Docs) -> None:
    events = reply(docs, "what is 17 * 23 + 4?")
    assert events[:3] == [
        Thinking("I will calculate 17 * 23 + 4."),
        ToolExecuting("call_1", "calculator", {"expression": "17 * 23 + 4"}),
        ToolCompleted("call_1", "calculator", "17 * 23 + 4 = 395", ok=True),
    ]
    assert answer(events) == "17 * 23 + 4 = 395"


def test_a_question_is_answered_by_quoting_the_docs_with_their_source(docs: Docs) -> None:
    events = reply(docs, "What is a scope?")
    assert ToolExecuting("call_1", "docs_search", {"query": "scope"}) in events
    assert "“A scope holds resources; close code 4404.” (concepts.md, Scope)" in answer(events)


def test_a_mixed_question_uses_both_tools_under_handles_of_their_own(docs: Docs) -> None:
    events = reply(docs, "what is a scope, and what is 1/3?")
    executing = [(event.call, event.tool) for event in events if isinstance(event, ToolExecuting)]
    completed = [(event.call, event.tool) for event in events if isinstance(event, ToolCompleted)]
    assert executing == completed == [("call_1", "calculator"), ("call_2", "docs_search")]
    assert "1/3 ≈ 0.333333333333333" in answer(events)
    assert "A scope holds resources" in answer(events)


def test_a_failing_tool_is_an_event_and_the_answer_says_so(docs: Docs) -> None:
    events = reply(docs, "what is 1/0? and 2+2?")
    assert ToolCompleted("call_1", "calculator", "division by zero", ok=False) in events
    assert answer(events) == "I can't calculate 1/0: division by zero.\n\n2+2 = 4"


def test_a_broken_index_is_a_failing_tool(tmp_path: Path) -> None:
    docs = Docs([tmp_path], tmp_path)
    docs.close()
    events = reply(docs, "what is a scope?")
    assert [event.ok for event in events if isinstance(event, ToolCompleted)] == [False]
    assert answer(events).startswith("I can't search the docs: ")


def test_nothing_found_is_said_plainly(docs: Docs) -> None:
    text = answer(reply(docs, "weather in Paris?"))
    assert text.startswith("I found nothing about “weather paris” in the docs. I can calculate")


@pytest.mark.parametrize("text", ["hello!", "what can you do?", "help", "", "???"])
def test_without_a_task_it_says_what_it_can_do(docs: Docs, text: str) -> None:
    events = reply(docs, text)
    assert not any(isinstance(event, ToolExecuting) for event in events)
    assert "I can calculate" in answer(events)
    assert answer(events).startswith("Hello!") == (text == "hello!")


def test_the_last_message_of_the_user_is_answered(docs: Docs) -> None:
    assert answer(reply(docs, "what is 1+1?", "what is 2+2?")) == "2+2 = 4"


def test_numbers_in_a_question_that_name_something_are_searched_not_calculated() -> None:
    assert [step.tool for step in decide("close code 4401/4404?")] == ["docs_search"]
    assert decide("close code 4401/4404?")[0].arguments == {"query": "close code 4401/4404"}
    assert [step.tool for step in decide("4401/4404")] == ["calculator"]


@settings(deadline=None)
@given(st.text())
def test_tokens_joined_are_the_answer_and_usage_counts_them(docs: Docs, text: str) -> None:
    events = reply(docs, text)
    tokens = [event.text for event in events if isinstance(event, Token)]
    completed = events[-1]
    assert isinstance(completed, Completed)
    assert "".join(tokens) == completed.text != ""
    assert completed.usage is not None
    assert completed.usage.tokens_out == len(tokens)
    assert isinstance(events[0], Thinking)


@given(st.text())
def test_pieces_lose_nothing(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_cancelling_stops_between_two_tokens(docs: Docs) -> None:
    async def cancel_after_the_first_token() -> list[Event]:
        seen: list[Event] = []
        first = asyncio.Event()

        async def read() -> None:
            async for event in BuiltInAgent(toolbox(docs), token_delay=3600).reply([Message("user", "hi")]):
                seen.append(event)
                if isinstance(event, Token):
                    first.set()

        task = asyncio.create_task(read())
        await first.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert sum(isinstance(event, Token) for event in asyncio.run(cancel_after_the_first_token())) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("shell", {"command": "ls"}, "there is no tool 'shell'; there are calculator, docs_search"),
        ("calculator", {}, "needs the argument 'expression'"),
        ("calculator", {"expression": 3}, "needs the argument 'expression'"),
    ],
)
def test_a_call_that_no_tool_can_serve_is_refused(
    docs: Docs, name: str, arguments: dict[str, object], reason: str
) -> None:
    completed = asyncio.run(execute(toolbox(docs), "call_1", name, arguments))
    assert not completed.ok
    assert reason in completed.result
