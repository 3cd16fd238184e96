"""Of which kinds a repository makes IDs, where, and how they are written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from canonid.audit.calls import calls
from canonid.audit.facts import Part
from canonid.audit.paths import is_test
from canonid.audit.producers import VAGUE, producers
from canonid.audit.repository import Repository
from canonid.audit.wording import FUNCTION, kind_of_function

_QUALIFIED = re.compile(
    r"^(?:(?:current|new|old|cached|resolved|generated|first|second|last|next|previous|original|existing|pending"
    r"|unique|stable|legacy|fallback|other|another|final|actual|fresh|raw|default|base|make|public|internal)(?:_|$))+"
)


class Written(NamedTuple):
    """A place that makes IDs of a kind: a function (`name`), or code that does it on the spot."""

    kind: str  # as the code calls it, such as "thread" for `thread_id`
    template: tuple[Part, ...]  # () where the code doesn't show it
    path: str
    line: int
    name: str
    service: str
    uses: int  # calls from other files outside tests, and the place itself


def written(repository: Repository) -> list[Written]:
    """All of them outside tests: by kind, the most widely used first."""
    found = [each._replace(kind=_QUALIFIED.sub("", each.kind)) for each in _written(repository)]
    named = [each for each in found if each.kind not in VAGUE]
    return sorted(named, key=lambda each: (each.kind, -each.uses, each[2:], each.template))


def _written(repository: Repository) -> Iterator[Written]:
    called = repository.once(calls)
    shown = set()
    for kind, made in repository.once(producers).items():
        for each in made:
            shown.add((each.path, each.symbol))
            count = _outside_tests(called.get((each.path, each.name), Counter()))
            service = repository.service_of(each.path)
            yield Written(kind, each.template, each.path, each.place.line, each.name, service, 1 + count)
    for path, facts in repository.files.items():
        if not (facts.tokens or facts.definitions) or is_test(path):
            continue
        service = repository.service_of(path)
        for token in facts.tokens:
            yield Written(token.kind, token.template, path, token.place.line, "", service, 1)
        for one in facts.definitions:
            kind = kind_of_function(one.symbol.rpartition(".")[2])
            hidden = one.makes and FUNCTION.search(one.symbol.rpartition(".")[2]) and not one.template
            if hidden and (path, one.symbol) not in shown:
                count = _outside_tests(called.get((path, one.symbol), Counter()))
                yield Written(kind, (), path, one.place.line, one.symbol, service, 1 + count)


def _outside_tests(count: Counter[str]) -> int:
    return sum([number for path, number in count.items() if not is_test(path)])
