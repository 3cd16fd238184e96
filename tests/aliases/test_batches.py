import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aliases.stores import legacy_user, names_of, resolved, typeid
from canonid import AliasConflict, CanonidError, NotFound, StoreError, UnknownName

USER, OTHER, THIRD = (typeid("user", number) for number in (1, 2, 3))
THREADS = [typeid("thread", number) for number in range(3)]

properties = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_a_batch_is_recorded_as_a_whole(store):
    with store.batch("import", note="users of 2024") as batch:
        batch.link("old-1", USER)
        batch.link("old-2", OTHER)
        assert store.batches() == []
        assert list(store.aliases()) == []
    (record,) = store.batches()
    assert (record.id, record.source, record.note, record.undone_at) == (
        batch.id,
        "import",
        "users of 2024",
        None,
    )
    assert record.links == 2
    assert resolved(store, "old-1") == USER


def test_a_batch_that_raises_leaves_nothing(store):
    def interrupted():
        with store.batch("import") as batch:
            batch.link("old-1", USER)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.batches() == list(store.aliases()) == []
    store.link("old-1", OTHER, source="import")


def test_a_link_that_is_refused_leaves_the_batch_as_it_was(store):
    store.link("old-1", USER, source="first")
    with store.batch("import") as batch:
        batch.link("old-2", OTHER)
        with pytest.raises(AliasConflict):
            batch.link("old-1", OTHER)
    assert resolved(store, "old-1") == USER
    assert store.batches()[-1].links == 1


def test_an_empty_batch_is_recorded(store):
    with store.batch("import") as batch:
        pass
    assert [(record.id, record.links) for record in store.batches()] == [(batch.id, 0)]
    assert store.undo(batch.id) == 0


def test_an_ended_batch_takes_no_more_links(store):
    with store.batch("import") as batch:
        pass
    with pytest.raises(StoreError, match="ended"):
        batch.link("old-1", USER)


def test_batch_ids_are_typeids_in_order_of_time(store):
    for number in range(5):
        store.link(f"old-{number}", USER, source="import")
    ids = [batch.id for batch in store.batches()]
    assert ids == sorted(ids) and all(len(id) == len("batch_") + 26 for id in ids)


def test_undo_counts_every_link_and_brings_back_translation(store, registry):
    text, derived = names_of(registry, legacy_user(1), "user")
    with store.batch("import") as batch:
        batch.link(text, USER)
    assert store.undo(batch.id) == 2
    assert resolved(store, text) == resolved(store, derived) == derived
    assert list(store.aliases()) == []


def test_undo_brings_back_what_was_replaced(store):
    store.link("old-1", USER, source="first")
    replacing = store.link("old-1", OTHER, source="second", replace=True)
    store.undo(replacing.batch)
    assert resolved(store, "old-1") == USER


def test_undo_of_an_older_batch_leaves_what_replaced_it(store):
    replaced = store.link("old-1", USER, source="first")
    store.link("old-1", OTHER, source="second", replace=True)
    store.undo(replaced.batch)
    assert resolved(store, "old-1") == OTHER


def test_of_two_batches_that_say_the_same_each_stands_alone(store):
    for source in ("first", "second"):
        with store.batch(source) as batch:
            batch.link("old-1", USER)
            batch.link("old-1", USER)
    assert [record.links for record in store.batches()] == [1, 1]
    store.undo(store.batches()[0].id)
    assert resolved(store, "old-1") == USER


def test_undoing_twice_or_what_never_was_is_refused(store):
    batch = store.link("old-1", USER, source="import").batch
    store.undo(batch)
    for id in (batch, typeid("batch", 1), "", "x\ud800", None):
        with pytest.raises(UnknownName) as caught:
            store.undo(id)
        assert caught.value.what == "batch"


def test_undo_that_would_close_a_circle_names_the_batch_to_undo_first(store):
    store.link(USER, OTHER, source="first")
    replacing = store.link(USER, THIRD, source="second", replace=True).batch
    back = store.link(OTHER, USER, source="third").batch
    with pytest.raises(AliasConflict, match=f"undo batch {back} first"):
        store.undo(replacing)
    assert resolved(store, OTHER) == THIRD
    store.undo(back)
    store.undo(replacing)
    assert resolved(store, USER) == OTHER


def test_undo_never_joins_what_two_principals_own(store):
    mine, yours, apart = THREADS
    joining = store.link(mine, yours, source="first").batch
    moving = store.link(mine, apart, source="second", replace=True).batch
    for user, thread in ((USER, mine), (OTHER, yours)):
        store.record(user)
        store.record(thread, parent=user)
    with pytest.raises(AliasConflict, match=f"undo batch {joining} first"):
        store.undo(moving)
    assert store.lineage(mine).principal == USER
    store.undo(joining)
    store.undo(moving)
    assert store.lineage(mine).principal == USER
    assert store.lineage(yours).principal == OTHER


def test_undo_never_makes_one_principal_of_two(store):
    store.link(USER, OTHER, source="first")
    moving = store.link(USER, THIRD, source="second", replace=True).batch
    store.record(USER)
    store.record(OTHER)
    with pytest.raises(AliasConflict, match="two principals"):
        store.undo(moving)
    assert store.lineage(USER).principal == THIRD


# Whatever happens

LEGACY = [legacy_user(number) for number in range(2)]
TARGETS = [typeid("user", number) for number in range(4)]
OPAQUE = ["old-1", "old-2"]


def answers(store, texts):
    """Everything a store says of some texts, without the names of batches."""
    listed = [(alias.text, alias.canonical, alias.source) for alias in store.aliases()]
    return {text: said(lambda text=text: resolved(store, text, "user")) for text in texts}, listed


def said(call):
    try:
        return call()
    except CanonidError as error:
        return type(error)


def derived(registry):
    return [registry.canonical(text) for text in LEGACY]


def sentences(texts, targets):
    return st.lists(st.tuples(st.sampled_from(texts), st.sampled_from(targets), st.booleans()), max_size=4)


def make(store, source, links, *, replace=None):
    with store.batch(source) as batch:
        for text, target, flag in links:
            with contextlib.suppress(AliasConflict):
                batch.link(text, target, "user", flag if replace is None else replace)
    return batch.id


@properties
@given(data=st.data())
def test_undoing_the_newest_batches_goes_back_exactly(new_store, registry, data):
    store = new_store()
    texts = [*LEGACY, *derived(registry), *OPAQUE, *TARGETS]
    batches = data.draw(st.lists(sentences(texts, [*TARGETS, *LEGACY]), max_size=5))
    history = []
    for number, links in enumerate(batches):
        before = answers(store, texts)
        history.append((make(store, str(number), links), before))
    for batch, before in reversed(history):
        store.undo(batch)
        assert answers(store, texts) == before


@properties
@given(data=st.data())
def test_undoing_any_batches_is_as_if_they_had_never_been_made(new_store, registry, data):
    texts = [*LEGACY, *derived(registry), *OPAQUE]
    batches = data.draw(st.lists(sentences(texts, TARGETS), max_size=5))
    undone = data.draw(st.sets(st.sampled_from(range(len(batches))))) if batches else set()
    store, without = new_store(), new_store()
    made = [make(store, str(number), links, replace=True) for number, links in enumerate(batches)]
    for number in data.draw(st.permutations(sorted(undone))):
        store.undo(made[number])
    for number, links in enumerate(batches):
        if number not in undone:
            make(without, str(number), links, replace=True)
    assert answers(store, texts) == answers(without, texts)


USERS = [typeid("user", number) for number in range(3)]
STEPS = st.one_of(
    st.tuples(
        st.just("link"), st.sampled_from([*USERS, *LEGACY]), st.sampled_from([*USERS, *LEGACY]), st.booleans()
    ),
    st.tuples(st.just("link"), st.sampled_from(THREADS), st.sampled_from(THREADS), st.booleans()),
    st.tuples(st.just("record"), st.sampled_from(THREADS), st.sampled_from([*USERS, *LEGACY])),
    st.tuples(st.just("undo"), st.integers(0, 20)),
)


@properties
@given(steps=st.lists(STEPS, max_size=14))
def test_whatever_happens_nothing_gets_a_second_owner(new_store, registry, steps):
    store = new_store()
    owner, roots = {}, set()
    for action, *of in steps:
        with contextlib.suppress(AliasConflict, UnknownName):
            if action == "link":
                store.link(of[0], of[1], source="any", replace=of[2])
            elif action == "undo" and (batches := store.batches()):
                store.undo(batches[of[0] % len(batches)].id)
            elif action == "record" and of[0] not in owner:
                user = store.record(of[1]).text
                roots.add(user)
                if said(lambda thread=of[0]: store.lineage(thread)) is NotFound:
                    store.record(of[0], parent=of[1])
                    owner[of[0]] = user
        for text in LEGACY:
            assert resolved(store, text) == resolved(store, registry.canonical(text))
        assert len({resolved(store, user) for user in roots}) == len(roots)
        for thread, user in owner.items():
            assert store.lineage(thread).principal == resolved(store, user)
            assert [step.kind for step in store.ancestry(thread)] == ["thread", "user"]
            assert store.authorise(thread, principal=user) in store.children(user)
