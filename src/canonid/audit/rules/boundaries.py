"""IDs, and code that makes them, between services."""

from __future__ import annotations

from collections.abc import Iterator

from canonid.audit.accepting import refused
from canonid.audit.findings import Draft
from canonid.audit.producers import producers, shown
from canonid.audit.repository import Found, Repository
from canonid.audit.rule import Rule
from canonid.audit.rules.broken import drafted
from canonid.audit.rules.conflicts import kind_read, misread

Drafted = tuple[str, Draft]


class ForeignCode(Rule):
    """A service that imports what makes IDs from another service."""

    code = "CID801"
    title = "another service's ID code"
    category = "boundary"
    priority = "P1"
    why = "The two can't be released apart: a new format of the one is a new format of the other, unasked."
    instead = (
        "what both need in a package of its own, or each its own canonid.toml with the formats it accepts"
    )
    invalid = (
        "# file: billing/main.py\nfrom auth.ids import generate_user_id\nx = generate_user_id()\n"
        "# file: auth/ids.py\nimport uuid\ndef generate_user_id(): return str(uuid.uuid4())\n"
        "# file: auth/main.py\n",
    )
    valid = (
        "# file: billing/main.py\nfrom shared.ids import generate_user_id\nx = generate_user_id()\n"
        "# file: shared/ids.py\nimport uuid\ndef generate_user_id(): return str(uuid.uuid4())\n"
        "# file: auth/main.py\n",
        "# file: auth/main.py\nfrom auth.ids import generate_user_id\n"
        "# file: auth/ids.py\nimport uuid\ndef generate_user_id(): return str(uuid.uuid4())\n"
        "# file: billing/main.py\n",
    )

    @classmethod
    def check(cls, repository: Repository) -> Iterator[Drafted]:
        for path, facts in repository.files.items():
            service = repository.service_of(path)
            for mention in facts.mentions if service else ():
                if mention.how != "import":
                    continue
                found = repository.find(mention.target, path)
                if not isinstance(found, Found):
                    continue
                other = repository.service_of(found.path)
                if other and other != service:
                    message = f"{service} imports {found.definition.symbol} of {other} ({found.path})"
                    yield path, drafted(cls, mention, "certain", message)


class ForeignFormat(Rule):
    """A reader in one service that can't read what another one writes."""

    code = "CID802"
    title = "a format that the other service can't read"
    category = "boundary"
    priority = "P0"
    why = "An ID that comes from there is refused or read wrongly, and each service's own tests are green."
    instead = "declare which formats each service accepts and emits, and translate where they meet"
    invalid = (
        "# file: auth/main.py\nimport uuid\ndef generate_run_id(): return f'run_{uuid.uuid4().hex}'\n"
        "# file: billing/main.py\ndef generate_user_id(): ...\n"
        "def f(run_id): kind, env, rest = run_id.split('_')\n",
    )
    valid = (
        "# file: auth/main.py\nimport uuid\ndef generate_run_id(): return f'run_{uuid.uuid4().hex}'\n"
        "# file: billing/main.py\ndef generate_user_id(): ...\n"
        "def f(run_id): kind, rest = run_id.split('_')\n",
    )

    @classmethod
    def check(cls, repository: Repository) -> Iterator[Drafted]:
        """What a service doesn't accept by its registry never reaches its readers; who calls for it hears."""
        written = repository.once(producers)
        makers = {(each.path, each.name): each for made in written.values() for each in made if each.name}
        for path, facts in repository.files.items():
            service = repository.service_of(path)
            for draft in facts.drafts if service else ():
                for each in written.get(kind_read(draft), ()):
                    other = repository.service_of(each.path)
                    if not other or other == service or refused(repository, service, each):
                        continue
                    if why := misread(draft, each):
                        message = f"{why}; {each.called} of {other} writes {shown(each.template)}"
                        yield path, draft._replace(code=cls.code, confidence="likely", message=message)
                        break
            for mention in facts.mentions if service and repository.registry else ():
                found = repository.find(mention.target, path) if mention.how == "call" else None
                maker = (
                    makers.get((found.path, found.definition.symbol)) if isinstance(found, Found) else None
                )
                other = repository.service_of(maker.path) if maker else ""
                if maker and other not in ("", service) and (form := refused(repository, service, maker)):
                    wrong = f"{service} doesn't accept {form}, in which {maker.called} of {other} writes"
                    yield path, drafted(cls, mention, "certain", wrong)


RULES = (ForeignCode, ForeignFormat)
