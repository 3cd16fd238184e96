"""Where code names an ID that it has from elsewhere: the expressions that readers of IDs work on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from canonid.audit.evaluating import is_id_name
from canonid.audit.modules import Module
from canonid.audit.names import Binding, Space

MANY = re.compile(r"(?:ids|Ids|IDs|IDS|pks|identifiers|uuids|UUIDs|guids|GUIDs)(?:_str)?$")
ENDING = re.compile(
    r"_?(?:u?id|guid|uuid|oid|pk|ident|identifier|ids?_?hex|ulid)s?(?:_str|_hex)?$|(?:Id|ID|Uuid|UUID|Guid|GUID)s?$"
)
# Called IDs, but names of something on a page, in a vocabulary or in a program.
NO_IDS = re.compile(
    r"(?:^|_)(?:html|dom|css|elem|element|anchor|svg|div|tag|tokenizer|bos|eos|pad|unk|sep|cls|mask|vocab|label"
    r"|token|type|position|input|output|segment|locale|lang|language|unix|group_by|sort|no|arg|argument|gpu|cuda)"
    r"_?ids?$|(?:token|element|dom|input|label|locale)Ids?$",
    re.I,
)
SHORT = re.compile(r"(?:^|_)[cdejkrst]id$")  # of a connection, job, key, session …
SPAN = re.compile(r"(?:^|_)(?:span|trace)_?id$|^(?:span|trace)I[dD]$", re.I)  # of the width that W3C says
MANY_OF = re.compile(
    r"\b(?:[Ll]ist|[Ss]et|[Ff]rozen[Ss]et|[Tt]uple|[Dd]ict|Sequence|Iterable|Iterator|Mapping|Collection|Callable"
    r"|ndarray|Series)\[[^\[\]]*\]"
)
NO_TEXT = re.compile(
    r"\b(?:int|float|bool|[Ll]ist|[Ss]et|[Ff]rozen[Ss]et|[Tt]uple|[Dd]ict|Sequence|Iterable|Mapping|Collection"
    r"|Tensor|ndarray|Array|Series|DataFrame|Index|Callable|Path|many)\b"
)
SAME_TEXT = frozenset({"strip", "lstrip", "rstrip", "lower", "upper", "casefold", "decode", "encode"})
TEXTUAL = frozenset({"str", "repr", "bytes", "to_text", "to_native", "force_str", "smart_str", "cast"})
GETTERS = frozenset({"get", "pop", "getlist", "getattr"})
TREES = frozenset({"ast", "gast", "astroid", "_ast", "libcst", "lib2to3", "esprima"})


class Use(NamedTuple):
    """An expression that gives an ID; `whole` is the same ID after `str()`, `strip()` and the like."""

    node: ast.expr
    whole: ast.expr
    space: Space
    name: str

    @property
    def many(self) -> bool:
        """Whether it is rather a list of IDs."""
        return is_many(self.name)

    @property
    def kind(self) -> str:
        """What it is an ID of: "thread" for `thread_id` and `thread.id`; "" where that isn't said."""
        return kind_of(self.node, self.name)

    @property
    def plain(self) -> bool:
        """Whether the name says what the ID is of."""
        return bool(kind_of_name(self.name))


@lru_cache(maxsize=50_000)
def names_id(name: str) -> bool:
    """Whether things of this name are IDs, one or many, and not what a page or a program calls so."""
    return (is_id_name(name) or SHORT.search(name) is not None) and NO_IDS.search(name) is None


def is_many(name: str) -> bool:
    return MANY.search(name) is not None


def named(node: ast.AST) -> str:
    """What an expression is called: the variable, the attribute, the key (`run_id` for "x.run-id")."""
    name = _called(node)
    return name.replace(".", "_").replace("-", "_") if "." in name or "-" in name else name


def _called(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str() as name)):
            return name
        case ast.Call(
            func=ast.Attribute(attr="get" | "pop" | "getlist"), args=[ast.Constant(value=str() as name), *_]
        ):
            return name
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str() as name), *_]):
            return name
    return ""


def kind_of_name(name: str) -> str:
    """ "thread" for "thread_id", "threadId" and "thread_ids"; "" for "id"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", ENDING.sub("", name)).strip("_").lower()


def kind_of(node: ast.AST, name: str) -> str:
    if kind := kind_of_name(name):
        return kind
    if isinstance(node, ast.Attribute | ast.Subscript):
        owner = named(node.value)
        return "" if owner in ("self", "cls", "") else kind_of_name(owner) or owner.lower()
    return ""


def uses_in(module: Module) -> list[Use]:
    """Every place that names an ID, in the order of the source."""
    trees = any(
        binding.how == "import" and binding.text.partition(".")[0] in TREES
        for bindings in module.space.bindings.values()
        for binding in bindings
    )
    found = [
        Use(node, as_text(node, module), space, name)
        for node, space, name in _named(module)
        if _is_text(node, name, space, trees)
    ]
    return sorted(found, key=lambda each: (each.node.lineno, each.node.col_offset))


def _named(module: Module) -> Iterator[tuple[ast.expr, Space, str]]:
    """What goes by the name of an ID."""
    for reference, space in module.references:
        name = reference.id if type(reference) is ast.Name else reference.attr  # type: ignore[union-attr]
        if names_id(name):
            yield reference, space, name
    for subscript, space in module.subscripts:
        if isinstance(subscript.slice, ast.Constant) and isinstance(subscript.ctx, ast.Load):
            name = named(subscript)
            if names_id(name):
                yield subscript, space, name
    for call, space in module.calls:
        called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if called in GETTERS and (name := named(call)):
            if names_id(name):
                yield call, space, name
        elif called != "id" and called[:1].islower() and names_id(called):
            yield call, space, called  # a function that is named after the ID that it gives


def _is_text(node: ast.expr, name: str, space: Space, trees: bool) -> bool:
    """Whether it may be the text of an ID: no number, list, function or name in a syntax tree."""
    if isinstance(node, ast.Attribute):
        return not (trees and name in ("id", "identifier"))
    if not isinstance(node, ast.Name):
        return True
    found = space.find(name)
    if found is None:
        return name != "id"
    return not any(_is_other(binding) for binding in found[1])


def _is_other(binding: Binding) -> bool:
    """A binding that tells that this is no ID as a text."""
    if binding.how in ("import", "definition", "grown"):
        return True
    node = binding.node
    if isinstance(node, ast.arg) and node.annotation is not None:
        told = ast.unparse(node.annotation)
        while told != (shorter := MANY_OF.sub("many", told)):
            told = shorter
        return NO_TEXT.search(told) is not None and re.search(r"\b(?:str|UUID|Any)\b", told) is None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("int", "list", "set", "tuple", "dict", "len", "Path", "range", "id", "hash")
    return isinstance(
        node, ast.List | ast.Tuple | ast.Set | ast.Dict | ast.ListComp | ast.DictComp | ast.SetComp
    ) or (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
    )


def as_text(node: ast.expr, module: Module) -> ast.expr:
    """Outwards as long as it is the same ID: `str(x)`, `x.strip()`, `(x or "")`."""
    while True:
        above = module.above.get(node)
        match above:
            case ast.Call(func=ast.Name(id=name), args=args) if name in TEXTUAL and args and node is args[-1]:
                node = above
            case ast.Attribute(attr=attr):
                call = module.above.get(above)
                if attr == "hex" and not (isinstance(call, ast.Call) and call.func is above):
                    node = above
                elif (
                    attr in SAME_TEXT and isinstance(call, ast.Call) and call.func is above and not call.args
                ):
                    node = call
                else:
                    return node
            case ast.BoolOp(op=ast.Or(), values=[first, ast.Constant(value="" | None)]) if first is node:
                node = above
            case ast.NamedExpr() | ast.Await():
                node = above
            case _:
                return node
