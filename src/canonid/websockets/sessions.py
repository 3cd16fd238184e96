"""Live sessions: each holds connections and runs, and outlives the last of them for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from canonid.scopes import LiveScope, Scope


class Session:
    """A session's scope and who keeps it open."""

    def __init__(
        self, scope: LiveScope, grace: float, expire: Callable[[Session], None], keeper: object = None
    ) -> None:
        assert isinstance(scope.local, Scope)
        self.id = scope.canonical
        self.principal = scope.principal
        self.scope = scope
        self.local = scope.local
        self.closing: asyncio.Task[bool] | None = None
        self._grace = grace
        self._expire = expire
        self._keepers: set[object] = set()
        self._countdown: asyncio.TimerHandle | None = None
        if keeper is None:
            self._count_down()
        else:
            self._keepers.add(keeper)

    @property
    def over(self) -> bool:
        """Whether it is ending; its scope may have been closed by somebody else, or by another process."""
        return self.closing is not None or self.local.closed

    def keep(self, keeper: object) -> None:
        """Stay open at least until the keeper leaves."""
        self._keepers.add(keeper)
        self.stop_countdown()

    def leave(self, keeper: object) -> None:
        """The countdown begins when the last keeper has left."""
        self._keepers.discard(keeper)
        if not self._keepers and self.closing is None:
            self._count_down()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Stay open while somebody is entering, who is no keeper yet."""
        entering = object()
        self.keep(entering)
        try:
            yield
        finally:
            self.leave(entering)

    def stop_countdown(self) -> None:
        if self._countdown is not None:
            self._countdown.cancel()
            self._countdown = None

    def _count_down(self) -> None:
        self.stop_countdown()
        self._countdown = asyncio.get_running_loop().call_later(self._grace, self._expire, self)
