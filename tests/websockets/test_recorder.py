"""Lineage of many connections in one transaction, and what becomes of the others where one is at fault."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from canonid import LineageConflict, Registry, StoreError
from canonid.aliases import Lineage, SQLiteStore
from canonid.websockets.recorder import Recorder


class Counting(SQLiteStore):
    """Counts its writes."""

    writes: list[int]

    def record_minted(self, records: Sequence[Lineage]) -> None:
        self.writes.append(len(records))
        super().record_minted(records)


@pytest.fixture
def counting(tmp_path: Path, registry: Registry) -> Counting:
    counting = Counting(tmp_path / "canonid.db", registry)
    counting.writes = []
    return counting


def births(store: SQLiteStore, registry: Registry, count: int) -> list[Lineage]:
    user, session = registry.mint("user"), registry.mint("session")
    store.record(user, kind="user")
    above = store.record(session, kind="session", parent=user, parent_kind="user")
    texts = [registry.mint("connection") for _ in range(count)]
    return [Lineage(t, "connection", above.child, "session", above.principal, t, 1.0) for t in texts]


def test_what_comes_together_is_written_together(counting: Counting, registry: Registry) -> None:
    async def main() -> None:
        recorder, records = Recorder(counting), births(counting, registry, 200)
        await asyncio.gather(*[recorder.record(record) for record in records])
        assert sum(counting.writes) == 200 and len(counting.writes) <= 3
        assert all(counting.lineage(record.child, kind="connection") == record for record in records)

    with counting:
        asyncio.run(main())


def test_one_at_fault_does_not_fail_the_others(counting: Counting, registry: Registry) -> None:
    async def main() -> None:
        recorder, records = Recorder(counting), births(counting, registry, 20)
        orphan = records[7] = records[7]._replace(parent=registry.mint("session"))
        answers = await asyncio.gather(*[recorder.record(each) for each in records], return_exceptions=True)
        assert [answer for answer in answers if answer is not None] == [answers[7]]
        assert isinstance(answers[7], LineageConflict)
        found = [record for record in records if record is not orphan]
        assert all(counting.lineage(record.child, kind="connection") == record for record in found)

    with counting:
        asyncio.run(main())


def test_who_gives_up_waiting_harms_nobody(counting: Counting, registry: Registry) -> None:
    async def main() -> None:
        recorder, records = Recorder(counting), births(counting, registry, 3)
        tasks = [asyncio.create_task(recorder.record(record)) for record in records]
        await asyncio.sleep(0)
        tasks[1].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert answers[0] is answers[2] is None and isinstance(answers[1], asyncio.CancelledError)
        await recorder.record(births(counting, registry, 1)[0])

    with counting:
        asyncio.run(main())


def test_a_store_that_fails_is_told_to_everybody(counting: Counting, registry: Registry) -> None:
    async def main() -> None:
        recorder, records = Recorder(counting), births(counting, registry, 3)
        counting.close()
        answers = await asyncio.gather(*[recorder.record(each) for each in records], return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreError] * 3

    asyncio.run(main())
