"""One file: from its bytes to its facts."""

from __future__ import annotations

import ast
import warnings

from canonid.audit.facts import FileFacts
from canonid.audit.findings import Ignored
from canonid.audit.modules import Module
from canonid.audit.paths import is_test
from canonid.audit.prefilter import needs_tree, writes_ids
from canonid.audit.rules import OF_MODULES
from canonid.audit.suppressing import directives
from canonid.audit.telling import told
from canonid.audit.view import View, text_of
from canonid.audit.wording import concerns_others, holds, stars

# What parsing may raise; UnicodeError is a ValueError.
FAULTS = (SyntaxError, ValueError, RecursionError, MemoryError)
SMALL_BYTES = 2_048  # a tree for all files that are smaller costs a percent


def scan(path: str, data: bytes) -> FileFacts:
    """What a file says. Never raises for what is in it: a file that can't be parsed has an `error`."""
    count = data.count(b"\n") + 1
    named = concerns_others(data)
    if not (
        named
        or needs_tree(data)
        or b"canonid:" in data
        or holds(data)
        or (is_test(path) and writes_ids(data))
    ):
        return FileFacts(path, count, _fault(data), stars=stars(data))
    try:
        tree = parsed(data)
        view = View(path, Module(tree), data)
        comments = directives(text_of(data)) if b"canonid:" in data else ()
        found = [each for rule in OF_MODULES for each in rule.check(view)]
        others = told(view, named or b"_id(" in data)
    except FAULTS as error:
        return FileFacts(path, count, _told(error))
    drafts = sorted(
        [each for each in found if not isinstance(each, Ignored)], key=lambda each: (each.place, each.code)
    )
    ignored = sorted(
        [each for each in found if isinstance(each, Ignored)], key=lambda each: (each.place, each.code)
    )
    return FileFacts(path, count, "", tuple(drafts), tuple(ignored), comments, *others)


def _fault(data: bytes) -> str:
    """What is wrong with a file in which nothing could be an ID: that it is no text, or, of a small one, its
    syntax; "" otherwise."""
    try:
        if len(data) < SMALL_BYTES:
            parsed(data)
        elif b"\0" in data:
            return "SyntaxError: source code string cannot contain null bytes"
        elif not data.isascii():
            text_of(data)
    except FAULTS as error:
        return _told(error)
    return ""


def _told(error: BaseException) -> str:
    match error:
        case RecursionError():
            return "nested too deeply"
        case MemoryError():
            return "too big for the memory"
        case _:
            return f"{type(error).__name__}: {error}"[:200]


def parsed(data: bytes) -> ast.Module:
    """The tree, without the warnings that code may earn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(data)
