"""Where a value goes: under what name, into what. That decides whether it is an ID."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import Literal, NamedTuple

from canonid.audit.evaluating import SAME_METHODS, is_id_name
from canonid.audit.modules import Module
from canonid.audit.names import Space
from canonid.audit.wording import CLASS

How = Literal["name", "argument", "key", "returned", "handed", "compared", "told", "none"]
CONVERSIONS = frozenset({"str", "int", "repr", "hex", "bytes", "format", "UUID", "round", "abs", "b64encode"})
PATHS = frozenset({"join", "joinpath", "with_suffix", "with_name", "Path", "PurePath"})
WITH_NAME = frozenset(  # functions that take a name, and last what it stands for
    {"setdefault", "get", "pop", "getattr", "setattr", "getenv", "set", "append", "add", "parametrize"}
)
TYPE = re.compile(r"^[A-Z]\w*[a-z](?:Id|ID|Uuid|UUID)$")
SETS = frozenset({"set", "setex", "setnx", "aset", "set_key", "add"})
CUTTERS = frozenset({"split", "rsplit", "partition", "rpartition", "join"})
TELLERS = re.compile(
    r"(?:^|\.)(?:debug|info|warn|warning|error|exception|critical|log|print|echo|secho|write_line|fail|skip)$"
)


class Sink(NamedTuple):
    """`name` is what the value is called there, `into` the function or container it is put in."""

    how: How
    name: str
    into: str = ""

    @property
    def is_id(self) -> bool:
        """Whether it is called an ID there."""
        if self.how == "returned":
            made = MAKES_ID.search(self.name) is not None or CLASS.search(self.into) is not None
            return made or is_id_name(self.name) or SHORT.fullmatch(self.name) is not None
        if self.name in ("id", "ids") and CASES.search(self.into):
            return False
        return is_id_name(self.plain_name) or SHORT.fullmatch(self.name) is not None

    @property
    def plain_name(self) -> str:
        """The name, that of a constant in small letters: run_id for RUN_ID."""
        constant = self.name.isupper() and KEY.match(self.name) is None
        return self.name.lower() if constant else self.name

    @property
    def is_code(self) -> bool:
        """Whether it names something for people: an invite code, an order number."""
        return CODE.search(self.name) is not None


# What takes the names of test cases, or of elements of a page, as `id`.
CASES = re.compile(r"(?:^|\.)(?:param|parametrize|fixture|find|find_all|select|Input|Output|State)$")
SHORT = re.compile(
    r"_?(?:(?:new|make|create|next|generate)_)?[cejnqrstx]ids?"
)  # jid, rid, sid, tid and the like
KEY = re.compile(r"_?(?:ATTR|CONF|KEY|FIELD|HEADER|COLUMN|COL|PARAM|ARG)_")  # ATTR_USER_ID is the name of one
CODE = re.compile(
    r"(?:invit\w*|referral|short|share|order|join|room|promo|coupon|tracking|ticket|booking|reservation|voucher)"
    r"_(?:code|number|no|ref|reference|slug|handle)$"
)
MAKING = r"(?:generate|make|new|create|next|gen|mint|get|build|fresh|unique|random|allocate)"
MAKES_ID = re.compile(
    rf"(?:^|_){MAKING}_?(?:\w+_)?(?:u?u?id|guid|identifier)s?$"
    rf"|^{MAKING}\w*(?:Id|ID|Uuid|UUID)$"
    r"|(?:^|_)(?:unique_id|uuid|object_id)$"
    r"|(?:^|_)u?u?id_(?:(?:for|from|of|with|base)(?:_\w+)?|v\d+)$"
)


def makes_ids(owner: str, function: str) -> bool:
    """Whether a method of a class that makes IDs is one of those that do, by their names."""
    return CLASS.search(owner) is not None and NO_MAKER.search(function) is None


NO_MAKER = re.compile(
    r"^_|prefix|name|path|url|key|format|pattern|describe|label|kind|type|parse|hash|config"
)

# What is no ID, by what it is called or what it is put into. The first that fits is the reason.
REASONS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "nonce",
        re.compile(r"nonce|challenge|csrf|xsrf|code_verifier|pkce|oauth_state|^state$|^iv$", re.I),
    ),
    (
        "lock token",
        re.compile(r"(?:^|_)(?:lock|mutex|lease|semaphore)(?:_|$)|lock_?(?:token|value|owner)|redlock", re.I),
    ),
    ("boundary", re.compile(r"boundary", re.I)),
    (
        "salt or password",
        re.compile(r"salt|passw|pwd|passphrase|pepper|(?:^|_)otp|pin_?code|secret", re.I),
    ),
    (
        "cache key",
        re.compile(r"cache_?key|etag|checksum|digest|cache_?bust|fingerprint", re.I),
    ),
    (
        "temporary file",
        re.compile(
            r"(?:^|_)temporary_?(?:path|file|dir|folder|name)"
            r"|(?:^|[_ ])te?mp(?!_?(?:col|table|view|user|key|schema|db|queue|topic))(?:_|$|dir|file)"
            r"|mkdtemp|mkstemp|tempfile|gettempdir|temporaryfile|temporarydirectory"
            r"|scratch|sandbox_dir",
            re.I,
        ),
    ),
    (
        "file name",
        re.compile(
            r"file_?name|file_?path|(?:^|_)(?:path|dir|folder|directory|file|suffix|archive)$|basename"
            r"|upload_to|^(?:open|Path|joinpath|makedirs|mkdir)$|os\.path\.|pathlib\."
            r"|\.(?:with_name|with_suffix|joinpath)\b|^Path\b",
            re.I,
        ),
    ),
    ("log line", TELLERS),
    (
        "rate limit bucket",
        re.compile(r"rate_?limit|bucket(?!_?(?:name|path|uri|url|prefix))|throttle|window_?key", re.I),
    ),
    ("jitter", re.compile(r"jitter|backoff|sleep|delay|timeout|seed", re.I)),
)
SPAN = re.compile(r"(?:^|_)span_?id$|traceparent", re.I)  # its width is that of W3C Trace Context
TEMPORARY = re.compile(r"/(?:tmp|var/tmp|dev/shm)\b")  # what a text begins with
TEMPORARY_NAME = re.compile(r"(?:^|_)te?mp_?(?:path|dir)$")
UNFINISHED = re.compile(r"\.(?:te?mp|part|partial)$")  # what a file name ends with
BOUNDARY = re.compile(r"boundary", re.I)
LOCK = re.compile(r"(?:^|[^a-z])(?:lock|mutex|lease|semaphore)s?(?:[^a-z]|$)", re.I)  # what a key says


def reason_against(sink: Sink) -> str | None:
    """Why a value that goes there is no ID, or None."""
    if SPAN.search(sink.name):
        return "span ID"
    for name, pattern in REASONS:
        if (sink.name and pattern.search(sink.name)) or (sink.into and pattern.search(sink.into)):
            if sink.is_id and name != "log line":
                return None
            return name
    return None


def top(node: ast.expr, module: Module) -> ast.expr:
    """The whole text of which a value is a part: outwards through cutting, converting and joining."""
    while True:
        above = module.above.get(node)
        around = None if above is None else module.above.get(above)
        if above is None or not (_carries(above, node) or _gathers(above, around)):
            return node
        if not isinstance(above, ast.expr) or not _carries(above, node):
            above = around
        assert isinstance(above, ast.expr)
        node = above


def _gathers(above: ast.AST, around: ast.AST | None) -> bool:
    """Whether it is one of several that become one: `"%s-%s" % (a, b)`, `"-".join([a, b])`, `UUID(int=a)`."""
    match above, around:
        case ast.Tuple(), ast.BinOp(op=ast.Mod()):
            return True
        case (
            (ast.List() | ast.Tuple() | ast.ListComp() | ast.GeneratorExp()),
            ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join")),
        ):
            return True
        case ast.keyword(arg="bytes" | "int" | "hex"), ast.Call(func=func):
            return _dotted(func).endswith("UUID")
    return False


def _carries(above: ast.AST, node: ast.AST) -> bool:
    match above:
        case ast.FormattedValue() | ast.JoinedStr() | ast.Await() | ast.Starred() | ast.UnaryOp():
            return True
        case ast.BinOp(op=ast.Add() | ast.Mod() | ast.Mult() | ast.FloorDiv() | ast.Div() | ast.Sub()):
            return True
        case ast.IfExp(test=test):
            return node is not test
        case ast.BoolOp() | ast.NamedExpr():
            return True
        case ast.Subscript(value=value):
            return node is value
        case ast.Attribute(attr=attr):
            return (
                True
                if attr in SAME_METHODS or attr in CUTTERS
                else attr in ("hex", "int", "bytes", "urn", "str")
            )
        case ast.Call(func=func):
            if node is func:
                return isinstance(func, ast.Attribute) and (func.attr in SAME_METHODS or func.attr in CUTTERS)
            name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            if isinstance(func, ast.Attribute) and name in ("format", "join"):
                return isinstance(func.value, ast.Constant | ast.JoinedStr)
            return name in CONVERSIONS
        case ast.List() | ast.Tuple():
            return False
    return False


def sink_of(node: ast.expr, module: Module) -> Sink:
    """Where the value of a whole text goes; what it says itself of where, as `"/tmp/…"` does, is `into`."""
    found = _sink_of(node, module)
    first = _first(node)
    if first is node:
        return found
    match node:
        case ast.JoinedStr(values=[*_, ast.Constant(value=str() as text)]) if UNFINISHED.search(text):
            return found._replace(into="tempfile")
    match first:
        case ast.Constant(value=str() as text) if TEMPORARY.match(text):
            return found._replace(into="tempfile")
        case ast.Constant(value=str() as text) if BOUNDARY.search(text):
            return found._replace(into="boundary")
        case ast.Call(func=func) if _dotted(func).startswith("tempfile."):
            return found._replace(into="tempfile")
        case ast.Name(id=name) if TEMPORARY_NAME.search(name):
            return found._replace(into="tempfile")
    return found


def _first(node: ast.expr) -> ast.expr:
    """What stands first in a text that is put together."""
    while True:
        match node:
            case ast.JoinedStr(values=[first, *_]):
                node = first
            case ast.FormattedValue(value=first) | ast.BinOp(left=first):
                node = first
            case ast.Call(func=ast.Attribute(value=ast.Constant() as first, attr="format")):
                node = first
            case ast.Call(func=ast.Name(id="str" | "Path"), args=[first]):
                node = first
            case ast.Call(func=ast.Attribute(attr="join" | "joinpath" | "Path"), args=[first, _, *_]):
                node = first
            case _:
                return node


def locks(call: ast.Call) -> bool:
    """Whether it sets a key that nobody else may hold: `set(key, token, nx=True)`, `set("lock:a", token)`."""
    called = getattr(call.func, "attr", "")
    if called not in SETS:
        return False
    if any(keyword.arg == "nx" for keyword in call.keywords):
        return True
    if len(call.args) < 2:
        return False
    key = _first(call.args[0])
    text = key.value if isinstance(key, ast.Constant) else _name(key)
    return called == "setnx" or (isinstance(text, str) and LOCK.search(text) is not None)


def bounding(text: ast.JoinedStr) -> str:
    """The name of what stands between the parts of a message: `f"--{name}"`, `f"boundary={name}"`; or ""."""
    for at, (before, after) in enumerate(pairwise(text.values)):
        match before, after:
            case ast.Constant(value=str() as says), ast.FormattedValue(value=ast.Name(id=name)):
                if says.endswith("boundary=") or (says == "--" and not at):
                    return name
    return ""


def _sink_of(node: ast.expr, module: Module) -> Sink:
    while True:
        above = module.above.get(node)
        match above:
            case ast.Assign(targets=targets):
                return Sink("name", _name(targets[0]))
            case ast.AnnAssign(target=target):
                return Sink("name", _name(target))
            case ast.AugAssign(target=target):
                return Sink("name", _name(target), "+=")
            case ast.NamedExpr(target=target):
                return Sink("name", target.id)
            case ast.keyword(arg=arg):
                call = module.above[above]
                if isinstance(call, ast.Call):
                    called = _dotted(call.func)
                    if arg == "value" and locks(call):
                        return Sink("argument", "lock_token", called)
                    if arg in (
                        "default",
                        "default_factory",
                        "factory",
                        "server_default",
                        "insert_default",
                        "side_effect",
                    ):
                        outer = sink_of(call, module)
                        return Sink(outer.how, outer.name or _option(call), called)
                    return Sink("argument", arg or "", called)
                return Sink("none", "")
            case ast.arguments():
                return Sink("name", _parameter(above, node))
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if value is node:
                        return Sink("name", str(key.value) if isinstance(key, ast.Constant) else "")
                    if key is node:
                        return Sink("key", "", "dict")
                return Sink("none", "")
            case ast.Subscript(slice=index) if index is node:
                return Sink("key", "", _dotted(above.value))
            case ast.Return() | ast.Yield():
                return _returned(above, module)
            case ast.Lambda():
                node = above
                continue
            case ast.Compare():
                return Sink("compared", "")
            case ast.Raise():
                return Sink("told", "", "raise")
            case ast.Call(func=func):
                called = _dotted(func)
                short = called.rpartition(".")[2]
                if TELLERS.search(called) or short.endswith(("Error", "Exception", "Warning")):
                    return Sink("told", "", called)
                if short == "partial":
                    node = above
                    continue
                if node in above.args[1:] and locks(above):
                    return Sink("argument", "lock_token", called)
                if short in ("Depends", "Field", "field", "Column", "mapped_column", "ContextVar", "default"):
                    outer = sink_of(above, module)
                    return Sink(outer.how, outer.name, called)
                if short in WITH_NAME and len(above.args) > 1:
                    key = above.args[-2]
                    if (
                        node is above.args[-1]
                        and isinstance(key, ast.Constant)
                        and isinstance(key.value, str)
                    ):
                        return Sink("argument", key.value, called)
                if short in PATHS:
                    outer = sink_of(above, module)
                    first = _folder(above.args[0]) if above.args else ""
                    name = "" if outer.is_id else outer.name
                    return Sink("handed", name, f"{called} {first}" if first else called)
                if short in ("append", "add") and isinstance(func, ast.Attribute):
                    return Sink("argument", _singular(_name(func.value)), called)
                return Sink("handed", _handed_as(above, node, module), called)
            case (
                ast.List()
                | ast.Tuple()
                | ast.Set()
                | ast.Starred()
                | ast.Await()
                | ast.IfExp()
                | ast.BoolOp()
            ):
                if isinstance(above, ast.Tuple):
                    around = module.above.get(above)
                    if isinstance(around, ast.Assign) and isinstance(around.targets[0], ast.Tuple):
                        targets = around.targets[0].elts
                        at = above.elts.index(node)
                        return Sink("name", _name(targets[at]) if at < len(targets) else "")
                    if isinstance(around, ast.BinOp):
                        node = around
                        continue
                    if not isinstance(around, ast.Return | ast.Set | ast.List):
                        return Sink("none", "")
                node = above
                continue
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                found = sink_of(above, module)
                return found._replace(name=_singular(found.name))
            case ast.DictComp(value=value):
                return Sink("none", "") if node is not value else Sink("name", "")
            case ast.expr() if not isinstance(above, ast.Attribute):
                node = above
                continue
        return Sink("none", "")


def _folder(node: ast.expr) -> str:
    temporary = isinstance(node, ast.Constant) and TEMPORARY.match(str(node.value))
    return "tempfile" if temporary else _dotted(node)


def _name(node: ast.AST | None) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str() as name)):
            return name
        case ast.Constant(value=str() as name):
            return name
        case ast.Call(func=func):
            return _name(func)
    return ""


def _dotted(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            base = _dotted(value)
            return f"{base}.{name}" if base else name
        case ast.Call(func=func):
            return _dotted(func)
        case ast.Subscript(value=value):
            return _dotted(value)
    return ""


def _singular(name: str) -> str:
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _parameter(arguments: ast.arguments, default: ast.AST) -> str:
    names = [*arguments.posonlyargs, *arguments.args]
    if default in arguments.defaults:
        return names[len(names) - len(arguments.defaults) + arguments.defaults.index(default)].arg
    for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if value is default:
            return argument.arg
    return ""


def _option(call: ast.Call) -> str:
    """What `add_argument("--run-id")` and the like call their value."""
    names = [
        each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
    return names[-1].lstrip("-").replace("-", "_") if names else ""


def _returned(node: ast.AST, module: Module) -> Sink:
    """The function that returns it, and its class where that is one that makes IDs."""
    name = ""
    for above in module.upwards(node):
        if not name and isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
            name = above.name
        elif name and isinstance(above, ast.ClassDef):
            return Sink("returned", name, above.name if makes_ids(above.name, name) else "")
    return Sink("returned", name)


def _handed_as(call: ast.Call, node: ast.expr, module: Module) -> str:
    """The name of the parameter that takes it, of a function of this module; that of a type of IDs."""
    name = _name(call.func)
    if TYPE.search(name):
        return name
    if node not in call.args or not isinstance(call.func, ast.Name | ast.Attribute):
        return ""
    at = call.args.index(node)
    if isinstance(call.func, ast.Name):
        found = module.functions.get(name) or module.functions.get(f"{name}.__init__")
        at += name not in module.functions
    else:
        found = _method(call.func, module)
        at += 1
    arguments = getattr(found[0], "args", None) if found is not None else None
    if not isinstance(arguments, ast.arguments):
        return ""
    parameters = [*arguments.posonlyargs, *arguments.args]
    return parameters[at].arg if at < len(parameters) else ""


def _method(func: ast.Attribute, module: Module) -> tuple[ast.AST, Space] | None:
    """The method of the class that it is called in, as `self.method`."""
    if not isinstance(func.value, ast.Name) or func.value.id not in ("self", "cls"):
        return None
    owner = next((each for each in module.upwards(func) if isinstance(each, ast.ClassDef)), None)
    found = module.functions.get(f"{owner.name}.{func.attr}") if owner is not None else None
    plain = found is not None and not getattr(found[0], "decorator_list", None)
    return found if plain else None
