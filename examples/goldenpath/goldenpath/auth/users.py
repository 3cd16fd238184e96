"""Users and their sessions, in SQLite. Each gets its ID and its lineage the moment it is created."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from canonid import Registry
from canonid.aliases import SQLiteStore
from goldenpath.settings import Settings
from goldenpath.wal import use_wal

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY COLLATE NOCASE, hash TEXT NOT NULL, user TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    session TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users (user), ends_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_by_end ON sessions (ends_at);
"""
PATIENCE = 5  # seconds to wait for another writer


class NameTaken(Exception):
    """Somebody has that name, perhaps in other letters."""


class User(NamedTuple):
    name: str
    hash: str
    id: str


class Session(NamedTuple):
    id: str
    user: str
    name: str
    ends_at: int


class Users:
    """Every call may wait for another process that writes, so call it in a thread.

    Each call has a connection of its own: there is nothing to close, as nobody tells an application
    that is mounted into another one when to stop.
    """

    def __init__(self, settings: Settings, registry: Registry, records: SQLiteStore) -> None:
        self._path = settings.data / "auth.db"
        self._session_seconds = settings.session_seconds
        self._registry = registry
        self._records = records
        try:
            with self._connected() as connection:
                use_wal(connection)
                connection.executescript(SCHEMA)
        except sqlite3.DatabaseError as error:
            raise sqlite3.DatabaseError(f"{self._path}: {error}") from None

    def sign_up(self, name: str, hash: str) -> Session:
        """The first session of a new user. Raises NameTaken."""
        user = User(name, hash, self._registry.mint("user", service="auth"))
        with self._writing() as connection:
            added = connection.execute(
                "INSERT INTO users VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING", user
            )
            if not added.rowcount:
                raise NameTaken
            self._records.record(user.id, kind="user")
            return self._open_session(connection, user)

    def find(self, name: str) -> User | None:
        """Who signed up with that name, in large or small letters."""
        with self._connected() as connection:
            row = connection.execute("SELECT name, hash, user FROM users WHERE name = ?", (name,)).fetchone()
        return row and User(*row)

    def log_in(self, user: User, hash: str | None = None) -> Session:
        """A new session; `hash` replaces the user's."""
        with self._writing() as connection:
            if hash is not None:
                connection.execute(
                    "UPDATE users SET hash = ? WHERE user = ? AND hash = ?", (hash, user.id, user.hash)
                )
            return self._open_session(connection, user)

    def session(self, id: str) -> Session | None:
        """A session that has not ended."""
        with self._connected() as connection:
            row = connection.execute(
                "SELECT session, user, name, ends_at FROM sessions JOIN users USING (user)"
                " WHERE session = ? AND ends_at > ?",
                (id, int(time.time())),
            ).fetchone()
        return row and Session(*row)

    def end_session(self, id: str) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM sessions WHERE session = ?", (id,))

    def _open_session(self, connection: sqlite3.Connection, user: User) -> Session:
        id = self._registry.mint("session", service="auth", detail=f"web_{user.id[:8]}")
        now = int(time.time())
        ends_at = now + self._session_seconds
        connection.execute("DELETE FROM sessions WHERE ends_at <= ?", (now,))
        connection.execute("INSERT INTO sessions VALUES (?, ?, ?)", (id, user.id, ends_at))
        # Before the commit: whoever can log in has lineage. After a crash in between, lineage of a
        # user whom nobody knows is left, which harms nobody.
        self._records.record(id, kind="session", parent=user.id, parent_kind="user")
        return Session(id, user.id, user.name, ends_at)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as connection, connection:  # the second commits, or rolls back
            connection.execute("BEGIN IMMEDIATE")
            yield connection
