import pytest

from aliases.stores import legacy_user, names_of, resolved, typeid
from canonid import (
    AliasConflict,
    AmbiguousId,
    InvalidId,
    LineageConflict,
    Registry,
    UnknownName,
    Untranslatable,
)

USER, OTHER, THIRD = (typeid("user", number) for number in (1, 2, 3))
UUID = "00000000-0000-4000-8000-000000000001"


def test_without_aliases_a_text_resolves_as_the_registry_says(store, registry):
    assert store.resolve(legacy_user(1)) == registry.identify(legacy_user(1))
    assert store.resolve(UUID, "thread") == registry.identify(UUID, "thread")


def test_a_text_that_the_registry_can_not_read_resolves_by_its_alias(store):
    with pytest.raises(InvalidId):
        store.resolve("old-user-7")
    alias = store.link("old-user-7", USER, source="import")
    assert (alias.text, alias.kind, alias.canonical, alias.source) == ("old-user-7", "user", USER, "import")
    assert store.resolve("old-user-7") == ("user", USER)
    assert store.resolve("old-user-7", "user") == ("user", USER)
    assert store.resolve("old-user-7", service="auth") == ("user", USER)


def test_the_target_may_be_written_in_any_format(store, registry):
    uuid = registry.translate(USER, "uuid")
    assert store.link("old-user-7", uuid, kind="user", source="import").canonical == USER


def test_an_alias_wins_over_translation_and_takes_the_derived_id_along(store, registry):
    text, derived = names_of(registry, legacy_user(1), "user")
    store.link(text, USER, source="import")
    assert resolved(store, text) == resolved(store, derived) == USER


def test_an_alias_that_says_what_translation_says_needs_no_other(store, registry):
    uuid = registry.translate(USER, "uuid")
    store.link(uuid, USER, kind="user", source="import")
    assert [alias.text for alias in store.aliases()] == [uuid]
    assert resolved(store, uuid, "user") == USER


def test_all_writings_of_one_id_move_together(store, registry):
    uuid, ulid = (registry.translate(USER, form) for form in ("uuid", "ulid"))
    store.link(uuid, OTHER, kind="user", source="import")
    assert resolved(store, ulid, "user") == OTHER
    with pytest.raises(AliasConflict):
        store.link(ulid, THIRD, kind="user", source="import")
    store.link(ulid, THIRD, kind="user", source="import", replace=True)
    assert {resolved(store, text, "user") for text in (uuid, ulid, USER)} == {THIRD}


def test_links_are_followed(store):
    store.link("old-user-7", USER, source="import")
    store.link(USER, OTHER, source="merge")
    store.link(OTHER, THIRD, source="merge")
    assert resolved(store, "old-user-7") == resolved(store, USER) == THIRD


def test_linking_again_records_nothing_and_gives_the_existing_alias(store):
    first = store.link("old-user-7", USER, source="import")
    assert store.link("old-user-7", USER, source="somebody else") == first
    assert len(store.batches()) == 1


def test_linking_to_something_else_is_refused_unless_it_replaces(store):
    store.link("old-user-7", USER, source="import")
    with pytest.raises(AliasConflict, match="replace=True"):
        store.link("old-user-7", OTHER, source="import")
    assert resolved(store, "old-user-7") == USER
    store.link("old-user-7", OTHER, source="import", replace=True)
    assert resolved(store, "old-user-7") == OTHER


def test_the_derived_id_is_checked_for_conflicts_too(store, registry):
    text, derived = names_of(registry, legacy_user(1), "user")
    store.link(derived, USER, source="import")
    with pytest.raises(AliasConflict):
        store.link(text, OTHER, source="import")
    store.link(text, OTHER, source="import", replace=True)
    assert resolved(store, text) == resolved(store, derived) == OTHER


@pytest.mark.parametrize("replace", [False, True])
def test_a_circle_is_refused(store, replace):
    store.link(USER, OTHER, source="merge")
    store.link(OTHER, THIRD, source="merge")
    for target in (USER, OTHER, THIRD):
        with pytest.raises(AliasConflict, match="circle"):
            store.link(THIRD, target, source="merge", replace=replace)
    assert resolved(store, USER) == THIRD


def test_a_text_can_be_linked_to_what_leads_to_its_own_translation(store, registry):
    text, derived = names_of(registry, legacy_user(1), "user")
    store.link(USER, derived, source="merge")
    assert store.link(text, USER, source="import").canonical == derived
    assert resolved(store, text) == resolved(store, USER) == derived


def test_aliases_of_one_text_for_several_kinds_need_a_kind(store):
    thread = typeid("thread", 1)
    store.link("seven", USER, source="import")
    store.link("seven", thread, source="import")
    with pytest.raises(AmbiguousId, match="thread, user"):
        store.resolve("seven")
    assert resolved(store, "seven", "user") == USER
    assert resolved(store, "seven", "thread") == thread


def test_the_emitting_service_settles_which_alias_of_a_text_is_meant(store):
    text = "session_41234_9f3c2b1a"  # a thread where the backend wrote it, else perhaps a session
    thread, session = typeid("thread", 1), typeid("session", 1)
    store.link(text, thread, source="import")
    store.link(text, session, source="import")
    assert store.resolve(text, service="backend") == ("thread", thread)
    with pytest.raises(AmbiguousId):
        store.resolve(text)


def test_where_only_an_alias_can_answer_it_does(new_store):
    narrow = Registry.from_toml(
        '[kinds.alert]\nprefix = "alert"\ncanonical = "short"\n'
        '[formats.short]\npattern = "alert_{n:int}"\nkinds = ["alert"]\n'
        '[formats.old]\npattern = "ALERT-{n:hex(8)}"\nkinds = ["alert"]\n'
    )
    store = new_store(registry=narrow)
    with pytest.raises(Untranslatable):
        store.resolve("ALERT-0000000a")
    store.link("ALERT-0000000a", "alert_10", source="import")
    assert store.resolve("ALERT-0000000a") == ("alert", "alert_10")


BAD = ["", " ", "a b", "x" * 1_000_000, "üser", "user\ud800", "user\0", "user\n", "ｕser_1", None, 7, b"user"]


@pytest.mark.parametrize("text", BAD, ids=lambda text: ascii(text)[:16])
def test_what_can_not_be_an_id_is_invalid_everywhere(store, text):
    for call in (
        lambda: store.resolve(text),
        lambda: store.resolve(text, "user"),
        lambda: store.link(text, USER, source="import"),
        lambda: store.link("old-user-7", text, source="import"),
        lambda: store.record(text),
        lambda: store.record(USER, parent="" if text is None else text),
        lambda: list(store.aliases(canonical="" if text is None else text)),
    ):
        with pytest.raises(InvalidId):
            call()
    if text is not None:
        assert list(store.aliases(text=text)) == list(store.aliases(batch=text)) == []
    assert store.batches() == []


def test_undeclared_names_are_told(store):
    for call in (
        lambda: store.resolve(USER, "usr"),
        lambda: store.resolve(USER, service="nobody"),
        lambda: store.link("old-user-7", USER, kind="usr", source="import"),
        lambda: store.record(USER, kind="usr"),
    ):
        with pytest.raises(UnknownName):
            call()


def test_a_link_never_joins_what_two_principals_own(store):
    mine, yours, new = (typeid("thread", number) for number in (1, 2, 3))
    for user, thread in ((USER, mine), (OTHER, yours)):
        store.record(user)
        store.record(thread, parent=user)
    for text, target in ((mine, yours), (USER, OTHER)):
        with pytest.raises(AliasConflict, match="different principals"):
            store.link(text, target, source="merge", replace=True)
    store.link(new, mine, source="merge")
    store.link(new, yours, source="merge", replace=True)
    assert store.lineage(new).principal == OTHER


def test_the_things_of_a_principal_move_with_it(store):
    thread, same = typeid("thread", 1), typeid("thread", 2)
    store.record(USER)
    store.link(USER, OTHER, source="merge")
    for text in (thread, same):
        store.record(text, parent=OTHER)
    store.link(thread, same, source="merge")
    store.link(USER, THIRD, source="merge", replace=True)
    assert store.lineage(thread).principal == store.lineage(same).principal == THIRD


def test_lists_the_aliases_that_count_oldest_first(store, registry):
    text, derived = names_of(registry, legacy_user(1), "user")
    with store.batch("import", note="users of 2024") as batch:
        batch.link("old-user-7", USER)
        batch.link(text, USER)
    store.link("seven", typeid("thread", 1), source="by hand")
    store.link(USER, OTHER, source="merge")
    assert [alias.text for alias in store.aliases()] == ["old-user-7", text, derived, "seven", USER]
    assert [alias.text for alias in store.aliases(limit=2)] == ["old-user-7", text]
    assert [alias.text for alias in store.aliases(batch=batch.id)] == ["old-user-7", text, derived]
    assert [alias.source for alias in store.aliases(text="seven")] == ["by hand"]
    assert [alias.text for alias in store.aliases(kind="thread")] == ["seven"]
    everything = ["old-user-7", text, derived, USER]
    assert [alias.text for alias in store.aliases(canonical=OTHER)] == everything
    assert [alias.text for alias in store.aliases(canonical="old-user-7")] == everything
    assert list(store.aliases(canonical=OTHER, text="seven")) == []
    assert list(store.aliases(limit=0)) == []


def test_a_list_longer_than_a_page_is_whole(store):
    with store.batch("import") as batch:
        for number in range(2500):
            batch.link(f"old-{number}", typeid("user", number), "user")
    texts = [f"old-{number}" for number in range(2500)]
    assert [alias.text for alias in store.aliases()] == texts
    assert [alias.text for alias in store.aliases(limit=1500)] == texts[:1500]


def test_times_come_from_the_clock(new_store):
    store = new_store(clock=lambda: 1_700_000_000.5)
    alias = store.link("old-user-7", USER, source="import")
    (batch,) = store.batches()
    assert alias.at == batch.at == store.record(USER).at == 1_700_000_000.5
    store.undo(batch.id)
    assert store.batches() == [batch._replace(undone_at=1_700_000_000.5)]


def test_errors_cut_what_came_from_outside(store):
    with pytest.raises(InvalidId) as caught:
        store.link("x" * 1000, USER, source="import")
    assert len(str(caught.value)) < 250
    with pytest.raises(LineageConflict) as refused:
        store.record(USER, principal="y" * 1000)
    assert len(str(refused.value)) < 250
