"""What a hub asks of the durable records: the calls of a store that it uses."""

from __future__ import annotations

from typing import Protocol

from canonid.core import Identity


class Lineage(Protocol):
    """A recorded thing: its canonical ID, the text it was recorded under, and on whose behalf it exists."""

    @property
    def child(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def principal(self) -> str: ...


class Store(Protocol):
    """Called in worker threads, since a store may wait for a disk or a network."""

    def resolve(self, text: str, kind: str | None = None) -> Identity: ...
    def record(self, child: str, *, kind: str, parent: str | None, parent_kind: str | None) -> Lineage: ...
    def lineage(self, text: str, *, kind: str) -> Lineage: ...
    def authorise(self, text: str, *, kind: str, principal: str) -> Lineage: ...
