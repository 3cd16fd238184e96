"""What a project says itself about what is an ID: the table `audit` of its registry file.

[audit]
not_ids = ["etag", "*_fingerprint"]
ids = ["trace_id"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from canonid.core.declaring import PROJECT_KEYS

KEYS = ("not_ids", "ids")


class Settings(NamedTuple):
    """Names with `*` and `?`: of what is no ID though it looks like one, and the other way round."""

    not_ids: Sequence[str] = ()
    ids: Sequence[str] = ()
    alone: bool = False  # nothing else is in the file: it declares no registry
    faults: Sequence[str] = ()

    def denies(self, name: str) -> bool:
        """Whether what has that name is no ID."""
        return _is_one_of(name, self.not_ids)

    def insists(self, name: str) -> bool:
        """Whether what has that name is an ID, whatever it looks like."""
        return _is_one_of(name, self.ids)


def settings(text: str) -> Settings:
    """The table of a registry file. What can't be used of it is in `faults`, a sentence each."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        return Settings()  # whoever reads the registry says so
    table: object = document
    if PROJECT_KEYS & document.keys():
        tool = document.get("tool")
        table = tool.get("canonid") if isinstance(tool, dict) else None
    if not isinstance(table, dict) or "audit" not in table:
        return Settings()
    said, alone = table["audit"], set(table) == {"audit"}
    if not isinstance(said, dict):
        return Settings(alone=alone, faults=["audit: expected a table"])
    faults = [f"audit.{key}: there is no such setting" for key in said if key not in KEYS]
    names = {key: said.get(key, []) for key in KEYS}
    for key, value in names.items():
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
            faults.append(f"audit.{key}: expected a list of names")
            names[key] = []
    return Settings(tuple(names["not_ids"]), tuple(names["ids"]), alone, faults)


def _is_one_of(name: str, patterns: Sequence[str]) -> bool:
    plain = name.rpartition(".")[2].lower()
    return plain != "" and any(fnmatchcase(plain, each.lower()) for each in patterns)
