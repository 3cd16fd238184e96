"""A second process: `child.py ACTION FOLDER NAME`, told to begin by a line on standard input."""

import sys
from pathlib import Path

from aliases.stores import STORES, typeid
from canonid import load_registry

ACTION, FOLDER, NAME = sys.argv[1:4]
registry = load_registry(Path(__file__).parents[1] / "registries" / "legacy.toml")


def told(word: str) -> None:
    print(word, flush=True)
    sys.stdin.readline()


told("ready")
store = STORES["sqlite"](FOLDER, registry)
match ACTION:
    case "link":
        for number in range(20):
            store.link(f"{NAME}-{number}", typeid("user", number), source=NAME)
    case "record":
        for number in range(20):
            store.record(typeid("user", number))
    case "batch":
        with store.batch(NAME) as batch:
            for number in range(20_000):  # more than SQLite keeps in memory: rows reach the log
                batch.link(f"{NAME}-{number}", typeid("user", number), "user")
            told("linked")
store.close()
