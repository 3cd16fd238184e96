"""IDs that code puts together by hand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from canonid.audit.findings import Confidence, Draft, Ignored
from canonid.audit.rule import Rule
from canonid.audit.sinks import reason_against
from canonid.audit.templates import GENERATED, Template, bits, fields, literal, shown
from canonid.audit.usages import NO_IDS
from canonid.audit.view import Text, View

COMPACT = re.compile(r"[A-Za-z0-9_\-:.#|~+@]*")  # what stands between the fields of an ID
PREFIXED = re.compile(r"[A-Za-z][A-Za-z0-9_\-]*[_\-:.]")
# What need be no ID, though it varies.
CALLED = re.compile(
    r"(?:name|title|label|token|text|message|prefix|suffix|password|secret|api_?key|alias|sentinel|marker"
    r"|delimiter)$|(?:^|_)(?:encrypt|sign|seal)",
    re.I,
)
MADE_OF = GENERATED | {"id"}
PATH = re.compile(r"^/|//|/$")  # of a file or a page
EXTENSION = re.compile(r"\.[a-z][a-z0-9]{1,4}$")
PREFIX_NAME = re.compile(r"prefix$", re.I)
TEXT_NAME = re.compile(r"(?:prefix|suffix|sep|separator|delim|delimiter|format|fmt|template)$", re.I)
LETTER = re.compile(r"[A-Za-z]")
DIGIT = re.compile(r"[0-9]")
SEPARATORS = re.compile(r"[_\-:.#|~+]+")
SEPARATED = re.compile(r"[_\-:.#|~+@]")
# What people are given to name a thing by: it is an ID where it is made of what varies.
NUMBER = re.compile(
    r"(?:^|_)(?:number|no|nr|ref|reference|sku|serial|invoice|handle|code)$|(?:Number|Ref|Reference|Serial|Code)$"
)
WRITTEN = re.compile(r"(?:^|\.)(?:str|hex|strftime|isoformat|hexdigest|join|format|zfill)$")
# Names of functions in OpenAPI, and of what stands on a page.
OF_PAGES = re.compile(
    r"^operation_?id$|(?:wrapper|checkbox|error_message|help_?text|widget|button|modal|dialog|tooltip|panel|heading"
    r"|header)_?id$|id_for_label$",
    re.I,
)
# Functions that only write what they are given in another way.
CONVERTING = re.compile(r"(?:^|_)(?:as|to|format|parse|encode|decode|normali[sz]e|clean|escape|quote)_", re.I)


class HandMade(Rule):
    """A text of a prefix and something that varies, used as an ID."""

    code = "CID201"
    title = "an ID put together by hand"
    category = "hand-made"
    priority = "P1"
    why = (
        "Its format is declared nowhere, so readers guess it: by splitting, by prefixes, by length. The next "
        "change of either side breaks the other, at run time."
    )
    instead = "declare the format as a kind, and registry.mint(kind)"
    invalid = (
        "import uuid\nrun_id = f'run_{uuid.uuid4().hex}'",
        "import time\njob_id = 'job-' + str(int(time.time() * 1000))",
        "def f(user_id): return dict(room_id='room_%s' % user_id)",
        "import uuid\nname = f'job-{uuid.uuid4()}'\nstore(job_id=name)",
        "def make_id(day):\n    parts = ['shift', day]\n    parts.append('a')\n    return '-'.join(parts)",
        "class Scene:\n    def f(self):\n        Scene.last += 1\n        scene_id = f'sc{Scene.last}'",
        "import os\nparser.add_argument('--run-id', default=f'run-{os.getpid()}')",
        "resource = {'app.run.id': f'app.run.{run.id}'}",
    )
    valid = (
        "import uuid\nlog.info(f'made {uuid.uuid4()}')",
        "def f(user_id): url = f'/users/{user_id}'",
        "import time\nname = f'report_{time.strftime(\"%Y\")}.csv'",
        "import time\nbase_id = start_of(day)\nnext_id = str(base_id + time.time_ns())",
        "def encode_id(value): return f'0x{value}'",
    )

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        for text in view.texts:
            confidence = judged(text)
            if confidence is None:
                continue
            if (reason := against(text)) is not None:
                yield view.ignored(cls, text.node, text.space, reason)
                continue
            message = f"an ID is put together as {shown(text.template)}"
            if strength := bits(text.template):
                message += f", with {strength:.0f} bits that vary"
            yield view.draft(cls, text.node, text.space, confidence, message, text.template)


def judged(text: Text) -> Confidence | None:
    """How sure it is that a text is an ID; None where it is none."""
    template, sink = text.template, text.sink
    varying, between = fields(template), literal(template)
    if any(TEXT_NAME.search(field.name) for field in varying) and len(varying) > 1:
        between += "_"  # a constant of another module, which is a text
    goes_on = sink.into == "+="  # what is before it is an ID, or a text that becomes one
    of_ids = {field.kind for field in varying} & MADE_OF and not PATH.search(shown(template))
    if sink.is_id and (of_ids or goes_on):
        between = between.replace("/", "-")
    if not varying or len(between) > 60 or COMPACT.fullmatch(between) is None:
        return None
    kinds = {field.kind for field in varying}
    if "@" in between and not (sink.is_id and kinds & MADE_OF):
        return None  # an address
    if sink.how in ("told", "compared"):
        return None
    if sink.is_id:
        if kinds & GENERATED:
            return "certain" if between or (len(varying) > 1 and _is_written(text)) else None
        return "likely" if _is_composed(text, between) else None
    if kinds & GENERATED and NUMBER.search(sink.name):
        several = len(varying) > 1 and _is_written(text)
        return "likely" if several or _begins_with_prefix(template) else None
    if not between:
        return None
    if kinds == {"id"} and len(varying) > 1 and SEPARATORS.fullmatch(between):
        return None if CALLED.search(sink.name) else "likely"
    if not kinds & {"uuid", "strong"}:
        return None
    if not _begins_with_prefix(template) and (sink.how == "handed" or not SEPARATED.search(between)):
        return None
    return "question" if CALLED.search(sink.name) and "unique" not in sink.name else "likely"


def _is_written(text: Text) -> bool:
    """Whether it is put together as a text, where it could be numbers that are added up."""
    return any(
        isinstance(node, ast.JoinedStr)
        or (
            isinstance(node, ast.Call)
            and WRITTEN.search(ast.unparse(node.func)) is not None
            and not any(isinstance(inner, ast.Add) for inner in ast.walk(node))
        )
        for node in ast.walk(text.node)
    )


def _is_composed(text: Text, between: str) -> bool:
    """Whether it has a prefix or several parts, and is not only another way to write what is given."""
    varying, sink = fields(text.template), text.sink
    if NO_IDS.search(sink.name) or OF_PAGES.search(sink.name):
        return False
    of_ids = len(varying) > 1 and any(field.kind == "id" for field in varying)
    if sink.how == "returned" and CONVERTING.search(sink.name) and not of_ids:
        return False
    if len(varying) == 1 and LETTER.search(between) is None and sink.into != "+=":
        return DIGIT.search(between) is not None and (bool(SEPARATED.search(between)) or _is_written(text))
    return LETTER.search(between) is not None or SEPARATED.search(between) is not None


def against(text: Text) -> str | None:
    """Why a text that looks like an ID is none."""
    if isinstance(text.template[-1], str) and EXTENSION.search(text.template[-1]):
        return "file name"
    return reason_against(text.sink)


def _begins_with_prefix(template: Template) -> bool:
    first = template[0]
    if not isinstance(first, str):
        return PREFIX_NAME.search(first.name) is not None
    return PREFIXED.fullmatch(first) is not None


RULES = (HandMade,)
