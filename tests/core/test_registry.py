"""Loading: every fault at once, each with its place; overlaps are proven, not guessed."""

import pickle
from pathlib import Path

import pytest

from canonid import Registry, RegistryError, find_registry, load_registry

EVERYTHING_WRONG = """
canonical = "typeidd"
colour = "red"
[kinds.user]
prefix = "User"
parent = "usr"
[kinds.thread]
prefix = "run"
writer = "nobody"
[kinds.run]
prefx = "run"
[kinds.loop-a]
parent = "loop-b"
[kinds.loop-b]
parent = "loop-a"
[formats.bad]
pattern = "{x:hex(8}"
kinds = ["user", "ghost"]
[formats.nameless]
pattern = "{x:hex(8)}"
[formats.missing]
[services.auth]
accepts = ["typeid", "nope"]
emits = { user = "nope", ghost = "typeid", run = 7 }
"""


def faults_of(text):
    with pytest.raises(RegistryError) as caught:
        Registry.from_toml(text)
    return dict(caught.value.faults)


def test_every_fault_is_reported_at_once_with_its_path():
    faults = faults_of(EVERYTHING_WRONG)
    assert "did you mean 'typeid'?" in faults["canonical"]
    assert "unknown key" in faults["colour"]
    assert "TypeID 0.3" in faults["kinds.user.prefix"]
    assert "did you mean 'user'?" in faults["kinds.user.parent"]
    assert "not declared" in faults["kinds.thread.writer"]
    assert "did you mean 'prefix'?" in faults["kinds.run.prefx"]
    assert "prefix of kind 'thread' already" in faults["kinds.run.prefix"]
    assert "circle: loop-a → loop-b → loop-a" in faults["kinds.loop-a.parent"]
    assert "column 2" in faults["formats.bad.pattern"]
    assert "'ghost'" in faults["formats.bad.kinds"]
    assert "name the kinds" in faults["formats.nameless.kinds"]
    assert "is missing" in faults["formats.missing.pattern"]
    assert "'nope'" in faults["services.auth.accepts"]
    assert "'nope'" in faults["services.auth.emits.user"]
    assert "'ghost'" in faults["services.auth.emits"]
    assert "expected the name of a format" in faults["services.auth.emits.run"]


def test_broken_toml_is_one_fault_with_line_and_column():
    ((path, sentence),) = faults_of("[kinds\n").items()
    assert path == "TOML"
    assert "line 1" in sentence


@pytest.mark.parametrize("text", ["", "kinds = 3", "kinds = { user = 3 }", "[kinds.user]\nprefix = 3"])
def test_wrong_shapes_are_faults_not_crashes(text):
    assert faults_of(text)


OVERLAPPING = """
[kinds.session]
[kinds.thread]
[formats.manager]
pattern = "{kind}_{counter:int}_{random:hex(8)}"
kinds = ["session"]
[formats.manager-thread]
pattern = "session_{time:time(ms % 100000)}_{random:hex(8)}"
kinds = ["thread"]
"""


def test_an_undeclared_overlap_is_refused_with_the_shortest_text():
    ((path, sentence),) = faults_of(OVERLAPPING).items()
    assert path == "formats.manager-thread"
    assert "'session_0_00000000' is both session in format 'manager' and thread in" in sentence
    assert 'overlaps = ["manager"]' in sentence


def test_a_declared_overlap_loads_and_is_still_shown():
    registry = Registry.from_toml(OVERLAPPING + 'overlaps = ["manager"]')
    (overlap,) = registry.overlaps()
    assert overlap.text == "session_0_00000000"


def test_a_format_whose_own_kinds_can_be_confused_is_refused():
    faults = faults_of(
        '[kinds.ws]\n[kinds.conn]\nprefix="ws_conn"\n[formats.f]\npattern = "{kind}_{rest:slug}"\n'
    )
    assert "'ws_conn_0' is both" in faults["formats.f"]


def test_exact_and_derived_readings_of_one_kind_are_an_overlap_too():
    faults = faults_of(
        "[kinds.user]\n[formats.uuid]\n"
        '[formats.any]\npattern = "{x:text(0-9a-z-, 36..36)}"\nkinds = ["user"]\n'
    )
    assert "is both user in format 'uuid' and user in format 'any'" in faults["formats.any"]


def test_bounds_of_slugs_count_in_the_proof():
    apart = (
        '[kinds.a]\n[kinds.b]\n[formats.f]\npattern = "x_{s:slug(1..2)}"\nkinds=["a"]\n'
        '[formats.g]\npattern = "x_{s:slug(3..9)}"\nkinds=["b"]\n'
    )
    assert Registry.from_toml(apart).overlaps() == []
    assert "'x_00' is both" in faults_of(apart.replace("3..9", "2..9"))["formats.g"]


def test_nested_ids_in_a_circle_are_refused():
    faults = faults_of(
        '[kinds.a]\n[kinds.b]\n[formats.f]\npattern="f_{x:id(b)}"\nkinds=["a"]\n'
        '[formats.g]\npattern="g_{x:id(a)}"\nkinds=["b"]\n'
    )
    assert "circle: f → g → f" in faults["formats.f.pattern"]


def test_the_legacy_registry_declares_each_of_its_overlaps(registry):
    pairs = {(found.first, found.second): found for found in registry.overlaps()}
    assert pairs["manager", "manager-thread"].text == "session_0_00000000"
    for found in pairs.values():
        kinds = {reading.kind for reading in registry.recognise(found.text).readings}
        assert {found.first_kind, found.second_kind} <= kinds


def test_errors_survive_pickling():
    with pytest.raises(RegistryError) as caught:
        Registry.from_toml("colour = 1")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.faults == caught.value.faults


def test_the_nearest_registry_upwards_is_found(tmp_path: Path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.canonid.kinds.user]\n")
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.other]\n")
    assert find_registry(inner) == tmp_path / "pyproject.toml"
    (tmp_path / "a" / "canonid.toml").write_text("[kinds.thread]\n")
    assert load_registry(find_registry(inner)).kinds.keys() == {"thread"}


def test_faults_in_pyproject_carry_the_whole_path(tmp_path: Path):
    path = tmp_path / "pyproject.toml"
    path.write_text("[tool.canonid.kinds.user]\nprefix = 3\n")
    with pytest.raises(RegistryError) as caught:
        load_registry(path)
    assert caught.value.faults[0][0] == "tool.canonid.kinds.user.prefix"
    assert str(path) in str(caught.value)


def test_a_missing_file_is_one_clear_fault(tmp_path: Path):
    with pytest.raises(RegistryError, match="can't be read: No such file"):
        load_registry(tmp_path / "nowhere.toml")
