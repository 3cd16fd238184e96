"""Most files need no syntax tree: nothing in them could be an ID that is made, or taken apart.

What is asked here must hold for every file in which a rule finds something; tests compare on real code.
"""

from __future__ import annotations

import re

# What makes IDs by itself, wherever it stands.
TOKENS = (
    b"uuid", b"UUID", b"secrets", b"random", b"ulid", b"ksuid", b"nanoid", b"cuid", b"ObjectId", b"snowflake",
    b"typeid", b"newid", b"NEWID", b"newsequentialid",
)  # fmt: skip

# A name of an ID that gets a value, and something on that line, or the next one, that puts a text together or
# makes what varies. A function named after an ID returns one.
_GETS = rb"[\"'\])]*\s*(?::[^=\n]{1,80})?(?:[+]?=(?!=)|:|,)"
_MAKES = rb"(?:[fF][rR]?[\"']|[\"'] ?%|\.format\(|\.join\(|\+|\btime|now\(|today\(|len\(|hash|digest\(|\bid\(|next\()"
# One pattern for each way to write it: `re` finds a text that begins with the same letters many times faster.
_NAMES = (rb"id(?:ent(?:ifier)?)?(?:_hex|_str)?s?", rb"Ids?", rb"ID(?:_HEX|_STR)?S?s?", rb"pks?")
_MADE = [re.compile(name + _GETS + rb"\s*\(?\s*(?:#[^\n]*\s+)*[^\n]*?" + _MAKES) for name in _NAMES]
_RETURNED = re.compile(rb"def \w*(?:id|Id|ID)\w*\(")
_GATHERED = re.compile(rb"identifiers?[\"']?\s*[=:]\s*[\[{(]")
_COUNTED = re.compile(rb"\+=\s*1\b")


def needs_tree(data: bytes) -> bool:
    """Whether a rule could find something in the file."""
    if any(token in data for token in TOKENS):
        return True
    return any(pattern.search(data) for pattern in (_RETURNED, _COUNTED, _GATHERED, *_MADE))
