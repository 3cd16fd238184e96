"""What can't be computed and so is recorded: which texts name one thing, and who owns it.

One contract (`Store`), kept in SQLite by default.
"""

from canonid.aliases.contract import Alias, Batch, BatchRecord, Lineage, Store
from canonid.aliases.sqlite import SQLiteStore

__all__ = ["Alias", "Batch", "BatchRecord", "Lineage", "SQLiteStore", "Store"]
