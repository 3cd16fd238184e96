"""Calls of makers of IDs that their definition can't accept."""

from __future__ import annotations

from collections.abc import Iterator

from canonid.audit.facts import FileFacts, Mention, Signature
from canonid.audit.findings import Confidence, Draft
from canonid.audit.repository import Found, Missing, Repository
from canonid.audit.rule import Rule

Drafted = tuple[str, Draft]


class _Broken(Rule):
    """What is common to calls that fail when they are reached."""

    category = "broken-call"
    priority = "P0"
    why = "It fails each time it is reached, which is often a path that no test takes."
    instead = "call what is there; the definition is named in the message"

    @classmethod
    def check(cls, repository: Repository) -> Iterator[Drafted]:
        for facts in repository.files.values():
            for mention in facts.mentions:
                if not mention.guarded and (message := cls.fault(repository, facts, mention)):
                    if not mention.typed:
                        yield facts.path, drafted(cls, mention, "certain", message)
                    elif not repository.is_a_base(mention.target, facts.path):
                        yield facts.path, drafted(cls, mention, "likely", message)

    @classmethod
    def fault(cls, repository: Repository, facts: FileFacts, mention: Mention) -> str:
        """What is wrong with it, or ""."""
        raise NotImplementedError


def drafted(rule: type[Rule], mention: Mention, confidence: Confidence, message: str) -> Draft:
    return Draft(rule.code, mention.place, confidence, mention.symbol, "", message, mention.normal)


class NoSuchName(_Broken):
    """A method or function that isn't there."""

    code = "CID601"
    title = "a call of what doesn't exist"
    invalid = (
        "class IdManager:\n    def new_id(self): ...\nIdManager().new_run_id()",
        "class IdManager:\n    def new_id(self): ...\nmanager = IdManager()\n"
        "def f(): return manager.create('run')",
        "class IdManager:\n    def new_id(self): ...\ndef f(ids: IdManager | None): return ids.create('run')",
        "class IdManager:\n    def new_id(self): ...\n"
        "class A:\n    def __init__(self, ids: 'IdManager'): self.ids = ids\n"
        "    def f(self): return self.ids.create('run')",
    )
    valid = (
        "class IdManager(Base):\n    def new_id(self): ...\nIdManager().new_run_id()",
        "class IdManager:\n    def __getattr__(self, name): ...\nIdManager().new_run_id()",
        "class IdManager:\n    def new_id(self): ...\nIdManager.run = new_run\nIdManager().run()",
        "class IdManager:\n    def new_id(self): ...\nclass RunIdManager(IdManager):\n"
        "    def new_run(self): ...\n"
        "def f(ids: IdManager): return ids.new_run()",
    )

    @classmethod
    def fault(cls, repository: Repository, facts: FileFacts, mention: Mention) -> str:
        if mention.how == "member":
            return ""
        found = repository.find(mention.target, facts.path)
        if not isinstance(found, Missing) or (mention.how == "import" and found.owner):
            return ""
        if mention.how == "call" and not found.owner and not mention.normal.count("."):
            return ""  # the import of that name is the place
        owner = found.owner or "the module"
        definition = repository.definition(found.path, found.owner)
        if definition is not None and definition.form == "enum":
            return ""
        return f"{owner} in {found.path} has no {found.name}"


class NoSuchMember(_Broken):
    """A member that an enum of kinds or formats doesn't have."""

    code = "CID602"
    title = "an enum member that doesn't exist"
    invalid = (
        "import enum\nclass IdType(enum.Enum):\n    USER = 'user'\ndef generate_id(kind): ...\n"
        "x = generate_id(IdType.RUN)",
    )
    valid = (
        "import enum\nclass IdType(enum.Enum):\n    USER = 'user'\ndef generate_id(kind): ...\n"
        "x = generate_id(IdType.USER)",
    )

    @classmethod
    def fault(cls, repository: Repository, facts: FileFacts, mention: Mention) -> str:
        found = repository.find(mention.target, facts.path)
        if not isinstance(found, Missing) or mention.how == "import" or found.name in OF_ENUMS:
            return ""
        definition = repository.definition(found.path, found.owner)
        if definition is None or definition.form != "enum":
            return ""
        return f"{found.owner} in {found.path} has no member {found.name}"


OF_ENUMS = frozenset({"name", "value", "mro"}) | frozenset(dir(str)) | frozenset(dir(int))


class WrongArguments(_Broken):
    """Arguments that a maker of IDs doesn't take, or misses."""

    code = "CID603"
    title = "a call with the wrong arguments"
    invalid = (
        "def generate_run_id(thread_id): ...\nx = generate_run_id()",
        "def generate_run_id(thread_id): ...\nx = generate_run_id('t', 'u')",
        "def generate_run_id(*, thread_id): ...\nx = generate_run_id(thread='t')",
        "class IdManager:\n    def new_id(self, kind): ...\nx = IdManager.new_id('run')",
    )
    valid = (
        "def generate_run_id(thread_id, *more): ...\nx = generate_run_id('t', 'u')",
        "def generate_run_id(thread_id=None): ...\nx = generate_run_id()",
        "@wrapped\ndef generate_run_id(thread_id): ...\nx = generate_run_id()",
        "def generate_run_id(thread_id): ...\nx = generate_run_id(*given)",
        "class IdManager:\n    @classmethod\n    def new_id(cls, kind): ...\nx = IdManager.new_id('run')",
    )

    @classmethod
    def fault(cls, repository: Repository, facts: FileFacts, mention: Mention) -> str:
        if mention.how != "call":
            return ""
        found = repository.find(mention.target, facts.path)
        if not isinstance(found, Found):
            return ""
        definition = found.definition
        if definition.symbol.rpartition(".")[2] in repository.changed or "*" in repository.changed:
            return ""
        if definition.form == "class":
            return _of_constructor(repository, found, mention)
        if definition.signature is None or not definition.certain:
            return ""
        bound = definition.form == "classmethod" or (definition.form == "method" and found.made)
        wrong = misfit(definition.signature, mention, 1 if bound else 0)
        return f"{definition.symbol} in {found.path} {wrong}" if wrong else ""


def _of_constructor(repository: Repository, found: Found, mention: Mention) -> str:
    if found.made:
        return ""
    line = repository.bases(found)
    if line is None or any("__new__" in each.definition.names for each in line):
        return ""
    for each in line:
        if "__init__" in each.definition.names:
            definition = repository.definition(each.path, f"{each.definition.symbol}.__init__")
            if definition is None or definition.signature is None or not definition.certain:
                return ""
            wrong = misfit(definition.signature, mention, 1)
            return f"{found.definition.symbol} in {found.path} {wrong}" if wrong else ""
    return ""


def misfit(signature: Signature, mention: Mention, bound: int) -> str:
    """Why a call can't be taken, or "". `bound` parameters are given by the object that it is called on."""
    given = mention.positional + bound
    if given > len(signature.positional) and not signature.more_positional:
        return f"takes {_count(len(signature.positional) - bound)} by position, {mention.positional} given"
    by_place = signature.positional[:given]
    for name in mention.named:
        if name not in signature.named and not signature.more_named:
            return f"takes no argument {name}"
        if name in by_place and name in signature.named:
            return f"gets {name} twice"
    if mention.open:
        return ""
    missing = [name for name in signature.required if name not in by_place and name not in mention.named]
    return f"needs {' and '.join(missing)}" if missing else ""


def _count(number: int) -> str:
    return "no argument" if number <= 0 else f"{number} argument{'s' if number > 1 else ''}"


RULES = (NoSuchName, NoSuchMember, WrongArguments)
