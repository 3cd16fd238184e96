"""One question and its answer: a run that a user's connections watch."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from functools import partial
from time import time
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from canonid import Registry
from canonid.aliases import SQLiteStore
from canonid.scopes import Scope
from canonid.websockets import Connection, Hub, Refusal, Run
from goldenpath.agent import (
    Agent,
    AgentError,
    Completed,
    Thinking,
    Token,
    ToolCompleted,
    ToolExecuting,
    Usage,
)
from goldenpath.agent import (
    Message as Said,
)

from .forms import Forms
from .store import ChatStore, Message, Status

MAX_TEXT = 8000
MAX_RUNS = 4  # at once, per user

log = logging.getLogger("goldenpath.chat")


class Question(NamedTuple):
    """What was asked, once it is stored."""

    thread: str
    request: str  # as the browser made it
    text: str


class Conversations:
    """Takes questions from connections, lets the agent answer them, and keeps both."""

    def __init__(
        self, registry: Registry, records: SQLiteStore, store: ChatStore, forms: Forms, hub: Hub, agent: Agent
    ) -> None:
        self._registry = registry
        self._records = records
        self._store = store
        self._forms = forms
        self._hub = hub
        self._agent = agent
        self._live: dict[str, int] = {}
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def receive(self, connection: Connection, message: dict[str, Any]) -> None:
        """A message of a client. What it may not do ends its connection; what fails is told to it."""
        if message.get("type") != "chat":
            raise Refusal("no such type of message")
        thread, request, text = (message.get(name) for name in ("thread", "request", "text"))
        if not (isinstance(thread, str) and isinstance(request, str) and isinstance(text, str)):
            raise Refusal("thread, request and text must be text")
        lineage = await asyncio.to_thread(
            self._records.authorise, thread, kind="thread", principal=connection.principal
        )
        if reason := self._why_not(connection.principal, request, text):
            await connection.send({"type": "error", "reason": reason, "request": request})
            return
        identity = self._registry.identify(request, "request").canonical
        lock = self._asking.setdefault(identity, asyncio.Lock())
        async with lock:
            await self._ask(
                connection, lineage.child, identity, Question(lineage.child, request, text.strip())
            )

    def _why_not(self, principal: str, request: str, text: str) -> str:
        found = self._registry.recognise(request, "request")
        if found.answer is None:
            return f"request: {found.reason}"
        if not text.strip() or len(text) > MAX_TEXT:
            return f"a question has 1 to {MAX_TEXT} characters, this one has {len(text.strip())}"
        if self._live.get(principal, 0) >= MAX_RUNS:
            return f"{MAX_RUNS} answers are being written for you already; wait for one or stop it"
        return ""

    async def _ask(self, connection: Connection, thread: str, request: str, question: Question) -> None:
        asked = await asyncio.to_thread(self._store.question, request)
        if asked is not None:
            # Sent again after a blip; somebody else's request is as unknown as any.
            await asyncio.to_thread(
                self._records.authorise, request, kind="request", principal=connection.principal
            )
            await self._accept(connection, asked)
            return
        stored: asyncio.Future[Question] = asyncio.get_running_loop().create_future()
        run = await self._hub.start_run(
            connection, thread=thread, execute=partial(self._execute, stored=stored)
        )
        try:
            asked = await asyncio.to_thread(self._keep_question, run, request, question)
        except BaseException:
            stored.cancel()
            raise
        stored.set_result(question)
        await self._accept(connection, asked)

    async def _accept(self, connection: Connection, asked: Message) -> None:
        accepted = {"thread": asked.thread, "request": asked.request, "run": asked.run, "message": asked.id}
        await connection.send({"type": "accepted"} | accepted)

    def _keep_question(self, run: Run, request: str, question: Question) -> Message:
        self._records.record(question.request, kind="request", parent=run.id, parent_kind="run")
        id, _ = self._minted("message", run.thread, "thread", service="chat")
        message = Message(
            id, run.thread, run.id, run.text, request, "user", question.text, "complete", time()
        )
        self._store.add_message(message)
        self._store.name_thread(run.thread, question.text[:60])
        return message

    # The run

    async def _execute(self, run: Run, *, stored: asyncio.Future[Question]) -> None:
        self._live[run.principal] = self._live.get(run.principal, 0) + 1
        try:
            await self._answer(run, await stored)
        finally:
            self._live[run.principal] -= 1
            if not self._live[run.principal]:
                del self._live[run.principal]

    async def _answer(self, run: Run, question: Question) -> None:
        scope = self._hub.tree.find("run", run.id, principal=run.principal)
        assert isinstance(scope, Scope), "the hub opens a scope for every run"
        scope.claim("request", question.request)
        agent, agent_text = await self._mint("agent", run.id, "run")
        scope.claim("agent", agent_text)
        history = await asyncio.to_thread(self._history, run.thread)
        asked = self._forms.of("request", question.request)
        run.publish(
            "agent_started",
            {"agent": self._forms.of("agent", agent_text), "request": asked, "text": question.text},
        )
        reply = Reply(self, run, scope, agent)
        status: Status = "cancelled"
        try:
            async with aclosing(self._agent.reply(history)) as events:
                async for event in events:
                    await reply.show(event)
            status = "complete"
        except AgentError as error:
            status = "failed"
            await self._alert(run, str(error))
            run.publish("agent_failed", {"reason": str(error)})
            run.end("run_failed", {"reason": str(error)})
        except Exception as error:
            status = "failed"
            await self._alert(run, f"{type(error).__name__} in the agent")
            raise
        finally:
            # Also when cancelled: what was said so far stays said.
            message = await asyncio.shield(asyncio.to_thread(self._keep_answer, run, reply.text, status))
        if status == "complete":
            transaction = await asyncio.to_thread(self._charge, run, reply.usage)
            run.publish(
                "agent_completed",
                {
                    "agent": self._forms.of("agent", agent_text),
                    "message": self._forms.of("message", message),
                    "transaction": self._forms.of("transaction", transaction),
                    "usage": {"tokens_in": reply.usage.tokens_in, "tokens_out": reply.usage.tokens_out},
                    "text": reply.text,
                },
            )

    def _history(self, thread: str) -> list[Said]:
        return [Said(message.role, message.text) for message in self._store.messages(thread) if message.text]

    def _keep_answer(self, run: Run, text: str, status: Status) -> str:
        id, written = self._minted("message", run.thread, "thread", service="chat")
        self._store.add_message(
            Message(id, run.thread, run.id, run.text, None, "assistant", text, status, time())
        )
        return written

    def _charge(self, run: Run, usage: Usage) -> str:
        id, text = self._minted("transaction", run.id, "run", service="billing")
        self._store.add_transaction(id, text, run.id, usage.tokens_in, usage.tokens_out)
        return text

    async def _alert(self, run: Run, reason: str) -> None:
        def keep() -> str:
            id, text = self._minted("alert", run.id, "run", service="monitor", level="error")
            self._store.add_alert(id, text, run.id, reason)
            return text

        log.error("%s: run %s: %s", await asyncio.to_thread(keep), run.id, reason)

    # IDs

    async def _mint(self, kind: str, parent: str, parent_kind: str) -> tuple[str, str]:
        return await asyncio.to_thread(self._minted, kind, parent, parent_kind, service="chat")

    def _minted(
        self, kind: str, parent: str, parent_kind: str, *, service: str, **fields: str
    ) -> tuple[str, str]:
        """A new ID, recorded below its parent: canonical, and as the service writes it."""
        text = self._registry.mint(kind, service=service, **fields)
        return self._records.record(text, kind=kind, parent=parent, parent_kind=parent_kind).child, text

    async def begin_tool(self, scope: Scope, agent: str) -> dict[str, Any]:
        """A new tool call below an agent, live in the run's scope."""
        _, text = await self._mint("tool", agent, "agent")
        scope.claim("tool", text)
        return self._forms.of("tool", text)


class Reply:
    """Publishes one reply of the agent as events of a run."""

    def __init__(self, conversations: Conversations, run: Run, scope: Scope, agent: str) -> None:
        self.text = ""
        self.usage = Usage(0, 0)
        self._conversations = conversations
        self._run = run
        self._scope = scope
        self._agent = agent
        self._tools: dict[str, dict[str, Any]] = {}

    async def show(self, event: Thinking | ToolExecuting | ToolCompleted | Token | Completed) -> None:
        """Publish one event."""
        match event:
            case Thinking(text):
                self._run.publish("agent_thinking", {"text": text})
            case Token(text):
                self.text += text
                self._run.publish("token", {"text": text})
            case ToolExecuting(call, tool, arguments):
                self._tools[call] = await self._conversations.begin_tool(self._scope, self._agent)
                shown = {"tool": self._tools[call], "name": tool, "arguments": arguments}
                self._run.publish("tool_executing", shown)
            case ToolCompleted(call, tool, result, ok):
                forms = self._tools.pop(call)
                await self._scope.release("tool", forms["text"])
                self._run.publish("tool_completed", {"tool": forms, "name": tool, "ok": ok, "result": result})
            case Completed(text, usage):
                self.text = text
                self.usage = usage or self.usage
