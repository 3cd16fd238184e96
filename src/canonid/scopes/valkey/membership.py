"""One process's membership of one bucket of the store: its epoch, its lease, and what it holds there.

No clock of the wall decides anything, and none of the server. A process beats by counting up in the
store. Its lease ends one lease after it sent the last beat that was answered; others release what it held
once they have seen its count unchanged for a whole lease, so later than that.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context
from secrets import token_hex
from typing import Any, Final, NamedTuple, Protocol

from canonid.errors import Fenced, StoreError
from canonid.scopes.valkey.entries import JOINED, SharedEntry, SharedResource, SharedScope
from canonid.scopes.valkey.lease import Pulse, now
from canonid.scopes.valkey.others import Other, Others
from canonid.scopes.valkey.reservations import Reservations
from canonid.scopes.valkey.store import Argument, Store, end_tasks

log = logging.getLogger("canonid.scopes")

DIGEST = 2**48
BATCH = 500
BLOCK = 1000  # milliseconds that the reader of the inbox waits in one call
UNBOUNDED = -1  # as many scopes of a kind as one likes
DOUBTS = 4  # beats in a row that may differ while something is under way

Gone = tuple[str, str, str]
"""What a closing took out of the store: field, owner, nonce."""


class Counts(NamedTuple):
    """What happened since the tree was made: see docs/scopes.md."""

    late: int
    fenced: int
    rejoined: int
    resynced: int
    reaped: int


class Member(Protocol):
    """What a membership needs of its tree."""

    pulse: Pulse
    label: str
    lease: float

    def milliseconds(self) -> int: ...
    def renewed(self) -> None: ...
    def fenced(self) -> None: ...
    def rejoined(self) -> None: ...


class Membership:
    """A process in one bucket."""

    def __init__(self, member: Member, store: Store, prefix: str, reservations: Reservations | None) -> None:
        self.prefix: Final = prefix
        self.store: Final = store
        self.reservations: Final = reservations
        self.held: dict[str, SharedScope | SharedResource] = {}
        self.lease_ends = float("-inf")
        self.process = f"{member.label}-{token_hex(4)}"
        self.rejoined = self.resynced = self.reaped = 0
        self._member = member
        self._lease = member.lease
        self._epoch: str | None = None
        self._left = False
        self._putting_back = False
        self._digest = 0
        self._renewing = asyncio.Lock()
        self._answered = float("-inf")
        self._others = Others(member.lease)
        self._under_way: dict[str, str] = {}  # nonce: field, of claims without an answer so far
        self._overtaken: set[tuple[str, str]] = set()  # those of which the end is known before the answer
        self._moves = 0  # steps that change what is held, begun or ended
        self._doubts = 0
        self._ending: set[str] = set()
        self._reaping: set[str] = set()
        self._orphans: dict[str, float] = {}  # waiting for their parent's process to come back, until when
        self._debts: dict[tuple[str, str], tuple[str, bool]] = {}  # to be released in the store: why, joined
        self._payment = asyncio.Lock()
        self._paying = ""  # the field whose debt is being paid
        self._owing = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    # Joining and leaving the bucket

    async def ready(self) -> None:
        """Returns once this process is a member. `StoreError`."""
        if self._left:
            raise StoreError("this process has left the tree of scopes", path="valkey")
        if self._putting_back:
            await self.renew()
        if self._epoch is None:
            async with self._renewing:
                if self._epoch is None:
                    await self._join()
                if not self._tasks:
                    for keeper in (self._keep, self._read_inbox, self._pay):
                        self._begin(keeper)

    async def aclose(self) -> None:
        """Ends the membership; what is left in the store is closed by whoever is left."""
        self._left = True
        await end_tasks(self._tasks)
        if self._epoch is None:
            return
        epoch, at, answer = self._epoch, str(self._member.milliseconds()), ["more"]
        self._epoch = None
        self.lease_ends = float("-inf")
        with suppress(StoreError):
            while answer[0] == "more":
                answer = await self.store.call(
                    self.prefix, "reap", self.process, epoch, self.process, epoch, "", "left", at
                )

    @property
    def is_joined(self) -> bool:
        """Whether this process is a member, so that its lease matters."""
        return self._epoch is not None

    # Writing

    async def write(self, step: str, *arguments: Argument) -> Any:
        """The answer of a step that changes the store, under this process's epoch. `StoreError`, `Fenced`."""
        for last in (False, True):
            await self.ready()
            answer = await self._call(step, *arguments)
            if answer[0] not in ("stale", "fenced"):
                return answer
            await self.renew()
            if last or answer[0] == "fenced":
                break
        raise Fenced(
            "this process was away for longer than its lease, and what it held was released by others"
        )

    async def enter(self, entry: SharedEntry, at_most: int) -> Any:
        """The answer of a claim. While it is under way, nobody takes it for something left over."""
        nonce = entry.nonce
        self._under_way[nonce] = entry.field
        self._moves += 1
        try:
            if entry.flags == JOINED and self._paying == entry.field:
                async with self._payment:  # or what is left there would be what is entered here
                    pass
            if entry.flags == JOINED and self._owes_closing(entry.field):
                return ["conflict"]  # what is live there is over, though the store does not know it yet
            if self.reservations and not await self.reservations.take(entry.field, entry.principal):
                return ["conflict"]
            answer = await self.write("claim", *claim_of(entry, at_most))
            if answer[0] == "ok" and not await self._is_confirmed(entry):
                self.owe(entry.field, answer[1], "claimed by another", joined=entry.flags == JOINED)
                return ["conflict"]
            overtaken = answer[0] == "ok" and (entry.field, answer[1]) in self._overtaken
            return ["closed"] if overtaken else answer
        finally:
            self._moves += 1
            del self._under_way[nonce]
            if not self._under_way:
                self._overtaken.clear()

    def _owes_closing(self, field: str) -> bool:
        return any(owed == field and not joined for (owed, _), (_, joined) in self._debts.items())

    async def _is_confirmed(self, entry: SharedEntry) -> bool:
        return self.reservations is None or await self.reservations.confirm(entry.field, entry.principal)

    def hold(self, entry: SharedScope | SharedResource) -> None:
        """Records what this process has in the store."""
        self._forget(entry.field, "")
        self.held[entry.field] = entry
        for nonce in ("", entry.nonce):  # it was to be left, and is held again
            if self._debts.get((entry.field, nonce), ("", False))[1]:
                del self._debts[entry.field, nonce]
        self._digest = (self._digest + int(entry.nonce, 16)) % DIGEST

    async def begin(self, entry: SharedEntry, why: str) -> None:
        """Closes in the store what is ended later, so that nothing enters any more."""
        self._ending.add(entry.field)
        await self.write("begin", entry.field, entry.nonce, why, self._member.milliseconds())

    async def end(self, field: str, nonce: str, why: str) -> list[Gone]:
        """Closes in the store, a chunk at a time, and here what of it is here; what left the store."""
        at = self._member.milliseconds()
        gone: list[Gone] = []
        self._ending.add(field)
        self._moves += 1
        try:
            while True:
                answer = await self.write("close", field, nonce, why, at)
                if answer[0] == "gone":
                    self._forget(field, nonce)
                    return gone
                gone += await self._taken_out(answer[2], answer[3])
                if answer[1]:
                    return gone
        finally:
            self._moves += 1
            self._ending.discard(field)

    async def sweep(self, fields: Sequence[str]) -> None:
        """Goes on with closings that have begun, many in one round trip, until they are done."""
        left = dict.fromkeys(fields)
        self._ending |= left.keys()
        try:
            while left:
                answer = await self.write("sweep", *list(left)[:BATCH])
                for field, done, ids, why in answer[1]:
                    await self._taken_out(ids, why)
                    if done:
                        del left[field]
        finally:
            self._moves += 1
            self._ending -= set(fields)

    async def _taken_out(self, ids: str, why: str) -> list[Gone]:
        gone: list[Gone] = [tuple(each) for each in json.loads(ids)]
        self._release(gone, why)
        if (reservations := self.reservations) is not None:
            with suppress(StoreError):  # a key that is left is taken over by the next claim
                await asyncio.gather(*(reservations.give_back(field, self.prefix) for field, _, _ in gone))
        return gone

    def owe(self, field: str, nonce: str, why: str = "", *, joined: bool = False) -> None:
        """Has it released in the store as soon as that answers."""
        self._debts[field, nonce] = (why, joined)
        self._owing.set()

    # The lease

    async def renew(self) -> None:
        """Sends one beat and draws the conclusions: re-joins, or is fenced. `StoreError`."""
        async with self._renewing:
            if self._epoch is None:
                await self._join()
                return
            sent, moves = now(), self._moves
            answer = await self.store.beat(
                self.prefix, "heartbeat", self.process, self._epoch, within=self._lease / 4
            )
            if answer[0] == "fenced":
                await self._fence()
            elif answer[0] == "stale":
                await self._rejoin()
            else:
                self._renewed(sent)
                _, count, digest, unfinished, others = answer
                self._observe(others)
                if left := [field for field in unfinished if field not in self._ending]:
                    self._begin(self.sweep, left)
                if self._putting_back:
                    await self._put_back()
                else:
                    await self._compare(count, int(digest), moves)
        if self._orphans:
            await self._adopt()

    async def _keep(self) -> None:
        fine = True
        while True:
            await asyncio.sleep(self._lease / 4)
            try:
                await self.renew()
                if not fine:
                    log.warning("the store of scopes answers again")
                fine = True
            except StoreError as error:
                if fine:
                    log.warning("no beat: %s", error)
                fine = False
            except Exception:
                log.exception("a beat failed")

    async def _join(self) -> bool:
        """Whether the store knew this process already. It is fenced if others are taking over from it."""
        sent = now()
        answer = await self.store.call(
            self.prefix, "join", self.process, token_hex(6), int(self._lease * 1000)
        )
        if answer[0] == "fenced":
            await self._fence()
            return True
        self._epoch = answer[1]
        self._others.forget()
        self._renewed(sent)
        return bool(answer[2])

    async def _rejoin(self) -> None:
        """The store is another one: restarted, restored, failed over or emptied. Puts back what is held."""
        last = self._answered
        known = await self._join()
        if not known and self.held and self._member.pulse.frozen_since(last):
            await self._fence()
            return
        self.rejoined += 1
        log.warning("%s has a new epoch; putting back %d", self.process, len(self.held))
        self._putting_back = True
        await self._put_back()

    async def _put_back(self) -> None:
        await self._assert_again([entry for entry in self.held.values() if not entry.closed])
        self._putting_back = False
        await self._resync()
        self._member.rejoined()

    async def _fence(self) -> None:
        log.error("%s was fenced: away for longer than its lease; closing what it held", self.process)
        lost = list(self.held.values())
        self.held.clear()
        self._debts.clear()
        self._orphans.clear()
        self._ending.clear()
        self._putting_back = False
        self._digest = 0
        self._epoch = None
        self.lease_ends = float("-inf")
        self.process = f"{self._member.label}-{token_hex(4)}"
        self._member.fenced()
        for entry in reversed(lost):
            entry.end("fenced")
            if entry.local is not None:
                entry.local._begin_closing()
        await self._join()

    def _renewed(self, sent: float) -> None:
        answered = now()
        if answered - self._answered > self._lease / 2:
            # While nobody could beat, or this process could not look, nothing was learnt about the others.
            self._others.learnt_nothing(answered)
        self._answered = answered
        self.lease_ends = sent + self._lease
        self._member.renewed()
        if self._debts:
            self._owing.set()

    def _observe(self, others: Sequence[Other]) -> None:
        """Begins reaping those that are silent, or are being reaped already."""
        for name, epoch, beat in self._others.silent(others, self._answered):
            if name not in self._reaping:
                self._begin(self._reap, name, epoch, beat)

    async def _reap(self, name: str, epoch: str, beat: str) -> None:
        self._reaping.add(name)
        try:
            answer = ["more"]
            why, at = f"the lease of {name} ended", self._member.milliseconds()
            while answer[0] == "more":
                answer = await self.write("reap", name, epoch, beat, why, at)
                if answer[0] in ("more", "reaped"):
                    await self.sweep(answer[1])
            if answer[0] == "reaped":
                self.reaped += 1
                log.warning("%s was reaped: no beat for a lease", name)
        finally:
            self._reaping.discard(name)

    # What others released, and whether both sides know the same

    async def _read_inbox(self) -> None:
        while True:
            key = f"{self.prefix}inbox:{self.process}"
            try:
                entries = await self.store.read(key, block=BLOCK, within=BLOCK / 1000 + self._lease / 4)
                for _, message in entries:
                    self._release([tuple(each) for each in json.loads(message["ids"])], message["why"])
                if entries:
                    await self.store.command("XDEL", key, *(number for number, _ in entries))
            except StoreError:
                await asyncio.sleep(self._lease / 8)
            except (ValueError, KeyError, TypeError):
                log.exception("%s holds something malformed; it is dropped", key)
                with suppress(StoreError):
                    await self.store.command("DEL", key)

    def _release(self, gone: Sequence[Gone], why: str) -> None:
        """Closes what is here of what has left the store, newest first."""
        if self._under_way:
            fields = set(self._under_way.values())
            self._overtaken |= {(field, nonce) for field, _, nonce in gone if field in fields}
        here = [entry for field, _, nonce in gone if (entry := self._forget(field, nonce)) is not None]
        for entry in here:
            entry.end(why)
        locals_ = [entry.local for entry in here if entry.local is not None and not entry.local.closed]
        if locals_:
            self._begin(_close_each, locals_)

    def _forget(self, field: str, nonce: str) -> SharedEntry | None:
        entry = self.held.get(field)
        if entry is None or (nonce and entry.nonce != nonce):
            return None
        del self.held[field]
        self._orphans.pop(field, None)
        self._digest = (self._digest - int(entry.nonce, 16)) % DIGEST
        return entry

    async def _compare(self, count: int, digest: int, moves: int) -> None:
        if (count, digest) == self._expected():
            self._doubts = 0
            return
        self._doubts += 1
        if (moves == self._moves and not self._under_way and not self._ending) or self._doubts >= DOUBTS:
            self._doubts = 0
            await self._resync()

    def _expected(self) -> tuple[int, int]:
        digest = self._digest
        for field in self._orphans:
            digest -= int(self.held[field].nonce, 16)
        return len(self.held) - len(self._orphans), digest % DIGEST

    async def _resync(self) -> None:
        """Releases here what is not in the store, and there what is not here; then the counts agree."""
        self.resynced += 1
        agreed, moves = True, self._moves
        mine = [entry for entry in self.held.values() if entry.field not in self._orphans]
        for batch in _batches(mine):
            pairs = [part for entry in batch for part in (entry.field, entry.nonce)]
            answer = await self._call("lacking", *pairs)
            if answer[0] != "ok":
                return
            agreed = agreed and not answer[1]
            nonces = {entry.field: entry.nonce for entry in batch}
            self._release([(field, "", nonces[field]) for field in reversed(answer[1])], "released elsewhere")
        tops = await self.store.call(self.prefix, "tops", self.process)
        for batch in _batches(tops):
            answer = await self.store.call(self.prefix, "owned", self.process, *batch)
            for field, nonce, flags in zip(answer[::3], answer[1::3], answer[2::3], strict=True):
                entry = self.held.get(field)
                if (entry is None or entry.nonce != nonce) and nonce not in self._under_way:
                    agreed = False
                    self.owe(field, nonce, "not held by its owner", joined=flags == JOINED)

        if agreed and moves == self._moves and not self._under_way and not self._ending:
            count, expected = self._expected()
            await self._call("settle", count, str(expected))

    async def _assert_again(self, entries: Sequence[SharedEntry]) -> None:
        """Claims again, parents first, under the old nonces. Whose parent is missing waits for it a while."""
        for batch in _batches(entries):
            answers = await self.store.call_each(
                self.prefix, "claim", [(self.process, self._epoch or "", *claim_of(entry)) for entry in batch]
            )
            for entry, answer in zip(batch, answers, strict=True):
                if answer[0] == "ok":
                    self._orphans.pop(entry.field, None)
                    if entry.nonce != answer[1]:  # a joined scope that others opened anew
                        self._digest = (self._digest + int(answer[1], 16) - int(entry.nonce, 16)) % DIGEST
                        entry.nonce = answer[1]
                elif answer[0] == "closed" and now() < self._orphans.setdefault(
                    entry.field, now() + self._lease
                ):
                    continue
                else:
                    self._release([(entry.field, "", entry.nonce)], "claimed by another")

    async def reserve_again(self, reservations: Reservations) -> None:
        """Writes the keys of all that is held, which may have been lost or are to expire."""

        async def reserve(entry: SharedEntry) -> None:
            while not entry.closed:
                try:
                    taken = await reservations.take(entry.field, entry.principal)
                    if not taken or not await reservations.confirm(entry.field, entry.principal):
                        self._release([(entry.field, "", entry.nonce)], "claimed by another")
                        self.owe(entry.field, entry.nonce, "claimed by another", joined=entry.flags == JOINED)
                    return
                except StoreError:
                    await asyncio.sleep(self._lease / 4)

        await asyncio.gather(*(reserve(entry) for entry in list(self.held.values())))

    async def _adopt(self) -> None:
        async with self._renewing:
            waiting = [entry for field in list(self._orphans) if (entry := self.held.get(field)) is not None]
            await self._assert_again([entry for entry in waiting if not entry.closed])

    async def _pay(self) -> None:
        while True:
            await self._owing.wait()
            self._owing.clear()
            for debt, (why, joined) in list(self._debts.items()):
                if debt not in self._debts or (joined and debt[0] in self._under_way.values()):
                    continue  # held again, or about to be; else the next beat goes on
                try:
                    async with self._payment:
                        self._paying = debt[0]
                        await self._pay_one(*debt, why, joined)
                except (StoreError, Fenced):
                    owed = self._debts.pop(debt, None)
                    if owed is not None:
                        self._debts[debt] = owed  # behind the others; the next beat goes on
                    break
                finally:
                    self._paying = ""
                self._debts.pop(debt, None)

    async def _pay_one(self, field: str, nonce: str, why: str, joined: bool) -> None:
        last = await self.give_up(field, nonce, why) if joined else nonce
        if last:
            await self.end(field, last, why)

    async def give_up(self, field: str, nonce: str, why: str) -> str:
        """Leaves a joined scope in the store; its nonce if this was the last process, which has to close it.

        An empty `nonce` stands for any claim of that name.
        """
        answer = await self.write("leave", field, nonce, why, self._member.milliseconds())
        if answer[0] == "last":
            return str(answer[1])
        self._forget(field, nonce)
        return ""

    async def _call(self, step: str, *arguments: Argument) -> Any:
        return await self.store.call(self.prefix, step, self.process, self._epoch or "", *arguments)

    def _begin(self, work: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> None:
        # Not in the context of the caller, who may be a cleanup: those never wait for closings.
        task = asyncio.get_running_loop().create_task(_quietly(work, *arguments), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def claim_of(entry: SharedEntry, at_most: int = UNBOUNDED) -> tuple[Argument, ...]:
    """The arguments of a claim, after the process and its epoch."""
    parent = entry.parent
    return (
        entry.field,
        entry.principal,
        "" if parent is None else parent.field,
        "" if parent is None else parent.nonce,
        entry.nonce,
        entry.opened_at,
        entry.flags,
        "" if entry.text == entry.canonical else entry.text,
        at_most,
    )


async def _quietly(work: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> None:
    try:
        await work(*arguments)
    except (StoreError, Fenced) as error:
        log.warning("left for the next beat: %s", error)
    except Exception:
        log.exception("a task of a membership failed")


async def _close_each(entries: Sequence[Any]) -> None:
    for entry in entries:
        await entry._begin_closing()


def _batches(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
