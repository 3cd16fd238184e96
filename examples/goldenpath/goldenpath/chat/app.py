"""The chat service over HTTP and WebSocket."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from canonid import NotFound, Registry
from canonid.aliases import SQLiteStore
from canonid.scopes import Snapshot
from canonid.websockets import Code, Hub
from canonid.websockets.valkey import ValkeyBackplane
from goldenpath.agent import Docs, agent_from_environment
from goldenpath.auth.tokens import Tokens
from goldenpath.proxy import AuthProxy
from goldenpath.settings import Settings
from goldenpath.workers import Workers

from .access import Access, Caller
from .conversation import Conversations
from .forms import Forms
from .store import ChatStore, Message, Thread

PROJECT = Path(__file__).parents[4]
PAGE = Path(__file__).parents[1] / "page"
MAX_BODY = 16 * 1024  # bytes
MAX_THREADS = 200  # listed, the newest
MAX_MESSAGES = 500  # of one thread, the newest
LOOK_AGAIN = 2.0  # seconds until sessions that another process has ended are looked for again
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


async def nowhere(socket: WebSocket) -> None:
    """A WebSocket to an address that is none: refused with a code that a browser can read."""
    await socket.accept()
    await socket.close(Code.NOT_FOUND, "no such address")


def create_app(settings: Settings, registry: Registry, records: SQLiteStore, auth: ASGIApp) -> FastAPI:
    """The chat service; `auth` answers below /auth, be it the auth service itself or a way to it."""
    store = ChatStore(settings.data / "chat.db")
    workers = Workers("chat")
    forms = Forms(registry, records)
    access = Access(registry, Tokens(settings), records, store, workers)
    docs = Docs([PROJECT / "README.md", PROJECT / "docs", PROJECT / "examples" / "goldenpath"], PROJECT)
    agent = agent_from_environment(os.environ, docs, token_delay=settings.token_delay)

    def mint(kind: str, parent: Any) -> str:
        if kind == "run":
            return registry.mint("run", service="chat", thread=parent.text)
        return registry.mint(kind, service="gateway", stage="prod")

    own = {"request": None}  # the browser makes the IDs of its requests itself
    shared = ValkeyBackplane(settings.valkey) if settings.valkey else None
    hub = Hub(
        registry,
        records,
        backplane=shared,
        origins=settings.origins,
        mint=mint,
        ids=own,
        limits=settings.limits,
    )
    conversations = Conversations(registry, records, store, forms, hub, agent, workers)
    hub.on_message(conversations.receive)

    async def close_ended_sessions() -> None:
        """Close what belongs to sessions that another process has ended."""
        last = 0
        while True:
            for number, session in await workers(store.sessions_ended_after, last):
                await hub.close_session(session)
                last = number
            await asyncio.sleep(LOOK_AGAIN)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        closing = asyncio.create_task(close_ended_sessions())
        try:
            async with hub.lifespan(app):
                yield
        finally:
            closing.cancel()
            await asyncio.wait({closing})
            if isinstance(auth, AuthProxy):
                await auth.aclose()
            await asyncio.to_thread(workers.close)
            for thing in (docs, store, records):
                thing.close()

    app = FastAPI(
        title="golden path: chat",
        lifespan=lifespan,
        max_body_size=MAX_BODY,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.hub = hub
    Signed = Annotated[Caller, Depends(access)]

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        origin = request.headers.get("origin")
        own = f"{request.url.scheme}://{request.headers.get('host')}"
        if request.method != "GET" and origin not in (None, own, *settings.origins):
            return JSONResponse({"detail": "pages of this origin may not call"}, 403)
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

    @app.exception_handler(RequestValidationError)
    async def unfit(request: Request, error: Exception) -> Response:
        # Without an echo of what came in, which may not even be printable.
        return JSONResponse({"detail": "expected a JSON object as the README describes it"}, 422)

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    @app.get("/healthz")
    async def healthz() -> dict[str, Any]:
        return {"ok": True, "agent": agent.name, **hub.counts()._asdict()}

    @app.get("/api/me")
    async def me(caller: Signed) -> dict[str, Any]:
        user = await workers(forms.recorded, "user", caller.user_text)
        session = await workers(forms.recorded, "session", caller.session_text)
        return {"name": caller.name, "user": user, "session": session, "expires_at": caller.expires_at}

    @app.get("/api/threads")
    async def threads(caller: Signed) -> list[dict[str, Any]]:
        return await workers(lambda: list(map(shown_thread, store.threads(caller.users, MAX_THREADS))))

    @app.post("/api/threads", status_code=201)
    async def new_thread(
        caller: Signed, title: Annotated[str, Body(embed=True, max_length=200)] = ""
    ) -> dict[str, Any]:
        def create() -> dict[str, Any]:
            text = registry.mint("thread", service="chat")
            lineage = records.record(text, kind="thread", parent=caller.user)
            return shown_thread(store.add_thread(lineage.child, text, caller.user, title.strip()))

        return await workers(create)

    @app.get("/api/threads/{thread_id}")
    async def thread(thread_id: str, caller: Signed) -> dict[str, Any]:
        lineage = await workers(records.authorise, thread_id, kind="thread", principal=caller.user)
        # Before the messages are read: a run that ends in between must not look lost.
        live = {run.run for run in await hub.runs_of(lineage.child) if not run.ended}

        def read() -> dict[str, Any]:
            found = store.thread(lineage.child)
            if found is None:
                raise NotFound
            messages = shown_messages(store.messages(lineage.child, MAX_MESSAGES), live)
            return shown_thread(found) | {"messages": messages, "runs": sorted(live)}

        return await workers(read)

    @app.post("/api/ticket")
    async def ticket(caller: Signed) -> dict[str, str]:
        issued = await hub.issue_ticket(
            principal=caller.user, session=caller.session, expires_at=caller.expires_at
        )
        return {"ticket": issued}

    @app.get("/api/open")
    async def open_now(caller: Signed) -> dict[str, Any]:
        return {"open": [shown_node(node) for node in await hub.live_of(caller.user)]}

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
        child = (await workers(records.resolve, session, "session", "auth")).canonical
        await workers(store.end_session, child)
        await hub.close_session(child)

    app.state.log_out = log_out
    app.routes.append(WebSocketRoute("/ws", hub))
    app.routes.append(WebSocketRoute("/{path:path}", nowhere))
    app.mount("/auth", auth)
    app.mount("/page", StaticFiles(directory=PAGE))
    return app
