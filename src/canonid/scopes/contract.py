"""What every scope tree promises, and the values it answers with.

**Ownership.** An entry (a scope or a resource) has one canonical ID, one parent and one principal, all
recorded when it is opened or claimed and never guessed from a text later. While it is live nobody
else can claim that ID, in any writing. It is live until its cleanup has ended.

**Lookup.** An entry is found by its canonical ID and by any text that resolves to it. Another
principal's entry, an unknown one and a malformed text give one answer, by one path. Principals are
compared as they are written: pass the canonical ID of a user.

**Closing.** The call itself marks the whole scope closed, so nothing enters any more. Then the entries
at and below the scope are released one after the other, newest first (a child scope is an entry of
its parent), each exactly once, whoever else closes or releases meanwhile and whether or not the
callers are cancelled. A cleanup that fails or hangs is reported and doesn't stop the others.

**Cleanups.** A cleanup is a plain or async callable without arguments. Plain ones run at once, in the call
of `close`, up to the first async one; async ones have a time limit each, are then cancelled, and left
behind if they ignore that. A loop that shuts down cancels the cleanup under way and waits for the rest.

A cleanup may use the tree. `close` and `release` called from inside a cleanup start what is to be done,
finish it if no async cleanup stands in the way, and never wait. What a cleanup must not do is wait for
another task that itself waits for the scope being closed; the time limit ends that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from canonid.core import Identity

Resolve = Callable[[str, str | None], Identity]
"""The identity that a text names, of the given kind; raises `InvalidId`. Called from any thread."""

Release = Callable[[], object]
"""The cleanup of a resource, called exactly once. If it returns an awaitable, that is awaited."""


class Failure(NamedTuple):
    """A cleanup that raised (its error), or took too long (a `TimeoutError`)."""

    identity: Identity
    error: BaseException


class Closed(NamedTuple):
    """What was live at and below the scope when it was closed, newest first, the scope itself last.

    Everything in `released` has left the tree; `failures` says for which of it the cleanup failed.
    """

    released: tuple[Identity, ...]
    failures: tuple[Failure, ...]


class Snapshot(NamedTuple):
    """One live entry: `text` as it was claimed, `opened_at` by the tree's clock, children oldest first."""

    kind: str
    canonical: str
    text: str
    opened_at: int
    is_scope: bool
    closed: bool
    children: tuple[Snapshot, ...]


class Stats(NamedTuple):
    """Live scopes and resources now, and counts since the tree was made.

    `released` counts entries that have left the tree, `failures` those among them whose cleanup failed.
    `unknown` counts texts that `release` had no answer for, or that were not live there.
    `abandoned` is how many timed-out cleanups still run, having ignored their cancellation.
    """

    scopes: int
    resources: int
    released: int
    failures: int
    unknown: int
    abandoned: int
