"""New IDs: UUIDv7 (RFC 9562 §5.7) as ready text, strictly increasing; UUIDv4 where the time must not show.

The text of a UUIDv7 is laid out in columns (`layouts`), so a block of them is a byte array whose columns are
filled one by one at the speed of C, and minting takes the next text of the block. A block belongs to one
tick, a millisecond: when the clock has moved on it is dropped. A tick that is asked for a few IDs makes them
singly, and one that is asked for more makes blocks, each twice as long as the one before.

Within a tick a counter increases. It begins at a random place, and behind it come 60 random bits: 40 of
each ID's own and 20 that a block shares. So whoever holds an ID can't guess the next one. If the clock stands
still or steps back, the tick goes on; if its counter is used up, the next millisecond is taken ahead of time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from canonid.core import payload, system
from canonid.core.layouts import COUNTERS, Layout, layout

Clock = Callable[[], float]
Entropy = Callable[[int], bytes]

ONE_BY_ONE = 16  # a shorter block costs more than its IDs made singly
LONGEST_BLOCK = 512
BULK_BLOCK = 8192
SPARE = 64
_NOTHING: Iterator[Any] = iter(())
HALF_A_MICROSECOND = 5e-7  # what a float may lack of a time in milliseconds


class Minter(NamedTuple):
    """A source of new texts: `mint` gives one, `many` a list of n."""

    mint: Callable[[], str]
    many: Callable[[int], list[str]]


class Engine(Protocol):
    """What makes minters. `ticking` is the one in pure Python; a native one would keep the same promise.

    A minter's texts are `before`, a UUIDv7 as the payload field `type_` writes it (`base32`, `ulid` or
    `uuid`), and `after`. They are strictly increasing, whatever thread asks, also while the clock stands
    still or steps back; a forked child repeats none. `clock` gives seconds since 1970, `entropy` n
    unpredictable bytes. OverflowError if the clock is not within 48 bits of milliseconds.
    """

    def __call__(self, type_: str, before: str, after: str, clock: Clock, entropy: Entropy) -> Minter: ...


def ticking(
    type_: str,
    before: str,
    after: str,
    clock: Clock,
    entropy: Entropy,
    *,
    one_thread_runs: bool = system.ONE_THREAD_RUNS,
) -> Minter:
    """A minter in pure Python; see `Engine`.

    `one_thread_runs` says that the interpreter runs one thread at a time; where it doesn't, every call takes
    the lock.
    """
    lay = layout(type_)
    lock: threading.RLock  # reentrant: a signal handler or a finaliser may mint while it is held
    until: float  # the end of the tick, in seconds
    tick: int  # in milliseconds
    head: str  # what the tick's texts begin with
    count: int  # the counter's next value
    size: int  # of the next block
    ready: Iterator[str]
    spare: Iterator[tuple[int, str]]  # random: where a counter may begin, and the end of a text

    def reset() -> None:
        """In a forked child also for the lock, whose holder may not exist there."""
        nonlocal lock, until, tick, count, size, ready, spare
        lock = threading.RLock()
        until, tick, count, size, ready, spare = float("-inf"), -1, COUNTERS, 1, _NOTHING, _NOTHING

    def mint() -> str:
        if clock() < until:
            for text in ready:
                return text
        return more()

    def more() -> str:
        nonlocal size, ready
        with lock:
            end = follow_clock()
            for text in ready:  # another thread was here first
                return text
            wanted = 1 if size < ONE_BY_ONE else size
            size = size * 2 if size < LONGEST_BLOCK else size
            begins, start, stop = reserve(wanted)
            if wanted == 1:
                return f"{begins}{lay.rest(start, end or draw()[1])}{after}"
            block = iter(_block(lay, begins, start, stop, draw()[1], after, entropy))
            first = next(block)
            if count == stop and head is begins:  # else the block would come after what was minted meanwhile
                ready = block
            return first

    def many(n: int) -> list[str]:
        nonlocal ready
        out: list[str] = []
        while len(out) < n:
            with lock:  # not while the texts are made, so that nobody waits for a million
                follow_clock()
                begins, start, stop = reserve(min(n - len(out), BULK_BLOCK))
                shared = draw()[1]
                ready = _NOTHING  # what is left there would come too late
            out += _block(lay, begins, start, stop, shared, after, entropy)
        return out

    def follow_clock() -> str:
        """Begin a new tick if the clock says so; then the random end of its first text, else nothing."""
        nonlocal size, ready
        now = clock()
        if now < until:
            return ""
        milliseconds = int((now + HALF_A_MICROSECOND) * 1000) if now >= 0 else -1
        end = begin(tick + 1 if 0 <= milliseconds <= tick else milliseconds)
        size = size // 4 or 1
        ready = _NOTHING
        return end

    def begin(milliseconds: int) -> str:
        nonlocal until, tick, head, count
        if milliseconds >> 48:
            raise OverflowError(f"the clock says {milliseconds} ms; a UUIDv7 holds 48 bits of milliseconds")
        first, end = draw()
        begins, ends = before + lay.time(milliseconds), (milliseconds + 1) / 1000
        if tick >= milliseconds:
            return ""  # whoever minted meanwhile, a signal handler say, has begun it
        # No call from here on, so that nobody can come in between.
        count = first
        head = begins
        until = ends
        tick = milliseconds
        return end

    def reserve(wanted: int) -> tuple[str, int, int]:
        """A stretch of the counter for the caller alone, and what the texts of its tick begin with."""
        nonlocal count
        if count == COUNTERS:
            begin(tick + 1)
        start = count
        count = start + wanted if start + wanted < COUNTERS else COUNTERS
        return head, start, count

    def draw() -> tuple[int, str]:
        nonlocal spare
        for drawn in spare:
            return drawn
        spare = _spare(lay, entropy)
        return next(spare)

    def one_at_a_time() -> str:
        with lock:
            return mint()

    reset()
    system.reset_in_child(draw, lambda _: reset())  # every verb refers to `draw`, and none to `reset`
    return Minter(mint if one_thread_runs else one_at_a_time, many)


def untimed(type_: str, before: str, after: str, entropy: Entropy) -> Minter:
    """A minter of UUIDv4 (RFC 9562 §5.4): 122 random bits, which tell neither time nor order."""

    def mint() -> str:
        bits = payload.as_uuid(int.from_bytes(entropy(16), "big"), version=4)
        return f"{before}{payload.write(type_, bits)}{after}"

    return Minter(mint, lambda n: [mint() for _ in range(n)])


def _spare(lay: Layout, entropy: Entropy) -> Iterator[tuple[int, str]]:
    """Random pairs: where a counter begins, in its lower half to leave it room, and the end of a text.

    Drawn in advance, since one call for entropy takes as long as all the rest of making a text.
    """
    width = lay.shared + lay.fresh
    characters = entropy(SPARE * width).translate(lay.random).decode("ascii")
    ends = [characters[at : at + width] for at in range(0, SPARE * width, width)]
    counts = [number % (COUNTERS // 2) for number in memoryview(entropy(SPARE * 2)).cast("H")]
    return iter(list(zip(counts, ends, strict=True)))


def _block(
    lay: Layout, head: str, start: int, stop: int, shared: str, after: str, entropy: Entropy
) -> list[str]:
    """The texts of the counter's values from `start` to before `stop`."""
    count = stop - start
    line = f"{head}{lay.rest(0, shared[: lay.shared] + '0' * lay.fresh)}{after}\n"
    width = len(line)
    lines = bytearray(line.encode("ascii") * count)
    for place, column in zip(lay.counter_at, lay.counter, strict=True):
        lines[len(head) + place :: width] = column[start:stop]
    random = entropy(lay.fresh * count).translate(lay.random)
    place = width - 1 - len(after) - lay.fresh
    for digits in range(0, lay.fresh * count, count):
        lines[place::width] = random[digits : digits + count]
        place += 1
    del lines[-1]
    return lines.decode("ascii").split("\n")
