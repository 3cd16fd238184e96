"""What a file tells that matters to others: what in it makes IDs, and whose makers it uses, and how."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from canonid.audit.evaluating import is_id_name, is_made, returns
from canonid.audit.facts import Definition, Holding, Mention, Part, Production, Signature
from canonid.audit.names import Binding, Space, only, resolve
from canonid.audit.origins import origin_of
from canonid.audit.rules.building import against, judged
from canonid.audit.sinks import reason_against, top
from canonid.audit.templates import Field, Template, fields, shown
from canonid.audit.view import View
from canonid.audit.wording import (
    CHOICES,
    CLAIM,
    CLAIMING,
    CLASS,
    FUNCTION,
    HOLDING,
    RELEASES,
    is_maker,
    is_telling,
    kind_of_name,
)

DEEP = 6
CLOCKS = frozenset({"s", "ms", "us", "ns"})
PLAIN = frozenset(
    {"staticmethod", "classmethod", "abstractmethod", "lru_cache", "cache", "final", "override"}
)
PLAIN_OF_CLASSES = frozenset({"dataclass", "final", "unique", "total_ordering", "runtime_checkable"})
ENUMS = frozenset({"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"})
STRONG = frozenset({"uuid", "strong"})
MADE = STRONG | {"random", "time"}
FAILING = frozenset(
    {
        "AttributeError",
        "TypeError",
        "ImportError",
        "ModuleNotFoundError",
        "Exception",
        "BaseException",
        "NameError",
    }
)
EXPECTING = re.compile(r"raises|assertRaises|suppress|hasattr")


class Told(NamedTuple):
    """The facts about one file that others need."""

    definitions: tuple[Definition, ...] = ()
    exports: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()
    stars: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()
    changed: tuple[str, ...] = ()
    productions: tuple[Production, ...] = ()
    holdings: tuple[Holding, ...] = ()
    tokens: tuple[Production, ...] = ()


def told(view: View, named: bool) -> Told:
    """All of it. Where no name in the file says that it makes IDs (`named`), only what can be there."""
    definitions = tuple(_definitions(view))
    space = view.module.space
    found = Told(
        definitions,
        tuple(_exports(space)),
        stars=tuple(space.stars),
        productions=tuple(_productions(view)),
        holdings=tuple(_holdings(view)),
        tokens=tuple(_tokens(view)),
    )
    if not named:
        return found._replace(mentions=tuple(_renamed(view)))
    return found._replace(
        names=() if not definitions or _is_open(view) else tuple(sorted(space.bindings)),
        mentions=(*_mentions(view), *_renamed(view)),
        changed=tuple(sorted(set(_changed(view)))),
    )


def trace(node: ast.AST | None, space: Space, deep: int = DEEP) -> str:
    """What an expression stands for, as a dotted name; "" if it can't be told.

    "()" stands after what is called, "(~)" after the class of what is annotated with it.
    """
    if deep == 0:
        return ""
    if isinstance(node, ast.Call):
        called = trace(node.func, space, deep - 1)
        return f"{called}()" if called else ""
    if isinstance(node, ast.Await):
        return trace(node.value, space, deep - 1)
    if isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            return _own_attribute(node, space, deep)
        base = trace(node.value, space, deep - 1)
        return f"{base}.{node.attr}" if base else ""
    if not isinstance(node, ast.Name):
        return ""
    found = space.find(node.id, node.lineno)
    binding = only(found[1]) if found is not None else None
    if found is None or binding is None:
        return ""
    where = found[0]
    if binding.how == "import":
        return binding.text
    if binding.how == "definition":
        return f":{where.symbol}.{node.id}" if where.symbol else f":{node.id}"
    if binding.how == "parameter" and isinstance(binding.node, ast.arg):
        return _typed(binding.node.annotation, where.above or where)  # where annotations are read
    return trace(binding.node, where, deep - 1) if binding.how == "value" else ""


def _typed(annotation: ast.AST | None, space: Space) -> str:
    """An instance of the class in an annotation, where that makes IDs."""
    match annotation:
        case ast.Constant(value=str() as text) if text.isidentifier():
            annotation = ast.copy_location(ast.Name(text, ast.Load()), annotation)
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            annotation = left
        case ast.Subscript(value=value, slice=inner) if _last(value) == "Optional":
            annotation = inner
    found = trace(annotation, space)
    return f"{found}(~)" if found and CLASS.search(_last_of(found)) else ""


def _last_of(dotted: str) -> str:
    return dotted.rpartition(".")[2].lstrip(":")


def _own_attribute(node: ast.Attribute, space: Space, deep: int) -> str:
    """`self.manager`, where it is set once, to what a call gives or to an argument; no method of its own."""
    owner = space.enclosing_class()
    if owner is None or node.attr in owner.bindings:
        return ""
    bindings = owner.fields.get(node.attr, [])
    value = bindings[0].node if len(bindings) == 1 and bindings[0].how == "value" else None
    if isinstance(value, ast.Name):
        return _typed(_annotation(owner, value.id), owner)
    return trace(value, owner, deep - 1) if isinstance(value, ast.Call) else ""


def _annotation(owner: Space, name: str) -> ast.AST | None:
    """Of a parameter of a class's `__init__`."""
    bindings = owner.bindings.get("__init__", [])
    node = bindings[0].node if len(bindings) == 1 else None
    if not isinstance(node, ast.FunctionDef):
        return None
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return next((each.annotation for each in arguments if each.arg == name), None)


# What is defined


def _definitions(view: View) -> Iterator[Definition]:
    module = view.module
    making = _functions_that_make(view, STRONG)
    classes = [each for each in module.spaces if isinstance(each.node, ast.ClassDef)]
    wanted = {
        space.symbol
        for space in classes
        if CLASS.search(space.node.name)  # type: ignore[attr-defined]
        or CHOICES.search(space.node.name)  # type: ignore[attr-defined]
        or any(CLASS.search(_last(base)) for base in space.node.bases)  # type: ignore[attr-defined]
        or any(
            FUNCTION.search(name) for name, found in space.bindings.items() if found[0].how == "definition"
        )
    }
    makers = bool(wanted or making)
    for space in classes:
        if makers and (space.symbol in wanted or _is_enum(space) or _is_base(space, classes, wanted)):
            yield _class(view, space)
            for name, bindings in space.bindings.items():
                yield from _methods(view, space, name, bindings)
    for name, bindings in module.space.bindings.items():
        node = bindings[0].node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if is_maker(name) or name in making or is_id_name(name):
                yield _function(view, module.space, name, bindings, "function")
        elif bindings[0].how == "value" and len(bindings) == 1:
            gives = trace(node, module.space)
            if (
                gives.endswith("()")
                and "(~)" not in gives
                and is_telling(gives)
                and isinstance(node, ast.Call)
            ):
                yield Definition(
                    name, "instance", view.place(node), _is_plain_here(view, node), False, gives=gives
                )


def _functions_that_make(view: View, kinds: frozenset[str]) -> set[str]:
    """Functions and methods in which something of some kinds is made."""
    return {source.space.symbol for source in view.sources if source.origin.kind in kinds} - {""}


def _is_base(space: Space, classes: Iterable[Space], wanted: set[str]) -> bool:
    """Whether a class that is wanted is made from it."""
    return any(
        f":{space.symbol}" in [resolve(base, other.above or other) for base in other.node.bases]
        for other in classes
        if other.symbol in wanted and isinstance(other.node, ast.ClassDef)
    )


def _is_enum(space: Space) -> bool:
    assert isinstance(space.node, ast.ClassDef)
    return any(_last(base) in ENUMS for base in space.node.bases)


def _class(view: View, space: Space) -> Definition:
    node = space.node
    assert isinstance(node, ast.ClassDef)
    outside = space.above or space
    bases = tuple(
        [
            trace(base.value if isinstance(base, ast.Subscript) else base, outside) or f"?{_last(base)}"
            for base in node.bases
        ]
    )
    certain = (
        isinstance(view.module.above.get(node), ast.Module)
        and len(outside.bindings.get(node.name, [])) == 1
        and not node.keywords
        and all(_last(each) in PLAIN_OF_CLASSES for each in node.decorator_list)
        and not {"__getattr__", "__getattribute__", "__init_subclass__"} & set(space.bindings)
    )
    document = ast.get_docstring(node, clean=False) or ""
    claim = CLAIMING.search(node.name) or CLAIM.search(document)
    declared = [each.target for each in node.body if isinstance(each, ast.AnnAssign)]
    names = {*space.bindings, *space.fields, *[_last(each) for each in declared]}
    return Definition(
        space.symbol,
        "enum" if _is_enum(space) else "class",
        view.place_of_name(node),
        certain,
        CLASS.search(node.name) is not None or any(FUNCTION.search(name) for name in space.bindings),
        bases=bases,
        names=tuple(sorted(names)),
        claim=claim.group() if claim else "",
    )


def _methods(view: View, space: Space, name: str, bindings: list[Binding]) -> Iterator[Definition]:
    node = bindings[0].node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    decorators = {_last(each) for each in node.decorator_list}
    form = (
        "static"
        if "staticmethod" in decorators
        else "classmethod"
        if "classmethod" in decorators
        else "method"
    )
    yield _function(view, space, name, bindings, "static" if name == "__new__" else form)


def _function(view: View, space: Space, name: str, bindings: list[Binding], form: str) -> Definition:
    node = bindings[0].node
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    symbol = f"{space.symbol}.{name}" if space.symbol else name
    certain = (
        len(bindings) == 1
        and isinstance(view.module.above.get(node), ast.Module | ast.ClassDef)
        and all(_last(each) in PLAIN for each in node.decorator_list)
        and not space.fields.get(name)
    )
    template = _returned(view, symbol) if name[:2] != "__" else ()
    strong = any(field.kind in STRONG for field in fields(template))
    named = FUNCTION.search(name) is not None and not _is_empty(node)
    makes = named or (strong and form == "function")
    source = symbol in _functions_that_make(view, MADE) or is_made(template)
    gives = _annotated(node.returns, space) or _given(node, view, symbol)
    return Definition(
        symbol,
        form,
        view.place_of_name(node),
        certain,
        makes,
        _signature(node),
        _parts(template),
        gives,
        source=source,
    )


def _is_empty(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it only says that others do it."""
    return all(
        isinstance(each, ast.Pass | ast.Raise)
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in node.body
    )


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Signature:
    arguments = node.args
    positional = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    only = [each.arg for each in arguments.kwonlyargs]
    required = positional[: len(positional) - len(arguments.defaults)] + [
        name for name, default in zip(only, arguments.kw_defaults, strict=True) if default is None
    ]
    named = [each.arg for each in arguments.args] + only
    return Signature(
        tuple(positional),
        tuple(named),
        tuple(required),
        arguments.vararg is not None,
        arguments.kwarg is not None,
    )


def _returned(view: View, symbol: str) -> Template:
    """What a function returns, where that is one template."""
    function = view.module.functions.get(symbol)
    if function is None:
        return ()
    body, inner = function
    found = {
        shown(template): template
        for each in returns(body)
        if each.value is not None and is_made(template := view.evaluator.template(each.value, inner))
    }
    return next(iter(found.values())) if len(found) == 1 else ()


def _given(node: ast.AST, view: View, symbol: str) -> str:
    """The class of an instance that a function makes and returns."""
    function = view.module.functions.get(symbol)
    if function is None:
        return ""
    values = [each.value for each in returns(node)]
    found = {trace(value, function[1]) for value in values if isinstance(value, ast.Call)}
    given = found.pop() if len(found) == 1 and len(values) == 1 else ""
    return given if given.endswith("()") and is_telling(given) else ""


def _annotated(node: ast.AST | None, space: Space) -> str:
    """What an annotation says that a function gives, where it is a class that makes IDs."""
    if _last(node) == "Self" and space.is_class:
        return f":{space.symbol}()"
    return _typed(node, space).replace("(~)", "()")


def _parts(template: Template) -> tuple[Part, ...]:
    return tuple(
        [
            Part("", part) if isinstance(part, str) else Part(part.kind, _form(part), part.bits)
            for part in template[:16]
        ]
    )


def _form(field: Field) -> str:
    """How it is written, as far as can be told: `hex32` for a UUID without dashes, `ms_part` for a rest."""
    if field.bare and not field.cut:
        return "hex32"
    return f"{field.name}_part" if field.cut and field.kind == "time" and field.name in CLOCKS else field.name


def _is_plain_here(view: View, node: ast.AST) -> bool:
    statement = view.module.above.get(node)
    return statement is not None and isinstance(view.module.above.get(statement), ast.Module)


# What is handed on


def _exports(space: Space) -> Iterator[tuple[str, str]]:
    for name, bindings in space.bindings.items():
        binding = only(bindings)
        if binding is None:
            continue
        if binding.how == "import":
            if is_telling(name) or is_telling(binding.text) or origin_of(binding.text) is not None:
                yield name, binding.text
        elif binding.how == "value" and isinstance(binding.node, ast.Name | ast.Attribute):
            target = trace(binding.node, space)
            if target and (is_telling(name) or is_telling(target) or origin_of(target) is not None):
                yield name, target


def _is_open(view: View) -> bool:
    """Whether names may come into the module that its text doesn't show."""
    bound = view.module.space.bindings
    if "__getattr__" in bound:
        return True
    if any(name not in bound for node in view.module.globals for name in node.names):
        return True
    return any(
        isinstance(node, ast.Name) and node.id in ("globals", "exec", "__name__") and _opens(view, node)
        for node, _ in view.module.references
    )


def _opens(view: View, node: ast.Name) -> bool:
    """Whether a name is used to put others into the module: `sys.modules[__name__]` is one way."""
    return node.id != "__name__" or _last(view.module.above.get(node)) == "modules"


def _changed(view: View) -> Iterator[str]:
    """Attributes that are set on something else than `self`."""
    for node in view.module.stored:
        if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
            yield node.attr
    for call, space in view.module.calls:
        if _last(call.func) in ("setattr", "delattr", "object") and len(call.args) > 1:
            name = call.args[1]
            if isinstance(name, ast.Constant):
                yield str(name.value)
            elif is_telling(trace(call.args[0], space)):
                yield "*"


# What is used


def _mentions(view: View) -> Iterator[Mention]:
    for call, space in view.module.calls:
        target = trace(call.func, space)
        if not _is_maker(target):
            continue
        yield from _members_given(view, call, space)
        named = tuple([each.arg for each in call.keywords if each.arg is not None])
        positional = [each for each in call.args if not isinstance(each, ast.Starred)]
        more = len(positional) < len(call.args) or len(named) < len(call.keywords)
        yield _mention(view, "call", target, call, space)._replace(
            positional=len(positional),
            named=named,
            open=more,
            reason=reason_against(view.goes_to(call)) or "",
        )
    for node, space in view.module.references:
        if (
            isinstance(node, ast.Attribute)
            and CHOICES.search(_last(node.value))
            and not node.attr.startswith("_")
            and (target := trace(node, space))
        ):
            yield _mention(view, "member", target, node, space)
    for space in view.module.spaces:
        for bindings in space.bindings.values():
            for binding in bindings:
                if (
                    binding.how == "import"
                    and isinstance(binding.node, ast.ImportFrom)
                    and is_telling(binding.text)
                ):
                    yield _mention(view, "import", binding.text, binding.node, space)


def _is_maker(target: str) -> bool:
    return is_telling(target) or (target != "" and is_id_name(_last_of(target)))


def _renamed(view: View) -> Iterator[Mention]:
    """What could be `uuid4` under another module's name for it: `user_id = fresh()`."""
    for call, space in view.module.calls:
        if call.args or call.keywords:
            continue
        target = trace(call.func, space)
        if "." not in target or "(" in target or target.startswith(":") or _is_maker(target):
            continue
        sink = view.goes_to(call)
        if sink.is_id and origin_of(target) is None:
            yield _mention(view, "call", target, call, space)._replace(reason=reason_against(sink) or "")


def _members_given(view: View, call: ast.Call, space: Space) -> Iterator[Mention]:
    """What may be members of enums among the arguments of a maker, whatever the enum is called."""
    for node in [*call.args, *[each.value for each in call.keywords]]:
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            continue
        target = trace(node, space) if node.attr.isupper() and not CHOICES.search(node.value.id) else ""
        if target:
            yield _mention(view, "member", target, node, space)


def _mention(view: View, how: str, target: str, node: ast.expr | ast.ImportFrom, space: Space) -> Mention:
    normal = target if isinstance(node, ast.ImportFrom) else ast.unparse(node)[:500]
    return Mention(
        how,
        target.replace("(~)", "()"),
        view.place(node),
        space.symbol,
        normal,
        guarded=_is_guarded(view, node),
        typed="(~)" in target,
    )


def _is_guarded(view: View, node: ast.AST) -> bool:
    below: ast.AST = node
    for above in view.module.upwards(node):
        match above:
            case ast.Try(body=body, handlers=handlers) if below in body:
                for each in handlers:
                    caught = each.type.elts if isinstance(each.type, ast.Tuple) else [each.type]
                    if any(one is None or _last(one) in FAILING for one in caught):
                        return True
            case ast.With(items=items) | ast.AsyncWith(items=items):
                if any(EXPECTING.search(_last(item.context_expr)) for item in items):
                    return True
            case ast.If(test=test) | ast.IfExp(test=test):
                if below is not test and any(
                    _last(each) in ("hasattr", "callable", "getattr", "TYPE_CHECKING", "version_info")
                    for each in ast.walk(test)
                ):
                    return True
            case ast.Call(func=func) if below is not func and EXPECTING.search(_last(func)):
                return True
        below = above
    return False


# What is made, taken and given back


def _productions(view: View) -> Iterator[Production]:
    for text in view.texts:
        if (
            text.sink.how not in ("name", "argument")
            or judged(text) != "certain"
            or against(text) is not None
        ):
            continue
        if kind := kind_of_name(text.sink.name):
            yield Production(
                kind,
                _parts(text.template),
                view.place(text.node),
                text.space.symbol,
                ast.unparse(text.node)[:500],
            )


def _tokens(view: View) -> Iterator[Production]:
    """UUIDs and other tokens that are an ID of some kind as they are."""
    for source in view.sources:
        if source.origin.kind not in STRONG:
            continue
        whole = top(source.node, view.module)
        sink = view.goes_to(source.node)
        if not sink.is_id or sink.how not in ("name", "argument") or reason_against(sink) is not None:
            continue
        template = view.evaluator.template(whole, source.space)
        if not source.called:
            template = (Field(source.origin.kind, source.origin.field, source.origin.bits or 0.0),)
        kind = kind_of_name(sink.name) or _kind_of_class(source.space)
        if kind and len(template) == 1 and isinstance(template[0], Field) and not template[0].cut:
            yield Production(
                kind, _parts(template), view.place(source.node), source.space.symbol, ast.unparse(whole)[:500]
            )


def _kind_of_class(space: Space) -> str:
    """Of what a class is, whose own ID is made in its body."""
    return kind_of_name(space.symbol.rpartition(".")[2]) if space.is_class else ""


def _holdings(view: View) -> list[Holding]:
    """What is taken and given back, where something is given back under a text that is put together."""
    found = []
    for call, space in view.module.calls:
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr not in HOLDING or not call.args:
            continue
        template = view.evaluator.template(_put_together(call.args[0], space), space)
        found.append(
            Holding(
                func.attr in RELEASES,
                ast.unparse(func.value)[:100],
                func.attr,
                _parts(template),
                view.place(call),
                space.symbol,
                ast.unparse(call)[:500],
            )
        )
    return found if any(each.releases and len(each.template) > 1 for each in found) else []


def _put_together(node: ast.expr, space: Space) -> ast.expr:
    """The text that a local name stands for, or the expression itself."""
    bindings = space.bindings.get(node.id, []) if isinstance(node, ast.Name) else []
    value = bindings[0].node if len(bindings) == 1 else None
    return value if isinstance(value, ast.JoinedStr | ast.BinOp) else node


def _last(node: ast.AST | None) -> str:
    if isinstance(node, ast.Call | ast.Subscript):
        return _last(node.func if isinstance(node, ast.Call) else node.value)
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
