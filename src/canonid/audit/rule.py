"""What every rule declares."""

from __future__ import annotations

from typing import ClassVar

from canonid.audit.findings import Category, Priority


class Rule:
    """One thing the audit looks for, under a code that never changes its meaning.

    `invalid` are pieces of code in each of which the rule finds exactly one thing; in `valid` ones it finds
    nothing. They are the rule's tests and its documentation.
    """

    code: ClassVar[str]
    title: ClassVar[str]  # a short noun phrase
    category: ClassVar[Category]
    priority: ClassVar[Priority]
    why: ClassVar[str]  # why it matters, in two or three sentences
    instead: ClassVar[str]  # what to do
    invalid: ClassVar[tuple[str, ...]]
    valid: ClassVar[tuple[str, ...]]
