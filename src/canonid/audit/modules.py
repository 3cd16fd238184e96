"""A parsed module: its names, its functions, who stands above whom, and what in it may matter."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from canonid.audit.names import Binding, Space


class Module:
    """One walk over the tree, in the order of the source.

    `calls`, `texts`, `references`, `compares`, `subscripts`, `constants` and `grown` hold nodes with the
    names they see.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.space = Space(tree, None, "")
        self.above: dict[ast.AST, ast.AST] = {}
        self.spaces = [self.space]
        self.functions: dict[str, tuple[ast.AST, Space]] = {}
        self.calls: list[tuple[ast.Call, Space]] = []
        self.texts: list[tuple[ast.JoinedStr | ast.BinOp, Space]] = []
        self.references: list[tuple[ast.Name | ast.Attribute, Space]] = []
        self.compares: list[tuple[ast.Compare, Space]] = []
        self.subscripts: list[tuple[ast.Subscript, Space]] = []
        self.constants: list[tuple[ast.Constant, Space]] = []
        self.grown: list[tuple[ast.AugAssign, Space]] = []
        self.stored: list[ast.Attribute] = []  # that are set or deleted
        self.globals: list[ast.Global] = []
        self._documents: set[ast.AST] = set()
        self._document(tree)
        self._walk(tree, self.space)

    def upwards(self, node: ast.AST) -> Iterator[ast.AST]:
        """Its parent, and so on to the module."""
        above = self.above.get(node)
        while above is not None:
            yield above
            above = self.above.get(above)

    # One walk

    def _walk(self, node: ast.AST, space: Space) -> None:
        # By exact type: asking `isinstance` for each kind of node would take most of the time of an audit.
        above, walk = self.above, self._walk
        keep, names = PLAN[type(node)]
        if keep is not None:
            keep(self, node, space)
        for name in names:
            value = getattr(node, name, None)
            if type(value) is list:
                for child in value:
                    if child is not None:
                        above[child] = node
                        walk(child, space)
            elif value is not None:
                above[value] = node
                walk(value, space)

    def _name(self, node: ast.Name, space: Space) -> None:
        if type(node.ctx) is ast.Load:
            self.references.append((node, space))

    def _constant(self, node: ast.Constant, space: Space) -> None:
        if type(node.value) is str and node not in self._documents:
            self.constants.append((node, space))

    def _imports(self, node: ast.Import | ast.ImportFrom, space: Space) -> None:
        _bind_imports(node, space)

    def _call(self, node: ast.Call, space: Space) -> None:
        self.calls.append((node, space))

    def _attribute(self, node: ast.Attribute, space: Space) -> None:
        if type(node.ctx) is ast.Load:
            self.references.append((node, space))
        else:
            self.stored.append(node)

    def _global(self, node: ast.Global, space: Space) -> None:
        self.globals.append(node)

    def _text(self, node: ast.JoinedStr | ast.BinOp, space: Space) -> None:
        if isinstance(node, ast.JoinedStr) or isinstance(node.op, ast.Add | ast.Mod):
            self.texts.append((node, space))

    def _compare(self, node: ast.Compare, space: Space) -> None:
        self.compares.append((node, space))

    def _subscript(self, node: ast.Subscript, space: Space) -> None:
        self.subscripts.append((node, space))

    def _enter_class(self, node: ast.ClassDef, space: Space) -> None:
        space.bind(node.name, Binding("definition", node, line=node.lineno))
        self._document(node)
        inner = Space(node, space, _below(space, node.name))
        self.spaces.append(inner)
        for child in [*node.decorator_list, *node.bases, *node.keywords]:
            self.above[child] = node
            self._walk(child, space)
        for statement in node.body:
            self.above[statement] = node
            self._walk(statement, inner)

    def _enter_function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, space: Space
    ) -> None:
        name = "" if isinstance(node, ast.Lambda) else node.name
        inner = Space(node, space, _below(space, name) if name else space.symbol)
        self.spaces.append(inner)
        if not isinstance(node, ast.Lambda):
            space.bind(name, Binding("definition", node, line=node.lineno))
            self._document(node)
            self.functions[inner.symbol] = (node, inner)
            for child in node.decorator_list:
                self.above[child] = node
                self._walk(child, space)
            if node.returns is not None:
                self.above[node.returns] = node
                self._walk(node.returns, space)
        arguments = node.args
        self.above[arguments] = node
        for argument in [
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            *[each for each in (arguments.vararg, arguments.kwarg) if each is not None],
        ]:
            self.above[argument] = arguments
            inner.bind(argument.arg, Binding("parameter", argument, line=argument.lineno))
            if argument.annotation is not None:
                self.above[argument.annotation] = argument
                self._walk(argument.annotation, space)
        for default in [*arguments.defaults, *arguments.kw_defaults]:
            if default is not None:
                self.above[default] = arguments
                self._walk(default, space)
        for statement in [node.body] if isinstance(node, ast.Lambda) else node.body:
            self.above[statement] = node
            self._walk(statement, inner)

    def _bind(self, node: ast.AST, space: Space) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    _bind_target(target, value, space)
            case ast.AnnAssign(target=target, value=ast.AST() as value):
                _bind_target(target, value, space)
            case ast.NamedExpr(target=target, value=value):
                _bind_target(target, value, space)
            case ast.AugAssign(target=target):
                self.grown.append((node, space))
                how = Binding("grown", node, line=node.lineno)
                if isinstance(target, ast.Name):
                    space.bind(target.id, how)
                elif _is_own(target, space):
                    _bind_field(target, how, space)
            case ast.For(target=target) | ast.AsyncFor(target=target) | ast.comprehension(target=target):
                _bind_target(target, None, space)
            case ast.withitem(optional_vars=ast.AST() as target):
                _bind_target(target, None, space)
            case ast.ExceptHandler(name=str() as name):
                space.bind(name, Binding("other", None, line=node.lineno))

    def _document(self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            self._documents.add(first.value)


# Fields that hold no node to visit: texts and numbers, how a name is used, operators.
LEAVES = frozenset(
    {"ctx", "op", "ops", "id", "attr", "arg", "name", "names", "module", "level", "kind", "type_comment"}
    | {"type_ignores", "conversion", "simple", "is_async", "rest", "kwd_attrs", "tag", "str"}
)


Visit = Callable[[Module, Any, Space], None]
# Those that say by themselves what of them is visited.
ENTERED: dict[type[ast.AST], Visit] = {
    ast.Name: Module._name,
    ast.Constant: Module._constant,
    ast.FunctionDef: Module._enter_function,
    ast.AsyncFunctionDef: Module._enter_function,
    ast.Lambda: Module._enter_function,
    ast.ClassDef: Module._enter_class,
    ast.Global: Module._global,
    ast.Import: Module._imports,
    ast.ImportFrom: Module._imports,
}
KEPT: dict[type[ast.AST], Visit] = {
    ast.Call: Module._call,
    ast.Attribute: Module._attribute,
    ast.JoinedStr: Module._text,
    ast.BinOp: Module._text,
    ast.Compare: Module._compare,
    ast.Subscript: Module._subscript,
    **dict.fromkeys(
        (
            ast.Assign,
            ast.AnnAssign,
            ast.NamedExpr,
            ast.AugAssign,
            ast.For,
            ast.AsyncFor,
            ast.comprehension,
            ast.withitem,
            ast.ExceptHandler,
        ),
        Module._bind,
    ),
}


class _Plan(dict[type[ast.AST], tuple[Visit | None, tuple[str, ...]]]):
    """What is done with a node, and the names of its children, by its type."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[Visit | None, tuple[str, ...]]:
        enter = ENTERED.get(kind)
        # The value of a MatchSingleton is None, True or False itself.
        inner = () if enter is not None or kind is ast.MatchSingleton else kind._fields
        self[kind] = found = (enter or KEPT.get(kind), tuple([name for name in inner if name not in LEAVES]))
        return found


PLAN = _Plan()


def _below(space: Space, name: str) -> str:
    return f"{space.symbol}.{name}" if space.symbol else name


def _bind_imports(node: ast.Import | ast.ImportFrom, space: Space) -> None:
    if isinstance(node, ast.Import):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            text = alias.name if alias.asname else name
            space.bind(name, Binding("import", node, text, node.lineno))
        return
    module = "." * node.level + (node.module or "")
    for alias in node.names:
        if alias.name == "*":
            space.stars.append(module)
            continue
        text = f"{module}.{alias.name}" if not module.endswith(".") else f"{module}{alias.name}"
        space.bind(alias.asname or alias.name, Binding("import", node, text, node.lineno))


def _bind_target(target: ast.AST, value: ast.AST | None, space: Space) -> None:
    line = getattr(target, "lineno", 0)
    if isinstance(target, ast.Name):
        space.bind(target.id, Binding("value" if value is not None else "other", value, line=line))
    elif isinstance(target, ast.Tuple | ast.List):
        same = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
        for number, element in enumerate(target.elts):
            each = value.elts[number] if same and isinstance(value, ast.Tuple | ast.List) else None
            _bind_target(element, each, space)
    elif isinstance(target, ast.Starred):
        _bind_target(target.value, None, space)
    elif _is_own(target, space):
        _bind_field(target, Binding("value" if value is not None else "other", value, line=line), space)


def _is_own(target: ast.AST, space: Space) -> bool:
    """Whether it is an attribute of the class that this is in: `self.x`, or by its own name."""
    if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name):
        return False
    return space.named_class(target.value.id) is not None


def _bind_field(target: ast.AST, binding: Binding, space: Space) -> None:
    owner = space.enclosing_class()
    if owner is not None and isinstance(target, ast.Attribute):
        # A value that a method computes from its own names is not known to other methods.
        owner.fields.setdefault(target.attr, []).append(binding)
