"""Snowflakes: a time, the numbers of a machine and a sequence, packed into one positive number.

A layout says how many bits each part takes, from the highest to the lowest, and when time begins.
Sources: github.com/twitter-archive/snowflake (its 2010 release), and "Snowflakes" in Discord's API reference,
discord.com/developers/docs/reference#snowflakes.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeGuard

from canonid.core import system
from canonid.core.language import Node, decimal
from canonid.errors import InvalidId, show

MAX_BITS = 64
EXPECTED = "twitter, discord, or like epoch 1600000000000, time 41, worker 10, sequence 12"

_LAYOUT = re.compile(r"epoch +(\d{1,14})((?: *, *[a-z][a-z0-9_]* +\d{1,2})+)", re.ASCII)
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_PART = re.compile(r"([a-z][a-z0-9_]*) +(\d+)", re.ASCII)


class Layout(NamedTuple):
    """How a snowflake is packed: `parts` are (name, bits) from the highest; `epoch` is in ms since 1970.

    The first part is `time`, in milliseconds since the epoch; one is `sequence`; all others are numbers
    that say which machine made it.

    >>> DISCORD.split(175928847299117063)
    {'time': 1462015105796, 'worker': 1, 'process': 0, 'sequence': 7}
    """

    epoch: int
    parts: tuple[tuple[str, int], ...]

    @property
    def bits(self) -> int:
        return sum(bits for _, bits in self.parts)

    @property
    def node(self) -> Node:
        """The texts of this layout: decimal, no leading zeros, from 1 to its greatest number."""
        return decimal(1, (1 << self.bits) - 1)

    @property
    def machine(self) -> tuple[str, ...]:
        """The parts that only the caller of `mint` knows, e.g. `worker`."""
        return tuple(name for name, _ in self.parts if name not in ("time", "sequence"))

    def time_of(self, number: int) -> int:
        """The creation time in milliseconds since 1970."""
        return (number >> self.bits - self.parts[0][1]) + self.epoch

    def split(self, number: int) -> dict[str, int]:
        """Every part of a number by its name, `time` in milliseconds since 1970. Raises InvalidId."""
        if not _whole(number) or not 0 < number < 1 << self.bits:
            raise InvalidId(f"expected a number from 1 to {(1 << self.bits) - 1}, got {_shown(number)}")
        found = {}
        for name, bits in reversed(self.parts):
            found[name] = number & (1 << bits) - 1
            number >>= bits
        found["time"] += self.epoch
        return {name: found[name] for name, _ in self.parts}

    def join(self, parts: Mapping[str, object]) -> int:
        """The number of these parts, the inverse of `split`.

        Nothing wraps: raises OverflowError for a time that has no room, InvalidId for another part.
        """
        if not isinstance(parts, Mapping) or any(name not in parts for name, _ in self.parts):
            expected = ", ".join(name for name, _ in self.parts)
            got = f"only {len(parts)} parts" if isinstance(parts, Mapping) else type(parts).__name__
            raise InvalidId(f"expected a mapping with {expected}, got {got}")
        number = 0
        for name, bits in self.parts:
            low = self.epoch if name == "time" else 0
            value = _within(name, parts[name], low, low + (1 << bits) - 1)
            number = number << bits | value - low
        return number


def _within(name: str, value: object, low: int, high: int) -> int:
    if not _whole(value):
        raise InvalidId(f"expected a whole number as {name}=, got {_shown(value)}")
    if low <= value <= high:
        return value
    if name == "time":
        raise OverflowError(f"the clock says {_shown(value)} ms; the snowflake holds {low} to {high}")
    raise InvalidId(f"expected {name}= from {low} to {high}, got {_shown(value)}")


def _whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


def _shown(value: object) -> str:
    """A number as it is, unless it is so long that writing it out would cost time or fail."""
    if not _whole(value):
        return show(value)
    return str(value) if value.bit_length() <= 2 * MAX_BITS else f"a number of {value.bit_length()} bits"


def layout(text: str) -> Layout:
    """The layout that a text describes, or that is known under its name.

    Raises ValueError with what was expected.
    """
    ready = READY.get(text)
    if ready is not None:
        return ready
    match = _LAYOUT.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a layout ({EXPECTED}), got {show(text)}" if text else f"name {EXPECTED}")
    parts = tuple((name, int(bits)) for name, bits in _PART.findall(match[2]))
    names = [name for name, _ in parts]
    if names[0] != "time" or names.count("sequence") != 1:
        raise ValueError("a layout begins with time and has one sequence")
    if len(set(names)) < len(names):
        raise ValueError("two parts of the layout have the same name")
    found = Layout(int(match[1]), parts)
    if not all(bits for _, bits in parts) or found.bits > MAX_BITS:
        raise ValueError(f"each part takes 1 bit or more, all together at most {MAX_BITS}, not {found.bits}")
    return found


# Twitter's are positive in a signed 64-bit number; Discord's use all 64 bits and call the sequence increment.
TWITTER = Layout(1_288_834_974_657, (("time", 41), ("datacenter", 5), ("worker", 5), ("sequence", 12)))
DISCORD = Layout(1_420_070_400_000, (("time", 42), ("worker", 5), ("process", 5), ("sequence", 12)))
READY = {"twitter": TWITTER, "discord": DISCORD}


class Snowflakes:
    """A source of snowflakes, strictly increasing per layout for one machine number. Thread-safe.

    Within a millisecond the sequence counts up and never wraps: when it is used up, or the clock stands
    or steps back, the time is the last one or a millisecond ahead of it. There is no entropy in a
    snowflake: two sources with the same machine numbers, that of a forked child too, make the same ones.
    """

    def __init__(self, clock: Callable[[], int] = system.milliseconds) -> None:
        self._clock = clock
        self._last: dict[Layout, tuple[int, int]] = {}
        self._renew()
        system.reset_in_child(self, Snowflakes._renew)

    def _renew(self) -> None:
        """In a forked child: a lock of its own. What was made is remembered, the child may be the heir."""
        self._lock = threading.RLock()  # a signal handler may mint while it is held

    def __call__(self, layout: Layout, machine: Mapping[str, object]) -> int:
        """The next number, for numbers of the machine or their decimal texts.

        Raises OverflowError and InvalidId like `Layout.join`.
        """
        numbers = {name: _number(value) for name, value in machine.items()}
        now = self._clock()
        with self._lock:
            time, sequence = self._last.get(layout, (-1, 0))
            if now > time:
                time, sequence = now, 0
            elif sequence + 1 < 1 << dict(layout.parts)["sequence"]:
                sequence += 1
            else:
                time, sequence = time + 1, 0
            number = layout.join({**numbers, "time": time, "sequence": sequence})
            self._last[layout] = time, sequence
        return number
