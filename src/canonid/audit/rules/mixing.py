"""Where IDs meet what they should not meet as they are: IDs of another kind, SQL, URLs and paths."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from canonid.audit.findings import Confidence, Draft, Ignored
from canonid.audit.names import Space, resolve
from canonid.audit.rule import Rule
from canonid.audit.rules.reading import Reading, drafted, told
from canonid.audit.templates import Field, Template, fields, literal
from canonid.audit.usages import Use, names_id
from canonid.audit.view import Text, View
from canonid.audit.wording import KINDS

# What says whose ID it is, or which of two, rather than what it is of.
ROLES = re.compile(
    r"^(?:parent|child|source|src|target|dest|destination|old|new|other|another|current|cur|expected|actual|first"
    r"|second|last|next|prev|previous|my|own|owner|creator|created|created_by|updated_by|author|from|to|root|base"
    r"|original|orig|existing|requested|request|given|unique|external|internal|local|remote|db|self|left|right"
    r"|max|min|default|selected|active|a|b|x|y|the|this|that|obj|object|item|entry|entity|record|row|instance|model"
    r"|data|result|res|response|resp|ref|related|linked|main|primary|foreign|raw|real|input|output|test|fake|mock"
    r"|key|value|val|node|element|el|e|i|u|m|p|r|c|s|t)$"
)
SQL = re.compile(
    r"\b(?:SELECT\b[\s\S]*\bFROM|INSERT\s+(?:INTO|OR)|UPDATE\s[\s\S]*\bSET|DELETE\s+FROM|WHERE|AND|OR|VALUES|FROM|JOIN"
    r"|TRUNCATE|ALTER\s+TABLE|DROP\s+\w+|CREATE\s+(?:TABLE|VIEW|DATABASE|SCHEMA|USER|ROLE)|GRANT)\s"
)
SQL_INTO = re.compile(
    r"(?:^|\.|_)(?:execute|executemany|executescript|text|raw|raw_sql|run_query|read_sql|fetch\w*)$"
)
SQL_NAME = re.compile(
    r"(?:^|_)(?:sql|query|queries|stmt|statement|where|condition|clause|filter)s?(?:_|$)", re.I
)
STARTS_SQL = re.compile(
    r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|DROP|ALTER|CREATE|TRUNCATE|MERGE|GRANT|REPLACE)\s"
)
COLUMN = re.compile(r"\s*(?:=|<|>|!=|IN\b|IS\b|LIKE\b|BETWEEN\b|\s*::?\s*%)")
URL_NAME = re.compile(
    r"(?:^|_)(?:url|uri|endpoint|href|link|webhook)s?\d?$|(?:url|Url|URL|uri|Uri|URI)$", re.I
)
BASE_URL = re.compile(r"url|uri|endpoint|host|server|api|domain|origin|(?:^|_)base$", re.I)
BASE_PATH = re.compile(r"root|dir|path|prefix|folder|base", re.I)
URL_INTO = re.compile(r"url|uri$|endpoint|api_base", re.I)
PATH_NAME = re.compile(
    r"(?:^|_)(?:path|dir|folder|directory|filename|file_name|filepath|file_path|outfile|dirname|basename)$"
    r"|(?:Path|Dir|Filename)$"
)
PATHISH = re.compile(
    r"(?:^|_)(?:path|dir|folder|directory|root|home|cache|storage|base|tmp|temp|location|ROOT|DIR|PATH)s?$|Path|Dir$",
    re.I,
)
CLIENT = re.compile(
    r"(?:^|[._])(?:get|post|put|patch|delete|head|options|request|fetch|urlopen|stream|urljoin|api_get|api_post"
    r"|get_json|post_json|ws_connect|connect|websocket_connect|goto|redirect|RedirectResponse|HttpResponseRedirect"
    r"|Request)$",
    re.I,
)
OPENS = frozenset(
    {
        "open",
        "Path",
        "PurePath",
        "PosixPath",
        "makedirs",
        "mkdir",
        "joinpath",
        "with_name",
        "exists",
        "isfile",
    }
    | {"isdir", "rmtree", "unlink", "listdir", "copyfile", "safe_open"}
)
JOINS = frozenset({"os.path.join", "posixpath.join", "path.join", "ntpath.join"})
EXTENSION = re.compile(r"\.[a-z][a-z0-9]{1,5}(?:\.[a-z0-9]{1,4})?$")
ESCAPED = re.compile(
    r"(?:^|_)(?:url_?)?(?:quoted|encoded|escaped|safe|sanitized|sanitised|cleaned|slugified)_", re.I
)


NAMED = re.compile(r"%\((\w+)\)[0-9]*([sdi])")
NUMBER = re.compile(r"\d*d'$")  # a format that only a number has


class MixedKinds(Rule):
    """IDs of different kinds compared."""

    code = "CID407"
    title = "IDs of different kinds compared"
    category = "reader"
    priority = "P1"
    why = "Two IDs of different kinds are equal only where one is made of the other, or by accident."
    instead = "compare IDs of one kind; where one is derived from the other, derive it in one place"
    invalid = (
        "def f(thread_id, run_id): return thread_id == run_id",
        "def f(user_id, session_ids): return user_id in session_ids",
        "def f(run, task): return run.id != task.id",
    )
    valid = (
        "def f(user, user_id): return user.id == user_id",
        "def f(parent_id, child_id): return parent_id == child_id",
        "def f(owner_id, user_id): return owner_id == user_id",
        "def f(id, user_id): return id == user_id",
        "def f(user_id, user_ids): return user_id in user_ids",
        "def f(parent_run_id, run_id): return parent_run_id == run_id",
    )

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        wholes = {use.whole: use for use in view.uses}
        for compare, space in view.module.compares:
            if len(compare.ops) != 1 or not isinstance(
                compare.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn
            ):
                continue
            left, right = wholes.get(compare.left), wholes.get(compare.comparators[0])
            if left is None or right is None or left.many:
                continue
            if right.many != isinstance(compare.ops[0], ast.In | ast.NotIn):
                continue
            confidence = differing(left, right)
            if confidence is not None:
                message = f"{left.name} of a {left.kind} is compared with {right.name} of a {right.kind}"
                yield drafted(cls, view, Reading(compare, confidence, message), space)


def differing(left: Use, right: Use) -> Confidence | None:
    """How sure it is that these are IDs of two kinds; None where they may well be of one."""
    first, second = of_what(left.kind), of_what(right.kind)
    if not first or not second or first in second or second in first:
        return None
    if KINDS.fullmatch(first) and KINDS.fullmatch(second):
        return "likely"
    return None


def of_what(kind: str) -> str:
    """The last word, "run" of "parent_run"; "" where there is none, or where it is a role."""
    last = kind.rpartition("_")[2]
    return "" if ROLES.match(last) else last.rstrip("s")


class Unescaped(Rule):
    """An ID put into SQL, a URL or a path as it is."""

    code = "CID408"
    title = "an ID put unescaped into SQL, a URL or a path"
    category = "reader"
    priority = "P1"
    why = (
        "It works as long as no ID has a quote, a slash or a dot in it: the shape of the ID is taken for "
        "granted, and whoever may choose an ID chooses the statement or the file as well."
    )
    instead = "parameters of the query, urllib.parse.quote(text, safe=''), or an ID that was parsed before"
    invalid = (
        "def f(user_id): db.execute(f\"SELECT * FROM users WHERE id = '{user_id}'\")",
        "def f(user_id): return client.get(f'/users/{user_id}')",
        "def f(self): url = f'{self.base}/threads/{self.thread_id}/runs'",
        "import os\ndef f(base, thread_id): return os.path.join(base, thread_id)",
        "from pathlib import Path\ndef f(base, user_id): return Path(base) / user_id",
        "def f(folder, run_id): return open(f'{folder}/{run_id}.json')",
        "def f(run_id): sql = 'DELETE FROM runs WHERE id = %s' % run_id",
    )
    valid = (
        "from urllib.parse import quote\ndef f(user_id): return client.get(f'/users/{quote(user_id)}')",
        "def f(user_id): db.execute('SELECT * FROM users WHERE id = %s', (user_id,))",
        "def f(user_id): log.info(f'GET /users/{user_id}')",
        "def f(total, user_id): return total / user_id",
        "def f(user_id): return cache.get(f'user:{user_id}')",
        "def f(user_id): return client.get('/users/%d' % user_id)",
        "import uuid\ndef f(user_id, x): url = '/%(x)s/users/%(user_id)d/' % {'x': x, 'user_id': user_id}",
        "def f(user_id): return client.get(f'/users/{user_id:06d}')",
        "from urllib.parse import quote\nmy_id = quote(user_id)\nclient.get(f'/users/{my_id}')",
        "def f(session_id): db.execute('DELETE FROM s WHERE id = %d' % int(session_id))",
    )

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        seen: set[ast.AST] = set()
        for use in view.uses:
            found = None if use.many or ESCAPED.search(use.name) else in_path(view, use)
            if found is not None and found.node not in seen:
                seen.add(found.node)
                yield from _reported(cls, view, found, use.space)
        for text in view.texts:
            if not may_hold_id(text.template) or not seen.isdisjoint(
                [text.node, *view.module.upwards(text.node)]
            ):
                continue
            found = in_text(view, text)
            if found is not None:
                yield from _reported(cls, view, found, text.space)


def _reported(rule: type[Rule], view: View, found: Reading, space: Space) -> Iterator[Draft | Ignored]:
    if told(view, found.node):
        yield view.ignored(rule, found.node, space, "log line")
    else:
        yield drafted(rule, view, found, space)


def may_hold_id(template: Template) -> bool:
    return len(template) > 1 and any(field.kind == "id" for field in fields(template))


def in_text(view: View, text: Text) -> Reading | None:
    """What a text with an ID in it is: SQL, a URL, a path, or nothing of that."""
    what, confidence = judged(text)
    if what == "" or in_decorator(view, text.node) or _of_numbers(text.node):
        return None
    names = [use.name for use in bare_uses(view, text.node)]
    if not names:
        return None
    return Reading(text.node, confidence, f"{names[0]} is put into {what} as it is", what)


def _of_numbers(node: ast.expr) -> bool:
    """`"/users/%d" % user_id`: a number needs no escaping."""
    match node:
        case ast.BinOp(left=ast.Constant(value=str() as form), op=ast.Mod()):
            named = [kind == "s" for name, kind in NAMED.findall(form) if names_id(name)]
            return (re.search(r"%[di]", form) is not None and "%s" not in form) or (
                named != [] and not any(named)
            )
    return False


def judged(text: Text) -> tuple[str, Confidence]:
    template, sink = text.template, text.sink
    plain = literal(template)
    if sink.how in ("compared", "told") or sink.is_id:
        return "", "question"
    if SQL.search(plain) and (
        STARTS_SQL.match(plain)
        or SQL_INTO.search(sink.into)
        or (SQL_NAME.search(sink.name) and len(plain) > 12)
    ):
        return (
            ("SQL", "likely")
            if any(not is_column(template, at) for at in ids_at(template))
            else ("", "question")
        )
    first, last = template[0], template[-1]
    start = first if isinstance(first, str) else ""
    end = last if isinstance(last, str) else ""
    if re.match(r"(?:https?|wss?|ftp)://", start):
        return "a URL", "likely"
    if re.match(r"[a-z0-9+]+://", start):
        return "a URL", "likely" if URL_NAME.search(sink.name) else "question"
    if "/" not in plain:
        if PATH_NAME.search(sink.name) and EXTENSION.search(end):
            return "a path", "likely"
        if last_of(sink.into) == "open":
            return "a path", "likely"
        return "", "question"
    if not any(beside_slash(template, at) for at in ids_at(template)):
        return "", "question"
    called = last_of(sink.into)
    if URL_NAME.search(sink.name) or URL_INTO.search(called):
        return "a URL", "likely"
    if (
        sink.how in ("handed", "argument")
        and CLIENT.search(sink.into)
        and (start.startswith("/") or base_of(template))
    ):
        return "a URL", "likely"
    if PATH_NAME.search(sink.name) or (called in OPENS and sink.how == "handed"):
        return "a path", "likely"
    if start.startswith("/") and EXTENSION.search(end) and sink.how != "none":
        return "a path", "likely"
    if base := base_of(template):
        return ("a URL" if BASE_URL.search(base) else "a path"), "likely"
    return "", "question"


def base_of(template: Template) -> str:
    """The name of the base of a URL, or of a directory, that it begins with; or ""."""
    first, second = template[0], template[1]
    if not isinstance(first, Field) or first.kind == "id" or not isinstance(second, str):
        return ""
    known = BASE_URL.search(first.name) or BASE_PATH.search(first.name)
    return first.name if known and second.startswith("/") else ""


def ids_at(template: Template) -> list[int]:
    return [at for at, part in enumerate(template) if isinstance(part, Field) and part.kind == "id"]


def beside_slash(template: Template, at: int) -> bool:
    """Whether a field stands in a path, or in a query string."""
    before = template[at - 1] if at else ""
    after = template[at + 1] if at + 1 < len(template) else ""
    return (isinstance(before, str) and before.endswith(("/", "="))) or (
        isinstance(after, str) and after.startswith("/")
    )


def is_column(template: Template, at: int) -> bool:
    """Whether the field stands where the name of a column does: `WHERE {pk} = 1`, `SELECT {id}`."""
    before = template[at - 1] if at else ""
    after = template[at + 1] if at + 1 < len(template) else ""
    if isinstance(after, str) and COLUMN.match(after):
        return True
    return (
        isinstance(before, str)
        and re.search(r"(?:SELECT|BY|ON|DISTINCT|,|\(|\.)\s*\"?$", before) is not None
        and not (re.search(r"(?:IN|VALUES)\s*\([^()]*$", before) is not None)
    )


def last_of(called: str) -> str:
    return called.rpartition(".")[2]


def in_decorator(view: View, node: ast.expr) -> bool:
    below: ast.AST = node
    for above in view.module.upwards(node):
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return below in above.decorator_list
        below = above
    return False


def bare_uses(view: View, text: ast.expr) -> list[Use]:
    """The IDs in a text that stand there as they are, not within a call that escapes or converts them."""
    return [
        use
        for use in view.uses_at(text)
        if not use.many and not ESCAPED.search(use.name) and _is_bare(view, use.whole, text)
        if not _was_escaped(use)
    ]


def _was_escaped(use: Use) -> bool:
    """`x_id = quote(x_id)`, above its use."""
    found = use.space.find(use.name, use.node.lineno) if isinstance(use.node, ast.Name) else None
    return found is not None and any(
        isinstance(each.node, ast.Call)
        and last_of(resolve(each.node.func, use.space)) in ("quote", "quote_plus", "secure_filename")
        for each in found[1]
    )


def _is_bare(view: View, node: ast.expr, text: ast.expr) -> bool:
    for above in view.module.upwards(node):
        if above is text:
            return True
        if isinstance(above, ast.Call) and not (
            isinstance(above.func, ast.Attribute) and above.func.attr in ("format", "join")
        ):
            return above.func is text
        if isinstance(above, ast.Subscript | ast.Compare | ast.Attribute):
            return False
        if isinstance(above, ast.FormattedValue) and NUMBER.search(ast.unparse(above.format_spec or above)):
            return False
    return False


def in_path(view: View, use: Use) -> Reading | None:
    """An ID, or a text with one, joined to a path."""
    node = use.whole
    above = view.module.above.get(node)
    while isinstance(above, ast.FormattedValue | ast.JoinedStr) or (
        isinstance(above, ast.BinOp) and isinstance(above.op, ast.Add)
    ):
        node = above
        above = view.module.above.get(node)
    match above:
        case ast.Call(func=func, args=args) if node in args:
            target = resolve(func, use.space)
            joins = target in JOINS and node in args[1:]
            path = target in ("pathlib.Path", "pathlib.PurePath") and (len(args) > 1)
            if joins or path or (isinstance(func, ast.Attribute) and func.attr == "joinpath"):
                return Reading(above, "likely", f"{use.name} is put into a path as it is", "a path")
        case ast.BinOp(left=left, op=ast.Div(), right=right) if right is node:
            if is_path(left, use.space) or isinstance(right, ast.JoinedStr):
                return Reading(
                    outer_path(view, above), "likely", f"{use.name} is put into a path as it is", "a path"
                )
    return None


def outer_path(view: View, node: ast.expr) -> ast.expr:
    """The whole of `base / a / b`."""
    above = view.module.above.get(node)
    while isinstance(above, ast.BinOp) and isinstance(above.op, ast.Div):
        node, above = above, view.module.above.get(above)
    return node


def is_path(node: ast.expr, space: Space) -> bool:
    match node:
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return isinstance(right, ast.Constant | ast.JoinedStr) or is_path(left, space)
        case ast.Call(func=func):
            return resolve(func, space).startswith("pathlib.") or is_path(func, space)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return PATHISH.search(name) is not None
    return False


RULES = (MixedKinds, Unescaped)
