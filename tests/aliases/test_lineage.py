import pytest

from aliases.stores import legacy_user, names_of, resolved, typeid
from canonid import InvalidId, LineageConflict, NotFound
from canonid.aliases import Lineage

USER, OTHER = typeid("user", 1), typeid("user", 2)
SESSION, THREAD, RUN = typeid("session", 1), typeid("thread", 1), typeid("run", 1)


@pytest.fixture
def family(store):
    store.record(USER)
    store.record(THREAD, parent=USER)
    store.record(RUN, parent=THREAD)
    return store


def test_a_root_is_its_own_principal(store):
    root = store.record(USER)
    assert (root.child, root.kind, root.parent, root.parent_kind, root.principal) == (
        USER,
        "user",
        None,
        None,
        USER,
    )
    assert store.lineage(USER) == root


def test_a_child_gets_its_parents_principal(family):
    run = family.lineage(RUN)
    assert (run.parent, run.parent_kind, run.principal) == (THREAD, "thread", USER)
    assert [step.child for step in family.ancestry(RUN)] == [RUN, THREAD, USER]


def test_children_are_direct_and_oldest_first(family):
    later = family.record(SESSION, parent=USER)
    assert [child.child for child in family.children(USER)] == [THREAD, SESSION]
    assert family.children(USER, kind_of_children="session") == [later]
    assert family.children(RUN) == []


def test_the_writing_it_was_recorded_by_is_kept(store, registry):
    text, derived = names_of(registry, legacy_user(1), "user")
    recorded = store.record(text)
    assert (recorded.text, recorded.child) == (text, derived)
    uuid = registry.translate(derived, "uuid")
    assert store.lineage(uuid, "user") == store.lineage(derived) == recorded


def test_recording_the_same_again_gives_the_existing_record(family, registry):
    uuid = registry.translate(RUN, "uuid")
    assert family.record(uuid, kind="run", parent=THREAD, principal=USER) == family.lineage(RUN)
    assert len(family.children(THREAD)) == 1


@pytest.mark.parametrize(
    ("child", "more"),
    [
        (RUN, {"parent": USER}),
        (RUN, {}),
        (USER, {"parent": OTHER}),
        (RUN, {"parent": THREAD, "principal": OTHER}),
        (SESSION, {"parent": USER, "principal": OTHER}),
        (SESSION, {"parent": USER, "principal": "nonsense"}),
        (SESSION, {"principal": USER}),
        (SESSION, {"parent": SESSION}),
        (SESSION, {"parent": typeid("user", 99)}),
    ],
)
def test_what_contradicts_the_records_is_refused(family, child, more):
    family.record(OTHER)
    before = family.ancestry(RUN), family.children(USER)
    with pytest.raises((LineageConflict, InvalidId)):  # the latter for a parent of another kind
        family.record(child, **more)
    assert (family.ancestry(RUN), family.children(USER)) == before
    with pytest.raises(NotFound):
        family.lineage(SESSION)


def test_parent_and_principal_may_be_given_in_any_writing(family, registry):
    uuid = registry.translate(USER, "uuid")
    session = family.record(SESSION, parent=uuid, parent_kind="user", principal=uuid)
    assert (session.parent, session.principal) == (USER, USER)


def test_malformed_texts_are_invalid_to_record_and_not_found_to_read(family):
    with pytest.raises(InvalidId):
        family.record("nonsense", parent=USER)
    with pytest.raises(InvalidId):
        family.record(SESSION, parent="nonsense")
    for read in (family.lineage, family.ancestry, family.children):
        with pytest.raises(NotFound):
            read("nonsense")


def test_lineage_is_found_by_aliases_linked_before_and_after_and_no_more_after_undo(family):
    alias = family.link("old-thread-7", THREAD, source="import")
    assert family.lineage("old-thread-7") == family.lineage(THREAD)
    assert [child.child for child in family.children("old-thread-7")] == [RUN]
    family.undo(alias.batch)
    assert family.lineage(THREAD).child == THREAD
    with pytest.raises(NotFound):
        family.lineage("old-thread-7")


def test_what_was_recorded_by_an_alias_stays_found(store):
    alias = store.link("old-user-7", USER, source="import")
    assert store.record("old-user-7").child == USER
    store.undo(alias.batch)
    assert store.lineage(USER).text == "old-user-7"


def test_ids_come_out_as_they_resolve_now(store, registry):
    text, derived = names_of(registry, legacy_user(1), "user")
    store.record(text)
    store.record(THREAD, parent=text)
    batch = store.link(text, USER, source="import").batch
    thread = store.lineage(THREAD)
    assert (thread.parent, thread.principal) == (USER, USER)
    assert store.lineage(USER) == store.lineage(text) == store.lineage(derived)
    assert store.record(THREAD, parent=USER, principal=text) == thread
    assert [child.child for child in store.children(USER)] == [THREAD]
    store.undo(batch)
    assert (store.lineage(THREAD).parent, store.lineage(text).child) == (derived, derived)
    with pytest.raises(NotFound):
        store.lineage(USER)


def test_undo_leaves_lineage_where_it_was_recorded(store, registry):
    text, derived = names_of(registry, legacy_user(1), "user")
    batch = store.link(text, USER, source="import").batch
    store.record(text)
    store.record(THREAD, parent=USER)
    store.undo(batch)
    assert [step.child for step in store.ancestry(THREAD)] == [THREAD, derived]


def test_of_two_records_of_one_thing_the_older_counts(family):
    again = typeid("run", 2)
    other_thread = typeid("thread", 2)
    family.record(other_thread, parent=USER)
    family.record(again, parent=other_thread)
    family.link(RUN, again, source="merge")
    assert resolved(family, RUN) == again
    assert family.lineage(again).parent == family.lineage(RUN).parent == THREAD
    assert [child.child for child in family.children(THREAD)] == [again]
    assert family.children(other_thread) == []


def test_ancestry_ends_even_where_a_child_turns_out_to_be_its_parent(family):
    above, below = typeid("transaction", 1), typeid("transaction", 2)  # of no declared parent
    family.record(above, parent=THREAD)
    family.record(below, parent=above)
    family.link(above, below, source="merge")
    assert [step.child for step in family.ancestry(above)] == [below, THREAD, USER]


def test_a_kind_with_a_declared_parent_is_never_recorded_as_its_own_principal(family):
    with pytest.raises(LineageConflict, match="a session belongs to a user; name the parent"):
        family.record(SESSION)
    with pytest.raises(LineageConflict, match="a session belongs to a user, not to a thread"):
        family.record(SESSION, parent=THREAD, parent_kind="thread")


def test_principal_sees_its_own_in_any_writing(family, registry):
    family.link("old-user-7", USER, source="import")
    uuid = registry.translate(THREAD, "uuid")
    for principal in (USER, "old-user-7", registry.translate(USER, "ulid")):
        assert family.authorise(uuid, kind="thread", principal=principal) == family.lineage(THREAD)
    assert family.authorise(USER, principal=USER).child == USER


def test_foreign_unknown_ambiguous_and_malformed_are_one_answer(family, registry):
    family.record(OTHER)
    foreign = (THREAD, OTHER)
    unknown = (typeid("thread", 77), OTHER)
    ambiguous = (registry.translate(THREAD, "uuid"), USER)
    malformed = ("no such\ud800", USER)
    nobody = (THREAD, "nonsense")
    odd = (None, USER)
    wrong_kind = (THREAD, RUN)
    answers = set()
    for text, principal in (foreign, unknown, ambiguous, malformed, nobody, odd, wrong_kind):
        with pytest.raises(NotFound) as caught:
            family.authorise(text, principal=principal)
        answers.add(repr((caught.type, str(caught.value), vars(caught.value))))
    assert len(answers) == 1


def minted(store, session, text):
    return Lineage(text, "connection", session.child, "session", session.principal, text, 5.0)


def test_what_was_minted_just_now_is_recorded_many_at_once(store, registry):
    user, first, second = registry.mint("user"), registry.mint("session"), registry.mint("session")
    store.record(user, kind="user")
    sessions = [
        store.record(text, kind="session", parent=user, parent_kind="user") for text in (first, second)
    ]
    records = [minted(store, session, registry.mint("connection")) for session in sessions for _ in range(50)]
    store.record_minted(records)
    assert [store.lineage(record.child, kind="connection") for record in records] == records
    assert all(store.authorise(record.text, kind="connection", principal=user) for record in records)


def test_what_was_minted_finds_a_parent_that_was_linked_meanwhile(store, registry):
    user, session, newer = registry.mint("user"), registry.mint("session"), registry.mint("session")
    store.record(user, kind="user")
    store.record(session, kind="session", parent=user, parent_kind="user")
    store.link(session, newer, kind="session", source="test")
    lineage = store.lineage(session, kind="session")
    assert lineage.child == newer, "which has no row of its own"
    record = minted(store, lineage, registry.mint("connection"))
    store.record_minted([record])
    assert store.lineage(record.child, kind="connection")[:5] == record[:5]


def test_all_of_what_was_minted_is_recorded_or_nothing(store, registry):
    user = registry.mint("user")
    store.record(user, kind="user")
    session = store.record(registry.mint("session"), kind="session", parent=user, parent_kind="user")
    stranger = registry.mint("session")
    good, orphan = minted(store, session, registry.mint("connection")), registry.mint("connection")
    with pytest.raises(LineageConflict, match="not recorded"):
        store.record_minted([good, minted(store, session._replace(child=stranger), orphan)])
    for text in (orphan, good.text):
        with pytest.raises(NotFound):
            store.lineage(text, kind="connection")
