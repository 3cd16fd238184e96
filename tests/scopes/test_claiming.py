"""Who owns what: opening, claiming, finding, looking at the tree."""

import pytest

from canonid import CanonidError, Identity, InvalidId, NotFound, ScopeClosed
from canonid.scopes import ScopeTree, Stats
from scopes.trees import resolve, run


def answer(call, *args, **keywords) -> tuple[type, str, object]:
    with pytest.raises(CanonidError) as caught:
        call(*args, **keywords)
    return type(caught.value), str(caught.value), caught.value.__context__


def test_an_entry_says_what_it_is(new_tree):
    tree = new_tree(clock=lambda: 1234)
    session = tree.open("session", "SESSION-1", principal="ada")
    tool = session.claim("tool", "7")
    assert (session.kind, session.canonical, session.text) == ("session", "session.1", "SESSION-1")
    assert (session.principal, session.parent, session.closed) == ("ada", None, False)
    assert session.entries == (tool,)
    assert (tool.kind, tool.canonical, tool.text, tool.opened_at) == ("tool", "tool.7", "7", 1234)
    assert (tool.principal, tool.parent, tool.closed) == ("ada", session, False)
    assert repr(tool) == "<Resource tool 'tool.7'>"


def test_a_live_canonical_text_needs_no_resolving(new_tree):
    asked = []

    def counting(text, kind):
        asked.append(text)
        return resolve(text, kind)

    tree = ScopeTree(counting)
    tree.open("session", "session.1", principal="ada")
    asked.clear()
    tree.find("session", "session.1", principal="ada")
    assert asked == []
    with pytest.raises(NotFound):
        tree.find("session", "session.1", principal="eve")
    assert asked == ["session.1"], "a foreign ID takes the same way as an unknown one"


def test_a_resolver_that_answers_with_another_kind_is_not_believed():
    tree = ScopeTree(lambda text, kind: Identity("user", text))
    with pytest.raises(InvalidId, match=r"'user\.1' names a user; expected a session"):
        tree.open("session", "user.1", principal="ada")


@pytest.mark.parametrize("fault", ["resolve", "clock"])
def test_a_fault_from_outside_leaves_nothing_behind(fault):
    def failing(*_):
        if broken:
            raise OSError("disk")
        return resolve(*_) if _ else 0

    broken = False
    tree = ScopeTree(**{"resolve": resolve, "clock": lambda: 0, fault: failing})
    session = tree.open("session", "1", principal="ada")
    before = tree.snapshot("ada"), tree.stats
    broken = True
    for put in (session.claim, session.open):
        with pytest.raises(OSError, match="disk"):
            put("tool", "7")
    assert (tree.snapshot("ada"), tree.stats) == before


def test_nothing_enters_a_closed_scope_nor_what_was_below_it(new_tree):
    async def main():
        tree = new_tree()
        session = tree.open("session", "1", principal="ada")
        run_scope = session.open("run", "2")
        await session.close()
        for scope in (session, run_scope):
            assert scope.closed
            with pytest.raises(ScopeClosed, match="is closed"):
                scope.claim("tool", "7")
            with pytest.raises(ScopeClosed):
                scope.open("tool", "7")
        assert tree.stats == Stats(scopes=0, resources=0, released=2, failures=0, unknown=0, abandoned=0)

    run(main())


def test_release_of_what_is_not_below_does_nothing_and_is_counted(new_tree):
    async def main():
        tree = new_tree()
        session = tree.open("session", "1", principal="ada")
        inner = session.open("run", "2")
        session.claim("tool", "3")
        tree.open("session", "4", principal="ada").claim("tool", "5")
        tree.open("session", "6", principal="eve").claim("tool", "7")
        before = tree.snapshot("ada"), tree.snapshot("eve")
        refused = [("tool", "3"), ("session", "1"), ("run", "2"), ("tool", "5"), ("tool", "7"), ("tool", "8")]
        refused += [("tool", "?"), ("tool", ""), ("tool", "run.2")]
        for kind, text in refused:
            assert await inner.release(kind, text) is False
        assert (tree.snapshot("ada"), tree.snapshot("eve")) == before
        assert tree.stats.unknown == len(refused)
        assert tree.stats.released == 0

    run(main())


def test_every_writing_that_the_registry_knows_finds_and_releases(registry):
    async def main():
        tree = ScopeTree(registry.identify)
        session = tree.open("session", registry.mint("session"), principal="ada")
        canonical = registry.mint("request")
        writings = {canonical, *registry.writings("request", canonical).values()}
        assert len(writings) > 1
        for claimed in writings:
            for released in writings:
                resource = session.claim("request", claimed)
                assert tree.find("request", released, principal="ada") is resource
                assert await session.release("request", released)
        assert session.entries == ()

    run(main())
