"""Who is let in: accepted first, then origin, then ticket; nothing read and nothing registered before."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from canonid.aliases import SQLiteStore
from canonid.websockets import Counts, Handshake, Hub, Ticket

Make = Callable[..., Any]
REFUSED = (4401, "not authenticated or expired")


def test_a_ticket_lets_its_session_in_under_the_protocol(world: Make, protocol: str) -> None:
    w = world(uvicorn={"ws": protocol})

    async def main() -> None:
        person = w.person()
        client = await w.connect(person)
        ready = await client.receive()
        assert client.raw.subprotocol == "canonid.v1"
        assert ready["type"] == "ready"
        assert ready["session"] == w.registry.canonical(person.session, "session")
        assert ready["connection"] == w.registry.canonical(ready["connection"], "connection")
        lineage = w.store.lineage(ready["connection"], kind="connection")
        assert lineage.principal == w.registry.canonical(person.user, "user")
        assert (w.hub.counts().connections, w.hub.counts().sessions) == (1, 1)
        await client.raw.close()
        await w.gone()
        assert (w.last().code, w.last().ours, w.last().cut) == (1000, False, False)

    w.run(main())


def test_a_client_that_offers_no_protocol_is_still_told_why_it_is_refused(world: Make) -> None:
    w = world()

    async def main() -> None:
        client = await w.connect(subprotocols=None)
        assert client.raw.subprotocol is None
        assert await client.ended() == REFUSED

    w.run(main())


@pytest.mark.parametrize("how", ["absent", "forged", "used", "expired", "login expired"])
def test_a_bad_ticket_is_closed_4401_and_leaves_no_trace(world: Make, how: str, protocol: str) -> None:
    w = world(limits={"ticket_ttl": 0.0} if how == "expired" else {}, uvicorn={"ws": protocol})

    async def main() -> None:
        person = w.person()
        ticket = w.ticket(person, seconds=0 if how == "login expired" else 3600)
        if how == "used":
            first = await w.connect(ticket=ticket)
            await first.receive("ready")
            await first.raw.close()
            await w.gone()
        before = w.hub.tree.stats.released
        refused = await w.connect(ticket={"absent": None, "forged": "x" * 43}.get(how, ticket))
        assert await refused.ended() == REFUSED
        await w.gone()
        assert (w.last().connection, w.last().principal) == (None, None)
        assert w.hub.tree.stats.released == before

    w.run(main())


@pytest.mark.parametrize(
    ("origin", "options", "code"),
    [
        ("https://chat.example", {}, None),
        ("https://evil.example", {}, 1008),
        ("https://chat.example.evil.example", {}, 1008),
        ("http://chat.example", {}, 1008),
        ("null", {}, 1008),
        (None, {}, None),
        (None, {"allow_missing_origin": False}, 1008),
        ("https://chat.example", {"origins": []}, 1008),
    ],
)
def test_only_allowed_origins_get_in(world: Make, origin: str | None, options: Any, code: int | None) -> None:
    w = world(**options)

    async def main() -> None:
        client = await w.connect(w.person(), origin=origin)
        if code is None:
            assert (await client.receive())["type"] == "ready"
        else:
            assert await client.ended() == (1008, "origin not allowed")

    w.run(main())


def test_a_foreign_page_does_not_spend_the_ticket(world: Make) -> None:
    w = world()

    async def main() -> None:
        ticket = w.ticket(w.person())
        assert (await (await w.connect(ticket=ticket, origin="https://evil.example")).ended())[0] == 1008
        assert (await (await w.connect(ticket=ticket)).receive())["type"] == "ready"

    w.run(main())


def test_authenticating_has_a_time_limit_and_reads_nothing_meanwhile(world: Make) -> None:
    received: list[object] = []

    async def never(handshake: Handshake) -> None:
        await asyncio.Event().wait()

    w = world(authenticate=never, limits={"auth_timeout": 0.2})
    w.hub.on_message(lambda connection, message: received.append(message))

    async def main() -> None:
        client = await w.connect()
        await client.send(type="early")
        await w.until(lambda: w.hub.counts().handshakes == 1)
        assert w.hub.counts() == Counts(1, 0, 0, 0, 0)
        assert w.hub.tree.stats.scopes == 0
        assert await client.ended() == REFUSED

    w.run(main())
    assert not received


def test_the_application_can_authenticate_by_itself(world: Make) -> None:
    async def by_cookie(handshake: Handshake) -> Ticket | None:
        if handshake.header("cookie") != ["login=ok"]:
            return None
        return Ticket(person.user, person.session, expires_at=time.time() + 60)

    w = world(authenticate=by_cookie)
    person = w.person()

    async def main() -> None:
        client = await w.connect(additional_headers={"Cookie": "login=ok"})
        assert (await client.receive())["session"] == w.registry.canonical(person.session, "session")
        assert await (await w.connect(additional_headers={"Cookie": "login=no"})).ended() == REFUSED

    w.run(main())


def test_an_authentication_that_raises_is_our_fault_and_has_an_incident(
    world: Make, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(handshake: Handshake) -> Ticket | None:
        raise RuntimeError("the user database is away")

    w = world(authenticate=broken)

    async def main() -> None:
        code, incident = await (await w.connect()).ended()
        assert code == 1011
        assert incident is not None and incident.startswith("incident_")
        assert incident in caplog.text and "the user database is away" in caplog.text

    w.run(main())


def test_a_timeout_of_the_applications_own_is_its_fault_and_no_wrong_login(world: Make) -> None:
    async def slow_database(handshake: Handshake) -> Ticket | None:
        raise TimeoutError("the user database took too long")

    w = world(authenticate=slow_database)

    async def main() -> None:
        assert (await (await w.connect()).ended())[0] == 1011

    w.run(main())


def test_a_principal_has_so_many_connections_and_no_more(world: Make) -> None:
    w = world(limits={"connections_per_principal": 2})

    async def main() -> None:
        person, other = w.person(), w.person()
        first, _ = await w.ready(person), await w.ready(person)
        assert await (await w.connect(person)).ended() == (1008, "too many connections")
        await w.ready(other)
        await first.raw.close()
        await w.until(lambda: w.hub.counts().connections == 2)
        await w.ready(person)

    w.run(main())


def test_letting_in_asks_the_store_nothing_in_the_servers_loop(
    world: Make, registry: Any, tmp_path: Any
) -> None:
    class Watched(SQLiteStore):
        def resolve(self, *args: Any, **options: Any) -> Any:
            asked.append(threading.current_thread())
            return super().resolve(*args, **options)

    asked: list[threading.Thread] = []
    store = Watched(tmp_path / "watched.db", registry)
    w = world(store=store)

    async def main() -> None:
        person = w.person()
        client = await w.watching(person)
        await w.server.call(
            w.hub.start_run(person.session, thread=person.thread, execute=lambda run: asyncio.sleep(0))
        )
        await client.events()
        await w.server.call(w.hub.send_to_user(person.user, {}))

    with store:
        w.run(main())
    assert asked and w.server._thread not in asked


def test_a_ticket_for_somebody_elses_session_is_no_ticket(world: Make) -> None:
    w = world()

    async def main() -> None:
        owner, thief = w.person(), w.person()
        ticket = w.hub.tickets.issue(principal=thief.user, session=owner.session, expires_at=time.time() + 60)
        assert await (await w.connect(ticket=ticket)).ended() == REFUSED

    w.run(main())


def test_the_connection_is_closed_when_the_login_expires(world: Make, protocol: str) -> None:
    w = world(uvicorn={"ws": protocol})

    async def main() -> None:
        client = await w.connect(ticket=w.ticket(w.person(), seconds=0.3))
        await client.receive("ready")
        assert await client.ended() == REFUSED
        await w.gone()
        assert (w.last().code, w.last().ours, w.last().cut) == (4401, True, False)

    w.run(main())


def test_a_plain_request_is_told_to_upgrade(world: Make) -> None:
    w = world()

    async def main() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 426")
        writer.close()
        await writer.wait_closed()

    w.run(main())


def test_a_tree_that_does_not_know_the_parts_is_refused_at_once(registry: Any, store: Any) -> None:
    from canonid import UnknownName
    from canonid.scopes import ScopeTree

    with pytest.raises(UnknownName, match="with_parts"):
        Hub(registry, store, ScopeTree(store.resolve))
