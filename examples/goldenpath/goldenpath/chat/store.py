"""Threads, messages and what they cost, durably. Rows are keyed by canonical IDs."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import Any, Literal, NamedTuple

from goldenpath.wal import use_wal

Status = Literal["complete", "failed", "cancelled"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS threads (
    id TEXT PRIMARY KEY, text TEXT NOT NULL, owner TEXT NOT NULL, title TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS threads_of ON threads (owner, created_at);
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY, thread TEXT NOT NULL REFERENCES threads, run TEXT NOT NULL, run_text TEXT NOT NULL,
    request TEXT, role TEXT NOT NULL, text TEXT NOT NULL, status TEXT NOT NULL, created_at REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS messages_of ON messages (thread, created_at);
CREATE UNIQUE INDEX IF NOT EXISTS requests ON messages (request);
CREATE TABLE IF NOT EXISTS transactions (
    id TEXT PRIMARY KEY, text TEXT NOT NULL, run TEXT NOT NULL, tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL, at REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS alerts (
    id TEXT PRIMARY KEY, text TEXT NOT NULL, run TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS ended_sessions (session TEXT PRIMARY KEY, at REAL NOT NULL) STRICT;
"""


class Thread(NamedTuple):
    id: str
    text: str
    owner: str
    title: str
    created_at: float


class Message(NamedTuple):
    id: str
    thread: str
    run: str
    run_text: str
    request: str | None
    role: Literal["user", "assistant"]
    text: str
    status: Status
    created_at: float


class ChatStore:
    """SQLite in one file. Every call may wait for another process that writes, so call it in a thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two, so that reading doesn't queue behind a write that waits for another process.
        self._writer, self._reader = Connection(path), Connection(path)
        try:
            self._writer.prepare()
        except sqlite3.DatabaseError as error:
            self.close()
            raise sqlite3.DatabaseError(f"{path}: {error}") from None

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    def add_thread(self, id: str, text: str, owner: str, title: str) -> Thread:
        thread = Thread(id, text, owner, title, time())
        self._writer.run("INSERT INTO threads VALUES (?, ?, ?, ?, ?)", thread)
        return thread

    def threads(self, owners: Sequence[str], limit: int) -> list[Thread]:
        """The newest threads of somebody, by every canonical ID they have had, newest first."""
        marks = ", ".join("?" * len(owners))
        query = f"SELECT * FROM threads WHERE owner IN ({marks}) ORDER BY created_at DESC LIMIT ?"  # noqa: S608
        return [Thread(*row) for row in self._reader.run(query, (*owners, limit))]

    def thread(self, id: str) -> Thread | None:
        rows = self._reader.run("SELECT * FROM threads WHERE id = ?", (id,))
        return Thread(*rows[0]) if rows else None

    def name_thread(self, id: str, title: str) -> None:
        """Give a thread without a title this one."""
        self._writer.run("UPDATE threads SET title = ? WHERE id = ? AND title = ''", (title, id))

    def add_message(self, message: Message) -> bool:
        """Whether it was added: False if a message of the same request is there already."""
        statement = """
            INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (request) DO NOTHING RETURNING 1
        """
        return bool(self._writer.run(statement, message))

    def messages(self, thread: str, limit: int) -> list[Message]:
        """The newest messages of a thread, oldest first."""
        query = "SELECT * FROM messages WHERE thread = ? ORDER BY created_at DESC, rowid DESC LIMIT ?"
        return [Message(*row) for row in reversed(self._reader.run(query, (thread, limit)))]

    def question(self, request: str) -> Message | None:
        """The message that a request asked."""
        rows = self._reader.run("SELECT * FROM messages WHERE request = ?", (request,))
        return Message(*rows[0]) if rows else None

    def add_transaction(self, id: str, text: str, run: str, tokens_in: int, tokens_out: int) -> None:
        values = (id, text, run, tokens_in, tokens_out, time())
        self._writer.run("INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?)", values)

    def add_alert(self, id: str, text: str, run: str, reason: str) -> None:
        self._writer.run("INSERT INTO alerts VALUES (?, ?, ?, ?, ?)", (id, text, run, reason, time()))

    def end_session(self, session: str) -> None:
        """Refuse the session's tokens from now on, although they have not expired."""
        self._writer.run("INSERT OR IGNORE INTO ended_sessions VALUES (?, ?)", (session, time()))

    def sessions_ended_after(self, number: int) -> list[tuple[int, str]]:
        """Sessions that any process has ended since the one of this number, with their numbers."""
        query = "SELECT rowid, session FROM ended_sessions WHERE rowid > ? ORDER BY rowid"
        return [(number, session) for number, session in self._reader.run(query, (number,))]

    def session_ended(self, session: str) -> bool:
        return bool(self._reader.run("SELECT 1 FROM ended_sessions WHERE session = ?", (session,)))


class Connection:
    """One connection to the file, for one caller at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)

    def prepare(self) -> None:
        """Make the tables, and let readers go on while somebody writes."""
        use_wal(self._connection)
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(SCHEMA)

    def run(self, statement: str, values: Sequence[object]) -> list[Any]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        self._connection.close()
