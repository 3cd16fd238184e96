"""IDs that tests write out by hand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from canonid.audit.findings import Confidence, Draft, Ignored
from canonid.audit.modules import Module
from canonid.audit.paths import is_test
from canonid.audit.rule import Rule
from canonid.audit.sinks import CASES, sink_of
from canonid.audit.usages import kind_of_name, named, names_id
from canonid.audit.view import View

UUID = re.compile(r"\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?", re.I)
COMPACT = re.compile(r"(?=[A-Za-z0-9])[A-Za-z0-9_\-:.#|~+]{1,80}")
# A word and a number, or digits enough to be random: user_123, thr-9f3a, run7, 9f86d081884c.
NUMBERED = re.compile(r"[A-Za-z]{1,}[\w\-:.#|~+]*\d[\w\-:.#|~+]*|(?=[a-f]*\d)[0-9a-f]{8,}", re.I)
SEPARATED = re.compile(r"[A-Za-z0-9]+(?:[_\-:.#|~+]+[A-Za-z0-9]+)+")
LETTERED = re.compile(r"[_\-.:](?:[a-zA-Z]|one|two|three|first|second|third)$")  # thread-a, user_one
MADE_UP = re.compile(
    r"test|fake|mock|dummy|sample|example|abc|xyz|foo|bar|some|unknown|missing|invalid|other", re.I
)
# A version, a date, the code of a check.
OTHER_NUMBER = re.compile(r"v?\d+(?:\.\d+)+(?:[a-z]+\d*)?|\d{4}-\d\d(?:-\d\d)?(?:T.*)?|\w+\.[EWIC]\d{3}")
# Names of things that come with a name of their own, from a catalogue.
CATALOGUED = re.compile(
    r"(?:^|_)(?:model|region|zone|version|engine|vendor|product|platform|command|feature|template|schema|plugin"
    r"|role|policy|permission|currency|country|timezone|app|provider|tool|dataset|data_source|metric|form|aria|package)$"
)
UNIQUE = frozenset({"id", "identifier", "ident", "pk", "uid", "oid"})  # of whatever it is


class IdLiteral(Rule):
    """A text in a test that stands for an ID."""

    code = "CID202"
    title = "an ID written out in a test"
    category = "hand-made"
    priority = "P2"
    why = (
        "A test that writes IDs out repeats their format, or has one that production never sees: it goes on "
        "passing when the format changes, and fails when the IDs are checked at last."
    )
    instead = "registry.mint(kind), or an example of the kind from the registry"
    invalid = (
        "# file: tests/test_users.py\nstore.create(user_id='user_123')",
        "# file: tests/test_threads.py\nthread_id = 'thread-1'",
        "# file: test_runs.py\nrun = client.get(UUID('550e8400-e29b-41d4-a716-446655440000'))",
        "# file: tests/test_carts.py\nassert cart.owner_id == 'usr_42'",
        "# file: tests/test_jobs.py\nanswer = {'job_id': 'test-job'}",
    )
    valid = (
        "# file: app/users.py\nSYSTEM_USER_ID = 'user_0'",
        "# file: tests/test_users.py\nstore.rename(title='user_123')",
        "# file: tests/test_models.py\nuse(model_id='gpt-4')",
        "# file: tests/test_tags.py\nhtml_id = 'row-1'\ntask_id = 'export'",
        "# file: tests/test_pages.py\ncase = pytest.param(1, id='one_1')\nform.render('a', {'id': 'row_1'})",
    )

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        if not is_test(view.path):
            return
        for node, space in view.module.constants:
            text = node.value
            if not isinstance(text, str) or not (COMPACT.fullmatch(text) or UUID.fullmatch(text)):
                continue
            confidence = judged(text, node, view.module)
            if confidence is not None:
                message = f"{text!r} is an ID written out by hand"
                yield view.draft(cls, node, space, confidence, message, (text,))


def judged(text: str, node: ast.Constant, module: Module) -> Confidence | None:
    """How sure it is that a text stands for an ID; None where it doesn't."""
    above = module.above.get(node)
    if isinstance(above, ast.JoinedStr | ast.FormattedValue | ast.BinOp):
        return None  # a part of a text
    is_uuid = UUID.fullmatch(text) is not None
    shaped = NUMBERED.fullmatch(text) or SEPARATED.fullmatch(text) or text.isdigit()
    if not is_uuid and (OTHER_NUMBER.fullmatch(text) or not shaped):
        return None
    name = compared_with(node, above) if isinstance(above, ast.Compare) else called(node, module)
    kind = kind_of_name(name)
    if is_uuid:
        return "certain" if names_id(name) or _is_given_to_uuid(above) else "likely"
    if not names_id(name) or CATALOGUED.search(kind):
        return None
    if NUMBERED.fullmatch(text):
        return "likely" if name.lower() in UNIQUE else "certain"
    if text.isdigit():
        return "likely"
    return "likely" if MADE_UP.search(text) or LETTERED.search(text) or _names(text, kind) else None


def _is_given_to_uuid(above: ast.AST | None) -> bool:
    func = above.func if isinstance(above, ast.Call) else None
    return isinstance(func, ast.Name | ast.Attribute) and named(func) == "UUID"


def called(node: ast.Constant, module: Module) -> str:
    """What the text is called where it goes; "" where it is told, a key, or names a case or an element."""
    sink = sink_of(node, module)
    if sink.how not in ("name", "argument", "handed", "returned"):
        return ""
    if sink.name in ("id", "ids") and (CASES.search(sink.into) or _is_on_page(node, module)):
        return ""
    return sink.plain_name


def _is_on_page(node: ast.Constant, module: Module) -> bool:
    """Whether it is an attribute of an element: `attrs={"id": "row-1"}`, `render("x", {"id": "row-1"})`."""
    attributes = module.above.get(node)
    above = module.above.get(attributes) if isinstance(attributes, ast.Dict) else None
    match above:
        case ast.keyword(arg="attrs" | "attributes"):
            return True
        case ast.Call(func=ast.Attribute(attr="render" | "find" | "find_all")):
            return True
    return False


def compared_with(node: ast.Constant, compare: ast.Compare) -> str:
    """What the text is compared with."""
    others = [each for each in (compare.left, *compare.comparators) if each is not node]
    plain = len(others) == 1 and isinstance(compare.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn)
    name = named(others[0]) if plain else ""
    return name.lower() if name.isupper() else name


def _names(text: str, kind: str) -> bool:
    """Whether a text has the word in it that says what the ID is of: "user-one" for a user."""
    last = kind.rpartition("_")[2]
    return len(last) > 2 and last in re.split(r"[^a-z]+", text.lower())


RULES = (IdLiteral,)
