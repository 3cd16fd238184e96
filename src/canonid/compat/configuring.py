"""Setting the facades up, and asking them what they know and who calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from canonid.compat.claims import LIMIT as CLAIMS
from canonid.compat.counting import Use
from canonid.compat.state import state
from canonid.core import Registry
from canonid.errors import InvalidId

if TYPE_CHECKING:
    from canonid.aliases import Store
    from canonid.scopes import Release, Resource, Scope


class Stats(NamedTuple):
    """What the facades of this process hold, and what they had to give up.

    `links` records of lineage are in memory, `forgotten` were dropped from it; `unrecorded` chains could not
    be written to the store. `claims` legacy IDs are live in scopes, `refused` were too many. `unmatched`
    clean-ups found nothing that belongs to their target.
    """

    links: int
    forgotten: int
    unrecorded: int
    claims: int
    refused: int
    unmatched: int


def configure(
    *,
    registry: Registry | None = None,
    store: Store | None = None,
    service: str | None = None,
    warn: bool | None = None,
    test_names: bool | None = None,
    claims: int | None = None,
) -> None:
    """Set the facades of this process up; what is left out stays as it is. Call it before the first use.

    With a `registry` of your own, texts that it reads as one ID name one thing, too. With its `store`,
    lineage is also written there (in the call that makes an ID, which so waits for the disk), and aliases
    count.
    `service` names this process in `usage()`, by default as the environment's CANONID_COMPAT_SERVICE does.
    `warn` gives a DeprecationWarning once for each call site, by default if CANONID_COMPAT_WARN is set.
    `test_names` false takes the names of the test profile out. `claims` is how many legacy IDs may be live
    in scopes.
    """
    if store is not None and registry is None:
        raise InvalidId("a store was given without its registry; expected registry= as well")
    if claims is not None and claims < 1:
        raise InvalidId(f"claims is {claims}; expected at least 1, by default {CLAIMS}")
    lineage = state.lineage
    lineage.registry = lineage.registry if registry is None else registry
    lineage.store = lineage.store if store is None else store
    state.usage.service = state.usage.service if service is None else service
    state.usage.warn = state.usage.warn if warn is None else warn
    state.test_names = state.test_names if test_names is None else test_names
    state.claims.limit = state.claims.limit if claims is None else claims


def claim(scope: Scope, kind: str, text: str, release: Release | None = None) -> Resource:
    """A legacy ID as a resource of a live scope, as `scope.claim` gives it.

    Until it is released the facades don't forget whose it is: it lies below the scope, for all that matches
    by lineage. Raises ClaimRefused at the limit, and what `scope.claim` raises.
    """
    return state.claims.claim(scope, kind, text, release)


def usage() -> list[Use]:
    """Calls of old names by service, name and place, the most frequent first; at most 10,000 places."""
    return state.usage.table()


def stats() -> Stats:
    """What the facades of this process hold; see `Stats`."""
    lineage, claims = state.lineage, state.claims
    return Stats(
        links=len(lineage),
        forgotten=lineage.forgotten,
        unrecorded=lineage.unrecorded,
        claims=claims.live,
        refused=claims.refused,
        unmatched=state.unmatched,
    )


def forget() -> None:
    """Go back to what a new process knows: no lineage, no store or registry, no counts. For tests.

    What is claimed into a scope stays known.
    """
    state.lineage.forget()
    state.lineage.registry = None
    state.lineage.store = None
    state.unmatched = 0
    state.usage.forget()
