"""Legacy IDs that are live in a scope: the facades never forget whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canonid.compat.lineage import PRINCIPAL, Lineage
from canonid.compat.locking import ForkSafeLock
from canonid.errors import ClaimRefused, show

if TYPE_CHECKING:  # who uses no scopes needn't wait for asyncio to be imported
    from canonid.scopes import Release, Resource, Scope

LIMIT = 100_000


class Claims:
    """What is claimed into scopes through the facades. Thread-safe."""

    def __init__(self, lineage: Lineage, limit: int = LIMIT) -> None:
        self.limit = limit
        self.live = 0
        self.refused = 0
        self._lineage = lineage
        self._lock = ForkSafeLock()

    def claim(self, scope: Scope, kind: str, text: str, release: Release | None = None) -> Resource:
        """As `scope.claim`; and the lineage from the principal down to the ID is kept until its release."""
        texts, kinds = _chain(scope, kind, text)
        with self._lock:
            if self.live >= self.limit:
                self.refused += 1
                raise ClaimRefused(
                    f"{kind} {show(text)} can't be claimed: {self.limit} legacy IDs are live in scopes;"
                    " release some, or raise claims= in canonid.compat.configure",
                    limit=self.limit,
                )
            self.live += 1

        pinned = self._lineage.pin(*texts)

        def leave() -> object:
            self._leave(pinned, keep=True)
            return None if release is None else release()

        try:
            resource = scope.claim(kind, text, leave)
        except BaseException:
            self._leave(pinned, keep=False)
            raise
        self._lineage.record(*texts, kinds=kinds)  # for the store, which is told of what holds only
        return resource

    def _leave(self, pinned: list[str], *, keep: bool) -> None:
        self._lineage.unpin(pinned, keep=keep)
        with self._lock:
            self.live -= 1


def _chain(scope: Scope, kind: str, text: str) -> tuple[list[str], list[str]]:
    """From the principal down to the text, and the kinds of these."""
    texts, kinds = [text], [kind]
    above: Scope | None = scope
    while above is not None:
        texts.append(above.text)
        kinds.append(above.kind)
        above = above.parent
    return [scope.principal, *reversed(texts)], [PRINCIPAL, *reversed(kinds)]
