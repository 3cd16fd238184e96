"""What operators see of a hub: metrics without IDs, logs with them, and the live tree of one user."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Mount

from canonid import NotFound
from canonid.integrations import Boundary
from canonid.logs import JsonLines, LineageFilter
from canonid.testing import serve
from canonid.websockets import Connection, Hub, Refusal, Run
from canonid.websockets.codes import Ending, shown
from canonid.websockets.metrics import metrics_app
from canonid.websockets.support import tree, tree_app
from canonid.websockets.traffic import Durations

Make = Callable[..., Any]
log = logging.getLogger("application")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the application logs, as JSON lines."""
    written = io.StringIO()
    target = logging.StreamHandler(written)
    target.addFilter(LineageFilter())
    target.setFormatter(JsonLines())
    log.addHandler(target)
    yield written
    log.removeHandler(target)


def metrics(hub: Hub) -> tuple[dict[str, dict[tuple[tuple[str, str], ...], float]], str]:
    """Samples by name and labels, scraped over HTTP, and the whole text."""
    with serve(metrics_app(hub), lifespan="off") as url:
        text = httpx.get(f"{url}/metrics").text
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found, text


def test_metrics_say_what_is_live_and_what_happened_and_never_an_id(world: Make) -> None:
    w = world()
    release = asyncio.Event()
    ids: set[str] = set()

    async def execute(run: Run) -> None:
        await run.publish("step", {"n": 1})
        await release.wait()

    @w.hub.on_message
    async def receive(connection: Connection, message: dict[str, Any]) -> None:
        if message["say"] == "fail":
            raise ValueError(f"{connection.id} failed")
        if message["say"] == "refuse":
            raise Refusal(f"{connection.principal} may not")
        run = await w.hub.start_run(connection, thread=message["thread"], execute=execute)
        ids.add(run.id)

    async def main() -> None:
        first, second, third = w.person(), w.person(), w.person()
        for person, kinds in [(p, ("user", "session", "thread")) for p in (first, second, third)]:
            ids.update(person)
            ids.update(w.registry.canonical(text, kind) for text, kind in zip(person, kinds, strict=True))
        one, two = await w.watching(first), await w.watching(second)
        await one.send(type="say", say="run", thread=first.thread)
        await one.receive("event")
        await two.send(type="say", say="x", thread=first.thread)
        assert (await two.ended())[0] == 4404
        two = await w.ready(second)
        await two.send(type="say", say="refuse")
        assert (await two.ended())[0] == 1008
        three = await w.ready(third)
        await three.send(type="say", say="fail")
        assert (await three.ended())[0] == 1011
        four = await w.connect(ticket="forged")
        assert (await four.ended())[0] == 4401
        five = await w.ready(third)
        await five.raw.close(4999, "my own")
        await w.until(lambda: len(w.hub.closes) == 5)
        boundary = Boundary(w.hub, w.registry, service="auth", counters=w.hub.counters, headers={"a": "user"})
        await boundary.outgoing("auth", {"a": first.user})
        ids.update(close.connection for close in w.hub.closes if close.connection)

        live, text = await asyncio.to_thread(metrics, w.hub)
        ids.update(
            node["id"] for root in await w.server.call(tree(w.hub, first.user)) for node in root["children"]
        )
        assert live["canonid_connections"] == {(): 1}
        assert live["canonid_sessions"] == {(): 3}
        assert live["canonid_runs"] == {(): 1}
        assert live["canonid_closes_total"] == {
            (("code", code), ("ours", ours)): 1
            for code, ours in [
                ("4404", "true"),
                ("1008", "true"),
                ("1011", "true"),
                ("4401", "true"),
                ("other", "false"),
            ]
        }
        assert live["canonid_incidents_total"] == {(("during", "connection"),): 1}
        assert live["canonid_minted_total"] == {(("kind", "connection"),): 5, (("kind", "run"),): 1}
        assert live["canonid_message_ids_total"] == {
            (("kind", "thread"), ("reason", "accepted")): 1,
            (("kind", "thread"), ("reason", "refused")): 1,
        }
        assert sum(live["canonid_boundary_ids_total"].values()) == 1
        assert live["canonid_close_seconds_count"] == {(): 4}
        assert live["canonid_messages_received_total"][()] >= 6
        assert live["canonid_sent_bytes_total"][()] > live["canonid_messages_sent_total"][()] > 6
        assert live["canonid_scopes"][()] == 5  # three sessions, a connection, a run
        for text_of in ids:
            assert text_of not in text

        w.server.loop.call_soon_threadsafe(release.set)
        await one.events()
        await w.until(lambda: any(name == "runs_ended" for name, _, _ in w.hub.counters))
        ended, _ = await asyncio.to_thread(metrics, w.hub)
        assert ended["canonid_runs_ended_total"] == {(("event", "run_completed"),): 1}
        assert ended["canonid_run_events_total"] == {(): 2}

    w.run(main())


def test_metrics_tell_what_waits_for_a_client_that_does_not_read(world: Make) -> None:
    w = world(limits={"outbox_messages": 50})

    async def main() -> None:
        person = w.person()
        client = await w.ready(person)

        async def fill() -> tuple[int, int]:
            for n in range(10):
                await w.hub.send_to_user(person.user, {"type": "n", "n": n})
                queued = w.hub.queued()
            return queued

        messages, size = await w.server.call(fill())
        assert 1 <= messages <= 10 and size >= 7 * messages
        assert [(await client.receive("n"))["n"] for _ in range(10)] == list(range(10))
        await w.until(lambda: w.hub.queued() == (0, 0))

    w.run(main())


def test_names_of_metrics_keep_to_the_conventions(world: Make) -> None:
    found, text = metrics(world().hub)
    for family in text_string_to_metric_families(text):
        assert family.name.startswith("canonid_") and family.documentation.endswith(".")
        assert family.type in ("gauge", "counter", "histogram")
    assert {"canonid_connections", "canonid_sent_bytes_total", "canonid_close_seconds_bucket"} <= set(found)


def test_durations_are_counted_at_most_at_each_bound() -> None:
    taken = Durations()
    for seconds in (0.0005, 0.001, 0.3, 100):
        taken.add(seconds)
    assert taken.cumulative()[0] == ("0.001", 2) and taken.cumulative()[4] == ("0.5", 3)
    assert taken.cumulative()[-1] == ("+Inf", 4) and taken.total == pytest.approx(100.3015)


@pytest.mark.parametrize(
    ("code", "ours", "label"),
    [(4404, True, "4404"), (1001, False, "1001"), (4404, False, "other"), (3000, False, "other")],
)
def test_codes_that_clients_choose_share_one_label(code: int, ours: bool, label: str) -> None:
    assert shown(Ending(code, "", ours)) == label


def test_every_line_of_two_users_at_once_has_its_own_lineage(world: Make, lines: io.StringIO) -> None:
    w = world()

    async def execute(run: Run) -> None:
        for _ in range(5):
            log.warning("run %s", run.principal)
            await asyncio.to_thread(log.warning, "run %s", run.principal)
            await run.publish("step")

    @w.hub.on_message
    async def receive(connection: Connection, message: dict[str, Any]) -> None:
        log.warning("message %s", connection.principal)
        await asyncio.to_thread(log.warning, "message %s", connection.principal)
        await w.hub.start_run(connection, thread=message["thread"], execute=execute)
        log.warning("message %s", connection.principal)

    async def use(person: Any) -> None:
        client = await w.watching(person)
        for _ in range(3):
            await client.send(type="say", thread=person.thread)
        for _ in range(3):
            await client.events()

    async def main() -> None:
        people = [w.person(), w.person()]
        await asyncio.gather(*[use(person) for person in people])
        found = [json.loads(line) for line in lines.getvalue().splitlines()]
        assert len(found) == 2 * (9 + 30)
        for person in people:
            user, session, thread = (
                w.registry.canonical(text, kind)
                for text, kind in zip(person, ("user", "session", "thread"), strict=True)
            )
            own = [line for line in found if line["principal"] == user]
            assert len(own) == 39
            for line in own:
                what, principal = line["message"].split()
                assert (principal, line["session"]) == (user, session)
                if what == "run":
                    assert line["thread"] == thread and "connection" not in line
                else:
                    assert "run" not in line and "connection" in line
            assert len({line["run"] for line in own if "run" in line}) == 3

    w.run(main())


def test_the_incident_of_a_run_and_of_a_connection_is_logged_with_their_lineage(world: Make) -> None:
    w = world()
    written = io.StringIO()
    target = logging.StreamHandler(written)
    target.addFilter(LineageFilter())
    target.setFormatter(JsonLines())
    logging.getLogger("canonid").addHandler(target)

    async def execute(run: Run) -> None:
        raise ValueError("broken run")

    @w.hub.on_message
    async def receive(connection: Connection, message: dict[str, Any]) -> None:
        await w.hub.start_run(connection, thread=message["thread"], execute=execute)
        if message.get("broken"):
            raise ValueError("broken connection")

    async def main() -> None:
        person = w.person()
        client = await w.watching(person)
        await client.send(type="say", thread=person.thread)
        incident = (await client.events())[-1]["data"]["incident"]
        await client.send(type="say", thread=person.thread, broken=True)
        code, reason = await client.ended()
        assert code == 1011
        await w.gone()
        await w.until(lambda: len(w.hub.closes) == 1)
        lines = {
            line["message"].split(":")[0]: line for line in map(json.loads, written.getvalue().splitlines())
        }
        user, thread = (
            w.registry.canonical(person.user, "user"),
            w.registry.canonical(person.thread, "thread"),
        )
        assert lines[incident]["principal"] == lines[reason]["principal"] == user
        assert lines[incident]["thread"] == thread and "connection" not in lines[incident]
        assert lines[reason]["connection"] == w.last().connection and "run" not in lines[reason]
        assert lines[incident]["exception"].endswith("ValueError: broken run")

    try:
        w.run(main())
    finally:
        logging.getLogger("canonid").removeHandler(target)


def test_the_live_tree_of_a_user_is_found_by_any_text_and_404_is_one_answer(world: Make) -> None:
    w = world()
    app = Starlette(routes=[Mount("/support", tree_app(w.hub))])

    async def execute(run: Run) -> None:
        await run.publish("step")
        await asyncio.Event().wait()

    async def main() -> None:
        person, stranger = w.person(), w.person()
        client = await w.watching(person)
        await w.ready(stranger)
        run = await w.server.call(w.hub.start_run(person.session, thread=person.thread, execute=execute))
        await client.receive("event")

        async def ask(text: str) -> httpx.Response:
            # In the hub's own loop, as it would be mounted.
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://support") as http:
                return await w.server.call(http.get("/support/", params={"user": text}))

        canonical = w.registry.canonical(person.user, "user")
        answers = [(await ask(text)).json() for text in (person.user, canonical)]
        assert answers[0] == answers[1]
        (session,) = answers[0]["live"]
        assert (session["kind"], session["text"]) == ("session", person.session)
        connection, its_run = session["children"]
        thread = w.registry.canonical(person.thread, "thread")
        assert connection["watching"] == [thread] and connection["subscriptions"] == [run.id]
        assert set(connection["queued"]) == {"messages", "bytes"}
        assert {"socket", "outbox", "heartbeat"} <= set(connection["parts"])
        assert (its_run["id"], its_run["thread"], its_run["events"]) == (run.id, thread, 1)
        assert its_run["ended"] is False and its_run["parts"] == ["executor"]
        assert session["opened_at"] <= connection["opened_at"]

        refused = [await ask(text) for text in ("nobody ☃", "", person.thread, w.registry.mint("user"))]
        assert {(answer.status_code, answer.text) for answer in refused} == {(404, '{"detail": "not found"}')}
        with pytest.raises(NotFound):
            await w.server.call(tree(w.hub, "nothing"))
        await w.server.call(w.hub.shutdown())

    w.run(main())
