"""Who owns what: opening, claiming, finding, looking at the tree."""

import pytest

from canonid import CanonidError, ClaimConflict, Identity, InvalidId, NotFound, ScopeClosed
from canonid.scopes import ScopeTree, Snapshot, Stats
from scopes.trees import WRITINGS, resolve, run, write


def answer(call, *args, **keywords) -> tuple[type, str, object]:
    with pytest.raises(CanonidError) as caught:
        call(*args, **keywords)
    return type(caught.value), str(caught.value), caught.value.__context__


def test_an_entry_is_found_by_every_writing_of_its_id(new_tree):
    tree = new_tree()
    session = tree.open("session", "SESSION-1", principal="ada")
    tool = session.claim("tool", "ws_prod_tool_7")
    for style in range(len(WRITINGS)):
        assert tree.find("tool", write(tool.identity, style), principal="ada") is tool
        assert tree.find("session", write(session.identity, style), principal="ada") is session


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


def test_foreign_unknown_malformed_and_ambiguous_are_one_answer(new_tree):
    tree = new_tree()
    tree.open("session", "1", principal="ada").claim("tool", "7")
    answers = {
        answer(tree.find, "tool", text, principal="eve")
        for text in ("tool.7", "7", "TOOL-7", "8", "", "?", "tool.７", "x" * 1_000_000, "session.1")
    }
    answers |= {answer(tree.find, "tool", text, principal="ada") for text in ("8", "?", "\udc80")}
    answers |= {answer(tree.find, "tool", text, principal="ada") for text in (None, 7, ["tool.7"])}
    assert answers == {(NotFound, "no such ID", None)}


@pytest.mark.parametrize("style", range(len(WRITINGS)))
def test_an_id_has_one_owner_in_any_writing(new_tree, style):
    tree = new_tree()
    first = tree.open("session", "1", principal="ada")
    tool = first.claim("tool", "7")
    second = tree.open("session", "2", principal="ada")
    before = tree.snapshot("ada"), tree.stats
    with pytest.raises(ClaimConflict, match="already has an owner"):
        second.claim("tool", write(tool.identity, style))
    with pytest.raises(ClaimConflict):
        second.open("tool", write(tool.identity, style))
    with pytest.raises(ClaimConflict):
        tree.open("session", write(first.identity, style), principal="ada")
    assert (tree.snapshot("ada"), tree.stats) == before


def test_a_conflict_does_not_tell_whose_the_id_is(new_tree):
    tree = new_tree()
    tree.open("session", "1", principal="ada").claim("tool", "7")
    mine, own = tree.open("session", "2", principal="eve"), tree.open("session", "3", principal="ada")
    assert answer(mine.claim, "tool", "7") == answer(own.claim, "tool", "7")
    assert answer(tree.open, "session", "1", principal="eve") == answer(
        tree.open, "session", "1", principal="ada"
    )
    assert "ada" not in answer(mine.claim, "tool", "7")[1]


def test_an_id_is_free_again_after_its_release(new_tree):
    async def main():
        tree = new_tree()
        await tree.open("session", "1", principal="ada").close()
        again = tree.open("session", "1", principal="eve")
        assert tree.find("session", "1", principal="eve") is again

    run(main())


@pytest.mark.parametrize("text", ["", "?", "nonsense", "session.1", "x" * 1_000_000])
def test_a_text_without_an_answer_claims_nothing(new_tree, text):
    tree = new_tree()
    session = tree.open("session", "1", principal="ada")
    before = tree.snapshot("ada"), tree.stats
    for put in (session.claim, session.open):
        with pytest.raises(InvalidId) as caught:
            put("tool", text)
        assert len(str(caught.value)) < 300
    with pytest.raises(InvalidId):
        tree.open("tool", text, principal="ada")
    assert (tree.snapshot("ada"), tree.stats) == before


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


def test_a_snapshot_shows_one_principal_in_order_of_opening(new_tree):
    tree = new_tree(clock=iter(range(10)).__next__)
    session = tree.open("session", "SESSION-1", principal="ada")
    session.claim("socket", "2")
    session.open("run", "3").claim("tool", "TOOL-4")
    tree.open("session", "5", principal="eve")
    tree.open("session", "6", principal="ada")
    assert tree.snapshot("ada") == (
        Snapshot(
            "session", "session.1", "SESSION-1", 0, True, False,
            (
                Snapshot("socket", "socket.2", "2", 1, False, False, ()),
                Snapshot(
                    "run", "run.3", "3", 2, True, False,
                    (Snapshot("tool", "tool.4", "TOOL-4", 3, False, False, ()),),
                ),
            ),
        ),
        Snapshot("session", "session.6", "6", 5, True, False, ()),
    )  # fmt: skip
    assert tree.snapshot("nobody") == ()
    assert tree.stats == Stats(scopes=4, resources=2, released=0, failures=0, unknown=0, abandoned=0)


def test_release_gives_back_exactly_the_entry_below_that_the_text_names(new_tree):
    async def main():
        tree = new_tree()
        session = tree.open("session", "1", principal="ada")
        run_scope = session.open("run", "2")
        released = []
        for number in "345":
            run_scope.claim("tool", number, release=lambda number=number: released.append(number))
        assert await session.release("tool", "TOOL-4")
        assert released == ["4"]
        assert [entry.canonical for entry in run_scope.entries] == ["tool.3", "tool.5"]
        assert await session.release("run", "2")
        assert released == ["4", "5", "3"]
        assert session.entries == ()
        assert not session.closed
        assert tree.stats == Stats(scopes=1, resources=0, released=4, failures=0, unknown=0, abandoned=0)

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


def test_an_identity_that_the_caller_knows_is_not_resolved_again(new_tree):
    def never(text, kind):
        raise AssertionError

    tree = ScopeTree(never)
    session = tree.open("session", "SESSION-1", principal="ada", identity=Identity("session", "session.1"))
    run = session.open("run", "RUN-2", identity=Identity("run", "run.2"))
    tool = run.claim("tool", "7", identity=Identity("tool", "tool.7"))
    assert [(entry.text, entry.canonical) for entry in (session, run, tool)] == [
        ("SESSION-1", "session.1"),
        ("RUN-2", "run.2"),
        ("7", "tool.7"),
    ]
    assert tree.find("tool", "tool.7", principal="ada") is tool
    for enter in (session.open, session.claim):
        with pytest.raises(InvalidId, match="names a tool; expected a run"):
            enter("run", "8", identity=Identity("tool", "tool.8"))
        with pytest.raises(ClaimConflict):
            enter("tool", "other", identity=Identity("tool", "tool.7"))
