"""More than one system of IDs in a repository."""

from __future__ import annotations

from collections.abc import Iterator

from canonid.audit.facts import Definition
from canonid.audit.findings import Confidence, Draft
from canonid.audit.paths import is_test
from canonid.audit.repository import Repository
from canonid.audit.rule import Rule
from canonid.audit.systems import System, systems
from canonid.audit.wording import CLASS

Drafted = tuple[str, Draft]


class CompetingSystem(Rule):
    """A system of IDs beside the one that is most widely used."""

    code = "CID501"
    title = "a competing system of IDs"
    category = "competing-system"
    priority = "P1"
    why = "Each has its own formats and its own idea of what is valid; what one makes the other refuses."
    instead = "one registry; the others call it, and their callers move one by one"
    invalid = (
        "import uuid\nclass IdManager:\n    def new_id(self): return f'a_{uuid.uuid4().hex}'\n"
        "class UuidGenerator:\n    def generate_id(self): return str(uuid.uuid4())",
    )
    valid = (
        "import uuid\nclass IdManager:\n    def new_id(self): return f'a_{uuid.uuid4().hex}'\n"
        "class Orders:\n    def total(self): return 1",
    )

    @classmethod
    def check(cls, repository: Repository) -> Iterator[Drafted]:
        found = [each for each in systems(repository) if each.has_place]
        found.sort(key=lambda each: not each.primary)
        for number, each in enumerate(found):
            first = next((other for other in found[:number] if each.competes_with(other)), None)
            if first is None:
                continue
            confidence: Confidence = "certain" if _is_clear(each) and _is_clear(first) else "likely"
            message = (
                f"{each.name} makes IDs beside {first.name} in {first.path}: "
                f"{_adoption(each)}, against {_adoption(first)}"
            )
            template = ", ".join(each.templates)[:200]
            yield (
                each.path,
                Draft(cls.code, each.place, confidence, _symbol(each), template, message, each.name),
            )


def _is_clear(system: System) -> bool:
    return CLASS.search(system.name) is not None and system.files > 0


def _symbol(system: System) -> str:
    return "" if system.name == system.path else system.name


def _adoption(system: System) -> str:
    return f"{_counted(system.calls, 'call')} in {_counted(system.files, 'file')}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


class RivalClaims(Rule):
    """Two classes that each claim to be the one that makes IDs."""

    code = "CID502"
    title = "two that claim to be the only one"
    category = "competing-system"
    priority = "P1"
    why = "Whoever reads one of them believes it, and builds on what is not the only one."
    instead = "one registry; the name and the text of the others say that they are its legacy"
    invalid = (
        "class UnifiedIdManager:\n    def new_id(self): ...\n"
        "class IdGenerator:\n    '''The single source of truth for IDs.'''\n    def generate_id(self): ...",
    )
    valid = (
        "class UnifiedIdManager:\n    def new_id(self): ...\n"
        "class IdGenerator:\n    def generate_id(self): ...",
    )

    @classmethod
    def check(cls, repository: Repository) -> Iterator[Drafted]:
        claims: list[tuple[str, Definition]] = [
            (path, each)
            for path, facts in repository.files.items()
            if not is_test(path)
            for each in facts.definitions
            if each.form == "class" and each.makes and each.claim and CLASS.search(each.symbol)
        ]
        for path, each in claims[1:]:
            other_path, other = claims[0]
            message = (
                f'it claims to be "{each.claim}", as {other.symbol} in {other_path} does ("{other.claim}")'
            )
            yield (
                path,
                Draft(cls.code, each.place, "certain", each.symbol, "", message, f"class {each.symbol}"),
            )


RULES = (CompetingSystem, RivalClaims)
