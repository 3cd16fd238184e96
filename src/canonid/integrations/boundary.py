"""ASGI middleware at the boundary of a service: IDs come in canonical and go out as the peer accepts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from functools import partial
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, unquote_plus

from canonid import incidents
from canonid.aliases import Store
from canonid.core import Identity, Registry
from canonid.counters import Counters
from canonid.integrations.crossing import Crossing, Place, Refused

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Event, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Answer = TypeVar("Answer")

STATE = "canonid"  # in the scope's state
STARTS = ("http.response.start", "websocket.http.response.start", "websocket.accept")
POLICY, INCIDENT, NOT_FOUND = 1008, 1011, 4404  # the close codes of canonid.websockets
MAX_REASON = 123  # what a close frame holds


class Boundary:
    """Wraps an ASGI application that is `service` in the registry.

    `headers` and `query` say which kind of ID stands in a header or query parameter, `claims` in which
    claim of `verified(scope)`: the claims of a token that the application has checked, or None. `peer` names
    the service on the other side, or finds it in a scope; it settles ambiguous IDs, and answers are written
    in what it accepts, in canonical IDs if it isn't known.

    A request's IDs are replaced by canonical ones in its headers and query. All of them, claims too, are
    Identity objects in `scope["state"]["canonid"]`, by ("header", name), ("query", name) or ("claim", name).
    One that does not cross is refused with 400 and a reason in JSON; a WebSocket is accepted and closed, with
    4404, or 1008 for several values where one is expected. The declared headers of answers are IDs as well;
    what can't be written is an incident, and the answer 500 or 1011.

    Says how an ID is written, not whose it is: authorise it, e.g. with `Store.authorise`. Without a
    `store` the registry alone resolves. `counters` count `boundary_ids` by direction, place, kind, format
    and reason. Raises UnknownName for what the registry doesn't declare.
    """

    def __init__(
        self,
        app: App,
        registry: Registry,
        *,
        service: str,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        claims: Mapping[str, str] | None = None,
        verified: Callable[[Event], Mapping[str, Any] | None] = lambda scope: None,
        peer: str | Callable[[Event], str | None] | None = None,
        store: Store | None = None,
        counters: Counters | None = None,
    ) -> None:
        self.counters = Counters() if counters is None else counters
        self._app = app
        self._services = registry.services
        self._store = store
        self._crossing = Crossing(registry, service, store, self.counters)
        self._headers = {name.lower(): Place("header", name.lower(), kind) for name, kind in _items(headers)}
        self._query = {name: Place("query", name, kind) for name, kind in _items(query)}
        self._claims = {name: Place("claim", name, kind) for name, kind in _items(claims)}
        self._verified = verified
        self._peer = peer
        for place in (*self._headers.values(), *self._query.values(), *self._claims.values()):
            registry.kind(place.kind)
        if isinstance(peer, str):
            registry.service(peer)

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            peer = self._known(self._peer(scope) if callable(self._peer) else self._peer)
            values = self._values(scope)
            found = await self._off_loop(partial(self._read, values, peer)) if values else {}
        except Refused as refused:
            await _refuse(_refusal(refused), scope, receive, send)
            return
        except Exception as error:  # noqa: BLE001 - the application's `verified` and `peer`, and the store
            incident = incidents.report(error, "reading the IDs of a request")
            await _refuse(_incident(incident), scope, receive, send)
            return
        await self._app(self._rewritten(scope, found), receive, _Egress(self, peer, send))

    async def outgoing(self, peer: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a request to `peer`, the declared ones among them in what it accepts.

        Raises Refused where there is no such writing, UnknownName for an undeclared service.
        """
        crossing = {name: place for name in headers if (place := self._headers.get(name.lower()))}
        if not crossing:
            return dict(headers)
        write = self._crossing.write

        def written() -> dict[str, str]:
            return {name: write(place, headers[name], peer) for name, place in crossing.items()}

        return {**headers, **await self._off_loop(written)}

    def hook(self, peer: str) -> Callable[[Any], Awaitable[None]]:
        """`outgoing` for each request, for httpx: `event_hooks={"request": [boundary.hook(peer)]}`."""

        async def write(request: Any) -> None:
            declared = {name: request.headers[name] for name in self._headers if name in request.headers}
            request.headers.update(await self.outgoing(peer, declared))

        return write

    async def write_headers(self, headers: Iterable[tuple[bytes, bytes]], peer: str | None) -> Headers:
        """The headers of an answer, the declared ones in what `peer` accepts. Raises Refused."""
        listed = [(bytes(name), bytes(value)) for name, value in headers]
        places = [self._headers.get(name.decode("latin-1").lower()) for name, _ in listed]
        if not any(places):
            return listed
        write = self._crossing.write

        def written() -> Headers:
            return [
                (name, write(place, value.decode("latin-1"), peer).encode() if place else value)
                for (name, value), place in zip(listed, places, strict=True)
            ]

        return await self._off_loop(written)

    # Coming in

    def _known(self, peer: str | None) -> str | None:
        return peer if peer in self._services else None

    def _values(self, scope: Event) -> dict[Place, list[object]]:
        """What stands in each declared place that is there at all."""
        found: dict[Place, list[object]] = {}
        for raw, value in scope["headers"]:
            if place := self._headers.get(raw.decode("latin-1").lower()):
                found.setdefault(place, []).append(value.decode("latin-1"))
        for name, value, _ in _parameters(scope):
            if place := self._query.get(name):
                found.setdefault(place, []).append(value)
        claims = (self._verified(scope) or {}) if self._claims else {}
        return found | {place: [claims[name]] for name, place in self._claims.items() if name in claims}

    def _read(self, values: Mapping[Place, list[object]], peer: str | None) -> dict[Place, Identity]:
        return {place: self._crossing.read(place, texts, peer) for place, texts in values.items()}

    def _rewritten(self, scope: Event, found: Mapping[Place, Identity]) -> Event:
        identities = {(place.where, place.name): identity for place, identity in found.items()}
        rewritten = {**scope, "state": {**(scope.get("state") or {}), STATE: identities}}
        if not found:
            return rewritten
        canonical = {(place.where, place.name): identity.canonical for place, identity in found.items()}
        headers = []
        for name, value in scope["headers"]:
            replacing = canonical.get(("header", name.decode("latin-1").lower()))
            headers.append((name, value if replacing is None else replacing.encode()))
        parts = []
        for name, _, part in _parameters(scope):
            replacing = canonical.get(("query", name))
            written = part if replacing is None else f"{quote(name)}={quote(replacing)}"
            parts.append(written.encode("latin-1"))
        return {**rewritten, "headers": headers, "query_string": b"&".join(parts)}

    async def _off_loop(self, work: Callable[[], Answer]) -> Answer:
        """In a worker thread where a store may block."""
        return work() if self._store is None else await asyncio.to_thread(work)


class _Egress:
    """The `send` of one request: the declared headers of its answer are written for the peer."""

    def __init__(self, boundary: Boundary, peer: str | None, send: Send) -> None:
        self._boundary = boundary
        self._peer = peer
        self._send = send
        self._refused = False

    async def __call__(self, event: Event) -> None:
        if self._refused:
            return  # the rest of an answer that was replaced
        if event["type"] in STARTS and event.get("headers"):
            try:
                headers = await self._boundary.write_headers(event["headers"], self._peer)
            except Exception as error:  # noqa: BLE001 - what can't be written, and the store
                self._refused = True
                await self._fail(event, incidents.report(error, "writing an answer's headers"))
                return
            event = {**event, "headers": headers}
        await self._send(event)

    async def _fail(self, event: Event, incident: str) -> None:
        answer = _incident(incident)
        if event["type"] == "websocket.accept":
            await _accept_and_close(answer, event.get("subprotocol"), self._send)
        else:
            await _answer(answer, event["type"].removesuffix(".start"), self._send)


class _Answer(NamedTuple):
    """In place of the application's: for HTTP a status and JSON, for a WebSocket a close code and reason."""

    status: int
    body: Mapping[str, str]
    code: int
    reason: str


def _refusal(refused: Refused) -> _Answer:
    place = refused.place
    body = {"error": refused.reason, "place": str(place), "expected": place.kind, "detail": refused.message}
    code = POLICY if refused.reason == "repeated" else NOT_FOUND
    return _Answer(400, body, code, f"{place}: {refused.reason}"[:MAX_REASON])


def _incident(incident: str) -> _Answer:
    return _Answer(500, {"error": "incident", "incident": incident}, INCIDENT, incident)


async def _refuse(answer: _Answer, scope: Event, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await _answer(answer, "http.response", send)
        return
    # Accepted first: a refusal before that is an HTTP 403, which browsers report as 1006.
    await receive()
    await _accept_and_close(answer, next(iter(scope.get("subprotocols") or ()), None), send)


async def _accept_and_close(answer: _Answer, subprotocol: str | None, send: Send) -> None:
    await send({"type": "websocket.accept", "subprotocol": subprotocol})
    await send({"type": "websocket.close", "code": answer.code, "reason": answer.reason})


async def _answer(answer: _Answer, type: str, send: Send) -> None:
    encoded = json.dumps(answer.body).encode()
    length = str(len(encoded)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": f"{type}.start", "status": answer.status, "headers": headers})
    await send({"type": f"{type}.body", "body": encoded})


def _parameters(scope: Event) -> Iterator[tuple[str, str, str]]:
    """(name, value, as it was written) of each query parameter."""
    for part in scope.get("query_string", b"").decode("latin-1").split("&"):
        name, _, value = part.partition("=")
        yield unquote_plus(name), unquote_plus(value), part


def _items(declared: Mapping[str, str] | None) -> Iterable[tuple[str, str]]:
    return (declared or {}).items()
