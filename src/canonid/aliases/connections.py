"""Connections to one SQLite file: opened when needed, each used by one caller at a time."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from canonid.aliases import schema
from canonid.errors import StoreError, show, show_path

BUSY_SECONDS = 5.0


class Connections:
    """A pool that grows to the number of callers at the same time. Thread-safe, usable after a fork."""

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool) -> None:
        if not isinstance(path, str | os.PathLike):
            raise StoreError(f"expected the path of a store, got {type(path).__name__}", path="")
        if not _can_be_a_file(path):
            # SQLite would end the name at a NUL, and open another file.
            raise StoreError(f"{show(str(path))} can't be the name of a file", path=str(path)[:64])
        self.path = Path(path).absolute()
        self.shown = show_path(str(self.path))
        self._mode = "ro" if read_only else "rwc"
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._inherited: list[sqlite3.Connection] = []
        self._process = os.getpid()
        self._closed = False
        try:
            with self.faults_told(), self._taken() as connection:
                self._prepare(connection, read_only)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the database throughout."""
        with self.faults_told(), self._taken() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection that alone may write; committed at the end, rolled back if the block raises."""
        with self._taken() as connection:
            with self.faults_told():
                connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                with self.faults_told():
                    connection.execute("COMMIT")
            finally:
                connection.rollback()

    @contextmanager
    def faults_told(self) -> Iterator[None]:
        """Turns errors of SQLite into StoreError."""
        try:
            yield
        except sqlite3.Error as error:
            raise self.fault(error) from error

    def fault(self, error: sqlite3.Error) -> StoreError:
        """What to raise for an error of SQLite."""
        return StoreError(self._sentence(error), path=str(self.path))

    def close(self) -> None:
        """Close what is idle now, and the rest as it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _taken(self) -> Iterator[sqlite3.Connection]:
        connection = self._take()
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _take(self) -> sqlite3.Connection:
        if os.getpid() != self._process:
            self._start_afresh()
        with self._lock:
            if self._closed:
                raise StoreError(f"the store {self.shown} is closed; open it again", path=str(self.path))
            if self._idle:
                return self._idle.pop()
        return self._open()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _start_afresh(self) -> None:
        # A forked child must neither use nor close its parent's connections: closing one would drop the
        # parent's file locks. Its lock may be held by a thread that doesn't exist here.
        self._lock = threading.Lock()
        self._inherited.extend(self._idle)
        self._idle = []
        self._process = os.getpid()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode={self._mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection, read_only: bool) -> None:
        if schema.is_blank(connection) and not read_only:
            _use_wal(connection)
            with self.writing() as writer:
                if schema.is_blank(writer):  # else another process was faster
                    schema.create(writer)
        fault = schema.fault(connection)
        if fault:
            raise StoreError(f"{self.shown} {fault}", path=str(self.path))

    def _sentence(self, error: sqlite3.Error) -> str:
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_BUSY:
                wait = f"another writer kept it locked for {BUSY_SECONDS:g} s; keep batches short"
                return f"the store {self.shown} can't be written: {wait}"
            case sqlite3.SQLITE_NOTADB:
                return f"{self.shown} is not a SQLite database; name the file of a store, or a new one"
            case sqlite3.SQLITE_CANTOPEN:
                way_out = "check that it exists and that you may read and write there"
                return f"{self.shown} can't be opened; {way_out}"
            case sqlite3.SQLITE_READONLY:
                return f"the store {self.shown} is open for reading only; open it without read_only to write"
            case _:
                return f"the store {self.shown} failed: {error}"


def _can_be_a_file(path: str | os.PathLike[str]) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to write-ahead logging, for good."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait for this lock by itself when two processes switch at once.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
