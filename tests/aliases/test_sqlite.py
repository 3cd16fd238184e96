import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from aliases.stores import typeid
from canonid import NotFound, StoreError
from canonid.aliases import SQLiteStore, connections

USER, OTHER, THREAD = typeid("user", 1), typeid("user", 2), typeid("thread", 1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ids.db"


def open_files(path):
    found = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
    return [file for file in found if file.startswith(str(path))]


def test_the_log_is_written_ahead(path, registry):
    with SQLiteStore(path, registry):
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


def test_closing_leaves_no_file_open_and_closing_twice_is_fine(path, registry):
    with SQLiteStore(path, registry) as store:
        aliases = store.aliases()
        store.link("old-1", USER, source="import")
        assert open_files(path)
    store.close()
    assert open_files(path) == []
    with pytest.raises(StoreError, match="closed") as caught:
        list(aliases)
    assert caught.value.path == str(path)


def test_a_batch_under_way_ends_before_the_file_is_closed(path, registry):
    store = SQLiteStore(path, registry)
    with store.batch("import") as batch:
        store.close()
        batch.link("old-1", USER)
    assert open_files(path) == []
    with SQLiteStore(path, registry) as again:
        assert again.resolve("old-1").canonical == USER


def test_a_store_of_a_newer_version_is_refused(path, registry):
    SQLiteStore(path, registry).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(StoreError, match=r"ids\.db has schema 2.*install") as caught:
        SQLiteStore(path, registry)
    assert caught.value.path == str(path)
    assert open_files(path) == []


def test_what_is_no_store_is_refused_and_left_alone(path, registry, tmp_path):
    path.write_text("kinds and formats, " * 1000)
    with pytest.raises(StoreError, match="not a SQLite database"):
        SQLiteStore(path, registry)
    assert path.read_text().startswith("kinds and formats")
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE users (id)")
    connection.close()
    with pytest.raises(StoreError, match="not a store of canonid"):
        SQLiteStore(other, registry)
    for wrong in (tmp_path, tmp_path / "missing" / "ids.db"):
        with pytest.raises(StoreError, match="can't be opened"):
            SQLiteStore(wrong, registry)
    assert open_files(tmp_path) == []


def test_a_name_with_odd_characters_is_a_name(tmp_path, registry):
    path = tmp_path / "a?mode=memory#%20 ü.db"
    SQLiteStore(path, registry).close()
    assert path.exists()


def test_read_only_reads_and_never_makes_a_file(path, registry):
    with pytest.raises(StoreError, match="can't be opened"):
        SQLiteStore(path, registry, read_only=True)
    assert not path.exists()
    with SQLiteStore(path, registry) as store:
        batch = store.link("old-1", USER, source="import").batch
    with SQLiteStore(path, registry, read_only=True) as store:
        assert store.resolve("old-1").canonical == USER
        for write in (
            lambda: store.link("old-2", USER, source="import"),
            lambda: store.record(USER),
            lambda: store.undo(batch),
        ):
            with pytest.raises(StoreError, match="reading only"):
                write()
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="not a store"):
        SQLiteStore(path, registry, read_only=True)


def test_a_second_writer_gives_up_with_a_store_error(path, registry, monkeypatch):
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.01)
    with SQLiteStore(path, registry) as store, store.batch("import") as batch:
        batch.link("old-1", USER)
        with pytest.raises(StoreError, match="keep batches short"):
            store.link("old-2", USER, source="import")
        batch.link("old-3", USER)
    assert open_files(path) == []


def test_an_error_of_the_database_is_a_store_error_and_leaves_the_store_usable(path, registry):
    with SQLiteStore(path, registry) as store:
        connection = sqlite3.connect(path)
        (view,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'active'").fetchone()
        connection.execute("DROP VIEW active")
        with pytest.raises(StoreError, match="failed"):
            store.resolve("old-1")
        with pytest.raises(StoreError, match="failed"), store.batch("import") as batch:
            batch.link("old-1", USER)
        connection.execute(view)
        connection.close()
        assert store.link("old-1", USER, source="import").canonical == USER


def test_an_error_of_the_caller_stays_what_it_is(path, registry):
    with SQLiteStore(path, registry) as store:
        with pytest.raises(sqlite3.OperationalError), store.batch("import"):
            raise sqlite3.OperationalError("another database")
        assert store.batches() == []


FORK = """
import os, sys
from canonid import load_registry
from canonid.aliases import SQLiteStore
registry, path, user = load_registry(sys.argv[1]), sys.argv[2], sys.argv[3]

def opened():
    return [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")].count(path)

with SQLiteStore(path, registry) as store:
    store.link("parent-1", user, source="parent")
    child = os.fork()
    if not child:
        inherited = opened()
        store.link("child-1", user, source="child")
        os._exit(0 if opened() > inherited else 1)
    assert os.waitpid(child, 0)[1] == 0
    store.link("parent-2", user, source="parent")
    print(*[alias.text for alias in store.aliases()])
"""


def test_a_forked_child_opens_a_connection_of_its_own(path):
    registry = Path(__file__).parents[1] / "registries" / "legacy.toml"
    ran = subprocess.run(
        [sys.executable, "-c", FORK, str(registry), str(path), USER],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.stdout.split(), ran.stderr) == (["parent-1", "child-1", "parent-2"], "")


LITERALS = re.compile(r"'(?:[^']|'')*'|\bNULL\b|\b\d+\b")


def test_authorising_runs_the_same_statements_whatever_the_answer(path, registry, monkeypatch):
    seen: list[str] = []
    connect = sqlite3.connect

    def traced(*args, **options):
        connection = connect(*args, **options)
        connection.set_trace_callback(seen.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    uuid = registry.translate(THREAD, "uuid")
    with SQLiteStore(path, registry) as store:
        for user in (USER, OTHER):
            store.record(user)
        store.record(THREAD, parent=USER)
        store.link("old-thread-7", THREAD, source="import")

        def shapes(text, principal):
            seen.clear()
            try:
                store.authorise(text, principal=principal)
            except NotFound:
                seen.append("not found")
            return [LITERALS.sub("?", statement) for statement in seen]

        own = shapes(THREAD, USER)
        foreign = shapes(THREAD, OTHER)
        assert len(own) > 5 and foreign == [*own, "not found"]
        for text, principal in (
            ("old-thread-7", OTHER),
            (typeid("thread", 77), OTHER),
            (uuid, USER),
            ("nonsense", USER),
            ("x" * 1_000_000, USER),
            ("\ud800\0", USER),
            (None, USER),
            (THREAD, "nonsense"),
        ):
            assert shapes(text, principal) == foreign
