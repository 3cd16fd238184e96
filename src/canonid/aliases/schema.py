"""The tables of a store.

`alias` only ever grows. `via` is where resolving a text goes next: its translation if that is linked
along with it, else the canonical ID that was linked. The view `active` holds the rows that count.
A row of `lineage` names its parent and principal by their own rows, so that no later alias, nor the
undoing of one, can cut it off.
"""

from __future__ import annotations

import sqlite3

APPLICATION = 0x63616E6F  # "cano", in SQLite's header field for the owner of a file
VERSION = 1

STATEMENTS = (
    """
    CREATE TABLE batch (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        note TEXT NOT NULL,
        at REAL NOT NULL,
        undone_at REAL
    ) STRICT
    """,
    """
    CREATE TABLE alias (
        number INTEGER PRIMARY KEY,
        batch INTEGER NOT NULL REFERENCES batch,
        text TEXT NOT NULL,
        kind TEXT NOT NULL,
        canonical TEXT NOT NULL,
        via TEXT NOT NULL CHECK (via <> text)
    ) STRICT
    """,
    "CREATE INDEX alias_text ON alias (text, kind)",
    "CREATE INDEX alias_via ON alias (via, kind)",
    "CREATE INDEX alias_batch ON alias (batch)",
    """
    CREATE VIEW active AS
    SELECT alias.number, text, kind, canonical, via, alias.batch AS batch_number,
           batch.id AS batch, source, at
    FROM alias JOIN batch ON batch.number = alias.batch
    WHERE undone_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM alias AS newer JOIN batch AS its ON its.number = newer.batch
        WHERE newer.text = alias.text AND newer.kind = alias.kind AND newer.number > alias.number
        AND its.undone_at IS NULL
    )
    """,
    """
    CREATE TABLE lineage (
        number INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        child TEXT NOT NULL,
        parent_kind TEXT,
        parent TEXT,
        principal_kind TEXT NOT NULL,
        principal TEXT NOT NULL,
        text TEXT NOT NULL,
        at REAL NOT NULL,
        UNIQUE (child, kind),
        CHECK ((parent IS NULL) = (parent_kind IS NULL)),
        FOREIGN KEY (parent, parent_kind) REFERENCES lineage (child, kind),
        FOREIGN KEY (principal, principal_kind) REFERENCES lineage (child, kind)
    ) STRICT
    """,
    "CREATE INDEX lineage_parent ON lineage (parent, parent_kind)",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)


def create(connection: sqlite3.Connection) -> None:
    """Make the tables, within the transaction that is open."""
    for statement in STATEMENTS:
        connection.execute(statement)


def is_blank(connection: sqlite3.Connection) -> bool:
    """Whether the database holds nothing at all, of anybody."""
    return _mark(connection) == (0, 0) and not connection.execute("SELECT 1 FROM sqlite_schema").fetchone()


def fault(connection: sqlite3.Connection) -> str:
    """Why this is no store that this version can use, else an empty text."""
    application, version = _mark(connection)
    if application != APPLICATION:
        return "is a SQLite database, but not a store of canonid; name another file"
    if version != VERSION:
        return f"has schema {version}, this canonid knows {VERSION}; install the version that wrote it"
    return ""


def _mark(connection: sqlite3.Connection) -> tuple[int, int]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application, version
