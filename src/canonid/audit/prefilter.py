"""Most files need no syntax tree: nothing in them could be an ID that is made, or taken apart.

What is asked here must hold for every file in which a rule finds something; tests compare on real code.
"""

from __future__ import annotations

import re

# What makes IDs by itself, wherever it stands.
TOKENS = (
    b"uuid", b"UUID", b"ulid", b"ksuid", b"nanoid", b"cuid", b"ObjectId", b"snowflake", b"typeid", b"newid",
    b"NEWID", b"newsequentialid", b"token_hex", b"token_urlsafe", b"token_bytes", b"urandom",
)  # fmt: skip

# A name of an ID that gets a value, and something on that line, or the next one, that puts a text together or
# makes what varies. A pattern for each way to write the name: `re` finds a text that begins with the same
# letters many times faster.
_NAMES = (rb"id(?:ent(?:ifier)?)?(?:_hex|_str)?s?", rb"Ids?", rb"ID(?:_HEX|_STR)?S?s?", rb"pks?")
_GETS = rb"(?:[\"'\])]*\s*(?::[^=\n]{1,80})?[+]?=(?!=)|[\"']\s*[:,])\s*[\[({]?\s*(?:#[^\n]*\s+)*"
_MAKES = (
    rb"(?:[fF][rR]?[\"']|[\"'] ?%|\.format\(|\.join\(|\+"
    rb"|\btime|now\(|today\(|len\(|hash|digest\(|\bid\(|next\(|random|secrets|token_|choice|rand)"
)
# A function named after an ID returns one that it makes.
_RETURNS = rb"\((?:(?!\n\s*(?:async )?def )[\s\S]){0,4000}?(?:return|yield)\b\s*\(?\s*[^\n]*?" + _MAKES
_RETURNED = (
    rb"def (?:\w*_)?(?:[ug]?u?id|oid|pk|ident|identifier|ulid)s?(?:_str|_hex)?" + _RETURNS,
    rb"def \w*[a-z](?:Id|ID|Uuid|Guid)s?" + _RETURNS,
)
_GATHERED = rb"identifiers?[\"']?\s*[=:]\s*[\[{(]"
_COUNTED = rb"(?:[iI][dD]|ID)s?(?:_?(?:counter|count|seq))?\s*\+=\s*1"
_MADE = [name + _GETS + rb"[^\n]*?" + _MAKES for name in _NAMES]

# What is done to an ID: by its methods, by functions around it, by a pattern that describes it.
_TAKES = (
    rb"(?:[^\n]{0,24}?\.(?:r?split|r?partition|startswith|endswith|remove\w+|replace|is[dna]\w+)\("
    rb"|[\"'\])]*\s*\[(?:[^\]\n,]{0,16}:|\s*-?\d))"
)
_TAKEN = [name + _TAKES for name in _NAMES]
_AROUND = (
    rb"len\((?:str\()?[\w.\[\]\"']*(?:[iI][dD]|ID)s?\b",
    rb"(?:match|search|findall|finditer|sub|subn|split)\([^\n]*?(?:[iI]d|ID|identifier|pk)(?:_hex|_str)?s?\b",
    rb"[\"'] (?:not )?in (?:\w+\.)*\w*(?:id|Id|ID)\b",
    rb"(?:startswith|removeprefix)\(\s*\(?[\"'][A-Za-z][A-Za-z0-9]{0,19}[_\-:.#/|][\"']",
    rb"\{8\}[^\n]{0,16}\{4\}",
    rb"\{32\}",
    rb"(?:[iI][dD]|ID)_?(?:RE|re|[rR]eg|REG|[pP]attern|PATTERN|rx|RX|expr)",
    rb"(?:[rR]egexp?|REGEXP?|[pP]attern|PATTERN|RE|re)_(?:\w+_)?(?:id|ID)\b",
)
_ID = rb"(?:[iI]d|ID|identifier|pk)(?:_hex|_str)?s?\b"
_MIXED = (
    *[
        name + rb"[\"'\])]*\s*(?:==|!=|not in\b|in\b)\s*[\w.\[\]\"'(]*?" + _ID for name in _NAMES
    ],  # compared with another one
    rb"/[^\n]{0,80}?(?:\{[^{}\n]*?|%s?[\"'] ?%[^\n]*?|[\"'] \+ [^\n]*?)" + _ID,  # a part of a URL or path
    rb"=\{[^{}\n]*?" + _ID,
    rb"(?:join|joinpath|Path)\([^\n]*?" + _ID,
    rb" / (?:str\()?[\w.\[\]\"']*?" + _ID,
    rb"(?:SELECT|INSERT|UPDATE|DELETE|WHERE|select|insert|update|delete|where) [^;]{0,400}?" + _ID,
)
_PATTERNS = [
    re.compile(pattern) for pattern in (*_RETURNED, _GATHERED, _COUNTED, *_MADE, *_TAKEN, *_AROUND, *_MIXED)
]


def needs_tree(data: bytes) -> bool:
    """Whether a rule could find something in the file."""
    if any(token in data for token in TOKENS):
        return True
    return any(pattern.search(data) for pattern in _PATTERNS)
