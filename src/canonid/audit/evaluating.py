"""What text an expression makes, as far as that can be told without running it."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Sequence
from functools import cached_property, lru_cache

from canonid.audit.names import Binding, Space, resolve
from canonid.audit.origins import HASHES, Origin, origin_of
from canonid.audit.templates import GENERATED, Field, Template, cut_to, fields, joined

DEEP = 12  # expressions within expressions and functions, followed this far
ID_NAME = re.compile(
    r"(?:^|[_.:-])(?:u?id|guid|uuid|oid|pk|ident|identifier|id[s]?_?hex|ulid)s?(?:_str|_hex)?$"
    r"|[a-z](?:Id|ID|Uuid|UUID|Guid|GUID)s?$"
    r"|(?:^|[.:-])(?:Id|ID|UUID|GUID)$",
)
UNCHANGED = frozenset(
    {"str", "repr", "int", "round", "abs", "format", "hex", "bytes", "bin", "floor", "ceil", "float", "UUID"}
)
SAME_METHODS = frozenset(
    {"lower", "upper", "strip", "lstrip", "rstrip", "encode", "decode", "replace", "removeprefix", "title"}
    | {"hexdigest", "digest", "hex", "timestamp", "isoformat", "strftime", "zfill", "rjust", "ljust", "ctime"}
    | {"total_seconds", "timetuple", "astimezone", "date", "time", "format", "casefold", "urn", "to_str"}
)
SAME_ATTRIBUTES = frozenset(
    {"hex", "int", "bytes", "urn", "str", "microsecond", "timestamp", "time", "node", "fields", "bytes_le"}
)
FORM = re.compile(r"(?:format|fmt|template|pattern)$", re.I)  # what is named so may be filled in
SIFTING = frozenset({"builtins.filter", "builtins.map"})
PERCENT = re.compile(r"%(?:\((\w+)\))?[#0\- +]*(?:\d+|\*)?(?:\.\d+)?[diouxXeEfFgGcrsa%]")
BRACES = re.compile(r"\{\{|\}\}|\{([^{}:!]*)(?:![rsa])?(?::[^{}]*)?\}")


@lru_cache(maxsize=50_000)
def is_id_name(name: str) -> bool:
    """Whether things of this name are IDs: thread_id, connectionId, uuid, pk."""
    return ID_NAME.search(name) is not None


class Evaluator:
    """Templates of expressions in one module. `functions` are its own, by symbol."""

    def __init__(
        self, functions: dict[str, tuple[ast.AST, Space]], calls: Sequence[tuple[ast.Call, Space]]
    ) -> None:
        self._functions = functions
        self._calls = calls
        self._running: set[int] = set()

    def template(self, node: ast.AST, space: Space, deep: int = DEEP) -> Template:
        """What the expression gives, as a text; a field named after it where nothing is known."""
        if deep <= 0 or id(node) in self._running:
            return (unknown(node),)
        self._running.add(id(node))
        try:
            return self._template(node, space, deep - 1)
        finally:
            self._running.discard(id(node))

    def _template(self, node: ast.AST, space: Space, deep: int) -> Template:
        match node:
            case ast.Constant(value=bool() | None):
                return (unknown(node),)
            case ast.Constant(value=str() as text):
                return (text,) if text else ()
            case ast.Constant(value=bytes() as data):
                return (data.decode("latin-1"),)
            case ast.Constant(value=int() as number):
                return (str(number),)
            case ast.JoinedStr(values=values):
                return joined([self.template(value, space, deep) for value in values])
            case ast.FormattedValue(value=value):
                return self.template(value, space, deep)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._sum(left, right, space, deep)
            case ast.BinOp(left=left, op=op, right=right):
                form = self._form(left, space) if isinstance(op, ast.Mod) else None
                if form is not None:
                    return self._percent(form, right, space, deep)
                return self._arithmetic(left, op, right, space, deep)
            case ast.Await(value=value) | ast.NamedExpr(value=value) | ast.Starred(value=value):
                return self.template(value, space, deep)
            case ast.ListComp(elt=elt) | ast.SetComp(elt=elt) | ast.GeneratorExp(elt=elt):
                return self.template(elt, space, deep)  # each of many
            case ast.IfExp(body=body, orelse=other):
                return self._either([body, other], space, deep)
            case ast.BoolOp(values=values):
                return self._either(values, space, deep)
            case ast.Call():
                return self._call(node, space, deep)
            case ast.Attribute():
                return self._attribute(node, space, deep)
            case ast.Subscript():
                return self._subscript(node, space, deep)
            case ast.Name():
                return self._name(node, space, deep)
        return (unknown(node),)

    def _either(self, nodes: Sequence[ast.AST], space: Space, deep: int) -> Template:
        """Of several, the one that is made here, or else one that is put together."""
        found = [self.template(node, space, deep) for node in nodes]
        return next(
            (each for each in found if is_made(each)),
            next((each for each in found if len(each) > 1), found[-1]),
        )

    def _form(self, node: ast.AST, space: Space) -> str | None:
        """The text that `%` or `format` fills in: as it stands, or by the one name that it has."""
        if isinstance(node, ast.Name):
            found = space.find(node.id, node.lineno)
            binding = found[1][0] if found is not None and len(found[1]) == 1 else None
            node = binding.node if binding is not None and binding.node is not None else node
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

    def _sum(self, left: ast.AST, right: ast.AST, space: Space, deep: int) -> Template:
        first, second = self.template(left, space, deep), self.template(right, space, deep)
        if isinstance(right, ast.Constant) and isinstance(right.value, int | float):
            return first  # a number moved by a number
        if isinstance(left, ast.Constant) and isinstance(left.value, int | float):
            return second
        return joined([first, second])

    def _arithmetic(
        self, left: ast.AST, op: ast.operator, right: ast.AST, space: Space, deep: int
    ) -> Template:
        first = self.template(left, space, deep)
        if isinstance(op, ast.Mod) and is_made(first):
            return tuple([cut_number(each, right) if isinstance(each, Field) else each for each in first])
        if (
            isinstance(op, ast.Mult)
            and isinstance(left, ast.Constant)
            and isinstance(left.value, int | float)
        ):
            first = self.template(right, space, deep)
        scale = next((n.value for n in (left, right) if isinstance(n, ast.Constant)), None)
        if isinstance(op, ast.Mult) and len(first) == 1 and isinstance(first[0], Field):
            renamed = {1000: "ms", 1_000_000: "us", 1_000_000_000: "ns"}.get(scale)  # type: ignore[arg-type]
            if first[0].name == "s" and renamed:
                return (first[0]._replace(name=renamed),)
        if isinstance(op, ast.FloorDiv | ast.Div | ast.Mult | ast.Sub | ast.BitXor | ast.RShift | ast.BitAnd):
            return first if is_made(first) else (unknown(left),)
        return joined([first, self.template(right, space, deep)])

    def _percent(self, form: str, right: ast.AST, space: Space, deep: int) -> Template:
        values = iter(right.elts if isinstance(right, ast.Tuple) else [right])
        named = (
            {
                key.value: value
                for key, value in zip(right.keys, right.values, strict=True)
                if isinstance(key, ast.Constant)
            }
            if isinstance(right, ast.Dict)
            else {}
        )
        parts: list[Template] = []
        at = 0
        for spot in PERCENT.finditer(form):
            parts.append((form[at : spot.start()],))
            at = spot.end()
            if spot.group().endswith("%"):
                parts.append(("%",))
                continue
            value = named.get(spot[1]) if spot[1] else next(values, None)
            parts.append(
                self.template(value, space, deep)
                if value is not None
                else (Field("other", spot[1] or "value"),)
            )
        return joined([*parts, (form[at:],)])

    def _format(self, form: str, node: ast.Call, space: Space, deep: int) -> Template:
        values = iter(node.args)
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        parts: list[Template] = []
        at = 0
        for spot in BRACES.finditer(form):
            parts.append((form[at : spot.start()],))
            at = spot.end()
            if spot[1] is None:
                parts.append((spot.group()[0],))
                continue
            name = re.split(r"[.\[]", spot[1])[0]
            value: ast.AST | None
            if name == "":
                value = next(values, None)
            elif name.isdigit():
                value = node.args[int(name)] if int(name) < len(node.args) else None
            else:
                value = named.get(name)
            parts.append(
                self.template(value, space, deep) if value is not None else (named_field(name or "value"),)
            )
        return joined([*parts, (form[at:],)])

    def _call(self, node: ast.Call, space: Space, deep: int) -> Template:
        target = resolve(node.func, space)
        if (origin := origin_of(target)) is not None:
            return (self._made_by(origin, target, node, space, deep),)
        if target in HASHES:
            return (self._hashed(node, space, deep),)
        if isinstance(node.func, ast.Attribute):
            found = self._method(node, node.func, space, deep)
            if found is not None:
                return found
        if target == "builtins.next" and node.args:
            return self._next(node.args[0], space)
        short = target.rpartition(".")[2] or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
        if node.args and (target.startswith(("builtins.", "math.", "uuid.UUID")) and short in UNCHANGED):
            return self.template(node.args[0], space, deep)
        if short == "UUID" and node.keywords:
            return self.template(node.keywords[0].value, space, deep)
        if target.startswith("base64.") and node.args:
            return self.template(node.args[0], space, deep)
        if target.startswith(":"):
            return self._own(target, node, deep)
        return (unknown(node.func),)

    def _own(self, target: str, node: ast.Call, deep: int) -> Template:
        """What a function of the module returns; where that differs, what it makes."""
        function = self._functions.get(target[1:])
        if function is None:
            return (unknown(node.func),)
        body, inner = function
        returned = [each.value for each in returns(body) if each.value is not None]
        if not returned:
            return (unknown(node.func),)
        found = [self.template(each, inner, deep - 1) for each in returned]
        return next((each for each in found if is_made(each)), (unknown(node.func),))

    def _made_by(self, origin: Origin, target: str, node: ast.Call, space: Space, deep: int) -> Field:
        kind, name, strength = origin
        if strength is None:
            strength = drawn_bits(target, node, space)
        if target == "secrets.token_hex" and (digits := _digits(node, space)):
            name = f"hex{digits}"
        return Field(kind, name, strength)

    def _hashed(self, node: ast.Call, space: Space, deep: int) -> Field:
        into: set[str] = set()
        strength = 0.0
        for value in [*node.args, *[keyword.value for keyword in node.keywords]]:
            for field in fields(self.template(value, space, deep)):
                into.add(field.kind)
                strength += field.bits
        return Field("hash", "hash", min(128.0, strength), False, frozenset(into))

    def _method(self, node: ast.Call, func: ast.Attribute, space: Space, deep: int) -> Template | None:
        name = func.attr
        if name == "format" and (form := self._form(func.value, space)) is not None:
            return self._format(form, node, space, deep)
        if name == "format" and FORM.search(unknown(func.value).name):
            values = [*node.args, *[keyword.value for keyword in node.keywords]]
            return joined([(unknown(func.value),), *[self.template(each, space, deep) for each in values]])
        if name == "join" and node.args:
            return self._joined(func.value, node.args[0], space, deep)
        if name in ("split", "rsplit", "partition"):
            return None
        if name in SAME_METHODS:
            base = self.template(func.value, space, deep)
            if is_made(base):
                return without_dashes(base) if _takes_dashes(node) else base
            return (Field("hash", "hash"),) if name == "hexdigest" else None
        return None

    def _joined(self, between: ast.AST, items: ast.AST, space: Space, deep: int) -> Template:
        if (elements := self._elements(items, space)) is not None:
            separator = self.template(between, space, deep)
            parts: list[Template] = []
            for number, item in enumerate(elements):
                parts += [separator] if number else []
                parts.append(self.template(item, space, deep))
            return joined(parts)
        if isinstance(items, ast.GeneratorExp | ast.ListComp):
            element = self.template(items.elt, space, deep)
            times = counted(items)
            if (
                len(element) == 1
                and isinstance(element[0], Field)
                and element[0].kind in ("random", "strong")
            ):
                field = element[0]
                name = f"{field.name}{times}" if times else field.name
                return (field._replace(name=name, bits=field.bits * (times or 8)),)
            return (unknown(items),)
        return self.template(items, space, deep)

    def _elements(self, items: ast.AST, space: Space) -> list[ast.expr] | None:
        """What stands in a list, or in the one list that a name stands for, with what is appended to it."""
        if isinstance(items, ast.Call) and len(items.args) == 2 and resolve(items.func, space) in SIFTING:
            items = items.args[1]
        if isinstance(items, ast.List | ast.Tuple):
            return items.elts
        if not isinstance(items, ast.Name):
            return None
        found = space.find(items.id, items.lineno)
        if found is None or found[0] is not space or sum(each.how != "grown" for each in found[1]) != 1:
            return None
        first, *grown = [each.node for each in found[1]]
        if not isinstance(first, ast.List | ast.Tuple):
            return None
        added = self._appended.get((space, items.id), [])
        once = first.elts or len(added) != 1 or len(found[1]) > 1
        elements = [*first.elts, *added] if once else [*added, *added]  # in a loop
        for each in grown:
            if isinstance(each, ast.AugAssign) and isinstance(each.value, ast.List | ast.Tuple):
                elements += each.value.elts
        return sorted(elements, key=lambda each: (each.lineno, each.col_offset)) if elements else None

    @cached_property
    def _appended(self) -> dict[tuple[Space, str], list[ast.expr]]:
        """What is appended to a list, by its name."""
        found: dict[tuple[Space, str], list[ast.expr]] = {}
        for call, space in self._calls:
            match call:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[added]):
                    found.setdefault((space, name), []).append(added)
        return found

    def _next(self, counter: ast.AST, space: Space) -> Template:
        if isinstance(counter, ast.Call) and resolve(counter.func, space) == "itertools.count":
            return (Field("counter", "counter"),)
        if is_counter(counter, space):
            return (Field("counter", "counter"),)
        return (unknown(counter),)

    def _attribute(self, node: ast.Attribute, space: Space, deep: int) -> Template:
        if (owner := owner_of(node, space)) is not None:
            bindings = owner.bindings.get(node.attr, []) + owner.fields.get(node.attr, [])
            if any(binding.how == "grown" for binding in bindings):
                return (Field("counter", "counter"),)
            values = [each for each in bindings if each.how == "value" and each.node is not None]
            if len(values) == 1 and len(bindings) == 1 and values[0].node is not None:
                found = self.template(values[0].node, owner, deep)
                if not is_id_name(node.attr) or not is_made(found):
                    return found if is_made(found) or is_plain(found) else (unknown(node),)
            return (unknown(node),)
        if node.attr in SAME_ATTRIBUTES:
            base = self.template(node.value, space, deep)
            if is_made(base):
                if node.attr == "microsecond":
                    return (Field("time", "us"),)
                return without_dashes(base) if node.attr == "hex" else base
        return (unknown(node),)

    def _subscript(self, node: ast.Subscript, space: Space, deep: int) -> Template:
        value = node.value
        if (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Attribute)
            and value.func.attr in ("split", "rsplit", "partition", "rpartition")
        ):
            base = self.template(value.func.value, space, deep)
            if len(base) == 1 and isinstance(base[0], Field) and base[0].kind == "uuid":
                return (cut_to(base[0], _group(node.slice)),)
            return (unknown(node),)
        base = self.template(value, space, deep)
        if isinstance(node.slice, ast.Slice):
            if len(base) == 1 and isinstance(base[0], Field) and base[0].kind in GENERATED:
                return (cut_to(base[0], _width(node.slice)),)
            return base if is_made(base) else (unknown(node),)
        return (unknown(node),)

    def _name(self, node: ast.Name, space: Space, deep: int) -> Template:
        found = space.find(node.id, node.lineno)
        if found is None:
            return (unknown(node),)
        where, bindings = found
        if any(binding.how == "grown" for binding in bindings):
            return self._grown(bindings, node, where, deep)
        binding = reaching(bindings, node, where is space)
        if binding is None or binding.how != "value" or binding.node is None:
            return (unknown(node),)
        value = self.template(binding.node, where, deep)
        if is_made(value):
            return value
        fixed = is_plain(value) and (isinstance(binding.node, ast.Constant) or not is_id_name(node.id))
        return value if fixed else (unknown(node),)

    def _grown(self, bindings: Sequence[Binding], node: ast.Name, where: Space, deep: int) -> Template:
        """A text that is put together in steps, or else a counter."""
        steps = [each for each in bindings if each.line < node.lineno]
        start = next((number for number, each in reversed([*enumerate(steps)]) if each.how == "value"), None)
        first = steps[start].node if start is not None else None
        if start is None or first is None or not _is_text(first):
            return (Field("counter", "counter"),)
        added = [each.node.value for each in steps[start + 1 :] if isinstance(each.node, ast.AugAssign)]
        return joined([self.template(each, where, deep) for each in [first, *added]])


def _is_text(node: ast.AST) -> bool:
    match node:
        case ast.JoinedStr() | ast.Constant(value=str()):
            return True
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod()):
            return _is_text(left)
        case (
            ast.Call(func=ast.Name(id="str"))
            | ast.Call(func=ast.Attribute(attr="format" | "join" | "hexdigest"))
        ):
            return True
    return False


def reaching(bindings: Sequence[Binding], node: ast.Name, same: bool) -> Binding | None:
    """The one binding whose value a use sees: the only one, or the last one above it."""
    if len(bindings) == 1:
        return bindings[0]
    if not same:
        return None
    above = [each for each in bindings if each.line < node.lineno]
    return above[-1] if above else None


def owner_of(node: ast.Attribute, space: Space) -> Space | None:
    """The class whose attribute it is: `self.x`, `type(self).x`, or by its own name in its methods."""
    match node.value:
        case ast.Name(id=name):
            return space.named_class(name)
        case ast.Attribute(value=ast.Name(id="self"), attr="__class__"):
            return space.enclosing_class()
        case ast.Call(func=ast.Name(id="type"), args=[ast.Name(id="self")]):
            return space.enclosing_class()
    return None


def is_made(template: Template) -> bool:
    """Whether something in it is made here."""
    return any(isinstance(part, Field) and part.kind in GENERATED for part in template)


def is_plain(template: Template) -> bool:
    """Whether it is one short text that stands in the code."""
    return len(template) == 1 and isinstance(template[0], str) and len(template[0]) <= 32


def is_counter(node: ast.AST, space: Space) -> bool:
    """Whether a name stands for an `itertools.count`."""
    if isinstance(node, ast.Name):
        found = space.find(node.id)
        bindings, where = (found[1], found[0]) if found else ([], space)
    elif isinstance(node, ast.Attribute) and (owner := owner_of(node, space)) is not None:
        bindings, where = owner.bindings.get(node.attr, []) + owner.fields.get(node.attr, []), owner
    else:
        return False
    return any(
        isinstance(each.node, ast.Call) and resolve(each.node.func, where) == "itertools.count"
        for each in bindings
    )


def returns(function: ast.AST) -> list[ast.Return]:
    """What a function returns, not what functions within it do."""
    if isinstance(function, ast.Lambda):
        return [ast.Return(function.body)]
    found: list[ast.Return] = []
    rest = list(getattr(function, "body", []))
    while rest:
        node = rest.pop()
        if isinstance(node, ast.Return):
            found.append(node)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            rest += [
                child
                for child in ast.iter_child_nodes(node)
                if isinstance(child, ast.stmt | ast.excepthandler)
            ]
    return sorted(found, key=lambda each: each.lineno)


def unknown(node: ast.AST) -> Field:
    """A field for what can't be told, named as the code names it."""
    if isinstance(node, ast.Name):
        return named_field(node.id)
    if isinstance(node, ast.Attribute):
        return named_field(node.attr)
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    ):
        return named_field(node.slice.value)
    if isinstance(node, ast.Call):
        if (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in ("get", "pop", "getattr")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            return named_field(str(node.args[0].value))
        if isinstance(node.func, ast.Name) and node.func.id in ("str", "int") and node.args:
            return unknown(node.args[0])
        return unknown(node.func)
    return Field("other", "value")


def named_field(name: str) -> Field:
    return Field("id" if is_id_name(name) else "other", name)


def without_dashes(template: Template) -> Template:
    """UUIDs as 32 digits."""
    return tuple(
        [
            part._replace(bare=True) if isinstance(part, Field) and part.kind == "uuid" else part
            for part in template
        ]
    )


def _takes_dashes(node: ast.Call) -> bool:
    """Whether it is `replace("-", "")`."""
    values = [each.value for each in node.args if isinstance(each, ast.Constant)]
    return isinstance(node.func, ast.Attribute) and node.func.attr == "replace" and values == ["-", ""]


def drawn_bits(target: str, node: ast.Call, space: Space) -> float:
    """Bits of one call of a generator of random values, from its arguments where they are plain."""
    short = target.rpartition(".")[2]
    numbers = [_plain_number(each, space) for each in node.args]
    named = {each.arg: _plain_number(each.value, space) for each in node.keywords}
    size = numbers[0] if numbers else named.get("nbytes", named.get("k", named.get("length")))
    if short in ("token_hex", "token_bytes", "token_urlsafe", "urandom", "randbytes"):
        return 8.0 * (size if size is not None else 32)
    if short in ("getrandbits", "randbits"):
        return float(size or 32)
    if short in ("randint", "randrange") and len(numbers) > 1:
        low, high = numbers[0], numbers[1]
        if low is not None and high is not None and high > low:
            return math.log2(high - low + 1)
        return 30.0
    if short in ("randrange", "randbelow") and size:
        return math.log2(size)
    if short == "get_random_string":
        return 5.95 * (size or 12)
    if short in ("choices", "sample"):
        return 5.17 * (named.get("k", numbers[1] if len(numbers) > 1 else None) or 8)
    if short == "choice":
        return 5.17
    return 53.0 if short in ("random", "uniform") else 30.0


def _digits(call: ast.Call, space: Space) -> int:
    """How many digits `token_hex` gives; 0 if the code doesn't say."""
    given = [*call.args, *[each.value for each in call.keywords]]
    size = _plain_number(given[0], space) if given else 32
    return 2 * size if size is not None and size > 0 else 0


def _plain_number(node: ast.AST, space: Space) -> int | None:
    """A whole number that stands in the code, also as a constant or the default of a parameter."""
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() as number):
            return number
        case ast.BinOp(left=left, op=ast.Pow() | ast.Mult() | ast.Sub() | ast.FloorDiv() as op, right=right):
            first, second = _plain_number(left, space), _plain_number(right, space)
            if first is None or second is None:
                return None
            if isinstance(op, ast.Pow):
                return first**second if 0 <= second <= 64 and abs(first) <= 1 << 16 else None
            if isinstance(op, ast.FloorDiv):
                return first // second if second else None
            return first * second if isinstance(op, ast.Mult) else first - second
        case ast.Name(id=name):
            found = space.find(name, node.lineno)
            if found is None or len(found[1]) != 1:
                return None
            where, (binding,) = found
            if binding.how == "parameter":
                return _number(_default(where.node, name))
            return _number(binding.node) if binding.how == "value" else None
    return None


def _default(function: ast.AST, name: str) -> ast.AST | None:
    """What a parameter is where a call doesn't give it."""
    arguments = getattr(function, "args", None)
    if not isinstance(arguments, ast.arguments):
        return None
    positional = [*arguments.posonlyargs, *arguments.args]
    for argument, default in zip(reversed(positional), reversed(arguments.defaults), strict=False):
        if argument.arg == name:
            return default
    return next(
        (
            default
            for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if argument.arg == name
        ),
        None,
    )


def counted(comprehension: ast.GeneratorExp | ast.ListComp) -> int | None:
    """How often a comprehension over `range(n)` goes round."""
    over = comprehension.generators[0].iter
    if (
        isinstance(over, ast.Call)
        and isinstance(over.func, ast.Name)
        and over.func.id == "range"
        and over.args
    ):
        last = over.args[-1]
        if isinstance(last, ast.Constant) and isinstance(last.value, int):
            return last.value
    return None


def cut_number(field: Field, modulus: ast.AST) -> Field:
    """A number modulo another one."""
    if isinstance(modulus, ast.Constant) and isinstance(modulus.value, int) and modulus.value > 1:
        digits = math.log2(modulus.value)
        return field._replace(bits=min(field.bits, digits), cut=True)
    return field._replace(cut=True)


def _width(cut: ast.Slice) -> int | None:
    """How many characters `[:8]`, `[-6:]` or `[2:10]` leaves."""
    low, high = _number(cut.lower), _number(cut.upper)
    if cut.lower is None and high is not None and high > 0:
        return high
    if cut.upper is None and low is not None and low < 0:
        return -low
    if low is not None and high is not None and 0 <= low < high:
        return high - low
    return None


def _group(index: ast.AST) -> int | None:
    """Digits of the n-th group of a UUID's text."""
    number = _number(index)
    return {0: 8, 1: 4, 2: 4, 3: 4, 4: 12, -1: 12}.get(number) if number is not None else None


def _number(node: ast.AST | None) -> int | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    return None
