"""The surface is the one of the old modules, name by name."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from unittest import mock

import pytest

from canonid.compat.replacements import REPLACEMENTS
from compat.surface import CLASS_METHODS, DATACLASSES, ENUMS, GENERATOR, MANAGER, ROWS, SURFACE, load


def plain(signature: inspect.Signature) -> str:
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    return str(inspect.Signature(parameters))


@pytest.mark.parametrize(("module", "owner", "row"), ROWS, ids=[f"{o or m}.{r}" for m, o, r in ROWS])
def test_a_name_takes_what_it_always_took(module, owner, row):
    name, _, _ = row.partition("(")
    home = getattr(load(module), owner) if owner else load(module)
    assert name + plain(inspect.signature(getattr(home, name))) == row


@pytest.mark.parametrize(("module", "owner"), SURFACE, ids=str)
def test_nothing_else_is_public(module, owner):
    listed = {row.partition("(")[0] for m, o, row in ROWS if (m, o) == (module, owner)}
    home = getattr(load(module), owner) if owner else load(module)
    found = {
        name
        for name, value in vars(home).items()
        if inspect.isroutine(value) and not name.startswith("_") and name != "called"
        if owner or value.__module__ == home.__name__
    }
    assert found == {name for name in listed if not name.startswith("_")}


@pytest.mark.parametrize("name", sorted(CLASS_METHODS))
def test_class_methods_need_no_manager(name):
    assert isinstance(vars(load(MANAGER).UnifiedIDManager)[name], classmethod)


@pytest.mark.parametrize(("module", "name"), ENUMS, ids=str)
def test_an_enum_has_its_members_with_lower_case_values(module, name):
    members = getattr(load(module), name)
    assert issubclass(members, enum.Enum)
    for member in ENUMS[module, name].split():
        assert members[member].value == member.lower()


@pytest.mark.parametrize(("module", "name"), DATACLASSES, ids=str)
def test_a_dataclass_has_its_fields_in_order(module, name):
    fields = dataclasses.fields(getattr(load(module), name))
    assert [field.name for field in fields] == DATACLASSES[module, name].split()


def test_metadata_has_a_fresh_context_where_none_is_given():
    manager = load(MANAGER)
    first, second = (manager.IDMetadata("user_1", manager.IDType.USER, 0.0, context=None) for _ in range(2))
    assert first.context == {} and first.context is not second.context
    assert manager.IDMetadata("user_1", manager.IDType.USER, 0.0).prefix is None


def test_members_that_never_existed_are_there_or_say_what_they_are_called():
    types = load(MANAGER).IDType
    assert (types.CONNECTION.value, types.RUN.value) == ("connection", "run")
    for wrong, right in (("USER_ID", "USER"), ("THREAD_ID", "THREAD"), ("CONNECTION_ID", "CONNECTION")):
        with pytest.raises(AttributeError, match=rf"no member {wrong}; it is IDType\.{right}$"):
            getattr(types, wrong)
    with pytest.raises(AttributeError, match=r"no member NONSENSE$"):
        types.NONSENSE
    assert not hasattr(types, "USER_ID")


def test_every_public_name_has_a_replacement():
    listed = {
        f"{owner or module}.{row.partition('(')[0]}" for module, owner, row in ROWS if not row.startswith("_")
    }
    assert set(REPLACEMENTS) == listed


def test_a_run_id_takes_exactly_one_thread():
    manager = load(MANAGER).UnifiedIDManager
    parameters = inspect.signature(manager.generate_run_id).parameters.values()
    assert [p.default for p in parameters] == [inspect.Parameter.empty]
    with pytest.raises(TypeError):
        manager.generate_run_id("thread_1", "user_1")


def test_names_patched_in_place_are_what_module_functions_call():
    manager, generator = load(MANAGER), load(GENERATOR)
    with mock.patch("canonid.compat.unified_id_manager.UnifiedIDManager.generate_id", return_value="x"):
        assert manager.generate_thread_id() == "x"
    with mock.patch("canonid.compat.unified_id_manager.get_id_manager") as get:
        manager.is_valid_id("user_1")
    get.return_value.is_valid_id.assert_called_once_with("user_1", None)
    name = "canonid.compat.unified_id_generator.UnifiedIdGenerator.generate_user_context_ids"
    with mock.patch(name, return_value=("t", "r", "q")):
        assert generator.create_user_execution_context_factory("u")["run_id"] == "r"
    with mock.patch("canonid.compat.unified_id_generator.time.time", return_value=1e9):
        assert "_1000000000000_" in generator.UnifiedIdGenerator.generate_base_id("x")


@pytest.mark.parametrize("name", [module for module, owner in SURFACE if owner is None])
def test_a_star_imports_the_old_names_and_nothing_else(name):
    module = load(name)
    own = {key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    assert set(module.__all__) == {key for key in own if not key.startswith("_")}


@pytest.mark.parametrize(
    "name", ["id", "user_id", "thread_id", "run_id", "request_id", "connection_id", "task_id"]
)
def test_names_that_never_existed_go_through_the_base(name):
    generator = load(GENERATOR).UnifiedIdGenerator
    with mock.patch.object(generator, "generate_base_id", return_value="x_1"):
        assert getattr(generator, f"generate_{name}")() == "x_1"
