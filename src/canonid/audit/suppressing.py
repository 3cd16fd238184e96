"""Comments `# canonid: ignore[CODE, …] reason`, and what they hide."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from canonid.audit.facts import Directive
from canonid.audit.findings import Draft, Ignored, Place
from canonid.audit.rules.suppressions import HidesNothing, NoReason

_IGNORE = re.compile(r"#\s*canonid:\s*ignore\b\s*(?:\[([^\]]*)\])?\s*(.*)")
_BETWEEN = frozenset({tokenize.NL, tokenize.COMMENT, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT})


class Suppressed(NamedTuple):
    """The drafts of a file that are left, those about its comments with them, and what the comments hide."""

    drafts: list[Draft]
    ignored: list[Ignored]


def directives(text: str) -> tuple[Directive, ...]:
    """The comments that hide something, in order. Quick for a text that has none; never raises.

    A comment is about its own line; one at the end of a statement of several lines is about all of them,
    since that is where formatters put it.
    """
    if "canonid:" not in text:
        return ()
    try:
        return tuple(_directives(text))
    except (tokenize.TokenError, SyntaxError):
        return ()  # the file is broken, and reported as such


def suppress(found: Iterable[Directive], drafts: Sequence[Draft]) -> Suppressed:
    """The drafts of one file after its comments have been heeded."""
    hidden: dict[int, str] = {}
    complaints = []
    for each in found:
        if not each.codes or not each.reason:
            complaints.append(_complaint(NoReason.code, each, _what_lacks(each)))
            continue
        reached = [number for number, draft in enumerate(drafts) if _reaches(each, draft)]
        hidden.update(dict.fromkeys(reached, each.reason))
        idle = sorted(set(each.codes) - {drafts[number].code for number in reached})
        if idle:
            complaints.append(_complaint(HidesNothing.code, each, f"nothing of {', '.join(idle)} here"))
    kept = [draft for number, draft in enumerate(drafts) if number not in hidden]
    ignored = [
        Ignored(drafts[number].code, drafts[number].place, drafts[number].symbol, f"comment: {reason}")
        for number, reason in hidden.items()
    ]
    return Suppressed(kept + complaints, ignored)


def _directives(text: str) -> Iterator[Directive]:
    first = 0  # line on which the current statement begins; 0 between statements
    waiting: Directive | None = None  # on the last line so far of a statement that may be over
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (match := _IGNORE.match(token.string)):
            if waiting:
                yield waiting
            codes = tuple(code.strip() for code in (match[1] or "").split(",") if code.strip())
            waiting = Directive(token.start[0], codes, match[2].strip())
        elif token.type == tokenize.NEWLINE:
            if waiting:
                ends_here = waiting.line == token.start[0]
                yield waiting._replace(first=first) if ends_here else waiting
            waiting, first = None, 0
        elif token.type not in _BETWEEN and not first:
            first = token.start[0]
    if waiting:
        yield waiting


def _reaches(directive: Directive, draft: Draft) -> bool:
    first = directive.first or directive.line
    return (
        draft.code in directive.codes and draft.place.line <= directive.line and first <= draft.place.end_line
    )


def _what_lacks(directive: Directive) -> str:
    return (
        "no reason is given, so it hides nothing"
        if directive.codes
        else "it names no rule, so it hides nothing"
    )


def _complaint(code: str, directive: Directive, message: str) -> Draft:
    place = Place(directive.line, 1, directive.line, 1)
    normal = f"ignore[{', '.join(directive.codes)}] {directive.reason}"
    return Draft(code, place, "certain", "", "", message, normal)
