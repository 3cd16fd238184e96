"""Drop-in facades for the two legacy systems and their bridge, and what shows who still uses them.

Replacing an import line by `canonid.compat.unified_id_manager`, `.unified_id_generator` or
`.id_migration_bridge` is the first step off them; docs/compat.md tells the others.
"""

from canonid.compat.configuring import Stats, claim, configure, forget, stats, usage
from canonid.compat.counting import Use
from canonid.errors import ClaimRefused

__all__ = ["ClaimRefused", "Stats", "Use", "claim", "configure", "forget", "stats", "usage"]
