"""One ID-generation system: no kind has two writers, in what is declared and in what is written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from acceptance.legacy import Generator, Manager
from canonid import InvalidId, load_registry
from golden import Person, golden_path, settings
from goldenpath.ids import open_ids

GOLDEN = Path(__file__).parents[2] / "examples" / "goldenpath" / "canonid.toml"


def check(written: Iterable[tuple[str, str, str]]) -> None:
    """Rows of (kind, writer, text): every kind comes from one writer."""
    writers: dict[str, set[str]] = {}
    for kind, writer, _ in written:
        writers.setdefault(kind, set()).add(writer)
    shared = {kind: sorted(names) for kind, names in writers.items() if len(names) > 1}
    assert not shared, f"kinds with several writers: {shared}"


def test_two_generators_side_by_side_write_the_same_kinds():
    generator, manager = Generator(), Manager()
    written = [
        ("user", "UnifiedIdGenerator", generator.base("user")),
        ("user", "UnifiedIDManager", manager.generate("user")),
        ("thread", "UnifiedIdGenerator", generator.context("thread", "chat")),
        ("thread", "UnifiedIDManager", manager.thread()),
        ("run", "UnifiedIdGenerator", generator.context("run", "chat")),
        ("run", "UnifiedIDManager", manager.run("thread_1")),
    ]
    with pytest.raises(AssertionError, match="several writers"):
        check(written)


def test_the_registry_names_one_writer_for_every_kind_and_refuses_the_others():
    registry = load_registry(GOLDEN)
    for kind in registry.kinds.values():
        assert kind.writer is not None
        for service in registry.services.keys() - {kind.writer}:
            with pytest.raises(InvalidId, match="does not write"):
                registry.mint(kind.name, service=service)


def test_all_that_a_conversation_writes_comes_from_one_writer_per_kind(tmp_path):
    with golden_path(tmp_path) as url, Person(url, "ada") as ada:
        with ada.socket() as socket:
            for question in ("What is 12.5% of 80?", "What does lineage mean?"):
                socket.ask(ada.thread()["id"], question)
                assert socket.events()[-1]["event"] == "run_completed"
    registry, records = open_ids(settings(tmp_path))
    with records:
        below = [records.lineage(ada.login["user"], "user")]
        for row in below:
            below += records.children(row.child, row.kind)
    check((row.kind, _writer(registry, row.kind, row.text), row.text) for row in below)
    kinds = {row.kind for row in below}
    assert kinds == registry.kinds.keys() - {"alert"}, "the conversation has written every kind but alerts"


def _writer(registry, kind: str, text: str) -> str:
    """The services that emit this kind in the format of this text."""
    formats = {reading.format for reading in registry.recognise(text, kind).readings}
    names = [s.name for s in registry.services.values() if formats & set(s.emits.get(kind, ()))]
    assert names, f"nobody declares to write {text} as a {kind}"
    return "+".join(names)
