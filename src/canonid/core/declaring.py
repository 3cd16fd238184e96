"""`canonid.toml` → kinds, formats and services. Collects every fault before it gives up."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from canonid.core.grammar import Optional, PatternError, fields, parse_pattern
from canonid.core.overlaps import overlaps, second_reading
from canonid.core.snowflake import EXPECTED, layout
from canonid.core.values import Format, Kind, Service
from canonid.core.writing import MAX_OPTIONAL, Writing
from canonid.errors import RegistryError, show

BUILT_IN = {
    "typeid": "{kind}_{id:base32}",
    "uuid": "{id:uuid}",
    "ulid": "{id:ulid}",
    "ksuid": "{id:ksuid}",
    "snowflake": "{id:snowflake}",
}
BUILT_IN_KEYS = {"uuid": ("versions",), "snowflake": ("layout",)}  # become the options of their field
NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
PREFIX = re.compile(r"[a-z]([a-z_]{0,61}[a-z])?")  # TypeID 0.3
WORDS = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*")
RESERVED_FIELDS = frozenset({"service", "format"})  # keywords of `mint`
RATE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*/\s*(s|min|h|day)")
SECONDS = {"s": 1, "min": 60, "h": 3600, "day": 86400}
KIND_KEYS = (
    "prefix",
    "parent",
    "canonical",
    "writer",
    "description",
    "rate",
    "private",
    "retired",
    "retired_prefixes",
)
MAX_REGISTRY = 256 * 1024  # characters of a registry file; a kind and its formats take some hundred
MAX_LENGTH = 1024
LONGEST_NAME = 64
COMPARED = 1000  # names that a wrong one is compared with for a hint
MAX_PATH = 200  # characters of a TOML path in a message
MAX_CIRCLE = 3  # names of a circle in a message
HINTS = 100  # faults of one file that get a hint
MAX_NESTED = 2  # nested IDs in one pattern: each may be readable in many formats
MAX_DEPTH = 3  # of nested IDs within nested IDs
PROJECT_KEYS = frozenset({"tool", "project", "build-system"})  # what only a pyproject.toml holds


class Declarations(NamedTuple):
    """Everything that a registry file says."""

    kinds: Mapping[str, Kind]
    formats: Mapping[str, Format]
    services: Mapping[str, Service]
    writings: tuple[Writing, ...]


class Draft(NamedTuple):
    """What a registry file says, and its faults, each with its TOML path.

    The declarations have writings only if nothing but undeclared overlaps is wrong.
    """

    declarations: Declarations
    faults: Sequence[tuple[str, str]]


def declare(text: str, source: str) -> Declarations:
    """Read a registry file. Raises RegistryError with every fault, each with its TOML path."""
    declarations, faults = draft(text)
    if faults:
        raise RegistryError(faults, source)
    return declarations


def draft(text: str) -> Draft:
    """Read a registry file that may have faults. Never raises."""
    import tomllib  # 4 ms that only declaring pays

    if not isinstance(text, str):
        return _nothing("TOML", f"expected a text, got {type(text).__name__}")
    if len(text) > MAX_REGISTRY:
        return _nothing("TOML", f"a registry may have {MAX_REGISTRY} characters, not {len(text)}")
    try:
        document = tomllib.loads(text)
    except ValueError as error:
        return _nothing("TOML", _first_line(error))
    except RecursionError:
        return _nothing("TOML", "is nested too deeply")
    table: object = document
    reader = _Reader("")
    if PROJECT_KEYS & document.keys():
        table = _table(document.get("tool")).get("canonid")
        reader = _Reader("tool.canonid.")
    if not isinstance(table, dict):
        return _nothing(
            "tool.canonid", "is missing" if table is None else f"expected a table, got {_type(table)}"
        )
    return Draft(reader.read(table), reader.faults)


def _nothing(path: str, fault: str) -> Draft:
    return Draft(Declarations({}, {}, {}, ()), [(path, fault)])


def overlap_declared(formats: Mapping[str, Format], first: str, second: str) -> bool:
    """Whether one of two formats names the other in its `overlaps`."""
    return second in formats[first].overlaps or first in formats[second].overlaps


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint to append to a message, or nothing."""
    from difflib import get_close_matches  # only errors pay for this import

    names = list(islice(known, COMPARED + 1))
    if len(name) > LONGEST_NAME or len(names) > COMPARED:
        return ""  # comparing would take longer than the hint is worth
    close = get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _prefixes(form: Format, kind: Kind) -> Iterator[tuple[str, bool]]:
    """What `{kind}` stands for in a format, and whether it is only read; what is written comes first."""
    yield form.prefixes.get(kind.name, kind.prefix), False
    if kind.name not in form.prefixes and any(field.type == "kind" for field in fields(form.pattern)):
        for prefix in kind.retired_prefixes:
            yield prefix, True


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


class _Reader:
    def __init__(self, root: str) -> None:
        self.root = root
        self.faults: list[tuple[str, str]] = []

    def fault(self, path: str, sentence: str) -> None:
        shown = show(path) if len(path) > MAX_PATH else ascii(path)[1:-1]
        self.faults.append((self.root + shown, sentence))

    def hint(self, name: str, known: Iterable[str]) -> str:
        return did_you_mean(name, known) if len(self.faults) < HINTS else ""

    def read(self, document: Mapping[str, Any]) -> Declarations:
        self.keys("", document, ("canonical", "kinds", "formats", "services", "audit"))
        canonical = self.text(document, "", "canonical", default="typeid")
        raw_kinds = self.tables(document, "kinds")
        if not raw_kinds:
            self.fault("kinds", 'a registry needs at least one kind, e.g. [kinds.user] with prefix = "user"')
        raw_formats = {"typeid": {}} | self.tables(document, "formats")
        raw_services = self.tables(document, "services")
        kinds = dict(self.kinds(raw_kinds, raw_formats, raw_services, canonical))
        formats = dict(self.formats(raw_formats, kinds))
        services = dict(self.services(raw_services, kinds, formats))
        self.check_kinds(kinds, formats, services)
        writings = self.writings(kinds, formats)
        self.check_patterns(writings)
        if self.faults:
            return Declarations(kinds, formats, services, ())
        self.check_overlaps(writings, formats)
        return Declarations(kinds, formats, services, writings)

    # Kinds

    def kinds(
        self, raw: Mapping[str, Any], formats: Mapping[str, Any], services: Mapping[str, Any], canonical: str
    ) -> Iterator[tuple[str, Kind]]:
        owners: dict[str, str] = {}
        for name, table in raw.items():
            path = f"kinds.{name}"
            self.keys(path, table, KIND_KEYS)
            prefix = self.text(table, path, "prefix", default=name.replace("-", "_"))
            if self.prefix(prefix, f"{path}.prefix") and prefix in owners:
                self.fault(f"{path}.prefix", f"{prefix!r} is the prefix of kind {owners[prefix]!r} already")
            owners.setdefault(prefix, name)
            form = self.text(table, path, "canonical", default=canonical)
            own = "canonical" in table
            self.known(f"{path}.canonical" if own else "canonical", "format", form, formats)
            parent = self.optional(table, path, "parent")
            if parent is not None:
                self.known(f"{path}.parent", "kind", parent, raw)
            writer = self.optional(table, path, "writer")
            if writer is not None:
                self.known(f"{path}.writer", "service", writer, services)
            retired_prefixes = self.names(table, path, "retired_prefixes", default=())
            for retired in retired_prefixes:
                self.prefix(retired, f"{path}.retired_prefixes")
            yield (
                name,
                Kind(
                    name,
                    prefix,
                    parent,
                    form,
                    writer,
                    self.text(table, path, "description", default=""),
                    self.rate(table, path),
                    self.flag(table, path, "private"),
                    self.flag(table, path, "retired"),
                    retired_prefixes,
                ),
            )

    def prefix(self, prefix: str, path: str) -> bool:
        """Whether a TypeID may begin with it."""
        good = len(prefix) <= 63 and PREFIX.fullmatch(prefix) is not None
        if not good:
            expected = "1 to 63 letters a-z and '_', neither first nor last (TypeID 0.3)"
            self.fault(path, f"expected {expected}, got {show(prefix)}")
        return good

    def rate(self, table: Mapping[str, Any], path: str) -> float | None:
        """IDs per second, or None where no rate is declared."""
        text = self.optional(table, path, "rate")
        if not text:
            return None
        match = RATE.fullmatch(text)
        if match is None or not float(match[1]):
            expected = 'a number above 0 per s, min, h or day, e.g. "1000/s"'
            self.fault(f"{path}.rate", f"expected {expected}, got {show(text)}")
            return None
        return float(match[1]) / SECONDS[match[2]]

    def check_kinds(
        self, kinds: Mapping[str, Kind], formats: Mapping[str, Format], services: Mapping[str, Service]
    ) -> None:
        for kind in kinds.values():
            path = f"kinds.{kind.name}"
            form = formats.get(kind.canonical)
            if form is not None and kind.name not in form.kinds:
                self.fault(f"{path}.canonical", f"format {form.name!r} does not write kind {kind.name!r}")
            service = services.get(kind.writer or "")
            if service is not None and kind.name not in service.emits:
                self.fault(f"{path}.writer", f"service {service.name!r} does not emit kind {kind.name!r}")
        for circle in _circles(kinds):
            for place, name in enumerate(circle):
                self.fault(
                    f"kinds.{name}.parent", f"the parents run in a circle: {_way_round(circle, place)}"
                )
        self.check_retired_prefixes(kinds)

    def check_retired_prefixes(self, kinds: Mapping[str, Kind]) -> None:
        owners: dict[str, str] = {}
        for kind in kinds.values():
            owners.setdefault(kind.prefix, kind.name)
        retired: dict[str, str] = {}
        for kind in kinds.values():
            for prefix in kind.retired_prefixes:
                path = f"kinds.{kind.name}.retired_prefixes"
                owner = owners.get(prefix)
                if owner == kind.name:
                    self.fault(path, f"{prefix!r} is the prefix that this kind has; take it out here")
                elif owner is not None:
                    self.fault(
                        f"kinds.{owner}.prefix",
                        f"{prefix!r} is a retired prefix of kind {kind.name!r}, whose old IDs would then be"
                        f" read as {owner}; choose a prefix that was never used",
                    )
                elif prefix in retired:
                    self.fault(path, f"{prefix!r} is a retired prefix of kind {retired[prefix]!r} already")
                retired.setdefault(prefix, kind.name)

    # Formats

    def formats(self, raw: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Iterator[tuple[str, Format]]:
        for name, table in raw.items():
            path = f"formats.{name}"
            built_in = name in BUILT_IN
            own = BUILT_IN_KEYS.get(name, ()) if built_in else ("pattern", "prefixes")
            self.keys(path, table, (*own, "kinds", "overlaps", "description"))
            source = self.built_in(name, table, path) if built_in else self.text(table, path, "pattern")
            try:
                pattern = parse_pattern(source) if source or "pattern" in table else ()
            except PatternError as error:
                self.fault(f"{path}.pattern", f"column {error.column}: {error.message}")
                pattern = ()
            names = {name for field in fields(pattern) for name in (field.name, *field.machine)}
            for reserved in sorted(names & RESERVED_FIELDS):
                self.fault(
                    f"{path}.{'layout' if built_in else 'pattern'}",
                    f"a field can't be named {reserved!r}, which means something to mint()",
                )
            if sum(isinstance(item, Optional) for item in pattern) > MAX_OPTIONAL:
                self.fault(
                    f"{path}.pattern", f"more than {MAX_OPTIONAL} optional parts; declare two formats instead"
                )
            written = self.names(table, path, "kinds", default=tuple(kinds))
            if not written and kinds:
                self.fault(f"{path}.kinds", "name at least one kind, or leave the key out")
            for kind in written:
                self.known(f"{path}.kinds", "kind", kind, kinds)
            has_kind = any(field.type == "kind" for field in fields(pattern))
            if pattern and "kinds" not in table and not has_kind and not built_in:
                self.fault(
                    f"{path}.kinds", "the pattern has no {kind}, so name the kinds that are written so"
                )
            prefixes = self.prefixes(table, path, written)
            declared = self.names(table, path, "overlaps", default=())
            for other in declared:
                self.known(f"{path}.overlaps", "format", other, raw)
            description = self.text(table, path, "description", default="")
            yield name, Format(name, source, pattern, written, prefixes, frozenset(declared), description)

    def built_in(self, name: str, table: Mapping[str, Any], path: str) -> str:
        """The pattern of a built-in format with its options; empty if they are faulty."""
        if name == "uuid" and "versions" in table:
            options = self.versions(table["versions"], f"{path}.versions")
        elif name == "snowflake":
            options = self.layout(table, path)
        else:
            return BUILT_IN[name]
        return f"{{id:{name}({options})}}" if options else ""

    def versions(self, value: Any, path: str) -> str:
        known = list(range(1, 9))
        named = isinstance(value, list) and all(type(item) is int and item in known for item in value)
        if not named or not value or len(set(value)) < len(value):
            self.fault(path, "expected a list of different versions from 1 to 8, e.g. [4, 7]")
            return ""
        return ", ".join(map(str, value))

    def layout(self, table: Mapping[str, Any], path: str) -> str:
        path += ".layout"
        named = table.get("layout")
        if not isinstance(named, str):
            got = f"got {_type(named)}" if "layout" in table else "but it is missing"
            self.fault(path, f"expected {EXPECTED}, {got}")
            return ""
        try:
            layout(named)
        except ValueError as error:
            self.fault(path, str(error))
            return ""
        return named

    def prefixes(self, table: Mapping[str, Any], path: str, kinds: tuple[str, ...]) -> dict[str, str]:
        path += ".prefixes"
        out = {}
        for kind, word in self.mapping(table, path, "prefixes").items():
            self.known(path, "kind of this format", kind, kinds)
            if not isinstance(word, str) or len(word) > 63 or not WORDS.fullmatch(word):
                self.fault(f"{path}.{kind}", f"expected letters, digits, '_' or '-', got {show(word)}")
            else:
                out[kind] = word
        return out

    def writings(self, kinds: Mapping[str, Kind], formats: Mapping[str, Format]) -> tuple[Writing, ...]:
        """Each format × kind, those that are nested first. Empty while anything else is wrong."""
        if self.faults:
            return ()
        for form in formats.values():
            for field in fields(form.pattern):
                if field.type == "id":
                    self.known(f"formats.{form.name}.pattern", "kind", field.nested, kinds)
        of_kind = {kind: [form for form in formats.values() if kind in form.kinds] for kind in kinds}
        inner = {
            form.name: [
                other.name
                for field in fields(form.pattern)
                if field.type == "id"
                for other in of_kind.get(field.nested, ())
            ]
            for form in formats.values()
        }
        for name, form in formats.items():
            path = f"formats.{name}.pattern"
            if circle := _circle(name, lambda name: inner[name]):
                self.fault(path, f"the nested IDs run in a circle: {_way_round(circle[:-1], 0)}")
            elif _depth(name, inner) > MAX_DEPTH:
                self.fault(path, f"IDs are nested more than {MAX_DEPTH} deep")
            if sum(field.type == "id" for field in fields(form.pattern)) > MAX_NESTED:
                self.fault(path, f"more than {MAX_NESTED} nested IDs")
        if self.faults:
            return ()
        done: dict[str, list[Writing]] = {}
        nested: dict[str, list[Writing]] = {kind: [] for kind in kinds}

        def build(name: str) -> None:
            if name in done:
                return
            for other in inner[name]:
                build(other)
            form = formats[name]
            done[name] = [
                Writing(
                    name,
                    kind,
                    prefix,
                    form.pattern,
                    nested,
                    canonical=kinds[kind].canonical == name,
                    retired=retired,
                )
                for kind in form.kinds
                for prefix, retired in _prefixes(form, kinds[kind])
            ]
            for writing in done[name]:
                nested[writing.kind].append(writing)

        for name in formats:
            build(name)
        canonical = {
            writing.kind: writing
            for name in formats
            for writing in done[name]
            if writing.canonical and not writing.retired
        }
        for name in formats:
            for writing in done[name]:
                writing.target = canonical[writing.kind]
        return tuple(writing for name in formats for writing in done[name])

    def check_patterns(self, writings: tuple[Writing, ...]) -> None:
        seen = set()
        for writing in writings:
            path = f"formats.{writing.format}.pattern"
            if writing.format in seen:
                continue
            if not writing.shortest:
                self.fault(path, "the pattern accepts the empty text; put something fixed into it")
                seen.add(writing.format)
            elif writing.longest > MAX_LENGTH:
                self.fault(
                    path, f"a text may have {writing.longest} characters; at most {MAX_LENGTH} are allowed"
                )
                seen.add(writing.format)
            elif (text := second_reading(writing)) is not None:
                self.fault(
                    path,
                    f"{show(text)} can be split into the fields in two ways; put a fixed delimiter between",
                )
                seen.add(writing.format)

    def check_overlaps(self, writings: tuple[Writing, ...], formats: Mapping[str, Format]) -> None:
        for found in overlaps(writings, lambda first, second: overlap_declared(formats, first, second)):
            remedy = f'change a pattern, or declare it with overlaps = ["{found.first}"]'
            if (found.first, found.first_kind) == (found.second, found.second_kind):
                fault = f"{show(found.text)} can be read with two prefixes of kind {found.first_kind!r}"
            else:
                fault = (
                    f"{show(found.text)} is both {found.first_kind} in format {found.first!r} and"
                    f" {found.second_kind} in format {found.second!r}"
                )
            self.fault(f"formats.{found.second}", f"{fault}; {remedy}")

    # Services

    def services(
        self, raw: Mapping[str, Any], kinds: Mapping[str, Kind], formats: Mapping[str, Format]
    ) -> Iterator[tuple[str, Service]]:
        for name, table in raw.items():
            path = f"services.{name}"
            self.keys(path, table, ("accepts", "emits", "description"))
            accepts = self.names(table, path, "accepts", default=tuple(formats))
            for form in accepts:
                self.known(f"{path}.accepts", "format", form, formats)
            emits = dict(self.emits(table, f"{path}.emits", kinds, formats))
            yield (
                name,
                Service(name, frozenset(accepts), emits, self.text(table, path, "description", default="")),
            )

    def emits(
        self, table: Mapping[str, Any], path: str, kinds: Mapping[str, Kind], formats: Mapping[str, Format]
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        raw = table.get("emits", {})
        if isinstance(raw, str):
            raw = dict.fromkeys(kinds, raw)
        if not isinstance(raw, dict):
            self.fault(path, f"expected a format or a table kind = format, got {_type(raw)}")
            return
        for kind, value in raw.items():
            self.known(path, "kind", kind, kinds)
            names = tuple(value) if isinstance(value, list) else (value,)
            if not names or not all(isinstance(form, str) for form in names):
                self.fault(f"{path}.{kind}", "expected the name of a format, or a list of names")
                continue
            if len(set(names)) < len(names):
                self.fault(f"{path}.{kind}", "a name stands twice")
            for form in names:
                self.known(f"{path}.{kind}", "format", form, formats)
                if form in formats and kind in kinds and kind not in formats[form].kinds:
                    self.fault(f"{path}.{kind}", f"format {form!r} does not write kind {kind!r}")
            yield kind, names

    # Values

    def keys(self, path: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                hint = self.hint(key, known) or f"; known keys: {', '.join(known)}"
                self.fault(f"{path}.{key}".lstrip("."), f"unknown key{hint}")

    def known(self, path: str, what: str, name: str, known: Collection[str]) -> None:
        if name not in known:
            self.fault(path, f"{what} {show(name)} is not declared{self.hint(name, known)}")

    def tables(self, document: Mapping[str, Any], key: str) -> dict[str, Any]:
        out = {}
        for name, table in self.mapping(document, key, key).items():
            if len(name) > LONGEST_NAME or not NAME.fullmatch(name):
                self.fault(
                    f"{key}.{name}",
                    f"a name is lower-case words joined by '-' or '_', {LONGEST_NAME} characters at most",
                )
            if not isinstance(table, dict):
                self.fault(f"{key}.{name}", f"expected a table, got {_type(table)}")
            else:
                out[name] = table
        return out

    def mapping(self, table: Mapping[str, Any], path: str, key: str) -> Mapping[str, Any]:
        value = table.get(key, {})
        if not isinstance(value, dict):
            self.fault(path, f"expected a table, got {_type(value)}")
            return {}
        return value

    def optional(self, table: Mapping[str, Any], path: str, key: str) -> str | None:
        return self.text(table, path, key) if key in table else None

    def text(self, table: Mapping[str, Any], path: str, key: str, default: str | None = None) -> str:
        value = table.get(key, default)
        if isinstance(value, str):
            return value
        place = f"{path}.{key}".lstrip(".")
        self.fault(
            place, "is missing; expected a text" if value is None else f"expected a text, got {_type(value)}"
        )
        return default or ""

    def flag(self, table: Mapping[str, Any], path: str, key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            self.fault(f"{path}.{key}", f"expected true or false, got {_type(value)}")
        return value is True

    def names(
        self, table: Mapping[str, Any], path: str, key: str, default: tuple[str, ...]
    ) -> tuple[str, ...]:
        value = table.get(key)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            got = "a list of other things" if isinstance(value, list) else _type(value)
            self.fault(f"{path}.{key}", f"expected a list of names, got {got}")
            return default
        if len(set(value)) < len(value):
            self.fault(f"{path}.{key}", "a name stands twice")
        return tuple(dict.fromkeys(value))


def _first_line(error: ValueError) -> str:
    """What the parser says; a key or a number in it may be long, or not printable."""
    said = ascii(str(error))[1:-1]
    return said if len(said) <= MAX_PATH else f"{said[:MAX_PATH]}…"


def _type(value: object) -> str:
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), type(value).__name__)


def _circles(kinds: Mapping[str, Kind]) -> Iterator[list[str]]:
    """Every circle that parents run in, once, from child to parent."""
    done: set[str] = set()
    for kind in kinds:
        trail: dict[str, int] = {}
        name: str | None = kind
        while name is not None and name in kinds and name not in done:
            done.add(name)
            trail[name] = len(trail)
            name = kinds[name].parent
        if name is not None and name in trail:
            yield list(trail)[trail[name] :]


def _way_round(circle: Sequence[str], start: int) -> str:
    """A circle in words, from one of its names back to it; of a long one only the first few."""
    names = [circle[(start + step) % len(circle)] for step in range(min(len(circle), MAX_CIRCLE))]
    cut = ["…"] if len(circle) > MAX_CIRCLE else []
    return " → ".join([*names, *cut, circle[start]])


def _circle(start: str, following: Callable[[str], Iterable[str | None]]) -> list[str]:
    """The way from `start` back to itself, if there is one."""
    came: dict[str, str] = {}
    stack = [start]
    while stack:
        name = stack.pop()
        for other in following(name):
            if other == start:
                trail = [start, name]
                while trail[-1] != start:
                    trail.append(came[trail[-1]])
                return trail[::-1] if name != start else [start, start]
            if other is not None and other not in came:
                came[other] = name
                stack.append(other)
    return []


def _depth(name: str, inner: Mapping[str, Sequence[str]], limit: int = MAX_DEPTH + 1) -> int:
    """How deep IDs are nested in a format; not looked at beyond the limit."""
    if not limit:
        return 0
    return max((1 + _depth(other, inner, limit - 1) for other in dict.fromkeys(inner[name])), default=0)
