"""One question and its answer: a run that a user's connections watch."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import aclosing
from functools import partial
from time import time
from typing import Any, NamedTuple
from weakref import WeakSet, WeakValueDictionary

from canonid import NotFound, Registry
from canonid.aliases import SQLiteStore
from canonid.scopes import Scope
from canonid.websockets import Code, Connection, Hub, Refusal, Run
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
from goldenpath.workers import Workers

from .forms import Forms
from .store import ChatStore, Message, Status

MAX_TEXT = 8000
MAX_RUNS = 4  # at once, per user
HISTORY = 50  # messages that the agent is told

log = logging.getLogger("goldenpath.chat")


class Question(NamedTuple):
    """What is asked."""

    thread: str  # canonical, and the user's own: the hub has seen to that
    request: str  # canonical
    written: str  # the request's ID as the browser made it
    text: str


class Conversations:
    """Takes questions from connections, lets the agent answer them, and keeps both."""

    def __init__(
        self,
        registry: Registry,
        records: SQLiteStore,
        store: ChatStore,
        forms: Forms,
        hub: Hub,
        agent: Agent,
        workers: Workers,
    ) -> None:
        self._registry = registry
        self._records = records
        self._store = store
        self._forms = forms
        self._hub = hub
        self._agent = agent
        self._workers = workers
        self._starting: Counter[str] = Counter()  # by principal
        self._runs: WeakSet[Run] = WeakSet()  # as long as the hub keeps them
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    async def receive(self, connection: Connection, message: dict[str, Any]) -> None:
        """A message of a client. What it may not do ends its connection; what fails is told to it."""
        if message.get("type") != "chat":
            raise Refusal("no such type of message")
        thread, request, text = (message.get(name) for name in ("thread", "request", "text"))
        if not (isinstance(thread, str) and isinstance(request, str) and isinstance(text, str)):
            raise Refusal("thread, request and text must be text")
        if await self._workers(self._store.session_ended, connection.session):
            raise Refusal("session closed", Code.NOT_AUTHENTICATED)  # by another process
        found = self._registry.recognise(request, "request")
        if found.answer is None:
            await self._refuse(connection, request, f"request: {found.reason}")
            return
        question = Question(thread, found.answer.canonical, request, text.strip())
        # A task of its own: a connection that drops now must not leave half a question.
        task = asyncio.create_task(self._ask(connection, question))
        self._tasks.add(task)
        task.add_done_callback(self._asked)
        await asyncio.shield(task)

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, NotFound):
            log.error("a question could not be taken", exc_info=error)

    async def _refuse(self, connection: Connection, request: str, reason: str) -> None:
        await connection.send({"type": "error", "reason": reason, "request": request})

    async def _ask(self, connection: Connection, question: Question) -> None:
        lock = self._asking.setdefault(question.request, asyncio.Lock())
        async with lock:
            asked = await self._workers(self._known, question, connection.principal)
            if asked is not None:
                await self._accept(connection, asked)
            elif not 0 < len(question.text) <= MAX_TEXT:
                reason = f"a question has 1 to {MAX_TEXT} characters, this one has {len(question.text)}"
                await self._refuse(connection, question.written, reason)
            elif self._busy(connection.principal) >= MAX_RUNS:
                reason = f"{MAX_RUNS} answers are being written for you already; wait for one or stop it"
                await self._refuse(connection, question.written, reason)
            else:
                await self._accept(connection, await self._begin(connection, question))

    def _known(self, question: Question, principal: str) -> Message | None:
        """The message that this request asked before. NotFound if somebody else did."""
        asked = self._store.question(question.request)
        if asked is not None:
            self._records.authorise(asked.thread, kind="thread", principal=principal)
            self._record_question(asked, question.written)
        return asked

    async def _begin(self, connection: Connection, question: Question) -> Message:
        """Store the question and start its run."""
        principal = connection.principal
        stored: asyncio.Future[Question] = asyncio.get_running_loop().create_future()
        self._starting[principal] += 1  # at once, so that asking twenty times in a moment counts twenty
        try:
            execute = partial(self._execute, stored=stored)
            run = await self._hub.start_run(connection, thread=question.thread, execute=execute)
            self._runs.add(run)
        finally:
            self._starting -= Counter((principal,))
        try:
            asked = await self._workers(self._keep_question, run, question)
        except BaseException:
            stored.cancel()
            raise
        if asked.run != run.id:
            stored.cancel()  # another process was faster with the same request
        elif run.ended:
            await self._workers(self._keep_answer, run, "", "cancelled")
        else:
            stored.set_result(question)
        return asked

    def _busy(self, principal: str) -> int:
        """How many answers are being written for somebody, or are about to be."""
        live = sum(run.principal == principal and not run.ended for run in self._runs)
        return live + self._starting[principal]

    async def _accept(self, connection: Connection, asked: Message) -> None:
        accepted = {"thread": asked.thread, "request": asked.request, "run": asked.run, "message": asked.id}
        await connection.send({"type": "accepted"} | accepted)

    def _keep_question(self, run: Run, question: Question) -> Message:
        """The stored message; the first of a request counts. Lineage comes after, and can be made up for."""
        id = self._registry.mint("message", service="chat")
        asked = Message(
            *(id, run.thread, run.id, run.text, question.request, "user", question.text, "complete", time())
        )
        if not self._store.add_message(asked):
            kept = self._store.question(question.request)
            assert kept is not None, "it was in the way a moment ago, and nothing deletes messages"
            return kept
        self._record_question(asked, question.written)
        self._store.name_thread(run.thread, question.text[:60])
        return asked

    def _record_question(self, asked: Message, request: str) -> None:
        self._records.record(request, kind="request", parent=asked.run)
        self._records.record(asked.id, kind="message", parent=asked.thread)

    # The run

    async def _execute(self, run: Run, *, stored: asyncio.Future[Question]) -> None:
        # Shielded, because cancelling the run must not cancel the future that is about to be set.
        await self._answer(run, await asyncio.shield(stored))

    async def _answer(self, run: Run, question: Question) -> None:
        scope = self._hub.tree.find("run", run.id, principal=run.principal)
        assert isinstance(scope, Scope), "the hub opens a scope for every run"
        scope.claim("request", question.written)
        agent, agent_text = await self._mint("agent", run.id)
        scope.claim("agent", agent_text)
        history = await self._workers(self._history, run.thread)
        asked = self._forms.of("request", question.written)
        await run.publish(
            "agent_started",
            {"agent": self._forms.of("agent", agent_text), "request": asked, "text": question.text},
        )
        reply = Reply(self, run, scope, agent)
        status: Status = "cancelled"
        failure = ""
        try:
            async with aclosing(self._agent.reply(history)) as events:
                async for event in events:
                    await reply.show(event)
            status = "complete"
        except AgentError as error:
            status, failure = "failed", str(error)
        except Exception as error:
            status = "failed"
            await self._alert(run, f"{type(error).__name__} in the agent")
            raise
        finally:
            # Also when cancelled: what was said so far stays said.
            message = await asyncio.shield(self._workers(self._keep_answer, run, reply.text, status))
        if failure:
            await self._alert(run, failure)
            await run.publish("agent_failed", {"reason": failure})
            await run.end("run_failed", {"reason": failure})
            return
        transaction = await self._workers(self._charge, run, reply.usage)
        await run.publish(
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
        said = self._store.messages(thread, HISTORY)
        return [Said(message.role, message.text) for message in said if message.text]

    def _keep_answer(self, run: Run, text: str, status: Status) -> str:
        id, written = self._minted("message", run.thread, service="chat")
        self._store.add_message(
            Message(id, run.thread, run.id, run.text, None, "assistant", text, status, time())
        )
        return written

    def _charge(self, run: Run, usage: Usage) -> str:
        id, text = self._minted("transaction", run.id, service="billing")
        self._store.add_transaction(id, text, run.id, usage.tokens_in, usage.tokens_out)
        return text

    async def _alert(self, run: Run, reason: str) -> None:
        def keep() -> str:
            id, text = self._minted("alert", run.id, service="monitor", level="error")
            self._store.add_alert(id, text, run.id, reason)
            return text

        log.error("%s: run %s: %s", await self._workers(keep), run.id, reason)

    # IDs

    async def _mint(self, kind: str, parent: str) -> tuple[str, str]:
        return await self._workers(self._minted, kind, parent, service="chat")

    def _minted(self, kind: str, parent: str, *, service: str, **fields: str) -> tuple[str, str]:
        """A new ID, recorded below its parent: canonical, and as the service writes it."""
        text = self._registry.mint(kind, service=service, **fields)
        return self._records.record(text, kind=kind, parent=parent).child, text

    async def begin_tool(self, scope: Scope, agent: str) -> dict[str, Any]:
        """A new tool call below an agent, live in the run's scope."""
        _, text = await self._mint("tool", agent)
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
                await self._run.publish("agent_thinking", {"text": text})
            case Token(text):
                self.text += text
                await self._run.publish("token", {"text": text})
            case ToolExecuting(call, tool, arguments):
                self._tools[call] = await self._conversations.begin_tool(self._scope, self._agent)
                shown = {"tool": self._tools[call], "name": tool, "arguments": arguments}
                await self._run.publish("tool_executing", shown)
            case ToolCompleted(call, tool, result, ok):
                forms = self._tools.pop(call)
                await self._scope.release("tool", forms["text"])
                await self._run.publish(
                    "tool_completed", {"tool": forms, "name": tool, "ok": ok, "result": result}
                )
            case Completed(text, usage):
                self.text = text
                self.usage = usage or self.usage
