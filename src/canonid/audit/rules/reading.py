"""Where code takes an ID apart, or takes its shape for granted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from canonid.audit.evaluating import is_made
from canonid.audit.findings import Confidence, Draft, Ignored
from canonid.audit.names import Space, resolve
from canonid.audit.origins import UUID_MODULES
from canonid.audit.rule import Rule
from canonid.audit.sinks import TELLERS, top
from canonid.audit.templates import Field
from canonid.audit.usages import SPAN, Use, is_many, named, names_id
from canonid.audit.view import View

LISTS = re.compile(r"[,;\s]*")  # what stands between several IDs in one text
SEPARATOR = re.compile(r"[_\-:;./#|@~+$]")
AFFIX = re.compile(
    r"[A-Za-z][A-Za-z0-9_\-:.#/|]{0,40}[_\-:.#/|]|[_\-:.#/|][A-Za-z0-9_\-:.#/|]{0,40}[A-Za-z0-9]"
)
AFFIX_NAME = re.compile(r"prefix|suffix|marker|separator", re.I)
KIND = re.compile(r"([a-z][a-z0-9]{2,19})[_\-]")
SHOWN = re.compile(
    r"(?:^|_)(?:name|title|label|display|short|message|msg|desc|description|summary|caption|text|log|repr|heading"
    r"|line)(?:_|$)|friendly",
    re.I,
)
SENTENCE = re.compile(r" |\.\.\.|…")
NUMERIC = frozenset({"torch", "numpy", "jax", "tensorflow"})
TOLD_IN = frozenset({"__repr__", "__str__", "__rich_repr__", "_repr_html_", "__format__"})
MATCHES = frozenset({"match", "fullmatch", "search", "findall", "finditer", "sub", "subn"})
UUID_PATTERN = re.compile(r"(?:\[[^\]]{3,24}\]|\\w|\\h)\{8\}.{0,12}?(?:\[[^\]]{3,24}\]|\\w|\\h)\{4\}")
PATTERN_NAME = re.compile(
    r"(?:(?:^|_)(?:u?u?id|guid)|(?<!module)(?<!sql)(?<!python)(?<=[a-z])_(?:identifier|identity))"
    r"_(?:re|regex|regexp|pattern|rx|expr)s?$"
    r"|(?:^|_)(?:re|regex|regexp|pattern)_(?:\w+_)?(?:u?u?id|guid)$|(?:Id|UUID|Uuid)(?:Regex|Pattern|Re)$",
    re.I,
)
PATTERNISH = re.compile(r"(?:^|_)(?:re|rx|regex|regexp|pattern|matcher)s?(?:_|$)|Regex|Pattern", re.I)
REGULAR = re.compile(r"[\\^\[\]()$+*]")
CHECKS_UUID = re.compile(
    r"(?:^|[_.])(?:is|valid|validate|check|looks|parse|try|to|as|ensure|coerce)\w*uuid|^uuid_?(?:valid|check|or)",
    re.I,
)
SHAPES = frozenset({"isdigit", "isnumeric", "isdecimal", "isalnum", "isalpha", "isidentifier"})
LENGTHS = re.compile(r"len|max|min|limit|size|width|digits|chars", re.I)


class Reading(NamedTuple):
    """A place that reads an ID; with a `reason` it is none. `shape` is what it expects."""

    node: ast.expr
    confidence: Confidence
    message: str
    shape: str = ""
    reason: str = ""


class Reader(Rule):
    """What is common to readers: they look at the places that name an ID."""

    category = "reader"
    priority = "P1"
    of_width: ClassVar[bool] = True  # whether what is read is how wide it is, which W3C says of span IDs
    why = (
        "The format of the ID is written down here a second time, where nobody who changes the first one "
        "looks. It breaks at run time, or worse, goes on with a wrong part."
    )
    instead = "registry.parse(text), or keep what the ID was made of beside it"

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        seen: set[ast.AST] = set()
        for use in view.uses:
            found = None if use.many else cls.read(view, use)
            if found is None or found.node in seen:
                continue
            seen.add(found.node)
            reason = "span ID" if cls.of_width and SPAN.search(use.name) else found.reason
            if reason:
                yield view.ignored(cls, found.node, use.space, reason)
            else:
                yield drafted(cls, view, found, use.space, use.name)

    @classmethod
    def read(cls, view: View, use: Use) -> Reading | None:
        """What is read of this ID there, if anything."""
        raise NotImplementedError


def drafted(rule: type[Rule], view: View, found: Reading, space: Space, name: str = "") -> Draft:
    shape = (found.shape,) if found.shape else ()
    return view.draft(rule, found.node, space, found.confidence, found.message, shape, name)


def sure(use: Use) -> Confidence:
    """A name such as `thread_id` says more than `id`."""
    return "certain" if use.plain else "likely"


def told(view: View, node: ast.expr) -> bool:
    """Whether people read it, no program: in a log, an error or a representation."""
    sink = view.goes_to(node)
    if sink.how == "told" or TELLERS.search(sink.into):
        return True
    for above in view.module.upwards(node):
        match above:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                return name in TOLD_IN
            case ast.Raise():
                return True
            case ast.Call(func=func) if TELLERS.search(name := named(func)) or name.endswith(
                ("Error", "Exception", "Warning")
            ):
                return True
    return False


def displayed(view: View, node: ast.expr) -> bool:
    """Whether it goes into a name, a message or a sentence that people see."""
    sink = view.goes_to(node)
    if sink.how != "returned" and SHOWN.search(sink.name) and not names_id(sink.name):
        return True
    whole = top(node, view.module)
    return any(
        isinstance(each, ast.Constant) and isinstance(each.value, str) and SENTENCE.search(each.value.strip())
        for each in (whole.values if isinstance(whole, ast.JoinedStr) else [])
    )


def method_called(view: View, node: ast.expr) -> tuple[ast.Call, str] | None:
    """The call of a method of this value, and the method's name."""
    above = view.module.above.get(node)
    if not isinstance(above, ast.Attribute):
        return None
    call = view.module.above.get(above)
    return (call, above.attr) if isinstance(call, ast.Call) and call.func is above else None


def argument(call: ast.Call, at: int, keyword: str) -> ast.expr | None:
    """An argument by its place or its name."""
    if len(call.args) > at:
        return call.args[at]
    return next((each.value for each in call.keywords if each.arg == keyword), None)


def texts_of(node: ast.expr | None) -> list[str]:
    """The constant texts of an argument: one, or those of a tuple."""
    match node:
        case ast.Constant(value=str() as text):
            return [text]
        case ast.Constant(value=bytes() as data):
            return [data.decode("latin-1")]
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            return [text for element in elements for text in texts_of(element)]
    return []


def number_of(node: ast.AST | None) -> int | None:
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)):
            return -number
    return None


class Split(Reader):
    """An ID taken apart at a separator."""

    code = "CID401"
    of_width = False
    title = "an ID taken apart"
    invalid = (
        "def f(thread_id): return thread_id.split('_')[1]",
        "def f(run_id): _, ts, rnd = run_id.split('_')",
        "def f(run_id):\n    parts = run_id.split('_')\n    if len(parts) != 3: raise ValueError",
        "import re\ndef f(job_id): return re.split('[-_]', job_id)[0]",
        "def f(event): head, _, tail = str(event['user_id']).partition(':')",
        "def f(video_id):\n    parts: list[str] = video_id.split(';')\n    if len(parts) < 3: raise",
        "def f(trace_id): return trace_id.split('-')[1]",
    )
    valid = (
        "def f(user_ids): return user_ids.split(',')",
        "def f(user_id): return user_id.split(', ')",
        "def f(path): return path.split('/')[1]",
        "import shlex\ndef f(user_id): return shlex.split(user_id)",
    )

    @classmethod
    def read(cls, view: View, use: Use) -> Reading | None:
        above = view.module.above.get(use.whole)
        if (
            isinstance(above, ast.Call)
            and use.whole in above.args[1:2]
            and resolve(above.func, use.space) == "re.split"
        ):
            return cls._taken(view, use, above, "re.split", above.args[0])
        called = method_called(view, use.whole)
        if called is None or called[1] not in ("split", "rsplit", "partition", "rpartition"):
            return None
        separator = argument(called[0], 0, "sep")
        return None if separator is None else cls._taken(view, use, *called, separator)

    @classmethod
    def _taken(cls, view: View, use: Use, call: ast.Call, how: str, separator: ast.expr) -> Reading | None:
        between = texts_of(separator)
        parts, apart = parts_expected(view, call, use.space)
        if (
            how != "re.split"
            and between
            and LISTS.fullmatch(between[0])
            and not (parts and ";" in between[0])
        ):
            return Reading(call, "likely", "", reason="list of IDs")
        if told(view, call):
            return Reading(call, "likely", "", reason="log line")
        most = argument(call, 1, "maxsplit") if how in ("split", "rsplit") else None
        shape = ", ".join([ast.unparse(each) for each in (separator, most) if each is not None])
        shape = f"{how}({shape})".replace("'", '"')
        if parts and how in ("split", "rsplit", "re.split"):
            shape += f" of {parts}"
        confidence = sure(use) if apart and between else "likely"
        wanted = f", and {parts} parts are expected" if parts and "split" in how else ""
        return Reading(call, confidence, f"{use.name} is taken apart by {how}{wanted}", shape)


def parts_expected(view: View, call: ast.expr, space: Space) -> tuple[str, bool]:
    """How many parts the code counts on, as "4" or "2+", or ""; and whether single ones are used."""
    above = view.module.above.get(call)
    match above:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is call:
            return _parts_named(view, name, space, call)
        case ast.NamedExpr(target=ast.Name(id=name)) | ast.AnnAssign(target=ast.Name(id=name)):
            return _parts_named(view, name, space, call)
    return _parts_used(view, call)


def _parts_named(view: View, name: str, space: Space, call: ast.expr) -> tuple[str, bool]:
    """What is done with the parts under the name they got, until the name gets another value."""
    found = space.find(name)
    lines = [each.line for each in found[1]] if found else []
    until = min([line for line in lines if line > call.lineno], default=10**9)
    counts: list[str] = []
    apart = False
    for reference, where in view.references_to(name):
        if where is space and call.lineno <= reference.lineno <= until:
            count, single = _parts_used(view, reference)
            counts += [count] if count else []
            apart = apart or single
    exact = sorted({int(count) for count in counts if not count.endswith("+")} - {1})
    if exact:
        return " or ".join([str(count) for count in exact]), apart
    return max(
        [count for count in counts if count.endswith("+")], key=lambda count: int(count[:-1]), default=""
    ), apart


def _parts_used(view: View, node: ast.expr) -> tuple[str, bool]:
    above = view.module.above.get(node)
    match above:
        case ast.Assign(targets=[ast.Tuple(elts=targets) | ast.List(elts=targets)]):
            if any(isinstance(each, ast.Starred) for each in targets):
                return f"{len(targets) - 1}+", True
            return str(len(targets)), True
        case ast.Subscript(value=value, slice=index) if value is node:
            number = number_of(index)
            needed = 0 if number is None else number + 1 if number >= 0 else -number
            return (f"{needed}+" if needed > 1 else ""), True
        case ast.Call(func=ast.Name(id="len")):
            compare = view.module.above.get(above)
            if isinstance(compare, ast.Compare) and compare.left is above:
                return _count_compared(compare), True
        case ast.Call(func=ast.Attribute(attr="pop")):
            return "", True
        case ast.Call(func=ast.Name(id="next" | "iter" | "reversed")):
            return "", True
    return "", False


def _count_compared(compare: ast.Compare) -> str:
    number = number_of(compare.comparators[0])
    if number is None or number < 0:
        return ""
    match compare.ops[0]:
        case ast.Eq() | ast.NotEq():
            return str(number)
        case ast.Lt() | ast.GtE():
            return f"{number}+"
        case ast.Gt() | ast.LtE():
            return f"{number + 1}+"
    return ""


class Prefix(Reader):
    """The beginning, the end or a piece of an ID tested or cut off."""

    code = "CID402"
    of_width = False
    title = "a prefix of an ID tested"
    invalid = (
        "def f(x_id): return x_id.startswith('thread_')",
        "def f(user_id): return user_id.removeprefix('usr-')",
        "def f(self): return '_' in self.run_id",
        "def f(run_id): return run_id.replace('run_', '')",
        "def f(thread): return thread.startswith('thread_')",
        "def f(event): return event['resource.id'].replace('acme.run.', '')",
        "def f(unique_id, serial): return unique_id.replace(f'{serial}_', '')",
        "def f(user_id, marker): return user_id.rfind(marker)",
    )
    valid = (
        "def f(path): return path.startswith('run_')",
        "def f(user_id, user_ids): return user_id in user_ids",
        "def f(user_id): return 'admin' in user_ids",
    )

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        yield from super().check(view)
        yield from cls._tested_kinds(view)

    @classmethod
    def read(cls, view: View, use: Use) -> Reading | None:
        above = view.module.above.get(use.whole)
        if isinstance(above, ast.Compare):
            return cls._contained(use, above)
        called = method_called(view, use.whole)
        if called is None or not called[0].args:
            return None
        call, how = called
        texts = texts_of(call.args[0])
        if how in ("startswith", "endswith"):
            if texts and not any(texts):
                return None
            return Reading(
                call,
                sure(use) if texts else "likely",
                f"{use.name} is read by how it {how[:-4]}",
                _shape(how, texts),
            )
        if how in ("removeprefix", "removesuffix"):
            return Reading(call, sure(use), f"a part of {use.name} is cut off", _shape(how, texts))
        if how in ("find", "index", "rfind", "rindex") and (not texts or SEPARATOR.search(texts[0])):
            return Reading(call, "likely", f"{use.name} is searched for its parts", _shape(how, texts))
        taken_out = how == "replace" and len(call.args) > 1 and texts_of(call.args[1]) == [""]
        if taken_out and _is_affix(call.args[0]):
            return Reading(call, "likely", f"a part of {use.name} is cut off", _shape(how, texts))
        return None

    @classmethod
    def _contained(cls, use: Use, compare: ast.Compare) -> Reading | None:
        """`"_" in x_id`, where x_id is a text and no collection."""
        if len(compare.ops) != 1 or not isinstance(compare.ops[0], ast.In | ast.NotIn):
            return None
        if compare.comparators[0] is not use.whole:
            return None
        texts = texts_of(compare.left) if isinstance(compare.left, ast.Constant) else []
        if not texts or not texts[0]:
            return None
        confidence: Confidence = "likely" if SEPARATOR.search(texts[0]) else "question"
        return Reading(compare, confidence, f"{use.name} is read by what it contains", _shape("in", texts))

    @classmethod
    def _tested_kinds(cls, view: View) -> Iterator[Draft]:
        """`thread.startswith("thread_")`: the prefix says that it is an ID, whatever it is called."""
        uses = {use.whole for use in view.uses}
        for call, space in view.module.calls:
            func = call.func
            if (
                not isinstance(func, ast.Attribute)
                or func.attr not in ("startswith", "removeprefix")
                or not call.args
            ):
                continue
            prefix = KIND.fullmatch("".join(texts_of(call.args[0])))
            if prefix is None or func.value in uses:
                continue
            name = named(func.value).lower()
            if name and name.rpartition("_")[2] == prefix[1].lower():
                message = f"{name} is read by its prefix"
                yield drafted(
                    cls, view, Reading(call, "question", message, _shape(func.attr, [prefix[0]])), space
                )


def _is_affix(node: ast.expr) -> bool:
    """Whether it is what an ID begins or ends with: `"run_"`, `f"{serial}-"`, `RUN_PREFIX`."""
    match node:
        case ast.Constant(value=str() as text):
            return AFFIX.fullmatch(text) is not None
        case ast.JoinedStr(values=[*_, ast.Constant(value=str() as text)]):
            return SEPARATOR.search(text[-1:]) is not None
        case ast.JoinedStr(values=[ast.Constant(value=str() as text), *_]):
            return SEPARATOR.match(text) is not None
    return AFFIX_NAME.search(named(node)) is not None


def _shape(how: str, texts: list[str]) -> str:
    return f"{how}({', '.join([repr(text) for text in texts])})".replace("'", '"') if texts else how


class Slice(Reader):
    """A part of an ID by its position."""

    code = "CID403"
    title = "a slice of an ID"
    invalid = (
        "def f(user_id): return user_id[:8]",
        "def f(job): shard = job.run_id[-2:]",
        "def f(run_id): return str(run_id)[4:]",
        "def f(channel_id): return channel_id[0] == 'C'",
    )
    valid = (
        "def f(user_id): log.info('user %s', user_id[:8])",
        "def f(user_ids): return user_ids[:8]",
        "class A:\n    def __repr__(self): return f'<A {self.run_id[:8]}>'",
        "def f(user_id): display_name = f'User {user_id[:8]}'",
        "import uuid\nrun_id = str(uuid.uuid4())\nshort_id = run_id[:8]",
        "def f(user_id): rows = user_id[0]",
        "import torch\ndef f(y, n_id, size): return y[n_id[:size]]",
    )

    @classmethod
    def read(cls, view: View, use: Use) -> Reading | None:
        cut = view.module.above.get(use.whole)
        if (
            not isinstance(cut, ast.Subscript)
            or cut.value is not use.whole
            or not isinstance(cut.ctx, ast.Load)
        ):
            return None
        if not _is_cut(cut.slice) and not _is_letter(cut, view):
            return None
        if is_made(template := view.evaluator.template(cut, use.space)):
            first = template[0]
            if isinstance(first, Field) and first.cut and isinstance(use.node, ast.Name):
                return None  # a cut token
        if told(view, cut) or displayed(view, cut):
            return Reading(cut, "likely", "", reason="log line")
        if use.whole is use.node and _is_of_array(view, cut):
            return None
        return Reading(
            cut, sure(use), f"a part of {use.name} is taken by its position", ast.unparse(cut.slice)
        )


def _is_of_array(view: View, cut: ast.Subscript) -> bool:
    """Whether it is rather an array that is cut: `y[node_id[:size]]`, `(x_id[:-1] + x_id[1:]) / 2`."""
    if not any(name in NUMERIC for name in view.modules):
        return False
    above = view.module.above.get(cut)
    if isinstance(above, ast.BinOp):
        other = above.right if above.left is cut else above.left
        return not isinstance(other, ast.Constant | ast.JoinedStr)
    return isinstance(above, ast.Subscript) and above.slice is cut


def _is_cut(index: ast.expr) -> bool:
    if not isinstance(index, ast.Slice) or index.step is not None:
        return False
    return index.lower is not None or index.upper is not None


def _is_letter(cut: ast.Subscript, view: View) -> bool:
    """`x_id[0] == "C"`."""
    compare = view.module.above.get(cut)
    if number_of(cut.slice) not in (0, -1) or not isinstance(compare, ast.Compare) or compare.left is not cut:
        return False
    texts = texts_of(compare.comparators[0])
    return bool(texts) and all(len(text) == 1 for text in texts)


def compiled_from(node: ast.expr, space: Space) -> str:
    """The text of a pattern that is compiled under a name, without flags; "" where that can't be told."""
    found = space.find(node.id, node.lineno) if isinstance(node, ast.Name) else None
    value = found[1][0].node if found is not None and len(found[1]) == 1 else None
    if not isinstance(value, ast.Call) or named(value.func) != "compile" or len(value.args) != 1:
        return ""
    return (texts_of(value.args[0]) or [""])[0] if not value.keywords else ""


class Pattern(Reader):
    """A regular expression for IDs."""

    code = "CID404"
    title = "a regular expression for an ID"
    invalid = (
        "import re\ndef f(run_id): return re.match(r'^run_\\d+$', run_id)",
        "import re\nRUN_ID_RE = re.compile(r'run_(\\d+)')",
        "UUID4 = r'[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'",
        "def f(thread_id): return NAME_PATTERN.fullmatch(thread_id)",
        "def f(text): return RUN_ID_RE.match(text)",
        "class A:\n    user_id: str = Field(pattern='^usr_[a-z0-9]+$')",
    )
    valid = (
        "import re\ndef f(line): return re.match(r'^run', line)",
        "def f(router, user_id): return router.match(user_id)",
        "'''[0-9a-f]{8}-[0-9a-f]{4} is how a UUID begins.'''",
    )

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        yield from super().check(view)
        yield from cls._matched(view)
        for node, space in view.module.constants:
            found = cls._describes(view, node, space)
            if found is not None:
                yield drafted(cls, view, found, space)

    @classmethod
    def read(cls, view: View, use: Use) -> Reading | None:
        call = view.module.above.get(use.whole)
        if (
            not isinstance(call, ast.Call)
            or use.whole not in call.args
            or (how := named(call.func)) not in MATCHES
        ):
            return None
        at = call.args.index(use.whole) - how.startswith("sub")
        if resolve(call.func, use.space) in (f"re.{how}", f"regex.{how}"):
            shape = (texts_of(call.args[0]) or [""])[0]
            expected = 1
        else:
            expected = 0
            if not isinstance(call.func, ast.Attribute) or not is_pattern(call.func.value, how, use.space):
                return None
            shape = compiled_from(call.func.value, use.space)
        if at != expected:
            return None
        if how in ("sub", "subn"):
            cut = texts_of(call.args[at]) == [""]
            message = f"{use.name} is changed by a regular expression"
            return Reading(call, "likely" if cut else "question", message, shape)
        return Reading(call, sure(use), f"{use.name} is matched with a regular expression", shape)

    @classmethod
    def _matched(cls, view: View) -> Iterator[Draft]:
        """`RUN_ID_RE.match(text)`: the pattern says that it is an ID, whatever it is called."""
        uses = {use.whole for use in view.uses}
        for call, space in view.module.calls:
            func = call.func
            if not isinstance(func, ast.Attribute) or func.attr not in MATCHES or not call.args:
                continue
            pattern, text = func.value, call.args[0]
            if named(pattern) in ("re", "regex") and len(call.args) > 1:
                pattern, text = call.args[0], call.args[1]
            if text in uses or not PATTERN_NAME.search(named(pattern)) or func.attr in ("sub", "subn"):
                continue
            shape = compiled_from(pattern, space)
            yield drafted(
                cls, view, Reading(call, "likely", "an ID is matched with a regular expression", shape), space
            )

    @classmethod
    def _describes(cls, view: View, node: ast.Constant, space: Space) -> Reading | None:
        """A pattern that is written for IDs."""
        text = node.value
        if not isinstance(text, str) or len(text) > 600 or isinstance(view.module.above.get(node), ast.Expr):
            return None
        if "{" in text and UUID_PATTERN.search(text):
            return Reading(node, "likely", "the shape of a UUID is written down once more", text)
        if not REGULAR.search(text):
            return None
        above = view.module.above.get(node)
        if isinstance(above, ast.keyword):
            outer = view.module.above.get(above)
            if (
                above.arg in ("pattern", "regex")
                and isinstance(outer, ast.Call)
                and names_id(view.goes_to(outer).name)
            ):
                return Reading(node, "likely", "a pattern says how the ID looks", text)
            return None
        whole = above if isinstance(above, ast.Call) and named(above.func) == "compile" else node
        if isinstance(view.module.above.get(whole), ast.Assign | ast.AnnAssign) and PATTERN_NAME.search(
            view.goes_to(whole).name
        ):
            return Reading(node, "likely", "a pattern says how the ID looks", text)
        return None


def is_pattern(node: ast.expr, how: str, space: Space) -> bool:
    """Whether a method `how` of this value matches a regular expression."""
    name = named(node)
    if how == "fullmatch" or PATTERNISH.search(name):
        return True
    found = space.find(name) if isinstance(node, ast.Name) else None
    bindings = found[1] if found else []
    return any(isinstance(each.node, ast.Call) and named(each.node.func) == "compile" for each in bindings)


class Length(Reader):
    """How long an ID is."""

    code = "CID405"
    title = "the length of an ID tested"
    invalid = (
        "def f(session_id): return len(session_id) == 36",
        "def f(self): assert len(str(self.run_id)) in (32, 36)",
        "def f(user_id): return len(user_id) > MAX_LENGTH",
    )
    valid = (
        "def f(user_ids): return len(user_ids) == 36",
        "def f(user_id): return len(user_id) > 0",
        "def f(identifier): return len(identifier) == 2",
    )

    @classmethod
    def read(cls, view: View, use: Use) -> Reading | None:
        call = view.module.above.get(use.whole)
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != "len":
            return None
        compare = view.module.above.get(call)
        if not isinstance(compare, ast.Compare) or len(compare.ops) != 1:
            return None
        other = compare.comparators[0] if compare.left is call else compare.left
        numbers = [
            number_of(each)
            for each in (other.elts if isinstance(other, ast.Tuple | ast.List | ast.Set) else [other])
        ]
        sizes = [number for number in numbers if number is not None]
        operator = compare.ops[0]
        shape = ast.unparse(compare)
        if not sizes:
            if not LENGTHS.search(ast.unparse(other)):
                return None
            return Reading(compare, "likely", f"the length of {use.name} is tested", shape)
        if max(sizes) < 5:
            return None  # rather how many there are
        exact = isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn)
        return Reading(
            compare, sure(use) if exact else "likely", f"the length of {use.name} is tested", shape
        )


class ParsedUuid(Reader):
    """An ID that must be a UUID."""

    code = "CID406"
    title = "an ID read as a UUID"
    invalid = (
        "import uuid\ndef f(user_id): return uuid.UUID(user_id)",
        "from uuid import UUID\ndef f(row): return UUID(str(row['id']))",
        "import uuid\ndef f(value): run_id = uuid.UUID(value)",
        "import uuid\ndef is_valid_uuid(value): return bool(uuid.UUID(value))",
    )
    valid = (
        "import uuid\ndef f(run_id): return isinstance(run_id, uuid.UUID)",
        "import uuid\ndef f(run_id: uuid.UUID): ...",
        "import uuid\nrun_id = uuid.uuid4().hex\nother = uuid.UUID(run_id)",
        "import uuid\nwanted = uuid.UUID(text)",
        "import uuid\nNAMESPACE_ID = uuid.UUID('6ba7b810-9dad-11d1-80b4-00c04fd430c8')",
    )

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        wholes = {use.whole: use for use in view.uses if not use.many}
        for call, space in view.module.calls:
            if named(call.func) != "UUID" or not is_uuid(resolve(call.func, space)):
                continue
            text = argument(call, 0, "hex") or argument(call, 1, "bytes")
            if text is None or isinstance(text, ast.Constant):
                continue
            template = view.evaluator.template(text, space)
            if is_made(template) or not any(isinstance(part, Field) for part in template):
                continue
            use = wholes.get(text)
            goes = view.goes_to(call)
            if use is not None:
                found = Reading(call, "certain", f"{use.name} has to be a UUID here", "UUID")
            elif names_id(goes.name) and not is_many(goes.name) and from_elsewhere(text):
                found = Reading(call, "likely", f"{goes.name} has to be a UUID here", "UUID")
            elif isinstance(text, ast.Name) and _is_checked(text, space):
                found = Reading(call, "likely", f"{text.id} has to be a UUID here", "UUID")
            else:
                continue
            yield drafted(cls, view, found, space)


def _is_checked(node: ast.Name, space: Space) -> bool:
    """Whether it is what a function such as `is_uuid` is given, or what may be an ID: `id_or_name`."""
    given = any(binding.how == "parameter" for binding in space.bindings.get(node.id, ()))
    checks = CHECKS_UUID.search(space.symbol) is not None and "namespace" not in node.id
    return node.id.startswith("id_or_") or (given and checks)


def from_elsewhere(node: ast.expr) -> bool:
    """Whether it is a variable, or something looked up, rather than something computed."""
    match node:
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return True
        case ast.Call(func=ast.Name(id="str"), args=[inner]):
            return from_elsewhere(inner)
        case ast.Call(func=ast.Attribute(attr="get" | "pop" | "getenv") | ast.Name(id="getenv")):
            return True
    return False


def is_uuid(target: str) -> bool:
    module, _, name = target.rpartition(".")
    return name == "UUID" and module in UUID_MODULES


class Form(Reader):
    """The characters of an ID tested, or changed into another form of the same ID."""

    code = "CID409"
    title = "the form of an ID taken for granted"
    invalid = (
        "def f(user_id): return user_id.isdigit()",
        "def f(run_id): return run_id.replace('-', '')",
        "def f(a_id, run_id): return a_id == str(run_id).replace('-', '')",
    )
    valid = ("def f(name): return name.isdigit()", "def f(run_id): return run_id.replace(old, new)")

    @classmethod
    def read(cls, view: View, use: Use) -> Reading | None:
        called = method_called(view, use.whole)
        if called is None:
            return None
        call, how = called
        if how in SHAPES:
            digits = (
                use.plain
                and not use.name.endswith("identifier")
                and how in ("isdigit", "isnumeric", "isdecimal")
            )
            message = f"{use.name} is read by its characters"
            return Reading(call, "likely" if digits else "question", message, f"{how}()")
        if (
            how == "replace"
            and len(call.args) == 2
            and texts_of(call.args[0]) == ["-"]
            and texts_of(call.args[1]) == [""]
        ):
            return Reading(call, "likely", f"{use.name} is written in another form", 'replace("-", "")')
        return None


RULES = (Split, Prefix, Slice, Pattern, Length, ParsedUuid, Form)
