"""With a store lineage outlives memory and the process; with scopes nothing live is forgotten."""

from __future__ import annotations

import asyncio

import pytest

from canonid import Identity, compat
from canonid.aliases import SQLiteStore
from canonid.compat.claims import Claims
from canonid.compat.id_migration_bridge import cleanup_resources_by_pattern, normalize_for_cleanup
from canonid.compat.lineage import Lineage
from canonid.compat.state import state
from canonid.compat.unified_id_generator import UnifiedIdGenerator
from canonid.compat.unified_id_manager import IDType, UnifiedIDManager
from canonid.errors import ClaimConflict, ClaimRefused, NotFound, ScopeClosed
from canonid.scopes import ScopeTree

match = UnifiedIdGenerator.ids_match_for_cleanup
USER = "user_1757409218490_1_deadbeef"


@pytest.fixture
def store(tmp_path, registry):
    with SQLiteStore(tmp_path / "ids.db", registry) as opened:
        compat.configure(store=opened, registry=registry)
        yield opened
        compat.forget()


# The store


def test_lineage_is_written_to_the_store(store):
    thread, run, request = UnifiedIdGenerator.generate_user_context_ids(USER, "chat")
    names = [record.text for record in store.ancestry(request, "request")]
    assert names == [request, run, thread, USER]
    assert compat.stats().unrecorded == 0


def test_what_memory_has_forgotten_the_store_knows(store):
    thread, run, request = UnifiedIdGenerator.generate_user_context_ids(USER, "chat")
    stranger, *_ = UnifiedIdGenerator.generate_user_context_ids("user_1757409218490_2_deadbeef", "chat")
    state.lineage.forget()
    assert match(thread, request) and match(USER, run) and not match(run, thread)
    assert not match(stranger, request)
    assert UnifiedIDManager.extract_thread_id(run) == thread
    pools = {"runs": {run: 1, stranger: 1}}
    assert cleanup_resources_by_pattern(USER, pools) == 1
    assert list(pools["runs"]) == [stranger]


def test_memory_and_store_are_joined_where_each_knows_a_part(store):
    thread, *_ = UnifiedIdGenerator.generate_user_context_ids(USER, "chat")
    state.lineage.forget()
    run = UnifiedIDManager.generate_run_id(thread)
    assert match(USER, run) and not match(run, USER)


def test_nobody_adopts_what_only_the_store_knows(store):
    thread, run, request = UnifiedIdGenerator.generate_user_context_ids(USER, "chat")
    state.lineage.forget()
    mallory = "user_1757409218490_3_deadbeef"
    for foreign in (run, thread, USER):
        ids = UnifiedIdGenerator.get_or_create_user_session(mallory, "t", foreign)
        assert not match(ids["thread_id"], request) and not match(mallory, request)


def test_a_user_whom_somebody_called_a_run_before_is_not_adopted_with_a_store_either(store):
    """A UUID can be read as a run and as a user."""
    ada, mallory = "12345678-9abc-4def-8123-456789abcdef", "user_1757409218490_3_deadbeef"
    ids = UnifiedIdGenerator.get_or_create_user_session(mallory, "t", ada)
    assert match(ids["thread_id"], ids["run_id"])
    _, run, request = UnifiedIdGenerator.generate_user_context_ids(ada, "chat")
    assert not match(mallory, request)
    state.lineage.forget()
    assert not match(mallory, request)
    assert match(run, request)


def test_other_writings_match_by_the_registry_and_by_aliases(store, registry):
    thread, run, _ = UnifiedIdGenerator.generate_user_context_ids(USER, "chat")
    canonical = registry.canonical(thread, "thread")
    assert match(canonical, run) and match(thread, canonical)
    store.link("thread-of-2019", canonical, kind="thread", source="import")
    assert match("thread-of-2019", run)
    assert normalize_for_cleanup("thread-of-2019") == canonical
    assert UnifiedIDManager.migrate_to_canonical("thread-of-2019", IDType.THREAD) == canonical


def test_a_registry_alone_makes_other_writings_match(registry):
    compat.configure(registry=registry)
    thread = "thread_chat_41_9f3c2b1a"
    run = UnifiedIDManager.generate_run_id(thread)
    assert match(registry.canonical(thread, "thread"), run)
    assert UnifiedIDManager.migrate_to_canonical(thread, IDType.THREAD) == registry.canonical(
        thread, "thread"
    )


def test_what_the_store_refuses_stays_in_memory_and_is_counted(store, caplog):
    run = UnifiedIDManager.generate_run_id("a thread of no declared format")
    assert match("a thread of no declared format", run)
    assert compat.stats().unrecorded == 1
    assert "in memory only" in caplog.text
    with pytest.raises(NotFound):
        store.lineage(run, "run")


# Scopes


@pytest.fixture
def tree():
    return ScopeTree(lambda text, kind: Identity(kind or "thing", text))


def test_what_is_claimed_is_never_forgotten_until_it_is_released(tree):
    lineage = Lineage(limit=16)
    claims = Claims(lineage, limit=10)
    session = tree.open("session", "session_1", principal="user_ada")
    released = []
    claims.claim(session, "tool", "tool_1", lambda: released.append("tool_1"))
    for number in range(100):
        lineage.record("user_bob", f"thread_{number}")
    assert lineage.at_or_below("session_1")("tool_1") and lineage.at_or_below("user_ada")("tool_1")
    assert not lineage.at_or_below("user_bob")("tool_1")

    asyncio.run(close(session))
    assert (released, claims.live) == (["tool_1"], 0)
    for number in range(100):
        lineage.record("user_bob", f"run_{number}")
    assert not lineage.at_or_below("session_1")("tool_1")


async def close(scope):
    return await scope.close()


def test_at_the_limit_new_claims_are_refused_and_counted(tree):
    compat.configure(claims=2)
    session = tree.open("session", "session_1", principal="user_ada")
    compat.claim(session, "tool", "tool_1")
    compat.claim(session, "tool", "tool_2")
    with pytest.raises(ClaimRefused, match="tool 'tool_3' can't be claimed: 2 legacy IDs are live"):
        compat.claim(session, "tool", "tool_3")
    assert (compat.stats().claims, compat.stats().refused) == (2, 1)
    with pytest.raises(NotFound):
        tree.find("tool", "tool_3", principal="user_ada")
    asyncio.run(close(session))
    assert compat.stats().claims == 0


def test_a_claim_that_fails_leaves_nothing_behind(tree):
    session = tree.open("session", "session_1", principal="user_ada")
    other = tree.open("session", "session_2", principal="user_bob")
    compat.claim(session, "tool", "tool_1")
    with pytest.raises(ClaimConflict):
        compat.claim(other, "tool", "tool_1")
    assert match("session_1", "tool_1") and not match("session_2", "tool_1")
    assert compat.stats().claims == 1
    asyncio.run(close(session))
    asyncio.run(close(other))


def test_a_claim_says_more_precisely_where_a_thing_of_a_user_belongs(tree):
    connection = UnifiedIdGenerator.generate_websocket_connection_id("user_ada")
    session = tree.open("session", "session_1", principal="user_ada")
    compat.claim(session.open("connection", connection), "tool", "tool_1")
    assert match("session_1", connection) and match(connection, "tool_1") and match("user_ada", "tool_1")
    asyncio.run(close(session))


def test_a_claim_takes_nothing_from_another_user(tree):
    _, run, request = UnifiedIdGenerator.generate_user_context_ids("user_ada")
    session = tree.open("session", "session_1", principal="user_mallory")
    compat.claim(session, "run", run)
    assert not match("session_1", run) and not match("user_mallory", request)
    assert match("user_ada", run)
    asyncio.run(close(session))


def test_async_cleanups_are_awaited(tree):
    done = []

    async def cleanup():
        await asyncio.sleep(0)
        done.append(True)

    async def live():
        session = tree.open("session", "session_1", principal="user_ada")
        compat.claim(session, "tool", "tool_1", cleanup)
        return await session.close()

    report = asyncio.run(live())
    assert done == [True] and not report.failures


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="claims is 0"):
        compat.configure(claims=0)


def test_a_claim_is_written_to_the_store_only_if_it_holds(store, tree):
    thread, run, _ = UnifiedIdGenerator.generate_user_context_ids(USER, "chat")
    other = tree.open("thread", thread, principal=USER)
    compat.claim(other, "run", "run_chat_7_deadbeef")
    assert store.lineage("run_chat_7_deadbeef", "run").principal == store.lineage(run, "run").principal
    asyncio.run(close(other))
    with pytest.raises(ScopeClosed):
        compat.claim(other, "run", "run_chat_8_deadbeef")
    with pytest.raises(NotFound):
        store.lineage("run_chat_8_deadbeef", "run")
