"""Any sequence of calls against a model of nested lists, on a real event loop with virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from canonid import ClaimConflict, Identity, NotFound, ScopeClosed
from scopes.trees import CLEANUPS, FAILS, TREES, WRITINGS, VirtualTimeLoop, World, resolve, turns, write

principals = st.sampled_from(["ada", "eve"])
numbers = st.integers(0, 12).map(str)
styles = st.integers(0, len(WRITINGS) - 1)
kinds = st.sampled_from(["session", "run", "tool"])


@dataclass(eq=False)
class Node:
    identity: Identity
    principal: str
    parent: Node | None
    handle: object
    text: str
    cleanup: str | None  # the behaviour, None for a scope
    name: str = ""  # under which the cleanup writes down that it ran
    below: list[Node] = field(default_factory=list)
    live: bool = True

    def newest_first(self) -> list[Node]:
        return [*(inner for child in reversed(self.below) for inner in child.newest_first()), self]

    def shown(self) -> tuple:
        children = tuple(child.shown() for child in self.below)
        return (*self.identity, self.text, self.cleanup is None, children)


def shown(snapshot) -> tuple:
    children = tuple(shown(child) for child in snapshot.children)
    return (snapshot.kind, snapshot.canonical, snapshot.text, snapshot.is_scope, children)


class ScopeMachine(RuleBasedStateMachine):
    make = None

    scopes = Bundle("scopes")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.world = World(type(self).make(resolve))
        self.tree = self.world.tree
        self.roots: list[Node] = []
        self.live: dict[Identity, Node] = {}
        self.released = self.failures = self.unknown = self.serial = 0

    def teardown(self) -> None:
        self.world.end_of_deafness.set()
        self.runner.run(turns(5))
        assert self.tree.stats.abandoned == 0
        self.runner.close()

    @rule(target=scopes, number=numbers, style=styles, principal=principals)
    def open_root(self, number, style, principal):
        identity = Identity("session", f"session.{number}")
        text = write(identity, style)
        return self.put(
            identity, text, principal, None, lambda: self.tree.open("session", text, principal=principal)
        )

    @rule(target=scopes, parent=scopes, number=numbers, style=styles)
    def open_child(self, parent, number, style):
        identity = Identity("run", f"run.{number}")
        text = write(identity, style)
        return self.put(identity, text, parent.principal, parent, lambda: parent.handle.open("run", text))

    @rule(parent=scopes, number=numbers, style=styles, cleanup=st.sampled_from(CLEANUPS))
    def claim(self, parent, number, style, cleanup):
        identity = Identity("tool", f"tool.{number}")
        text = write(identity, style)
        self.serial += 1
        name = f"{identity.canonical}#{self.serial}"
        release = self.world.cleanup(name, cleanup)
        self.put(
            identity, text, parent.principal, parent,
            lambda: parent.handle.claim("tool", text, release=release), cleanup, name,
        )  # fmt: skip

    def put(self, identity, text, principal, parent, act, cleanup=None, name=""):
        node = Node(identity, principal, parent, None, text, cleanup, name)
        closed = parent is not None and not parent.live
        if closed or identity in self.live:
            with pytest.raises(ScopeClosed if closed else ClaimConflict):
                act()
            return multiple()
        node.handle = act()
        assert node.handle.parent is (parent.handle if parent else None)
        assert node.handle.principal == principal
        self.live[identity] = node
        (parent.below if parent else self.roots).append(node)
        return node

    @rule(kind=kinds, number=numbers, style=styles, principal=principals)
    def find(self, kind, number, style, principal):
        identity = Identity(kind, f"{kind}.{number}")
        text = write(identity, style)
        node = self.live.get(identity)
        if node is None or node.principal != principal:
            with pytest.raises(NotFound):
                self.tree.find(kind, text, principal=principal)
        else:
            assert self.tree.find(kind, text, principal=principal) is node.handle

    @rule(scope=scopes, kind=kinds, number=numbers, style=styles)
    def release(self, scope, kind, number, style):
        identity = Identity(kind, f"{kind}.{number}")
        node = self.live.get(identity)
        above = node.parent if node else None
        while above is not None and above is not scope:
            above = above.parent
        plan = node.newest_first() if above is scope and node else []
        before = len(self.world.started())
        answer = self.runner.run(scope.handle.release(kind, write(identity, style)))
        assert answer is bool(plan)
        self.unknown += not plan
        assert self.world.started()[before:] == self.cleanups(plan), "newest first, nothing else"
        self.forget(plan)

    @rule(scope=consumes(scopes))
    def close(self, scope):
        plan = scope.newest_first() if scope.live else None
        before = len(self.world.started())

        async def close():
            return await scope.handle.close()

        closed = self.runner.run(close())
        assert self.world.started()[before:] == self.cleanups(plan or [])
        if plan is not None:
            assert closed.released == tuple(node.identity for node in plan)
            assert [(failure.identity, type(failure.error)) for failure in closed.failures] == [
                (node.identity, FAILS[node.cleanup]) for node in plan if node.cleanup in FAILS
            ]
        self.forget(plan or [])

    @rule(
        first=scopes,
        others=st.lists(
            st.tuples(scopes, st.integers(0, 5), st.one_of(st.none(), st.integers(0, 8))), max_size=3
        ),
    )
    def close_several_at_once(self, first, others):
        picked = [scope for scope, _, _ in others] + [first]
        plans = {scope: scope.newest_first() for scope in picked if scope.live}
        gone = list({node: None for plan in plans.values() for node in plan})
        before = len(self.world.started())

        async def waiting(closing):
            await closing

        async def close_all():
            callers = []
            for scope, pause, cancelled_after in others:
                callers.append(asyncio.ensure_future(waiting(scope.handle.close())))
                await turns(pause)
                for node in scope.newest_first():
                    if node.cleanup is None and node.live:
                        with pytest.raises(ScopeClosed):
                            node.handle.claim("tool", "99")
                if cancelled_after is not None:
                    await turns(cancelled_after)
                    callers[-1].cancel()
            await first.handle.close()
            await asyncio.gather(*callers, return_exceptions=True)
            return [await scope.handle.close() for scope in picked]

        answers = self.runner.run(close_all())
        assert sorted(self.world.started()[before:]) == sorted(self.cleanups(gone)), "each once, nothing else"
        for scope, closed in zip(picked, answers, strict=True):
            if scope not in plans:
                continue
            identities = [node.identity for node in plans[scope]]
            places = [identities.index(identity) for identity in closed.released]
            assert places == sorted(places)
            assert len(places) == len(set(places))
            assert closed.released[-1] == scope.identity
        self.forget(gone)

    def cleanups(self, plan: list[Node]) -> list[str]:
        return [node.name for node in plan if node.cleanup not in (None, "none")]

    def forget(self, plan: list[Node]) -> None:
        for node in plan:
            node.live = False
            del self.live[node.identity]
            (node.parent.below if node.parent else self.roots).remove(node)
            self.released += 1
            self.failures += node.cleanup in FAILS

    @invariant()
    def the_tree_holds_what_the_model_holds(self):
        for principal in ("ada", "eve"):
            expected = [root.shown() for root in self.roots if root.principal == principal]
            assert [shown(root) for root in self.tree.snapshot(principal)] == expected

    @invariant()
    def the_counts_are_right(self):
        stats = self.tree.stats
        scopes = sum(node.cleanup is None for node in self.live.values())
        assert (stats.scopes, stats.resources) == (scopes, len(self.live) - scopes)
        assert (stats.released, stats.failures) == (self.released, self.failures)
        assert stats.unknown == self.unknown

    @invariant()
    def no_cleanup_ran_twice(self):
        started = self.world.started()
        assert len(started) == len(set(started))


@pytest.mark.parametrize("name", TREES)
def test_any_sequence_of_calls_agrees_with_the_model(name):
    machine = type("Machine", (ScopeMachine,), {"make": staticmethod(TREES[name])})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=60, stateful_step_count=30, deadline=None)
    )
