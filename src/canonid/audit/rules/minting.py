"""Where IDs are made by a library."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from canonid.audit.findings import Confidence, Draft, Ignored, Place
from canonid.audit.rule import Rule
from canonid.audit.sinks import reason_against, top
from canonid.audit.templates import fields
from canonid.audit.view import Source, View

NOT_FOR_UUIDS = frozenset({"log line", "file name", "rate limit bucket", "jitter"})
LIBRARIES = frozenset({"shortuuid", "ulid", "ksuid", "nanoid", "cuid", "objectid", "snowflake", "typeid"})
SQL = re.compile(
    r"\b(?:gen_random_uuid|uuid_generate_v(?:1mc|[147])|uuidv[47]|generateuuidv[47]|newid|newsequentialid)\s*\(\s*\)",
    re.I,
)


class DirectUuid(Rule):
    """A call of uuid.uuid1 … uuid8, however it is reached."""

    code = "CID101"
    title = "a UUID made on the spot"
    category = "direct-uuid"
    priority = "P1"
    why = (
        "Every such call is an ID of no kind, in no declared format: nothing can tell a user's from a "
        "thread's, and the next format has to be introduced at each of them."
    )
    instead = "registry.mint(kind)"
    invalid = (
        "import uuid\nuser_id = str(uuid.uuid4())",
        "from uuid import uuid4 as u\nprint(u())",
        "import uuid\nnew_id = getattr(uuid, 'uuid4')()",
    )
    valid = (
        "import uuid\nnonce = uuid.uuid4().hex",
        "import uuid\nspan_id = uuid.uuid4().hex[:16]",
        "import uuid\nwanted = uuid.UUID(text)",
        "def uuid4(): ...\nx = uuid4()",
    )

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        for source in view.sources:
            if source.origin.kind != "uuid" or not source.called:
                continue
            reason = reason_against(view.goes_to(source.node, source.space))
            if reason == "span ID" and not _has_width_of_span(view, source):
                reason = None  # of another width it is an ID like others
            if reason is not None and reason not in NOT_FOR_UUIDS:
                yield view.ignored(cls, source.node, source.space, reason)
                continue
            confidence: Confidence = "likely" if reason == "file name" else "certain"
            message = f"{source.target} makes an ID of no declared kind"
            template = view.evaluator.template(source.node, source.space)
            yield view.draft(cls, source.node, source.space, confidence, message, template)


def _has_width_of_span(view: View, source: Source) -> bool:
    whole = view.evaluator.template(top(source.node, view.module), source.space)
    return [field.name for field in fields(whole)] == ["hex16"]


class HandedOnUuid(Rule):
    """The function itself, for somebody else to call."""

    code = "CID102"
    title = "a function that makes UUIDs, handed on"
    category = "direct-uuid"
    priority = "P1"
    why = "A default of a column or field makes IDs as much as a call does, only out of sight."
    instead = "a default that calls registry.mint(kind)"
    invalid = (
        "import uuid\nid = Column(UUID, default=uuid.uuid4)",
        "from uuid import uuid4\nfrom functools import partial\nmake = partial(uuid4)",
    )
    valid = ("import uuid\nnonce = Field(default_factory=uuid.uuid4)",)

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        for source in view.sources:
            if source.origin.kind != "uuid" or source.called:
                continue
            reason = reason_against(view.goes_to(source.node))
            if reason is not None and reason not in NOT_FOR_UUIDS:
                yield view.ignored(cls, source.node, source.space, reason)
                continue
            message = f"{source.target} is handed on, to make IDs of no declared kind"
            yield view.draft(cls, source.node, source.space, "certain", message)


class SqlUuid(Rule):
    """UUIDs that the database makes."""

    code = "CID103"
    title = "a UUID made in SQL"
    category = "direct-uuid"
    priority = "P1"
    why = "IDs that the database makes are unknown to the code that declares the others."
    instead = "mint the ID in the application, or declare this format in the registry"
    invalid = ("Column(UUID, server_default=text('gen_random_uuid()'))",)
    valid = ("'''gen_random_uuid() is a function of PostgreSQL.'''",)

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        seen: set[Place] = set()
        for node, space in view.module.constants:
            text = node.value
            if not isinstance(text, str) or "(" not in text or not SQL.search(text):
                continue
            found = view.draft(cls, node, space, "certain", "the database makes an ID of no declared kind")
            for place in view.places_of(SQL, node) or [found.place]:
                if place not in seen:
                    seen.add(place)
                    yield found._replace(place=place)


class StrongSource(Rule):
    """IDs made of the system's entropy."""

    code = "CID110"
    title = "an ID of raw random digits"
    category = "strong-source"
    priority = "P1"
    why = "Hard to guess, but of no kind: nothing tells what it names."
    instead = "registry.mint(kind)"
    invalid = (
        "import secrets\nsession_id = secrets.token_hex(16)",
        "import os\nrun_id = os.urandom(8).hex()",
    )
    valid = ("import secrets\npassword = secrets.token_urlsafe(16)", "import os\nkey = os.urandom(32)")

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        for source in view.sources:
            if source.origin.kind != "strong" or source.origin.field in LIBRARIES:
                continue
            sink = view.goes_to(source.node, source.space)
            if (reason := reason_against(sink)) is not None:
                yield view.ignored(cls, source.node, source.space, reason)
            elif sink.is_id or sink.is_code:
                template = view.evaluator.template(source.node, source.space)
                message = f"{source.target} makes an ID of no declared kind"
                yield view.draft(cls, source.node, source.space, "certain", message, template)


class IdLibrary(Rule):
    """IDs made by a library for ULIDs, KSUIDs and the like."""

    code = "CID111"
    title = "an ID of another library"
    category = "strong-source"
    priority = "P1"
    why = "One more system of IDs beside the others."
    instead = "a kind with that format in the registry"
    invalid = (
        "import ulid\norder_id = ulid.new()",
        "from nanoid import generate\nshort_id = generate(size=10)",
    )
    valid = ("from bson import ObjectId\nfound = ObjectId(text)",)

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        for source in view.sources:
            if source.origin.field not in LIBRARIES or not isinstance(source.node, ast.Call):
                continue
            if source.origin.field in ("objectid", "ulid", "ksuid") and source.node.args:
                continue  # reads a text
            if (reason := reason_against(view.goes_to(source.node))) is not None:
                yield view.ignored(cls, source.node, source.space, reason)
                continue
            message = f"{source.target} makes an ID of no declared kind"
            yield view.draft(cls, source.node, source.space, "certain", message)


RULES = (DirectUuid, HandedOnUuid, SqlUuid, StrongSource, IdLibrary)
