"""Names in one module: where each is bound, and which function of which library an expression stands for."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

DEEP = 8  # names that stand for names, followed this far

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
How = Literal["import", "value", "parameter", "definition", "grown", "other"]


class Binding(NamedTuple):
    """One place where a name gets its value. `text` is the dotted name of an import."""

    how: How
    node: ast.AST | None
    text: str = ""
    line: int = 0

    @property
    def bound(self) -> int:
        """The line where its value ends: up to there the name is what it was."""
        return getattr(self.node, "end_lineno", self.line) if self.how == "value" else self.line


class Space:
    """The names of a module, a class or a function."""

    __slots__ = ("above", "bindings", "fields", "node", "stars", "symbol")

    def __init__(self, node: ast.AST, above: Space | None, symbol: str) -> None:
        self.node = node
        self.above = above
        self.symbol = symbol
        self.bindings: dict[str, list[Binding]] = {}
        self.fields: dict[str, list[Binding]] = {}  # of a class: what is assigned to self.NAME
        self.stars: list[str] = []

    def bind(self, name: str, binding: Binding) -> None:
        self.bindings.setdefault(name, []).append(binding)

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    def enclosing_class(self) -> Space | None:
        """The class of the method that this is in."""
        space: Space | None = self
        while space is not None and not space.is_class:
            space = space.above
        return space

    def named_class(self, name: str) -> Space | None:
        """The class that `self`, `cls` or its own name stands for in its methods."""
        owner = self.enclosing_class()
        if owner is None or name in ("self", "cls"):
            return owner
        return owner if isinstance(owner.node, ast.ClassDef) and owner.node.name == name else None

    def find(self, name: str, line: int = 0) -> tuple[Space, list[Binding]] | None:
        """Where a name that is used on a line here was bound.

        A class's own names are not seen from its methods, nor in its body before they are bound.
        """
        space: Space | None = self
        while space is not None:
            if found := space.bindings.get(name):
                if not space.is_class:
                    return space, found
                if space is self and (above := [each for each in found if each.bound < line or not line]):
                    return space, above
            space = space.above
        return None

    def starred(self) -> Iterator[str]:
        """The modules whose names are all imported here or above."""
        space: Space | None = self
        while space is not None:
            yield from space.stars
            space = space.above


def only(bindings: Sequence[Binding]) -> Binding | None:
    """The one binding of a name, or the last of several imports that are done in any case; else None."""
    if len(bindings) == 1:
        return bindings[0]
    if any(each.how != "import" for each in bindings):
        return None
    same = all(each.text == bindings[0].text for each in bindings)
    unconditional = all(getattr(each.node, "col_offset", 1) == 0 for each in bindings)
    return bindings[-1] if same or unconditional else None


def resolve(node: ast.AST, space: Space, deep: int = DEEP) -> str:
    """The dotted name of what an expression stands for, as "uuid.uuid4"; "" if that can't be told.

    What the module defines itself has a name that begins with ":", as ":Ids.next".
    """
    if deep <= 0:
        return ""
    if isinstance(node, ast.Name):
        return _resolve_name(node, space, deep)
    if isinstance(node, ast.Attribute):
        return _resolve_attribute(node, space, deep)
    if isinstance(node, ast.Call):
        return _resolve_call(node, space, deep)
    return ""


def _resolve_name(node: ast.Name, space: Space, deep: int) -> str:
    name = node.id
    found = space.find(name, node.lineno)
    if found is None:
        for module in space.starred():
            if name in STARRED.get(module, ()):
                return f"{module}.{name}"
        return f"builtins.{name}" if hasattr(builtins, name) else ""
    where, bindings = found
    texts = [binding.text for binding in bindings if binding.how == "import"]
    if texts:
        # With `try: from fast import uuid4 / except ImportError: from uuid import uuid4` it is the last one.
        others = [each for each in bindings if each.how not in ("import", "other")]
        return texts[-1] if all(_is_none(each) or _stands_in(each, where) for each in others) else ""
    if len(bindings) > 1:
        return ""
    (binding,) = bindings
    if binding.how == "definition":
        return f":{where.symbol}.{name}" if where.symbol else f":{name}"
    if binding.how == "value" and binding.node is not None:
        return resolve_handed_on(binding.node, where, deep - 1)
    return ""


def _stands_in(binding: Binding, space: Space) -> bool:
    """Whether a function is defined where an import may fail: further in than what is there in any case."""
    inside = getattr(binding.node, "col_offset", 0) > 0
    return binding.how == "definition" and inside and isinstance(space.node, ast.Module)


def _is_none(binding: Binding) -> bool:
    """What stands in place of a module that is not installed."""
    return isinstance(binding.node, ast.Constant) and binding.node.value is None


def _resolve_attribute(node: ast.Attribute, space: Space, deep: int) -> str:
    if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
        owner = space.enclosing_class()
        if owner is None:
            return ""
        bindings = owner.bindings.get(node.attr, []) + owner.fields.get(node.attr, [])
        if len(bindings) != 1:
            return ""
        if bindings[0].how == "definition":
            return f":{owner.symbol}.{node.attr}"
        if bindings[0].how == "value" and bindings[0].node is not None:
            return resolve_handed_on(bindings[0].node, owner, deep - 1)
        return ""
    base = resolve(node.value, space, deep - 1)
    return f"{base}.{node.attr}" if base else ""


def resolve_handed_on(node: ast.AST, space: Space, deep: int = DEEP) -> str:
    """The function itself that a value is: a name, or what only wraps one; "" for the result of a call."""
    if isinstance(node, ast.Name | ast.Attribute):
        return resolve(node, space, deep)
    if isinstance(node, ast.Call):
        return _resolve_call(node, space, deep)
    if isinstance(node, ast.Lambda) and isinstance(node.body, ast.Call) and not node.body.args:
        return ""  # the call in it is a place of its own
    return ""


def _resolve_call(node: ast.Call, space: Space, deep: int) -> str:
    called = resolve(node.func, space, deep - 1)
    first = node.args[0] if node.args else None
    if called == "builtins.getattr" and len(node.args) >= 2 and isinstance(node.args[1], ast.Constant):
        base = resolve(node.args[0], space, deep - 1)
        return f"{base}.{node.args[1].value!s}" if base else ""
    if called in ("importlib.import_module", "builtins.__import__") and isinstance(first, ast.Constant):
        return str(first.value)
    if called in ("functools.partial", "builtins.staticmethod") and first is not None:
        return resolve(first, space, deep - 1)
    return called if called in INSTANCES else ""


# Classes whose methods make values: an instance goes by the name of its class.
INSTANCES = frozenset(
    {"random.Random", "random.SystemRandom", "secrets.SystemRandom", "shortuuid.ShortUUID"}
    | {"snowflake.SnowflakeGenerator"}
)
STARRED = {
    "uuid": frozenset({f"uuid{n}" for n in range(1, 9)} | {"UUID"}),
    "random": frozenset({"random", "randint", "randrange", "choice", "choices", "sample", "getrandbits"}),
    "secrets": frozenset({"token_hex", "token_urlsafe", "token_bytes", "randbelow", "choice"}),
    "time": frozenset({"time", "time_ns", "monotonic", "perf_counter"}),
    "datetime": frozenset({"datetime", "date"}),
    "itertools": frozenset({"count"}),
    "os": frozenset({"urandom"}),
}
