"""A module as the rules see it: what is made in it, what texts are put together, and where that goes."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

from canonid.audit.evaluating import Evaluator, is_id_name, is_made
from canonid.audit.findings import Confidence, Draft, Ignored, Place
from canonid.audit.modules import Module
from canonid.audit.names import Space, resolve, resolve_handed_on
from canonid.audit.origins import ORIGINS, Origin, origin_of
from canonid.audit.rule import Rule
from canonid.audit.sinks import Sink, bounding, locks, reason_against, sink_of, top
from canonid.audit.templates import Field, Template, bits, fields, shown
from canonid.audit.usages import Use, uses_in

LAST = frozenset({target.rpartition(".")[2] for target in ORIGINS})
WRAPPERS = frozenset({"getattr", "partial", "staticmethod"})
SNOWFLAKE = Origin("strong", "snowflake", 0.0)
OWNER = re.compile(r"(?:^|_)(?:token|value|owner|holder)$")
LOCKING = re.compile(r"(?<![bc])lock|mutex|semaphore|(?<!re)lease", re.I)  # a function or class that locks
PASSING = frozenset({ast.Assign, ast.AnnAssign, ast.keyword, ast.Return})
MAKING = frozenset({"direct-uuid", "strong-source", "weak-source", "truncated", "time-only", "hand-made"})
LONGEST_NORMAL = 500
CHAIN = 3  # names that stand for each other, one for the next


class Source(NamedTuple):
    """A place where something varying is made; not `called` where the function itself is handed on."""

    node: ast.expr
    space: Space
    origin: Origin
    target: str
    called: bool


class Text(NamedTuple):
    """A text put together, as a whole, and where it goes."""

    node: ast.expr
    space: Space
    template: Template
    sink: Sink


class View:
    """One module. What takes long is done once, when the first rule asks."""

    def __init__(self, path: str, module: Module, data: bytes) -> None:
        self.path = path
        self.module = module
        self.evaluator = Evaluator(module.functions, module.calls)
        self._data = data

    @cached_property
    def sources(self) -> list[Source]:
        """In the order of the source."""
        return sorted(self._sources(), key=lambda each: (each.node.lineno, each.node.col_offset))

    @cached_property
    def texts(self) -> list[Text]:
        """Every text that is put together, each once; not those that are told to people, or compared."""
        found: dict[ast.expr, Text | None] = {}
        built: list[tuple[ast.expr, Space]] = [*self.module.texts]
        built += [
            (node, space)
            for node, space in self.module.calls
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join")
        ]
        for node, space in built:
            whole = top(node, self.module)
            if whole in found:
                continue
            sink = sink_of(whole, self.module)
            if sink.how in ("told", "compared"):
                found[whole] = None
                continue
            template = self.evaluator.template(whole, space)
            if sink.how == "name" and not sink.is_id and is_made(template):
                sink = self._in_the_end(whole, space, sink)
            found[whole] = Text(whole, space, template, sink)
        return [text for text in found.values() if text is not None]

    def _in_the_end(self, whole: ast.expr, space: Space, sink: Sink) -> Sink:
        """Where a text goes that is first kept under a name of the function: `text = f"…"; job_id = text`."""
        for name, where in self.references_to(sink.name):
            if where is space and name.lineno > whole.lineno and top(name, self.module) is name:
                later = sink_of(name, self.module)
                if later.is_id and later.how in ("name", "argument", "returned"):
                    return later
        return sink

    @cached_property
    def passed(self) -> list[tuple[ast.Name, Space, Template]]:
        """Names of what was made under a name that says no ID, where they become one: `job_id = started`."""
        found: list[tuple[ast.Name, Space, Template]] = []
        above = self.module.above
        for node, space in self.module.references:
            if type(node) is not ast.Name or type(above.get(node)) not in PASSING or is_id_name(node.id):
                continue
            sink = sink_of(node, self.module)
            if not sink.is_id or reason_against(sink) is not None:
                continue
            template = self.evaluator.template(node, space)
            if len(template) == 1 and isinstance(template[0], Field):
                found.append((node, space, template))
        return found

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the file, as text."""
        return text_of(self._data).split("\n")

    @cached_property
    def uses(self) -> list[Use]:
        """Every place that names an ID, in the order of the source."""
        return uses_in(self.module)

    @cached_property
    def modules(self) -> set[str]:
        """The packages from which the module imports something at its top."""
        return {
            binding.text.partition(".")[0]
            for bindings in self.module.space.bindings.values()
            for binding in bindings
            if binding.how == "import"
        }

    def uses_at(self, whole: ast.expr) -> list[Use]:
        """Those within an expression."""
        return [self._uses_by_node[node] for node in ast.walk(whole) if node in self._uses_by_node]

    def references_to(self, name: str) -> list[tuple[ast.Name, Space]]:
        """Where a name is read, in all scopes."""
        return self._references.get(name, [])

    def place(self, node: ast.expr | ast.stmt) -> Place:
        """Where it stands; columns in characters, where the parser counts bytes."""
        end_line, end = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return Place(
            node.lineno, self._column(node.lineno, node.col_offset), end_line, self._column(end_line, end)
        )

    def places_of(self, pattern: re.Pattern[str], node: ast.Constant) -> list[Place]:
        """Where a pattern stands in the source of a text, each on its line."""
        return [
            Place(line, spot.start() + 1, line, spot.end() + 1)
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
            for spot in pattern.finditer(self.lines[line - 1])
        ]

    def place_of_name(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Place:
        """Where a definition says its name: `def name`, `class Name`."""
        words = {ast.ClassDef: "class ", ast.FunctionDef: "def "}.get(type(node), "async def ")
        column = self._column(node.lineno, node.col_offset)
        return Place(node.lineno, column, node.lineno, column + len(words) + len(node.name))

    def draft(
        self,
        rule: type[Rule],
        node: ast.expr,
        space: Space,
        confidence: Confidence,
        message: str,
        template: Template = (),
        name: str = "",
    ) -> Draft:
        return Draft(
            rule.code,
            self.place(node),
            confidence,
            space.symbol,
            shown(template) if template else "",
            message,
            self._normal(rule, node),
            round(bits(template), 1) if fields(template) else None,
            name or self.goes_to(node, space).name,
        )

    def _normal(self, rule: type[Rule], node: ast.expr) -> str:
        """The code that a finding is known by: where one UUID is like another, with the name it is given."""
        code = ast.unparse(node)
        if len(code) > LONGEST_NORMAL:
            code = code[:LONGEST_NORMAL] + blake2b(code.encode("utf-8", "surrogatepass")).hexdigest()
        name = sink_of(top(node, self.module), self.module).name if rule.category in MAKING else ""
        return f"{name} = {code}" if name else code

    def ignored(self, rule: type[Rule], node: ast.expr, space: Space, reason: str) -> Ignored:
        return Ignored(rule.code, self.place(node), space.symbol, reason, self.goes_to(node, space).name)

    def goes_to(self, node: ast.expr, space: Space | None = None) -> Sink:
        """Where the whole text of which a value is a part goes.

        With the names it sees: a value that is kept under a name of the function alone goes where that goes.
        """
        sink = sink_of(top(node, self.module), self.module)
        if space is None or sink.how != "name" or sink.is_id:
            return sink
        if OWNER.search(sink.name) and LOCKING.search(space.symbol):
            return sink._replace(into="lock")
        return self._kept.get((space, sink.name), sink)

    @cached_property
    def _kept(self) -> dict[tuple[Space, str], Sink]:
        """Where names go that stand in an ID, or lock something."""
        found: dict[tuple[Space, str], Sink] = {}
        for text in self.texts:
            if text.sink.is_id and text.sink.how in ("name", "argument", "returned"):
                for node in ast.walk(text.node):
                    if isinstance(node, ast.Name):
                        found[text.space, node.id] = text.sink
            if isinstance(text.node, ast.JoinedStr) and (name := bounding(text.node)):
                found[text.space, name] = Sink("argument", "boundary")
        for call, space in self.module.calls:
            if locks(call):
                values = [each.value for each in call.keywords if each.arg == "value"]
                for argument in [*call.args, *values]:
                    if isinstance(argument, ast.Name):
                        found[space, argument.id] = Sink("argument", "lock_token", "set")
        return found

    @cached_property
    def _uses_by_node(self) -> dict[ast.AST, Use]:
        return {use.node: use for use in self.uses}

    @cached_property
    def _references(self) -> dict[str, list[tuple[ast.Name, Space]]]:
        found: dict[str, list[tuple[ast.Name, Space]]] = {}
        for node, space in self.module.references:
            if isinstance(node, ast.Name):
                found.setdefault(node.id, []).append((node, space))
        return found

    @cached_property
    def _is_ascii(self) -> bool:
        return self._data.isascii()

    def _column(self, line: int, offset: int) -> int:
        if self._is_ascii:
            return offset + 1
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return offset + 1 if text.isascii() else len(text.encode()[:offset].decode(errors="replace")) + 1

    def _sources(self) -> Iterator[Source]:
        called: set[ast.AST] = set()
        names = self._names_of_origins()
        for node, space in self.module.calls:
            func = node.func
            called.add(func)
            if isinstance(func, ast.Name) and func.id == "next" and node.args:
                if resolve_handed_on(node.args[0], space) == "snowflake.SnowflakeGenerator":
                    yield Source(node, space, SNOWFLAKE, "snowflake.SnowflakeGenerator", True)
                continue
            if isinstance(func, ast.Attribute):
                if func.attr not in names:
                    continue
            elif isinstance(func, ast.Name) and func.id not in names:
                continue
            target = resolve(func, space)
            origin = origin_of(target)
            if origin is not None:
                yield Source(node, space, origin, target, True)
        for reference, space in self.module.references:
            last = reference.id if isinstance(reference, ast.Name) else reference.attr
            if last not in names or reference in called:
                continue
            above = self.module.above.get(reference)
            if isinstance(above, ast.Attribute | ast.Compare):
                continue
            target = resolve(reference, space)
            origin = origin_of(target)
            if origin is not None and origin.kind == "uuid":
                yield Source(reference, space, origin, target, False)

    def _names_of_origins(self) -> set[str]:
        """What functions that make something varying may be called in this module."""
        names = set(LAST)
        values: list[tuple[str, ast.AST]] = []
        for space in self.module.spaces:
            for name, bindings in [*space.bindings.items(), *space.fields.items()]:
                for how, node, text, _ in bindings:
                    if how == "import":
                        if text.rpartition(".")[2] in LAST:
                            names.add(name)
                    elif how == "value":
                        if isinstance(node, ast.Call) and _last(node.func) in WRAPPERS:
                            names.add(name)
                        elif isinstance(node, ast.Name | ast.Attribute):
                            values.append((name, node))
        for _ in range(CHAIN):
            names |= {name for name, node in values if _last(node) in names}
        return names


def _last(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def text_of(data: bytes) -> str:
    """The text in the encoding that the file declares (PEP 263), its lines ended as Python reads them."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
