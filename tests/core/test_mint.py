"""Minting for the kinds of a registry: formats, fields, writers. What every engine promises: test_engine."""

import uuid

import pytest

from canonid import InvalidId, Registry, UnknownName

TOML = '[kinds.user]\n[formats.uuid]\n[formats.old]\npattern = "{kind}_{t:time(s)}_{n:int}_{r:hex(8)}"\n'


def test_minted_ids_are_uuidv7_and_strictly_increasing():
    registry = Registry.from_toml(TOML)
    ids = [registry.mint("user") for _ in range(5000)]
    assert ids == sorted(set(ids))
    for text in ids[:50]:
        value = uuid.UUID(registry.translate(text, "uuid"))
        assert (value.version, value.variant) == (7, uuid.RFC_4122)


def test_the_time_of_an_id_is_the_clocks():
    registry = Registry.from_toml(TOML, clock=lambda: 1_700_000_000.123)
    assert registry.parse(registry.mint("user"), "user").time == 1_700_000_000_123


def test_legacy_fields_are_filled_from_clock_counter_and_entropy():
    registry = Registry.from_toml(TOML, clock=lambda: 1_700_000_000.999, entropy=lambda size: b"\xab" * size)
    assert [registry.mint("user", format="old") for _ in range(2)] == [
        "user_1700000000_1_abababab",
        "user_1700000000_2_abababab",
    ]
    assert registry.mint("user", format="old", n=41) == "user_1700000000_41_abababab"


def test_a_service_writes_only_what_it_emits_and_no_kind_has_two_writers(registry):
    owned = Registry.from_toml(
        '[kinds.user]\nwriter = "auth"\n[services.auth]\nemits = { user = "typeid" }\n'
        '[services.backend]\nemits = { user = "typeid" }\n'
    )
    assert owned.mint("user", service="auth").startswith("user_")
    with pytest.raises(InvalidId, match="'backend' does not write user IDs; 'auth' does"):
        owned.mint("user", service="backend")
    with pytest.raises(InvalidId, match="'auth' does not write thread IDs"):
        registry.mint("thread", service="auth")
    with pytest.raises(InvalidId, match="emits user IDs as generator, not 'typeid'"):
        registry.mint("user", service="auth", format="typeid")


def test_missing_and_unknown_fields_are_named(registry):
    with pytest.raises(InvalidId, match="needs thread="):
        registry.mint("run", service="backend")
    with pytest.raises(InvalidId, match="no field 'thred'; did you mean 'thread'"):
        registry.mint("run", service="backend", thred="x")
    with pytest.raises(InvalidId, match="check the fields"):
        registry.mint("run", service="backend", thread="not a thread")


def test_mint_and_mint_many_and_bound_verbs_go_on_in_one_order():
    registry = Registry.from_toml(TOML)
    new_user = registry.bind("user").mint
    texts = []
    for _ in range(40):
        texts += [
            registry.mint("user"),
            new_user(),
            *registry.mint_many("user", 3),
            registry.bind("user").mint(),
        ]
    assert texts == sorted(set(texts))
    assert all(registry.is_valid(text, "user", "typeid") for text in texts)


def test_many_are_made_in_any_format_that_fills_itself():
    registry = Registry.from_toml(TOML)
    assert len(set(registry.mint_many("user", 100, format="old"))) == 100
    assert all(
        registry.is_valid(text, "user", "uuid") for text in registry.mint_many("user", 5, format="uuid")
    )
    assert registry.mint_many("user", 0) == []


def test_verbs_name_what_is_not_declared_before_they_are_called(registry):
    for mint in (registry.bind, registry.mint, lambda kind: registry.mint_many(kind, 1)):
        for kind in ("userr", "", None, 7, b"user", ["user"]):
            with pytest.raises(UnknownName, match="kind"):
                mint(kind)
    with pytest.raises(InvalidId, match="needs thread="):
        registry.bind("run", service="backend").mint()


@pytest.mark.parametrize("form", ["typeid", "uuid"])
def test_a_private_kind_is_minted_without_a_time(form):
    registry = Registry.from_toml("[kinds.invite]\nprivate = true\n[formats.uuid]\n")
    texts = [*registry.mint_many("invite", 200, format=form), registry.mint("invite", format=form)]
    readings = [registry.parse(text, "invite") for text in texts]
    assert {uuid.UUID(int=reading.payload).version for reading in readings} == {4}
    assert {reading.time for reading in readings} == {None}
    assert texts != sorted(texts)


def test_a_private_kind_is_minted_without_a_time_in_a_longer_pattern_too():
    registry = Registry.from_toml(
        "[kinds.invite]\nprivate = true\n"
        "[formats.f]\npattern = '{kind}-{id:uuid}-{r:hex(4)}'\nkinds = ['invite']\n"
    )
    reading = registry.parse(registry.mint("invite", format="f"), "invite")
    assert uuid.UUID(reading.fields["id"]).version == 4


def test_a_retired_kind_is_bound_for_reading_and_refuses_to_mint():
    registry = Registry.from_toml("[kinds.order]\nretired = true\n")
    text = "order_01h455vb4pex5vsknk084sn02q"
    orders = registry.bind("order")
    assert orders.parse(text).canonical == text
    assert registry.is_valid(text, "order")
    for mint in (orders.mint, lambda: orders.mint_many(1), lambda: registry.mint("order")):
        with pytest.raises(InvalidId, match="'order' is retired"):
            mint()
