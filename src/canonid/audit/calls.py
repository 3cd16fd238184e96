"""How often what is defined in a repository is called, and from where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from canonid.audit.repository import Found, Repository

Calls = Mapping[tuple[str, str], Counter[str]]


def calls(repository: Repository) -> Calls:
    """By the file and symbol of a definition, the files that call it. Calls within its own don't count."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for path, facts in repository.files.items():
        for mention in facts.mentions:
            target = repository.find(mention.target, path) if mention.how == "call" else None
            if isinstance(target, Found) and target.path != path:
                found.setdefault((target.path, target.definition.symbol), Counter())[path] += 1
    return found
