"""How long minted IDs stay distinct: their random bits against the rate at which a kind is minted.

The birthday problem, with the reasoning of RFC 9562 §6.7 (weigh how likely a collision is, and how bad) and
§6.9 (random bits of a secure source make it unlikely): two IDs collide if they take the same one of
N = 2**bits values, and, where the text holds its creation time, in the same tick of that clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from canonid.core.declaring import SECONDS, Declarations
from canonid.core.grammar import PAYLOADS, Field
from canonid.core.producing import YEAR, filled_fields, minted_formats, minted_version, recurs
from canonid.core.writing import Writing

SAFE_YEARS = 100  # until the first duplicate is expected; less is reported as weak
UUID7_BITS = 73  # RFC 9562 §5.7: all but time, version and variant, less one that leaves a counter its room
UUID4_BITS = 122  # RFC 9562 §5.4: all but version and variant; what private kinds are made of
KSUID_BITS = 128  # with a time in seconds
MOST_BITS = 512  # more than that no rate can use up, and floats would overflow
TICKS = {"ms": 0.001, "s": 1.0}


class Strength(NamedTuple):
    """How long the IDs of a kind stay distinct, minted in one format at the declared rate.

    `rate` is per second over the whole system, `tick` the seconds that one value of the time in the text
    lasts (None without one), `seconds` how long until the first duplicate is expected, `yearly` how many
    pairs of equal IDs are expected in the first year.
    """

    kind: str
    format: str
    rate: float
    bits: float
    tick: float | None
    seconds: float
    yearly: float

    @property
    def weak(self) -> bool:
        """Whether the first duplicate is expected within 100 years."""
        return self.seconds < SAFE_YEARS * YEAR

    @property
    def sentence(self) -> str:
        bits = f"{self.bits:.3g} random bits" if self.bits else "no random bits"
        within = {0.001: " in each millisecond", 1.0: " in each second"}.get(self.tick or 0, "")
        return (
            f"{bits}{within}; at {rate_words(self.rate)} the first duplicate is expected after"
            f" {time_words(self.seconds)}"
        )


def strengths(declarations: Declarations) -> list[Strength]:
    """One for each kind with a declared rate × format in which it is minted.

    Left out are formats in which everything is given by the caller, who then answers for it.
    """
    kinds, _, services, writings = declarations
    written = {(w.kind, w.format): w for w in writings if not w.retired}
    found = []
    for kind in kinds.values():
        if kind.rate is None:
            continue
        for form in minted_formats(kind, services):
            bits, tick = randomness(written[kind.name, form], private=kind.private)
            if bits or tick:
                seconds = seconds_to_duplicate(kind.rate, bits, tick)
                yearly = yearly_duplicates(kind.rate, bits, tick)
                found.append(Strength(kind.name, form, kind.rate, bits, tick, seconds, yearly))
    return found


def randomness(writing: Writing, *, private: bool) -> tuple[float, float | None]:
    """The random bits that minting puts into a text, and the seconds that its time, if any, stands still.

    The least that is sure: counters begin anew in each process and fields may be given the same value
    twice, so both count nothing.
    """
    filled = list(filled_fields(writing))
    drawn = [_drawn(field, private) for field in filled]
    bits = float(sum(bits for bits, _ in drawn))
    tick = min((tick for _, tick in drawn if tick is not None), default=None)
    # A remainder recurs, so it is worth the values it takes, within a tick at most those that fit into one;
    # of several remainders only the best counts, as all come from one clock.
    bits += max((_remainder_bits(field, tick) for field in filled), default=0)
    return min(bits, MOST_BITS), tick


def _drawn(field: Field, private: bool) -> tuple[int, float | None]:
    """The random bits of a field that minting fills in, and the tick of its time, if it holds one in full."""
    if field.type == "hex":
        return 4 * (field.width or 0), None
    if field.type in PAYLOADS:
        return (UUID4_BITS, None) if minted_version(field, private) == 4 else (UUID7_BITS, TICKS["ms"])
    if field.type == "ksuid":
        return KSUID_BITS, TICKS["s"]
    if field.type == "time" and not recurs(field):
        return 0, TICKS[field.unit]
    return 0, None


def _remainder_bits(field: Field, tick: float | None) -> float:
    if field.modulo is None or not recurs(field):
        return 0
    return math.log2(field.modulo if tick is None else min(field.modulo, max(1, tick / TICKS[field.unit])))


def seconds_to_duplicate(rate: float, bits: float, tick: float | None) -> float:
    """The seconds until the first duplicate is expected, at `rate` IDs a second.

    Without a time, the birthday problem: √(π/2·N)/rate, for N = 2**bits. With one, each tick of δ seconds is
    a birthday problem of its own. It passes without a duplicate with probability q = exp(-(rate·δ)²/2N), and
    the expected time is I/(1-q) with I = ∫₀^δ exp(-(rate·t)²/2N) dt = √(π/2·N)/rate · erf(rate·δ/√2N). With
    few IDs in a tick this is 2N/(rate²·δ): their pairs come at rate²·δ/2 a second, and one in N is equal.

    >>> round(seconds_to_duplicate(1000, 32, None))
    82
    >>> round(seconds_to_duplicate(1000, 32, 0.001) / 86400)
    99
    """
    values = math.exp2(bits)
    alone = math.sqrt(math.pi / 2 * values) / rate
    if tick is None:
        return alone
    crowd = rate * tick / math.sqrt(2 * values)
    return alone * math.erf(crowd) / -math.expm1(-(crowd**2))


def yearly_duplicates(rate: float, bits: float, tick: float | None) -> float:
    """The pairs of equal IDs expected in the first year: rate²·δ/2N a second, with δ the tick or the year."""
    pairs = rate * rate * (YEAR if tick is None else tick) * YEAR / 2
    return pairs * math.exp2(-bits)


def rate_words(rate: float) -> str:
    """A rate in the largest unit that needs no fraction below 1, e.g. `90/min`."""
    unit = next((unit for unit, seconds in SECONDS.items() if rate * seconds >= 0.9999), "day")
    return f"{_number(rate * SECONDS[unit]).replace(',', '')}/{unit}"


def time_words(seconds: float) -> str:
    """A length of time in a unit that people would take, e.g. `82 s`, `99 days`."""
    scale: Iterable[tuple[float, float, str]] = (
        (1, 0.001, "ms"),
        (120, 1, "s"),
        (120 * 60, 60, "minutes"),
        (48 * 3600, 3600, "hours"),
        (2 * YEAR, 86400, "days"),
        (1e6 * YEAR, YEAR, "years"),
    )
    for limit, size, unit in scale:
        if seconds < limit:
            return f"{_number(seconds / size)} {unit}"
    return "more than a million years"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
