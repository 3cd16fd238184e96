"""The chat service over HTTP and WebSocket."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp

from canonid import NotFound, Registry
from canonid.aliases import SQLiteStore
from canonid.scopes import Snapshot
from canonid.websockets import Hub
from goldenpath.agent import Docs, agent_from_environment
from goldenpath.auth.tokens import Tokens
from goldenpath.settings import Settings

from .access import Access, Caller
from .conversation import Conversations
from .forms import Forms
from .store import ChatStore, Message, Thread

PROJECT = Path(__file__).parents[4]
PAGE = Path(__file__).parents[1] / "page"
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(settings: Settings, registry: Registry, records: SQLiteStore, auth: ASGIApp) -> FastAPI:
    """The chat service; `auth` answers below /auth, be it the auth service itself or a way to it."""
    store = ChatStore(settings.data / "chat.db")
    forms = Forms(registry, records)
    access = Access(Tokens(settings), records, store)
    docs = Docs([PROJECT / "README.md", PROJECT / "docs", PROJECT / "examples" / "goldenpath"], PROJECT)
    agent = agent_from_environment(os.environ, docs, token_delay=settings.token_delay)

    def mint(kind: str, parent: Any) -> str:
        if kind == "run":
            return registry.mint("run", service="chat", thread=parent.text)
        return registry.mint(kind, service="gateway", stage="prod")

    hub = Hub(registry, records, origins=settings.origins, mint=mint, limits=settings.limits)
    conversations = Conversations(registry, records, store, forms, hub, agent)
    hub.on_message(conversations.receive)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with hub.lifespan(app):
            yield
        docs.close()
        store.close()

    app = FastAPI(title="golden path: chat", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.hub = hub
    Signed = Annotated[Caller, Depends(access)]

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        for name, value in SECURITY.items():
            response.headers.setdefault(name, value)
        if request.url.path.startswith("/api"):
            response.headers["Cache-Control"] = "no-store"
        elif request.url.path.startswith("/page"):
            response.headers["Cache-Control"] = "no-cache"
        return response

    @app.exception_handler(NotFound)
    async def not_found(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": "not found"}, 404)

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    @app.get("/healthz")
    async def healthz() -> dict[str, Any]:
        return {"ok": True, "agent": agent.name, **hub.counts()._asdict()}

    @app.get("/api/me")
    async def me(caller: Signed) -> dict[str, Any]:
        user = await asyncio.to_thread(forms.recorded, "user", caller.user_text)
        session = await asyncio.to_thread(forms.recorded, "session", caller.session_text)
        return {"name": caller.name, "user": user, "session": session, "expires_at": caller.expires_at}

    @app.get("/api/threads")
    async def threads(caller: Signed) -> list[dict[str, Any]]:
        mine = await asyncio.to_thread(store.threads, caller.user)
        return [shown_thread(thread) for thread in mine]

    @app.post("/api/threads", status_code=201)
    async def new_thread(
        caller: Signed, title: Annotated[str, Body(embed=True, max_length=200)] = ""
    ) -> dict[str, Any]:
        def create() -> Thread:
            text = registry.mint("thread", service="chat")
            lineage = records.record(text, kind="thread", parent=caller.user, parent_kind="user")
            return store.add_thread(lineage.child, text, caller.user, title.strip())

        return shown_thread(await asyncio.to_thread(create))

    @app.get("/api/threads/{thread_id}")
    async def thread(thread_id: str, caller: Signed) -> dict[str, Any]:
        lineage = await asyncio.to_thread(records.authorise, thread_id, kind="thread", principal=caller.user)
        # Before the messages are read: a run that ends in between must not look lost.
        live = {run.id for run in hub.runs_of(lineage.child) if not run.ended}
        found, messages = await asyncio.to_thread(
            lambda: (store.thread(lineage.child), store.messages(lineage.child))
        )
        if found is None:
            raise NotFound
        return shown_thread(found) | {"messages": shown_messages(messages, live), "runs": sorted(live)}

    @app.post("/api/ticket")
    async def ticket(caller: Signed) -> dict[str, str]:
        issued = hub.tickets.issue(
            principal=caller.user, session=caller.session, expires_at=caller.expires_at
        )
        return {"ticket": issued}

    @app.get("/api/open")
    async def open_now(caller: Signed) -> dict[str, Any]:
        return {"open": [shown_node(node) for node in hub.tree.snapshot(caller.user)]}

    def shown_thread(thread: Thread) -> dict[str, Any]:
        ids = forms.of("thread", thread.text)
        return {"id": thread.id, "title": thread.title, "created_at": thread.created_at, "thread": ids}

    def shown_messages(messages: list[Message], live: set[str]) -> list[dict[str, Any]]:
        answered = {message.run for message in messages if message.role == "assistant"}
        out: list[dict[str, Any]] = []
        for message in messages:
            ids = [forms.of("message", message.id), forms.of("run", message.run_text)]
            shown: dict[str, Any] = {"id": message.id, "role": message.role, "text": message.text}
            shown |= {"run": message.run, "status": message.status, "created_at": message.created_at}
            out.append(shown | {"ids": ids})
            if message.role == "user" and message.run not in answered | live:
                # Its server died in the middle: the question is kept, the answer is not.
                lost = {
                    "id": f"lost-{message.id}",
                    "role": "assistant",
                    "text": "",
                    "status": "lost",
                    "ids": [],
                }
                out.append(shown | lost)
        return out

    def shown_node(node: Snapshot) -> dict[str, Any]:
        children = [shown_node(child) for child in node.children if child.kind in registry.kinds]
        return forms.of(node.kind, node.text) | {"opened_at": node.opened_at, "children": children}

    async def log_out(session: str) -> None:
        """The auth service says that a session has ended."""
        child = (await asyncio.to_thread(records.resolve, session, "session", "auth")).canonical
        await asyncio.to_thread(store.end_session, child)
        await hub.close_session(child)

    app.state.log_out = log_out
    app.routes.append(WebSocketRoute("/ws", hub))
    app.mount("/auth", auth)
    app.mount("/page", StaticFiles(directory=PAGE))
    return app
