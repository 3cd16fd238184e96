"""A module as the rules see it: what is made in it, what texts are put together, and where that goes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from canonid.audit.evaluating import Evaluator
from canonid.audit.findings import Confidence, Draft, Ignored, Place
from canonid.audit.modules import Module
from canonid.audit.names import Space, resolve, resolve_handed_on
from canonid.audit.origins import UUIDS, Origin, origin_of
from canonid.audit.rule import Rule
from canonid.audit.sinks import Sink, sink_of, top
from canonid.audit.templates import Template, shown
from canonid.audit.usages import Use, uses_in


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

    def __init__(self, path: str, module: Module, lines: list[str]) -> None:
        self.path = path
        self.module = module
        self.evaluator = Evaluator(module.functions)
        self._lines = lines

    @cached_property
    def sources(self) -> list[Source]:
        """In the order of the source."""
        return sorted(self._sources(), key=lambda each: (each.node.lineno, each.node.col_offset))

    @cached_property
    def texts(self) -> list[Text]:
        """Every text that is put together, each once."""
        found: dict[ast.expr, Text] = {}
        built = [(node, space) for node, space in self.module.texts]
        built += [
            (node, space)
            for node, space in self.module.calls
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join")
        ]
        for node, space in built:
            whole = top(node, self.module)
            if whole not in found:
                template = self.evaluator.template(whole, space)
                found[whole] = Text(whole, space, template, sink_of(whole, self.module))
        return list(found.values())

    @cached_property
    def uses(self) -> list[Use]:
        """Every place that names an ID, in the order of the source."""
        return uses_in(self.module)

    def uses_at(self, whole: ast.expr) -> list[Use]:
        """Those within an expression."""
        return [self._uses_by_node[node] for node in ast.walk(whole) if node in self._uses_by_node]

    def references_to(self, name: str) -> list[tuple[ast.Name, Space]]:
        """Where a name is read, in all scopes."""
        return self._references.get(name, [])

    def place(self, node: ast.expr) -> Place:
        """Where it stands; columns in characters, where the parser counts bytes."""
        end_line, end = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return Place(
            node.lineno, self._column(node.lineno, node.col_offset), end_line, self._column(end_line, end)
        )

    def draft(
        self,
        rule: type[Rule],
        node: ast.expr,
        space: Space,
        confidence: Confidence,
        message: str,
        template: Template = (),
    ) -> Draft:
        return Draft(
            rule.code,
            self.place(node),
            confidence,
            space.symbol,
            shown(template) if template else "",
            message,
            ast.unparse(node)[:500],
        )

    def ignored(self, rule: type[Rule], node: ast.expr, space: Space, reason: str) -> Ignored:
        return Ignored(rule.code, self.place(node), space.symbol, reason)

    def goes_to(self, node: ast.expr) -> Sink:
        """Where the whole text of which a value is a part goes."""
        return sink_of(top(node, self.module), self.module)

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

    def _column(self, line: int, offset: int) -> int:
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        return offset + 1 if text.isascii() else len(text.encode()[:offset].decode(errors="replace")) + 1

    def _sources(self) -> Iterator[Source]:
        called: set[ast.AST] = set()
        for node, space in self.module.calls:
            called.add(node.func)
            target = resolve(node.func, space)
            origin = origin_of(target)
            if origin is not None:
                yield Source(node, space, origin, target, True)
        names = self._names_of_uuids()
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

    def _names_of_uuids(self) -> set[str]:
        """What functions that make UUIDs are called in this module."""
        names = set(UUIDS) | {"gen_random_uuid", "uuid_generate_v4", "RandomUUID"}
        spaces = [self.module.space, *[space for _, space in self.module.functions.values()]]
        spaces += [space.above for space in spaces if space.above is not None]
        for space in spaces:
            for name, bindings in space.bindings.items():
                for binding in bindings:
                    target = binding.text
                    if binding.how == "value" and isinstance(
                        binding.node, ast.Name | ast.Attribute | ast.Call
                    ):
                        target = resolve_handed_on(binding.node, space)
                    origin = origin_of(target)
                    if origin is not None and origin.kind == "uuid":
                        names.add(name)
        return names
