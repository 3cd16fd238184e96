"""Write-ahead logging for the databases of both services."""

from __future__ import annotations

import sqlite3
import time

PATIENCE = 5.0  # seconds to wait for another process


def use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file, for good, so that those who read don't wait for one who writes."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait for this lock by itself when two processes switch at once.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
