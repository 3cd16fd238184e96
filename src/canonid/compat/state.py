"""What the facades of one process share: lineage, claims, and who calls them.

The old modules were global, so this is too; it is the only thing in canonid that is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from canonid.compat.claims import Claims
from canonid.compat.counting import Usage
from canonid.compat.lineage import Lineage
from canonid.compat.locking import ForkSafeLock

SERVICE = "CANONID_COMPAT_SERVICE"
WARN = "CANONID_COMPAT_WARN"
OFF = frozenset({"", "0", "false", "no", "off"})


class State:
    """What the facades work on; `canonid.compat.configure` changes it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.test_names = True
        self.unmatched = 0
        self._lock = ForkSafeLock()
        self.lineage = Lineage()
        self.claims = Claims(self.lineage)
        self.usage = Usage(
            environment.get(SERVICE, ""), warn=environment.get(WARN, "").strip().lower() not in OFF
        )

    def count_unmatched(self) -> None:
        """Count a clean-up that found nothing."""
        with self._lock:
            self.unmatched += 1


state = State(os.environ)


def called(name: str) -> None:
    """To be called first by every public function of the facades: counts its caller."""
    state.usage.count(name)
