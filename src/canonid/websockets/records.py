"""What a hub looks up and writes down: who belongs to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from canonid.aliases import Lineage, Store
from canonid.core import Identity, Registry
from canonid.counters import Counters
from canonid.errors import NotFound
from canonid.websockets.recorder import Recorder

Mint = Callable[[str, Lineage], str]


class Records:
    """The lineage of what comes and goes. What is not async blocks on the store: for worker threads."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        mint: Mint | None,
        clock: Callable[[], float],
        counters: Counters,
    ) -> None:
        self._registry = registry
        self._store = store
        self._recorder = Recorder(store)
        self._mint = mint
        self._clock = clock
        self._counters = counters

    def session(self, principal: str, session: str) -> Lineage:
        """A user's session. LineageConflict if it is somebody else's."""
        return self._store.record(session, kind="session", parent=principal, parent_kind="user")

    async def born(self, session: Lineage) -> Lineage:
        """A new connection of a session."""
        text = self._minted("connection", session)
        child = text if self._mint is None else self._registry.identify(text, "connection").canonical
        lineage = Lineage(
            child, "connection", session.child, "session", session.principal, text, self._clock()
        )
        await self._recorder.record(lineage)
        return lineage

    def run(self, session_text: str, thread_text: str) -> tuple[Lineage, Lineage, Lineage]:
        """A session, a thread of its principal, and a new run in it. NotFound unless they belong together."""
        session = self._store.lineage(session_text, kind="session")
        thread = self._store.authorise(thread_text, kind="thread", principal=session.principal)
        text = self._minted("run", thread)
        return (
            session,
            thread,
            self._store.record(text, kind="run", parent=thread.child, parent_kind="thread"),
        )

    async def authorised(self, text: str, kind: str, principal: str) -> Lineage:
        """What a text names, if it is the principal's; else NotFound, by one path."""
        return await asyncio.to_thread(self._store.authorise, text, kind=kind, principal=principal)

    def names(self, identity: Identity) -> set[str]:
        """The canonical ID, and those that were so before a link: what is live keeps the one it came with."""
        kind, canonical = identity
        return {canonical, *[alias.text for alias in self._store.aliases(canonical=canonical, kind=kind)]}

    def known(self, kind: str, text: str) -> tuple[set[str], set[str]]:
        """What a text names, and whose it is, each with the IDs that were canonical before a link."""
        identity = self._store.resolve(text, kind=kind)
        principal = self._store.lineage(text, kind=kind).principal
        return self.names(identity), self.names(Identity("user", principal))

    def names_of_session(self, session: str) -> tuple[set[str], str | None]:
        """What a text names, recorded or not, and whose it is if it is."""
        names = self.names(self._store.resolve(session, kind="session"))
        with suppress(NotFound):
            return names, self._store.lineage(session, kind="session").principal
        return names, None

    def _minted(self, kind: str, parent: Lineage) -> str:
        text = self._registry.mint(kind) if self._mint is None else self._mint(kind, parent)
        self._counters.add("minted", kind=kind)
        return text
