"""One clock for all: each is called once a heartbeat, from when it was added until it is removed."""

from __future__ import annotations

import asyncio
from collections import Counter

from canonid.websockets.heartbeats import SLOTS, Heartbeats
from scopes.trees import run


class Heart:
    def __init__(self) -> None:
        self.beats: list[float] = []

    def beat(self, number: int) -> None:
        self.beats.append(asyncio.get_running_loop().time())


def test_each_beats_once_a_heartbeat_wherever_it_begins() -> None:
    async def main() -> None:
        heartbeats, hearts, began = Heartbeats(8.0), [Heart() for _ in range(40)], []
        for heart in hearts:
            heartbeats.add(heart)
            began.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.3)
        await asyncio.sleep(80)
        for heart, since in zip(hearts, began, strict=True):
            assert 8.0 - 8.0 / SLOTS - 0.01 <= heart.beats[0] - since <= 8.01
            gaps = [later - sooner for sooner, later in zip(heart.beats, heart.beats[1:], strict=False)]
            assert all(abs(gap - 8.0) < 0.01 for gap in gaps) and len(gaps) >= 8

    run(main())


def test_those_that_came_together_are_not_all_called_in_one_turn_of_the_rest() -> None:
    async def main() -> None:
        heartbeats, hearts = Heartbeats(8.0), [Heart() for _ in range(160)]
        for heart in hearts:
            heartbeats.add(heart)
            await asyncio.sleep(0.05)
        await asyncio.sleep(9)
        moments = Counter(heart.beats[0] for heart in hearts)
        assert len(moments) == SLOTS and max(moments.values()) <= 11

    run(main())


def test_what_is_removed_beats_no_more_and_an_empty_clock_stands() -> None:
    async def main() -> None:
        heartbeats, heart, other = Heartbeats(1.0), Heart(), Heart()
        heartbeats.add(heart)
        heartbeats.add(other)
        await asyncio.sleep(2.5)
        heartbeats.remove(heart)
        heartbeats.remove(heart)
        await asyncio.sleep(3)
        assert len(heart.beats) == 2 and len(other.beats) == 5
        heartbeats.remove(other)
        assert heartbeats._timer is None
        heartbeats.add(heart)
        heartbeats.remove(heart)
        assert heartbeats._timer is None
        heartbeats.add(heart)
        await asyncio.sleep(1.1)
        assert len(heart.beats) == 3, "it begins again"
        heartbeats.remove(heart)

    run(main())


def test_a_beat_may_remove_others() -> None:
    async def main() -> None:
        heartbeats, heart = Heartbeats(1.0), Heart()

        class Ends:
            def beat(self, number: int) -> None:
                heartbeats.remove(heart)

        heartbeats.add(Ends())
        heartbeats.add(heart)
        await asyncio.sleep(3)
        assert len(heart.beats) <= 1

    run(main())
