"""What the audit reports: findings, and the facts about one file from which they are made."""

from __future__ import annotations

from typing import Literal, NamedTuple

Category = Literal[
    "direct-uuid",  # a call of uuid.uuid1 … uuid8, or the function itself handed on
    "strong-source",  # secrets, os.urandom, a library for ULIDs, KSUIDs, nanoids or snowflakes
    "weak-source",  # random, hash(), id(), len() or a counter where an ID is made
    "truncated",  # a part of a token, such as the first eight digits
    "time-only",  # nothing but a time tells two of them apart
    "hand-made",  # a text put together from a prefix and something that varies
    "reader",  # takes an ID apart, or takes its shape for granted
    "conflict",
    "broken-call",
    "boundary",
    "competing-system",
    "broken-file",  # can't be read or parsed
    "suppression",  # an ignore comment without a reason, or that hides nothing
]
Confidence = Literal["certain", "likely", "question"]
Priority = Literal["P0", "P1", "P2"]


class Place(NamedTuple):
    """Where something stands. Lines and columns count from 1, columns in characters; `end` is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Draft(NamedTuple):
    """A finding as one file alone shows it. `code` names the rule, which knows category and priority."""

    code: str
    place: Place
    confidence: Confidence
    symbol: str  # the enclosing function or class, as "Class.method"; "" in the module itself
    template: str  # of the ID, as "ws_{env}_{ms}_{hex8}"; "" where there is none
    message: str
    normal: str  # the code it is about as ast.unparse writes it, after the name that a made ID is given
    entropy_bits: float | None = None  # of the ID; None where there is none to measure
    name: str = ""  # under which the ID is kept, handed on or read


class Ignored(NamedTuple):
    """What looks like a finding and is none, with the name of the reason, such as "nonce"."""

    code: str
    place: Place
    symbol: str
    reason: str
    name: str = ""


class Finding(NamedTuple):
    """One thing to look at. `path` is relative to the root of the audit, with `/`.

    `fingerprint` stays the same when the file is laid out anew, or moved: it is made of the rule, the symbol,
    the normal form of the code with the name that a made ID is given, and which one it is among equals in its
    file. `entropy_bits` is how many bits of the ID can't be guessed, 0 for a time alone, None where the
    finding is about no ID that is made.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    code: str
    category: Category
    priority: Priority
    confidence: Confidence
    in_tests: bool
    symbol: str
    template: str
    message: str
    fingerprint: str
    entropy_bits: float | None = None

    @property
    def counts(self) -> bool:
        """Whether it counts as found: a question is one for a person to answer."""
        return self.confidence != "question"
