"""What makes UUIDs, under a name that another module of the repository gave it."""

from __future__ import annotations

from collections.abc import Iterator

from canonid.audit.findings import Draft, Ignored
from canonid.audit.origins import origin_of
from canonid.audit.repository import Repository
from canonid.audit.rule import Rule
from canonid.audit.rules.broken import drafted
from canonid.audit.rules.minting import NOT_FOR_UUIDS


class RenamedUuid(Rule):
    """A call of a function of `uuid` that another module hands on under its own name."""

    code = "CID104"
    title = "a UUID made through another module"
    category = "direct-uuid"
    priority = "P1"
    why = "It is uuid4 all the same: an ID of no kind, in no declared format, only harder to find."
    instead = "registry.mint(kind)"
    invalid = (
        "# file: app/ids.py\nfrom uuid import uuid4 as new_uuid\n"
        "# file: app/use.py\nfrom app.ids import new_uuid\nuser_id = new_uuid()",
        "# file: app/ids.py\nfrom uuid import uuid4 as fresh\n"
        "# file: app/use.py\nfrom .ids import fresh\nuser_id = str(fresh())  # not a uuid by its name",
        "# file: app/ids.py\nimport uuid\nfresh_id = uuid.uuid4\n"
        "# file: app/__init__.py\nfrom .ids import fresh_id\n"
        "# file: use.py\nimport app\nuser_id = app.fresh_id()",
    )
    valid = (
        "# file: app/ids.py\nfrom uuid import uuid4 as new_uuid\n"
        "# file: app/use.py\nfrom app.ids import new_uuid\nnonce = new_uuid()",
        "# file: app/ids.py\ndef new_uuid(): ...\n"
        "# file: app/use.py\nfrom app.ids import new_uuid\nuser_id = new_uuid()",
    )

    @classmethod
    def check(cls, repository: Repository) -> Iterator[tuple[str, Draft | Ignored]]:
        for path, facts in repository.files.items():
            for mention in facts.mentions:
                if mention.how != "call":
                    continue
                target = repository.outside(mention.target, path)
                origin = origin_of(target) if target else None
                if origin is None or origin.kind != "uuid":
                    continue
                if mention.reason and mention.reason not in NOT_FOR_UUIDS:
                    yield path, Ignored(cls.code, mention.place, mention.symbol, mention.reason)
                    continue
                message = f"{mention.target} is {target}, and makes an ID of no declared kind"
                draft = drafted(cls, mention, "certain", message)
                yield path, draft._replace(template=f"{{{origin.field}}}", entropy_bits=origin.bits)


RULES = (RenamedUuid,)
