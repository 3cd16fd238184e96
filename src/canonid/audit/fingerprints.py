"""Findings that are known again after the code around them has moved."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

from canonid.audit.findings import Draft, Finding
from canonid.audit.rule import Rule

# How the same code is quoted and spaced differs between versions of Python.
_LAYOUT = str.maketrans("", "", "\"'\\ \t\r\n\f")


def findings_of(
    path: str, drafts: Iterable[Draft], rules: Mapping[str, type[Rule]], *, in_tests: bool
) -> list[Finding]:
    """The findings of one file, by place and code, each with its fingerprint.

    A fingerprint is `digest:n`: the digest is made of the rule, the symbol and the normal form of the code,
    and n counts from 1 among equals of the file. Layout, lines and the file's name have no part in it.
    """
    seen: Counter[str] = Counter()
    found = []
    for draft in sorted(drafts, key=lambda each: (each.place, each.code, each.normal)):
        rule = rules[draft.code]
        digest = _digest(draft)
        seen[digest] += 1
        found.append(
            Finding(
                path,
                *draft.place,
                draft.code,
                rule.category,
                "P2" if in_tests else rule.priority,
                draft.confidence,
                in_tests,
                draft.symbol,
                draft.template,
                draft.message,
                f"{digest}:{seen[digest]}",
                draft.entropy_bits,
            )
        )
    return found


def digest_of(fingerprint: str) -> str:
    """The part of a fingerprint that equals share."""
    return fingerprint.partition(":")[0]


def _digest(draft: Draft) -> str:
    parts = (draft.code, draft.symbol, draft.normal.translate(_LAYOUT))
    return hashlib.blake2b(
        "\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8, usedforsecurity=False
    ).hexdigest()
