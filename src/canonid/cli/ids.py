"""`canonid id …`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from canonid.cli.output import iso, line, record, rows, texts
from canonid.core import Reading, Recognition, Registry
from canonid.core.declaring import RESERVED_FIELDS
from canonid.errors import InvalidId, NotFound, show
from canonid.project import load_registry

if TYPE_CHECKING:
    from canonid.aliases import SQLiteStore


class Command(NamedTuple):
    """One command: its words, its arguments and what it does (the exit code)."""

    name: str
    help: str
    description: str
    examples: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


# mint


def _mint_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND")
    parser.add_argument("-n", type=_count, default=1, metavar="N", help="how many (default: 1)")
    parser.add_argument("--service", metavar="S", help="write as this service emits the kind")
    parser.add_argument("--format", metavar="F", help="write in this format (default: the canonical one)")
    parser.add_argument(
        "--field",
        type=_field,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a field of the format",
    )


def _mint(options: argparse.Namespace) -> int:
    registry = load_registry(options.registry)
    fields = dict(options.field)
    for _ in range(options.n):
        text = registry.mint(options.kind, service=options.service, format=options.format, **fields)
        if options.json:
            record(id=text, kind=options.kind)
        else:
            line(text)
    return 0


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,11}", text):
        raise argparse.ArgumentTypeError(f"expected a number from 1, got {show(text)}")
    return int(text)


def _field(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier() or name in RESERVED_FIELDS:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {show(text)}")
    return name, value


# explain


def _explain_arguments(parser: argparse.ArgumentParser) -> None:
    _texts_argument(parser)
    _narrow_arguments(parser)
    parser.add_argument("--store", metavar="FILE", help="SQLite store: also show aliases and lineage")


def _explain(options: argparse.Namespace) -> int:
    registry = _registry(options)
    code = 0
    with _store(options.store, registry) as store:
        for text in texts(options.text):
            found = registry.recognise(text, options.kind, service=options.service)
            known = _recorded(store, text, options) if store else {}
            (_explain_json if options.json else _explain_text)(registry, found, known)
            code = code if found.answer or known.get("canonical") else 1
    return code


def _recorded(store: SQLiteStore, text: str, options: argparse.Namespace) -> dict[str, object]:
    """What a store knows of a text: its identity, its aliases and its lineage up to the principal."""
    try:
        identity = store.resolve(text, options.kind, options.service)
    except InvalidId:
        return {}
    aliases = [alias.text for alias in store.aliases(canonical=identity.canonical, kind=identity.kind)]
    try:
        lineage = [step.child for step in store.ancestry(identity.canonical, identity.kind)]
    except NotFound:
        lineage = []
    return {"kind": identity.kind, "canonical": identity.canonical, "aliases": aliases, "lineage": lineage}


def _forms(registry: Registry, found: Recognition) -> dict[str, str]:
    if found.answer is None:
        return {}
    return registry.writings(found.answer.kind, found.answer.canonical)


def _explain_json(registry: Registry, found: Recognition, known: dict[str, object]) -> None:
    answer = found.answer
    record(
        text=found.text,
        kind=answer and answer.kind,
        canonical=answer and answer.canonical,
        reason=found.reason or None,
        readings=[_reading_json(reading) for reading in found.readings],
        written_as=_forms(registry, found),
        **({"store": known} if known else {}),
    )


def _reading_json(reading: Reading) -> dict[str, object]:
    return {
        "kind": reading.kind,
        "format": reading.format,
        "fields": dict(reading.fields),
        "exact": reading.exact,
        "canonical": reading.canonical,
        "time": iso(reading.time),
    }


def _explain_text(registry: Registry, found: Recognition, known: dict[str, object]) -> None:
    line(show(found.text)[1:-1] if found.text.isprintable() and len(found.text) <= 64 else show(found.text))
    if found.answer:
        rows("kind", [found.answer.kind])
        rows("canonical", [found.answer.canonical])
    else:
        rows("no answer", [found.reason])
    rows("readings", _readings(found.readings))
    rows("time", sorted({time for reading in found.readings if (time := iso(reading.time))}))
    rows("written as", [f"{text}  ({name})" for name, text in _forms(registry, found).items()])
    if known and known["canonical"] != (found.answer and found.answer.canonical):
        rows("resolves to", [f"{known['canonical']}  (by an alias)"])
    rows("aliases", [str(text) for text in _list(known.get("aliases"))])
    rows("lineage", [" ← ".join(map(str, _list(known.get("lineage"))))] if known.get("lineage") else [])


def _readings(readings: tuple[Reading, ...]) -> list[str]:
    """A line for every way to read the text; one line where only the kind differs."""
    kinds: dict[str, list[str]] = {}
    for reading in readings:
        fields = ", ".join(f"{name}={value}" for name, value in reading.fields.items())
        kinds.setdefault(f"{reading.format}: {fields}", []).append(reading.kind)
    return [f"{' or '.join(names)} in {reading}" for reading, names in kinds.items()]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


# check


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    _texts_argument(parser)
    parser.add_argument("--kind", metavar="K", help="the kind it must be")
    parser.add_argument("--format", metavar="F", help="the format it must have")


def _check(options: argparse.Namespace) -> int:
    registry = _registry(options)
    code = 0
    for text in texts(options.text):
        reason = _why_not(registry, text, options.kind, options.format)
        if options.json:
            record(text=text, valid=reason is None, reason=reason)
        elif reason:
            print(f"canonid: {reason}", file=sys.stderr)
        code = 1 if reason else code
    return code


def _why_not(registry: Registry, text: str, kind: str | None, format: str | None) -> str | None:
    found = registry.recognise(text, kind)
    if not found.readings:
        return found.reason
    if format and not any(reading.format == format for reading in found.readings):
        return f"{show(text)} is in format {found.readings[0].format!r}, not {format!r}"
    return found.reason if found.ambiguous and format is None else None


# translate and resolve


def _translate_arguments(parser: argparse.ArgumentParser) -> None:
    _texts_argument(parser)
    _narrow_arguments(parser)
    parser.add_argument("--to", metavar="F", help="the format to write (default: the kind's canonical one)")


def _translate(options: argparse.Namespace) -> int:
    registry = _registry(options)
    kind, service = options.kind, options.service
    if options.to:
        return _each(options, lambda text: registry.translate(text, options.to, kind, service=service))
    return _each(options, lambda text: registry.canonical(text, kind, service=service))


def _resolve_arguments(parser: argparse.ArgumentParser) -> None:
    _texts_argument(parser)
    _narrow_arguments(parser)
    parser.add_argument("--store", metavar="FILE", required=True, help="SQLite store with the aliases")


def _resolve(options: argparse.Namespace) -> int:
    registry = _registry(options)
    with _store(options.store, registry) as store:
        assert store is not None, "the argument is required"
        return _each(options, lambda text: store.resolve(text, options.kind, options.service).canonical)


def _each(options: argparse.Namespace, answer: Callable[[str], str]) -> int:
    """One line for every text, in order; `!` and the reason where there is no answer."""
    code = 0
    for text in texts(options.text):
        try:
            result, reason = answer(text), None
        except InvalidId as error:
            result, reason, code = None, str(error), 1
        if options.json:
            record(text=text, id=result, reason=reason)
        else:
            line(result if result is not None else f"! {reason}")
    return code


# Shared


def _registry(options: argparse.Namespace) -> Registry:
    """The registry, and the names in the options checked before the first text is read."""
    registry = load_registry(options.registry)
    named = vars(options)
    for name, check in (
        ("kind", registry.kind),
        ("service", registry.service),
        ("format", registry.format),
        ("to", registry.format),
    ):
        if named.get(name) is not None:
            check(named[name])
    return registry


def _texts_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="*", metavar="TEXT", help="IDs (default: standard input, one a line)")


def _narrow_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kind", metavar="K", help="read the text as this kind")
    parser.add_argument("--service", metavar="S", help="the service that emitted the text")


@contextmanager
def _store(path: str | None, registry: Registry) -> Iterator[SQLiteStore | None]:
    if path is None:
        yield None
        return
    from canonid.aliases import SQLiteStore  # only who names a store pays for sqlite3

    with SQLiteStore(Path(path), registry, read_only=True) as store:
        yield store


COMMANDS = (
    Command(
        "mint",
        "make new IDs",
        "New IDs of a kind, canonical unless a service or a format is named.",
        "canonid id mint user\ncanonid id mint run --service backend --field thread=thread_chat_41_9f3c2b1a",
        _mint_arguments,
        _mint,
    ),
    Command(
        "explain",
        "everything known about a text",
        "Every reading of a text, its kind, time and other writings; with a store its aliases and lineage.",
        "canonid id explain session_0_00000000\n"
        "canonid id explain --store var/aliases.db user_1700000000000_7_9f3c2b1a",
        _explain_arguments,
        _explain,
    ),
    Command(
        "check",
        "is a text a valid ID?",
        "Silent and 0 if every text is a valid ID; else 1, with the reason on standard error.",
        "canonid id check --kind user user_01h455vb4pex5vsknk084sn02q\n"
        "canonid id check --format uuid < ids.txt",
        _check_arguments,
        _check,
    ),
    Command(
        "translate",
        "write IDs in another format",
        "Prints one line for every text, in order: the translation, or `! ` and why there is none.",
        "canonid id translate --to uuid user_01h455vb4pex5vsknk084sn02q\n"
        "canonid id translate --kind thread < old.txt > new.txt",
        _translate_arguments,
        _translate,
    ),
    Command(
        "resolve",
        "canonical IDs, aliases first",
        "Like translate, but an alias recorded in the store wins over translation.",
        "canonid id resolve --store var/aliases.db --kind thread session_41_9f3c2b1a",
        _resolve_arguments,
        _resolve,
    ),
)
