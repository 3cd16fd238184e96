"""Tickets: once, soon, and not without limit."""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from canonid.websockets import Tickets
from canonid.websockets.tickets import offered


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def issue(tickets: Tickets, principal: str = "user_1", expires_at: float = 5_000.0) -> str:
    return tickets.issue(principal=principal, session="session_1", expires_at=expires_at)


def test_a_ticket_is_redeemed_exactly_once() -> None:
    tickets = Tickets(Clock())
    token = issue(tickets)
    ticket = tickets.redeem(token)
    assert ticket is not None and (ticket.principal, ticket.session) == ("user_1", "session_1")
    assert tickets.redeem(token) is None


def test_a_forged_token_is_worth_nothing() -> None:
    tickets = Tickets(Clock())
    token = issue(tickets)
    assert tickets.redeem(token[:-1]) is None
    assert tickets.redeem("") is None
    assert tickets.redeem(token) is not None


def test_a_ticket_expires_after_its_ttl_and_is_forgotten() -> None:
    clock = Clock()
    tickets = Tickets(clock, ttl=30)
    late, early = issue(tickets), issue(tickets)
    clock.now += 29.9
    assert tickets.redeem(early) is not None
    clock.now += 0.1
    assert tickets.redeem(late) is None
    assert len(tickets) == 0


def test_a_ticket_of_an_expired_login_is_worth_nothing() -> None:
    clock = Clock()
    tickets = Tickets(clock)
    token = issue(tickets, expires_at=clock.now)
    assert tickets.redeem(token) is None


def test_the_oldest_unspent_ticket_of_a_principal_gives_way_and_no_other_ones() -> None:
    tickets = Tickets(Clock(), per_principal=2)
    other = issue(tickets, "user_2")
    first, second, third = (issue(tickets) for _ in range(3))
    assert tickets.redeem(first) is None
    assert None not in [tickets.redeem(token) for token in (second, third, other)]


def test_only_the_first_offered_ticket_counts() -> None:
    tickets = Tickets(Clock())
    token = issue(tickets)
    assert offered(["canonid.v1", "ticket.forged", f"ticket.{token}"]) == "forged"
    assert offered(["canonid.v1"]) is None and offered(["ticket."]) is None
    assert offered(["canonid.v1", f"ticket.{token}"]) == token


@given(st.lists(st.tuples(st.sampled_from(["issue", "redeem", "wait"]), st.integers(0, 5)), max_size=60))
def test_memory_holds_only_what_can_still_be_redeemed(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    tickets = Tickets(clock, ttl=10, per_principal=3)
    issued: list[tuple[str, str, float]] = []
    good: dict[str, list[str]] = {"user_0": [], "user_1": []}
    for step, n in steps:
        user = f"user_{n % 2}"
        if step == "issue":
            token = issue(tickets, user)
            issued.append((token, user, clock.now))
            good[user] = [*good[user], token][-3:]
        elif step == "wait":
            clock.now += n
            for token, user, at in issued:
                if clock.now - at >= 10 and token in good[user]:
                    good[user].remove(token)
        elif issued:
            token, user, _ = issued[n % len(issued)]
            assert (tickets.redeem(token) is not None) == (token in good[user])
            good[user] = [other for other in good[user] if other != token]
    tickets.redeem("")
    assert len(tickets) == len(good["user_0"] + good["user_1"])


def test_threads_issue_and_redeem_at_once_and_each_ticket_works_once() -> None:
    tickets, redeemed, errors = Tickets(per_principal=2), list[str](), list[Exception]()

    def use() -> None:
        try:
            for _ in range(300):
                token = issue(tickets, expires_at=2e12)
                redeemed.extend([token] * sum([tickets.redeem(token) is not None for _ in range(2)]))
        except Exception as error:  # noqa: BLE001 - a thread would lose it
            errors.append(error)

    threads = [threading.Thread(target=use) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors
    assert len(redeemed) == len(set(redeemed)) and len(tickets) <= 2


def test_a_clock_that_steps_back_keeps_no_ticket_good() -> None:
    now = [10_000.0]
    tickets = Tickets(lambda: now[0], ttl=30)
    token = tickets.issue(principal="ada", session="s", expires_at=1e9)
    now[0] -= 3600
    assert tickets.redeem(token) is None
    assert len(tickets) == 0


def test_a_clock_that_steps_back_locks_nobody_out(world: Callable[..., Any]) -> None:
    off = [3600.0]
    w = world(clock=lambda: time.time() + off[0])

    async def main() -> None:
        person = w.person()
        await w.server.call(w.hub.close_session(person.session))
        off[0] = 0.0
        await w.ready(person)

    w.run(main())
