"""The files of a repository as the modules that they are: what a dotted name in one of them stands for."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from canonid.audit.facts import Definition, FileFacts
from canonid.audit.services import services_of
from canonid.core import Registry

T = TypeVar("T")
DEEP = 8  # names handed on from module to module, followed this far


class Found(NamedTuple):
    """What a dotted name stands for: a definition in a file, or an instance of a class (`made`)."""

    path: str
    definition: Definition
    made: bool = False
    through: str = ""  # the class by which a method was named


class Missing(NamedTuple):
    """A name that is not there: `owner` is what was asked for it."""

    path: str
    owner: str
    name: str


class Repository:
    """All facts, with what is asked of them together. Nothing is worked out before it is asked for.

    `declared` are the services of a registry, `name` is that of the root: it may be a package itself.
    `registry` is None where there is none without faults.
    """

    def __init__(
        self,
        facts: Iterable[FileFacts],
        declared: Iterable[str] = (),
        name: str = "",
        registry: Registry | None = None,
    ) -> None:
        self.registry = registry
        self.files: Mapping[str, FileFacts] = {each.path: each for each in facts}
        self._package = name if "__init__.py" in self.files else ""
        self.service_of = services_of(self.files, declared)
        self._known: dict[Callable[[Repository], Any], Any] = {}
        self._found: dict[tuple[str, str], Found | Missing | None] = {}
        # A name that is set from outside anywhere may be there at run time.
        self.changed = frozenset([name for each in self.files.values() for name in each.changed])
        self._ends: dict[str, list[str]] = {}  # by the last name of a module, and by the last two
        for path in self.files:
            package, end = module_ends(path)
            self._ends.setdefault(end, []).append(path)
            self._ends.setdefault(f"{package}/{end}", []).append(path)
        self._definitions = {
            path: {each.symbol: each for each in facts.definitions}
            for path, facts in self.files.items()
            if facts.definitions
        }

    def once(self, work: Callable[[Repository], T]) -> T:
        """What a function finds in the repository, worked out the first time."""
        if work not in self._known:
            self._known[work] = work(self)
        known: T = self._known[work]
        return known

    def definition(self, path: str, symbol: str) -> Definition | None:
        return self._definitions.get(path, {}).get(symbol)

    def find(self, target: str, path: str, deep: int = DEEP) -> Found | Missing | None:
        """What a dotted name in a file stands for; None if that can't be told."""
        if deep == DEEP:
            if (target, path) not in self._found:
                self._found[target, path] = self._find(target, path, deep)
            return self._found[target, path]
        return self._find(target, path, deep) if deep else None

    def _find(self, target: str, path: str, deep: int) -> Found | Missing | None:
        if target.startswith(":"):
            return self._within(path, target[1:].split("."), deep)
        split = self._module(target, path)
        if split is None:
            return None
        module, rest = split
        return self._within(module, rest, deep) if rest else None

    def outside(self, target: str, path: str, deep: int = DEEP) -> str:
        """What a name of another module is in a library, as "uuid.uuid4"; "" where it is nothing of one."""
        split = None if target.startswith(":") or deep == 0 else self._module(target, path)
        if split is None:
            return target if deep < DEEP and not target.startswith((":", ".")) else ""
        module, rest = split
        handed = dict(self.files[module].exports).get(rest[0], "") if len(rest) == 1 else ""
        return self.outside(handed, module, deep - 1) if handed else ""

    def bases(self, found: Found, deep: int = DEEP) -> list[Found] | None:
        """A class and all that it is made from, nearest first; None if that is not all known."""
        line = [found]
        if deep == 0 or not found.definition.certain:
            return None
        for base in found.definition.bases:
            if base.rpartition(".")[2].lstrip("?") in PLAIN_BASES:
                continue
            above = None if base.startswith("?") else self.find(base, found.path, deep - 1)
            if not isinstance(above, Found) or above.definition.form not in ("class", "enum"):
                return None
            more = self.bases(above, deep - 1)
            if more is None:
                return None
            line += more
        return line

    def is_a_base(self, target: str, path: str) -> bool:
        """Whether other classes are made from the class in "module.Class().method"."""
        found = self.find(target.rpartition("()")[0], path)
        return isinstance(found, Found) and found.definition.symbol in self._bases

    @cached_property
    def _bases(self) -> frozenset[str]:
        """The last names of all classes from which others are made."""
        return frozenset(
            [
                base.rpartition(".")[2].lstrip(":?")
                for facts in self.files.values()
                for each in facts.definitions
                for base in each.bases
            ]
        )

    def _within(self, path: str, names: list[str], deep: int) -> Found | Missing | None:
        """Names one in another, beginning in a module."""
        first = names[0].removesuffix("()")
        definition = self.definition(path, first)
        if definition is None:
            return self._handed_on(path, names, first, deep)
        found = Found(path, definition)
        for at, name in enumerate(names):
            if at:
                inner = self._member(found, name.removesuffix("()"))
                if not isinstance(inner, Found):
                    return inner
                found = inner
            for _ in range(name.count("()")):
                called = self._called(found, deep)
                if called is None:
                    return None
                found = called
        return found

    def _called(self, found: Found, deep: int) -> Found | None:
        """What calling it gives, as an instance."""
        definition = found.definition
        if definition.form == "class" and not found.made:
            return found._replace(made=True)
        if definition.form == "class" or not definition.gives:
            return None
        given = self.find(definition.gives, found.path, deep - 1)
        return given if isinstance(given, Found) and given.made else None

    def _member(self, found: Found, name: str) -> Found | Missing | None:
        if found.definition.form == "instance":
            given = self.find(found.definition.gives, found.path)
            if not isinstance(given, Found) or not given.made:
                return None
            found = given
        if found.definition.form not in ("class", "enum"):
            return None
        line = self.bases(found)
        if line is None:
            own = self.definition(found.path, f"{found.definition.symbol}.{name}")
            return None if own is None else Found(found.path, own, found.made, found.definition.symbol)
        for each in line:
            member = self.definition(each.path, f"{each.definition.symbol}.{name}")
            if member is not None:
                return Found(each.path, member, found.made, found.definition.symbol)
            if name in each.definition.names:
                return None
        if name.startswith("__") or name in self.changed or "*" in self.changed:
            return None
        return Missing(found.path, found.definition.symbol, name)

    def _handed_on(self, path: str, names: list[str], first: str, deep: int) -> Found | Missing | None:
        facts = self.files[path]
        target = dict(facts.exports).get(first)
        if target is not None:
            whole = ".".join([target + "()" * names[0].count("()"), *names[1:]])
            return self.find(whole, path, deep - 1)
        for module in facts.stars:
            found = self.find(f"{module}.{'.'.join(names)}", path, deep - 1)
            if isinstance(found, Found):
                return found
        if not facts.names or facts.stars or facts.error or first in facts.names or first.startswith("__"):
            return None
        if first in self.changed or "*" in self.changed or self._is_module(path, first):
            return None
        return Missing(path, "", first)

    def _is_module(self, path: str, name: str) -> bool:
        folder = posixpath.dirname(path)
        return (
            path.endswith("__init__.py")
            and any(f"{folder}/{name}{end}".lstrip("/") in self.files for end in (".py", "/__init__.py"))
        ) or any(each.startswith(f"{folder}/{name}/".lstrip("/")) for each in self._ends.get(name, ()))

    def _module(self, target: str, path: str) -> tuple[str, list[str]] | None:
        """The file of the module with which a dotted name begins, and the names that follow."""
        stripped = target.lstrip(".")
        up = len(target) - len(stripped)
        names = stripped.split(".")
        for count in range(len(names), 0, -1):
            head = names[:count]
            if any("()" in name for name in head):
                continue
            file = self._relative(path, up, head) if up else self._absolute(head, path)
            if file is not None:
                return file, names[count:]
        if up and (package := self._relative(path, up, [])) is not None:
            return package, names
        return None

    def _relative(self, path: str, up: int, names: list[str]) -> str | None:
        folder = path
        for _ in range(up):
            if not folder:
                return None
            folder = posixpath.dirname(folder)
        whole = "/".join([*([folder] if folder else []), *names])
        for file in (f"{whole}.py", f"{whole}/__init__.py".lstrip("/")):
            if file in self.files:
                return file
        return None

    def _absolute(self, names: list[str], path: str) -> str | None:
        """The file of a module; of several, the one nearest to the file that names it."""
        if self._package and names[0] == self._package:
            whole = "/".join([*names[1:], "__init__.py"])
            return next((each for each in (f"{'/'.join(names[1:])}.py", whole) if each in self.files), None)
        end = "/".join(names)
        fitting = []
        for file in self._ends.get("/".join(names[-2:]), ()):
            for written in (f"{end}.py", f"{end}/__init__.py"):
                if file != written and not file.endswith(f"/{written}"):
                    continue
                root = file[: -len(written)]
                if f"{root}__init__.py" not in self.files:
                    fitting.append((len(posixpath.commonprefix([root, path])), file))
        fitting.sort(reverse=True)
        if not fitting or (len(fitting) > 1 and fitting[0][0] == fitting[1][0]):
            return None
        return fitting[0][1]


# Bases that add nothing which a call could be for.
PLAIN_BASES = frozenset({"object", "ABC", "Protocol", "Generic", "Enum", "StrEnum", "IntEnum", "str", "int"})


def module_ends(path: str) -> tuple[str, str]:
    """The last two names of a module: "a" and "ids" for "a/ids.py" and for "a/ids/__init__.py"."""
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0] or name
    if stem == "__init__":
        folder, _, stem = folder.rpartition("/")
    return folder.rpartition("/")[2], stem
