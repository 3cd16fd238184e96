"""What the processes of one application share, so that it does not matter which of them a client reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol
from urllib.parse import quote, unquote

from canonid.scopes import Resolve, ScopeTree, Tree
from canonid.websockets.limits import Limits
from canonid.websockets.tickets import Ticket

Hear = Callable[[str, str], object]
"""Gets a channel and a text that another process told there."""


class SharedTree(Tree, Protocol):
    """A tree of many processes."""

    @property
    def local(self) -> ScopeTree:
        """What this process holds of it."""


class RunRecord(NamedTuple):
    """A run as every process knows it. IDs are canonical; `process` executes it."""

    run: str
    thread: str
    principal: str
    process: str
    seq: int = 0
    ended: bool = False


class Kept(NamedTuple):
    """Events that are still kept: the number of the first, their texts, and the run as it is now."""

    first: int
    texts: Sequence[str]
    record: RunRecord


class RunOver(Exception):
    """Nothing can be added to a run any more: it was ended, by this or another process. `read` says how."""


class Journal(Protocol):
    """The events of runs, kept where every process reads them."""

    async def begin(self, record: RunRecord) -> None:
        """Make a run known, with the thread it belongs to. StoreError."""

    async def append(self, record: RunRecord, texts: Sequence[str], kept: Sequence[str], final: bool) -> int:
        """Keep and tell events that follow `record.seq`; how many processes heard them.

        The last text ends the run where `final`. `kept` is what this process has of the events before, newest
        last: where the store has lost some, they are written again. Waits while the store can't be reached.
        RunOver once the run has ended.
        """

    async def put_back(self, record: RunRecord, kept: Sequence[str]) -> None:
        """Write again what the store has lost of a run that goes on, `kept` as for `append`.

        Waits while the store can't be reached. RunOver once the run has ended.
        """

    async def read(self, run: str, after: int) -> Kept | None:
        """The events with numbers above `after` that are kept; None if the run is not known. StoreError."""

    async def runs_of(self, thread: str) -> list[RunRecord]:
        """The runs of a thread that go on or are kept, oldest first. StoreError."""


class Backplane(Protocol):
    """Everything that a hub shares with the hubs of other processes."""

    @property
    def process(self) -> str:
        """The ID of this process."""

    def membership(self) -> Mapping[str, int]:
        """How often this process was late, fenced, and so on, once it has started."""

    @property
    def journal(self) -> Journal:
        """The events of runs."""

    @property
    def tree(self) -> SharedTree:
        """The scopes of all processes; once it has started."""

    async def start(
        self,
        hear: Hear,
        relisten: Callable[[str], object],
        resolve: Resolve,
        *,
        limits: Limits,
        release_timeout: float,
        on_fenced: Callable[[], object],
        on_rejoined: Callable[[], object],
    ) -> None:
        """Begin. StoreError.

        `limits` are the hub's. `relisten` gets each channel that is heard again after a break. `on_fenced`
        is called when others have taken over what this process held, after it lost its lease; its scopes are
        closed then. `on_rejoined` is called when the store may have lost data, and the scopes are put back.
        """

    @property
    def may_send(self) -> bool:
        """Whether the lease of this process is good; a process without one says nothing to clients."""

    @property
    def may_lack(self) -> bool:
        """Whether the store lost data so lately that other processes may not have put back theirs yet."""

    async def aclose(self) -> None:
        """End, giving back all that is held."""

    async def listen(self, channel: str) -> None:
        """Hear a channel from now on. Counted: `unlisten` as often. StoreError."""

    async def unlisten(self, channel: str) -> None:
        """Hear it no more. Never raises for a store that is gone."""

    async def tell(self, channel: str, text: str) -> int:
        """Tell other processes; how many listen, this one included if it does. StoreError."""

    async def watchers(self, run: str) -> int:
        """How many processes watch a run that they don't execute. StoreError."""

    async def keep_ticket(self, token: str, ticket: Ticket, seconds: float) -> None:
        """Make a ticket good once, for any process. StoreError."""

    async def take_ticket(self, token: str) -> Ticket | None:
        """A ticket, exactly once. StoreError."""

    async def end_session(self, sessions: Sequence[str], at: float) -> None:
        """Tell that sessions were logged out at a time, seconds since 1970. StoreError."""

    async def ended_at(self, session: str) -> float | None:
        """When a session was last logged out; None if it was not, of late. StoreError."""


def user_channel(principal: str) -> str:
    """Where all that concerns one principal is told."""
    return f"user/{principal}"


def tag(name: str) -> str:
    """A hash tag: what has it in its key is on one node. Any text may be a name."""
    return f"{{{quote(name, safe='', errors='surrogatepass')}}}"


def run_channel(run: str) -> str:
    """Where the events of a run are told as they happen; on the node that keeps them."""
    return tag(run)


def run_of(channel: str) -> str:
    """The run whose channel it is."""
    return unquote(channel[1:-1], errors="surrogatepass")


def topic_channel(topic: str) -> str:
    """Where messages of a topic are told."""
    return f"topic/{topic}"


def process_channel(process: str) -> str:
    """Where one process is told which runs to cancel."""
    return f"process/{process}"
