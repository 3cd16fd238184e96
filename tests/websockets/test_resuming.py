"""Runs over real sockets: two tabs, a blip, gaps, and what ends with what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canonid import ClaimConflict, NotFound, ScopeClosed
from canonid.websockets import Connection, Grace, Run
from faults import fault

Make = Callable[..., Any]
Chat = Callable[[Connection, dict[str, Any]], Coroutine[Any, Any, None]]


class Agent:
    """An executor that publishes when it is told to."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.cancelled = False
        self._steps: asyncio.Queue[int | Exception | None] = asyncio.Queue()

    async def __call__(self, run: Run) -> None:
        self.runs.append(run)
        try:
            while (step := await self._steps.get()) is not None:
                if isinstance(step, Exception):
                    raise step
                for _ in range(step):
                    await run.publish("token", {"n": run.seq + 1})
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    async def publish(self, w: Any, step: int | Exception | None) -> None:
        await w.server.call(self._steps.put(step))


async def start(w: Any, person: Any, agent: Agent, **options: Any) -> Run:
    run = await w.server.call(w.hub.start_run(person.session, thread=person.thread, execute=agent, **options))
    assert isinstance(run, Run)
    return run


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["seq"] for event in events]


def test_two_tabs_see_every_event_and_so_does_one_that_comes_later(world: Make, protocol: str) -> None:
    w = world(uvicorn={"ws": protocol})

    async def main() -> None:
        person, agent = w.person(), Agent()
        tabs = [await w.watching(person), await w.watching(person)]
        run = await start(w, person, agent)
        await agent.publish(w, 3)
        assert [(await tabs[0].receive("event"))["seq"] for _ in range(3)] == [1, 2, 3]
        late = await w.ready(person)
        await late.send(type="watch", thread=person.thread)
        known = (await late.receive("watching"))["runs"]
        assert known == [{"run": run.id, "seq": 3, "ended": False}]
        assert [known.run for known in await w.hub.runs_of(run.thread)] == [run.id]
        assert await w.hub.runs_of(run.id) == []
        await late.send(type="subscribe", run=run.id)
        await agent.publish(w, 2)
        await agent.publish(w, None)
        first = await tabs[0].events()
        second, third = await tabs[1].events(), await late.events()
        assert numbers(first) == [4, 5, 6] and numbers(second) == numbers(third) == [1, 2, 3, 4, 5, 6]
        assert second == third and second[3:] == first
        assert first[-1]["event"] == "run_completed"
        assert first[0]["thread"] == w.registry.canonical(person.thread, "thread")

    w.run(main())


def test_nobody_elses_connection_sees_a_run(world: Make) -> None:
    w = world()

    async def main() -> None:
        person, other, agent = w.person(), w.person(), Agent()
        mine, own_other_thread = await w.watching(person), await w.watching(person, w.thread_of(person))
        theirs = await w.watching(other)
        await start(w, person, agent)
        await agent.publish(w, None)
        await mine.events()
        for client, user in ((own_other_thread, person.user), (theirs, other.user)):
            await w.server.call(w.hub.send_to_user(user, {"type": "marker"}))
            assert (await client.receive())["type"] == "marker"

    w.run(main())


@fault(
    "the network cuts a client that watches a run",
    promised="the run goes on; who comes back gets every event once",
)
def test_a_blip_neither_ends_a_run_nor_loses_or_repeats_an_event(
    world: Make, protocol: str, seen: Any
) -> None:
    w = world(uvicorn={"ws": protocol})
    # Each sitting: events published while connected, then events published while away.
    sittings = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40)), max_size=4)

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(sittings)
    def check(sittings: list[tuple[int, int, int]]) -> None:
        async def main() -> None:
            person, agent = w.person(), Agent()
            run = await start(w, person, agent)
            seen: list[int] = []
            published = 0
            for here, read, away in sittings:
                client = await w.ready(person)
                await client.send(type="subscribe", run=run.id, last_seq=len(seen))
                await agent.publish(w, here)
                published += here
                take = min(read, published - len(seen))
                seen += [(await client.receive("event"))["seq"] for _ in range(take)]
                client.raw.transport.abort()
                await agent.publish(w, away)
                published += away
            await agent.publish(w, None)
            client = await w.ready(person)
            await client.send(type="subscribe", run=run.id, last_seq=len(seen))
            seen += numbers(await client.events())
            assert seen == list(range(1, published + 2))
            await client.raw.close()

        w.run(main())

    check()
    seen("every number once and in order")


def test_a_replay_larger_than_the_outbox_reaches_a_healthy_client_whole(world: Make) -> None:
    w = world(limits={"outbox_messages": 5, "outbox_bytes": 2_000})

    async def main() -> None:
        person, agent = w.person(), Agent()
        run = await start(w, person, agent)
        await agent.publish(w, 1_000)
        await agent.publish(w, None)
        await w.until(lambda: run.ended)
        client = await w.ready(person)
        await client.send(type="subscribe", run=run.id)
        assert numbers(await client.events()) == list(range(1, 1_002))

    w.run(main())


def test_events_that_were_trimmed_are_told_as_a_gap(world: Make) -> None:
    w = world(limits={"run_events": 10})

    async def main() -> None:
        person, agent = w.person(), Agent()
        run = await start(w, person, agent)
        await agent.publish(w, 30)
        await agent.publish(w, None)
        await w.until(lambda: run.ended)
        client = await w.ready(person)
        await client.send(type="subscribe", run=run.id, last_seq=4)
        gap, *events = await client.events()
        assert gap == {"type": "gap", "run": run.id, "from": 5, "to": 21}
        assert numbers(events) == list(range(22, 32))

    w.run(main())


def test_a_run_that_ended_and_is_no_longer_kept_is_gone_for_its_owner_only(world: Make) -> None:
    w = world(limits={"run_retention": 0.01})

    async def main() -> None:
        person, agent = w.person(), Agent()
        run = await start(w, person, agent)
        await agent.publish(w, None)
        await w.until(lambda: w.hub.counts().runs == 0)
        client = await w.ready(person)
        await client.send(type="subscribe", run=run.id, last_seq=1)
        told = {"type": "event", "run": run.id, "thread": run.thread, "event": "run_gone", "final": True}
        assert await client.receive() == told
        stranger = await w.ready(w.person())
        await stranger.send(type="subscribe", run=run.id, last_seq=1)
        assert (await stranger.ended())[0] == 4404

    w.run(main())


def test_a_principals_ended_runs_are_kept_up_to_a_number(world: Make) -> None:
    kept_up_to(world(limits={"runs_per_principal": 2, "runs_remembered": 2}), size=1)


def test_a_principals_ended_runs_are_kept_up_to_a_number_of_bytes(world: Make) -> None:
    kept_up_to(world(limits={"run_bytes_per_principal": 4_000, "runs_remembered": 2}), size=1_500)


def kept_up_to(w: Any, size: int) -> None:
    """Of five ended runs the last two are kept, the two before are known to be gone; others' runs stay."""

    async def one_event(run: Run) -> None:
        await run.publish("token", {"text": "x" * size})

    async def run_of(person: Any) -> Run:
        run = await w.server.call(w.hub.start_run(person.session, thread=person.thread, execute=one_event))
        await w.until(
            lambda: (
                run.ended
                and len(w.hub.tree.find("session", person.session, principal=run.principal).entries) < 2
            )
        )
        return run

    async def main() -> None:
        person, other = w.person(), w.person()
        theirs = await run_of(other)
        going_on = await start(w, person, Agent())
        runs = [await run_of(person) for _ in range(5)]
        assert [known.run for known in await w.hub.runs_of(theirs.thread)] == [theirs.id]
        kept = {known.run for known in await w.hub.runs_of(going_on.thread)}
        assert kept == {run.id for run in (going_on, *runs[3:])}
        client = await w.ready(person)
        for run, told in zip(runs[:4], ["run_lost", "run_gone", "run_gone", "token"], strict=True):
            await client.send(type="subscribe", run=run.id)
            assert (await client.receive("event"))["event"] == told

    w.run(main())


@fault(
    "one process without a backplane restarts while a run goes on", promised="who resumes is told run_lost"
)
def test_after_a_restart_an_unfinished_run_is_lost(world: Make, seen: Any) -> None:
    before, after = world(), world()  # two processes' worth of hubs over one database

    async def main() -> None:
        person, agent = before.person(), Agent()
        run = await start(before, person, agent)
        client = await after.ready(person)
        await client.send(type="subscribe", run=run.id, last_seq=7)
        told = {"type": "event", "run": run.id, "thread": run.thread, "event": "run_lost", "final": True}
        assert await client.receive() == told

    after.run(main())
    seen("run_lost, as a final event")


@fault("an executor raises", promised="run_failed with an incident; no connection is closed")
def test_an_executor_that_raises_ends_its_run_with_an_incident(
    world: Make, caplog: pytest.LogCaptureFixture, seen: Any
) -> None:
    w = world()

    async def main() -> None:
        person, agent = w.person(), Agent()
        client = await w.watching(person)
        await start(w, person, agent)
        await agent.publish(w, 1)
        await agent.publish(w, RuntimeError("secret detail"))
        *_, failed = await client.events()
        assert (failed["event"], failed["seq"], failed["final"]) == ("run_failed", 2, True)
        assert failed["data"]["incident"] in caplog.text and "secret" not in str(failed)
        await client.send(type="watch", thread=person.thread)
        await client.receive("watching")  # the connection goes on

    w.run(main())
    seen("run_failed with the incident that is in the log")


def test_a_client_cancels_its_run(world: Make) -> None:
    w = world()

    async def main() -> None:
        person, agent = w.person(), Agent()
        client = await w.watching(person)
        run = await start(w, person, agent)
        await w.until(lambda: bool(agent.runs))
        await client.send(type="cancel", run=run.text)
        assert (await client.events())[-1]["event"] == "run_cancelled"
        assert agent.cancelled
        await w.until(lambda: w.hub.tree.stats.scopes == 2)  # the session and the connection

    w.run(main())


def test_a_run_cancelled_at_once_still_ends(world: Make) -> None:
    w = world()

    async def main() -> None:
        person, agent = w.person(), Agent()
        client = await w.watching(person)

        async def start_and_cancel() -> None:
            run = await w.hub.start_run(person.session, thread=person.thread, execute=agent)
            run.cancel()

        await w.server.call(start_and_cancel())
        assert [event["event"] for event in await client.events()] == ["run_cancelled"]

    w.run(main())


@pytest.mark.parametrize("closed", ["run", "session"])
def test_a_run_whose_executor_claims_while_it_is_cancelled_is_cancelled(
    world: Make, closed: str, caplog: pytest.LogCaptureFixture
) -> None:
    w = world()
    go_on = asyncio.Event()

    async def claim(run: Run) -> None:
        scope = w.hub.tree.find("run", run.id, principal=run.principal)
        scope.claim("tool", w.registry.mint("tool"), release=lambda: asyncio.sleep(0))
        await go_on.wait()
        scope.claim("tool", w.registry.mint("tool"))

    async def main() -> None:
        person = w.person()
        await w.watching(person)
        run = await start(w, person, claim)
        await w.until(lambda: len(w.hub.tree.snapshot(run.principal)[0].children[1].children) == 2)

        async def cancel() -> None:
            go_on.set()
            if closed == "run":
                run.cancel()
            else:
                w.hub.tree.find("session", person.session, principal=run.principal).close()

        await w.server.call(cancel())
        await w.until(lambda: run.ended)
        assert "run_cancelled" in run._kept[-1] and "incident" not in caplog.text

    w.run(main())


@pytest.mark.parametrize("how", ["cancel", "logout"])
def test_an_executor_doesnt_go_on_while_what_it_claimed_is_released(
    world: Make, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    w = world()
    released, claimed = asyncio.Event(), asyncio.Event()

    async def release() -> None:
        released.set()
        for _ in range(5):
            await asyncio.sleep(0)

    async def use(run: Run) -> None:
        w.hub.tree.find("run", run.id, principal=run.principal).claim(
            "tool", w.registry.mint("tool"), release
        )
        claimed.set()
        await released.wait()
        raise RuntimeError("the tool is gone")

    async def main() -> None:
        person = w.person()
        run = await start(w, person, use)
        await w.until(claimed.is_set)
        if how == "cancel":
            w.server.loop.call_soon_threadsafe(run.cancel)
        else:
            await w.server.call(w.hub.close_session(person.session))
        await w.until(lambda: run.ended)
        assert "run_cancelled" in run._kept[-1] and "incident" not in caplog.text

    w.run(main())


def test_an_executor_is_cancelled_once_and_may_end_in_its_own_way(world: Make) -> None:
    w = world()
    claimed, last_words = asyncio.Event(), []

    async def some_turns() -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def execute(run: Run) -> None:
        w.hub.tree.find("run", run.id, principal=run.principal).claim(
            "tool", w.registry.mint("tool"), some_turns
        )
        claimed.set()
        try:
            await asyncio.Event().wait()
        finally:
            run.cancel()
            await some_turns()
            await some_turns()
            last_words.append(await run.publish("agent_stopped"))

    async def main() -> None:
        person = w.person()
        client = await w.watching(person)
        run = await start(w, person, execute)
        await w.until(claimed.is_set)
        w.server.loop.call_soon_threadsafe(run.cancel)
        assert [event["event"] for event in await client.events()] == ["agent_stopped", "run_cancelled"]

    w.run(main())


def test_an_executor_is_cancelled_in_the_turn_in_which_its_run_is(world: Make) -> None:
    w = world()
    go_on, went_on = asyncio.Event(), []

    async def execute(run: Run) -> None:
        await go_on.wait()
        went_on.append(await run.publish("token"))

    async def main() -> None:
        person = w.person()
        client = await w.watching(person)
        run = await start(w, person, execute)
        await w.server.call(asyncio.sleep(0))

        async def cancel() -> None:
            go_on.set()
            run.cancel()

        await w.server.call(cancel())
        assert [event["event"] for event in await client.events()] == ["run_cancelled"] and not went_on

    w.run(main())


def test_no_run_starts_in_a_session_that_was_logged_out_until_somebody_logs_in(world: Make) -> None:
    w = world()

    async def main() -> None:
        person, agent = w.person(), Agent()
        await w.ready(person)
        await w.server.call(w.hub.close_session(person.session))
        with pytest.raises(ScopeClosed, match="logged out"):
            await start(w, person, agent)
        assert w.hub.counts().sessions == 0 and w.hub.tree.stats.scopes == 0
        await w.ready(person)
        await start(w, person, agent)

    w.run(main())


def test_no_run_starts_in_a_hub_that_shuts_down(world: Make) -> None:
    w = world()

    async def main() -> None:
        person = w.person()
        await w.server.call(w.hub.shutdown())
        with pytest.raises(ScopeClosed, match="shutting down"):
            await start(w, person, Agent())

    w.run(main())


def test_a_run_whose_executor_cannot_be_claimed_leaves_nothing_behind(world: Make) -> None:
    w = world(
        mint=lambda kind, parent: text if kind == "run" else w.registry.mint(kind),
        limits={"session_grace": 0.01},
    )
    text = w.registry.mint("run")

    async def main() -> None:
        person, agent = w.person(), Agent()
        other = w.hub.tree.open("session", w.registry.mint("session"), principal="nobody")
        other.claim("executor", text)
        with pytest.raises(ClaimConflict):
            await start(w, person, agent)
        await w.until(lambda: w.hub.tree.stats.scopes == 1)  # the session didn't stay open for it
        assert w.hub.counts().runs == 0 and not agent.runs

        async def close() -> None:
            await other.close()

        await w.server.call(close())

    w.run(main())


@pytest.mark.parametrize("leave", ["unsubscribe", "close", "cut"])
@pytest.mark.parametrize("policy", ["continue", "cancel", Grace(0.05), Grace(60)])
def test_the_last_subscriber_to_leave_decides_as_declared(world: Make, policy: Any, leave: str) -> None:
    w = world()

    async def main() -> None:
        person, agent = w.person(), Agent()
        first, second = await w.watching(person), await w.watching(person)
        run = await start(w, person, agent, on_last_detach=policy)
        await w.until(lambda: bool(agent.runs))
        for client in (first, second):
            assert not run.ended
            if leave == "unsubscribe":
                await client.send(type="unsubscribe", run=run.id)
            elif leave == "close":
                await client.raw.close()
            else:
                client.raw.transport.abort()
        if policy in ("cancel", Grace(0.05)):
            await w.until(lambda: run.ended)
            assert agent.cancelled
            return
        await w.until(lambda: not run._subscribers)
        back = await w.ready(person)
        await back.send(type="subscribe", run=run.id)
        await agent.publish(w, 1)
        await agent.publish(w, None)
        assert [event["event"] for event in await back.events()] == ["token", "run_completed"]

    w.run(main())


def test_logging_out_closes_connections_cancels_runs_and_voids_tickets(world: Make, protocol: str) -> None:
    w = world(uvicorn={"ws": protocol})

    async def main() -> None:
        person, other, agent = w.person(), w.person(), Agent()
        tabs, bystander = [await w.watching(person), await w.watching(person)], await w.ready(other)
        run = await start(w, person, agent)
        await w.until(lambda: bool(agent.runs))
        unspent = w.ticket(person)
        await w.server.call(w.hub.close_session(person.session))
        assert [await tab.ended() for tab in tabs] == [(4401, "session closed")] * 2
        assert agent.cancelled and run.ended
        assert await (await w.connect(ticket=unspent)).ended() == (4401, "not authenticated or expired")
        assert w.hub.counts().sessions == 1
        await bystander.send(type="watch", thread=other.thread)
        await bystander.receive("watching")
        await w.ready(person)  # a new login

    w.run(main())


def test_a_session_outlives_its_last_connection_for_a_while_only(world: Make) -> None:
    w = world(limits={"session_grace": 0.05})

    async def main() -> None:
        person, agent = w.person(), Agent()
        client = await w.ready(person)
        await start(w, person, agent)
        await client.raw.close()
        await w.gone()
        bystander = await w.ready(w.person())
        await bystander.raw.close()
        await w.gone()
        await w.until(lambda: w.hub.counts().sessions == 1)  # later, the bystander's time was over
        assert next(iter(w.hub._present.sessions)) == w.registry.canonical(person.session, "session")
        await agent.publish(w, None)
        await w.until(lambda: w.hub.counts().sessions == 0)
        assert w.hub.tree.stats.scopes == 0

    w.run(main())


def test_a_run_starts_only_in_ones_own_thread(world: Make) -> None:
    w = world()

    async def main() -> None:
        me, other = w.person(), w.person()
        with pytest.raises(NotFound):
            await w.server.call(w.hub.start_run(me.session, thread=other.thread, execute=Agent()))
        assert w.hub.counts().runs == 0

    w.run(main())


def test_a_handler_starts_a_run_for_its_connection_and_every_tab(world: Make) -> None:
    def mint(kind: str, parent: Any) -> str:
        if kind == "run":
            return str(w.registry.mint("run", service="backend", thread=parent.text))
        return str(w.registry.mint(kind, service="backend", stage="prod"))

    w = world(mint=mint)

    async def answer(run: Run) -> None:
        for event in ("agent_started", "agent_thinking", "agent_completed"):
            await run.publish(event)

    @w.hub.on_message
    async def chat(connection: Connection, message: dict[str, Any]) -> None:
        run = await w.hub.start_run(connection, thread=message["thread"], execute=answer)
        assert run.text.startswith("run_session_") and run.id.startswith("run_")

    async def main() -> None:
        person = w.person()
        asking, watching = await w.ready(person), await w.watching(person)
        await asking.send(type="chat", thread=person.thread)
        first, second = await asking.events(), await watching.events()
        expected = ["agent_started", "agent_thinking", "agent_completed", "run_completed"]
        assert [event["event"] for event in first] == expected and first == second

    w.run(main())


def test_a_run_that_has_ended_takes_no_events(world: Make) -> None:
    w = world()

    async def main() -> None:
        person, agent = w.person(), Agent()
        run = await start(w, person, agent)
        await agent.publish(w, None)
        await w.until(lambda: run.ended)
        with pytest.raises(ScopeClosed):
            await run.publish("token")

    w.run(main())
