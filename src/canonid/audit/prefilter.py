"""Most files need no syntax tree: nothing in them could be an ID that is made, or taken apart.

What is asked here must hold for every file in which a rule finds something; tests compare on real code.
"""

from __future__ import annotations

import re
from functools import cache

from canonid.audit.wording import KINDS

LONGEST_KIND = 30  # characters, with what joins it to the ID

# What makes IDs by itself, wherever it stands.
TOKENS = (
    b"uuid", b"UUID", b"ulid", b"ksuid", b"nanoid", b"cuid", b"ObjectId", b"snowflake", b"typeid", b"newid",
    b"NEWID", b"newsequentialid", b"token_hex", b"token_urlsafe", b"token_bytes", b"urandom",
)  # fmt: skip

# A name of an ID that gets a value, and something on that line, or the next one, that puts a text together or
# makes what varies. A pattern for each way to write the name: `re` finds a text that begins with the same
# letters many times faster.
# Words such as "valid" name no ID.
_NAMES = (
    rb"id(?<!valid)(?<!void)(?<!grid)(?<!droid)(?:ent(?:ifier)?)?(?:_hex|_str)?s?",
    rb"Ids?",
    rb"ID(?:_HEX|_STR)?S?s?",
    rb"pks?",
)
_GETS = rb"(?:[\"'\])]*\s*(?::[^=\n]{1,80})?[+]?=(?!=)|[\"']\s*[:,])\s*[\[({]?\s*(?:#[^\n]*\s+)*"
_MAKES = (
    rb"(?:[fF][rR]?[\"']|[\"'A-Z] ?%|\.format\(|\.join\(|\+"
    rb"|\btime(?!stamp|out)|now\(|today\(|len\(|hash|digest\(|\bid\(|next\(|random|secrets|token_|choice|rand)"
)
# A function named after an ID returns one that it makes.
_RETURNS = rb"\((?:(?!\n\s*(?:async )?def )[\s\S]){0,4000}?(?:return\b|yield\b| = )\s*\(?\s*[^\n]*?" + _MAKES
_RETURNED = (
    rb"def (?:\w*_)?(?:[ug]?u?id|oid|pk|ident|identifier|ulid)s?"
    rb"(?:_str|_hex|_(?:for|from|of|with|base|v\d)\w*)?" + _RETURNS,
    rb"def \w*[a-z](?:Id|ID|Uuid|Guid)s?" + _RETURNS,
)
_GATHERED = rb"identifiers?[\"']?\s*[=:]\s*[\[{(][^=]{0,240}?" + _MAKES
_COUNTED = [name + rb"s?(?:_?(?:counter|count|seq))?\s*\+=\s*1" for name in (rb"id", rb"Id", rb"ID")]
# What reads an ID: a method of a text, a slice, a comparison, a length, a text that it is put into.
# Quotes and brackets end `x["id"]`, `str(x_id)` and `(x_id or "")`. These patterns too begin with letters of
# their own.
_ENDS = (
    rb"(?:\([^()\n]{0,60}\))?(?:, ?(?:[\"']{2}|None)| or [\"']{2})?[\"'\])]{0,3}"
    rb"(?:\.(?:l|r)?(?:strip|lower|upper|encode|decode)\(\))*"
)
_READS = (
    rb"(?:\s*\.\s*(?:hex\.)?(?:r?split|r?partition|(?:start|end)swith|remove(?:pre|suf)fix|r?find|r?index"
    rb"|replace|is[a-z]{5,10})\("
    rb"|\[[^\]\n]{0,80}:|\[(?:0|-1)\]\)? *(?:==|!=|in |not )"
    rb"|\b[^{}\n]{0,8}\}(?:/|\.[a-z]))"
)
_ID = rb"(?:id|Id|ID|ident|identifier|pk)"
_AN_ID = rb"[\w.\[\]\"'()]{0,64}?" + _ID + rb"(?:_str|_hex)?s?\b"
_HELD = (
    *[start + _AN_ID for start in (rb"\" in ", rb"' in ", rb"\" not in ", rb"' not in ")],
    rb"len\([\w.\[\]\"'()]{0,64}?" + _ID + rb"(?:_str|_hex)?\b",
    *[
        call + rb"\((?:[^\n]|(?<=[(\[{,+/|])\n){0,240}?" + _ID + rb"(?:_str|_hex)?\b"
        for call in (rb"join", rb"joinpath", rb"Path", rb"open")
    ],
    *[
        call + rb"\((?:[^\n(]{0,120}, ?)?" + _AN_ID
        for call in (rb"match", rb"search", rb"findall", rb"finditer")
    ],
    *[call + rb"\((?:[^\n(]{0,120}, ?)?" + _AN_ID for call in (rb"sub", rb"subn", rb"split")],
    # In a text, not in a dictionary or set.
    *[
        start + rb"\{(?![\"'(*])[^{}\n,]{0,60}?" + _ID + rb"(?!\w|[\"']?: )"
        for start in (rb"/", rb"=", rb"\.")
    ],
    *[
        word + rb"\s[^\n]{0,300}?(?:\{|% |\+ |format)" + _AN_ID
        for word in (rb"SELECT", rb"INSERT", rb"UPDATE", rb"DELETE", rb"WHERE", rb"FROM")
    ],
    rb" / (?:[fF][\"'][^\"'\n]*\{)?" + _AN_ID,
    rb"/(?:\?\w+=)?(?:%s)?[^\"'\n]{0,60}[\"']\s*(?:\+|%|\.format\()\s*\(?" + _AN_ID,
)
_DESCRIBED = (
    rb"\{8\}",
    rb"pattern=",
    rb"regex=",
    rb"ID(?:ENTIFIER|ENTITY)?_(?:RE|REGEX|REGEXP|PATTERN|RX|EXPR)S?\b",
    rb"id(?:entifier|entity)?_(?:re|regex|regexp|pattern|rx|expr)s?\b",
    rb"Id(?:Regex|Pattern|Re)\b",
    *[
        word + rb"_(?<![A-Za-z]" + word + rb"_)\w*(?:id|ID)\b"
        for word in (rb"RE", rb"REGEX", rb"PATTERN", rb"re", rb"regex", rb"pattern")
    ],
    *[call + rb"\([\"'][a-z][a-z0-9]{2,19}[_\-][\"']\)" for call in (rb"startswith", rb"removeprefix")],
)


@cache
def _compared() -> tuple[list[re.Pattern[bytes]], re.Pattern[bytes]]:
    """Two IDs that are compared, and what stands before an ID that says what it is of."""
    right = rb"s? *(?:[!=]=|(?:not )?in\b)\s*([\w.\[\]\"'()]*?)(?:id|Id|ID|pk)(?:s\b|\b)"
    kind = rb"(?i)(%b)s?(?:_|\.|\[[\"']|\.get\([\"'])?$" % KINDS.pattern.encode()
    return [re.compile(name + _ENDS + right) for name in _NAMES], re.compile(kind)


@cache
def _patterns() -> tuple[re.Pattern[bytes], ...]:
    """Made when the first file is looked at: an audit whose files are all known needs none."""
    texts = (
        *[name + _ENDS + _READS for name in _NAMES],
        *_HELD,
        *_DESCRIBED,
        *_RETURNED,
        _GATHERED,
        *_COUNTED,
        *[name + _GETS + rb"[^\n]*?" + _MAKES for name in _NAMES],
    )
    return tuple([re.compile(text) for text in texts])


@cache
def _written() -> tuple[re.Pattern[bytes], ...]:
    """What a test writes out as an ID: a UUID, or a text with a digit or a separator under such a name."""
    texts = (
        *[
            name
            + rb"(?:[\"'\])]*\s*(?::[^=\n]{1,40})?=?=|[\"']\s*[:,])\s*[\[({]?\s*"
            + rb"[\"'](?:[a-zA-Z][\w\-:.#|~+]*)?[\d\-_][\w\-:.#|~+]*[\"']"
            for name in _NAMES
        ],
        rb"-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\}?[\"']",
    )
    return tuple([re.compile(text) for text in texts])


def writes_ids(data: bytes) -> bool:
    """Whether a test could write an ID out. Other files may, and nothing is said of it."""
    return any(pattern.search(data) for pattern in _written())


def needs_tree(data: bytes) -> bool:
    """Whether a rule could find something in the file."""
    if any(token in data for token in TOKENS):
        return True
    return any(pattern.search(data) for pattern in _patterns()) or _compares_kinds(data)


def _compares_kinds(data: bytes) -> bool:
    """Whether IDs of two kinds are compared: `run_id in session_ids`, not `run_id in run_ids`."""
    patterns, kind = _compared()
    for pattern in patterns:
        for found in pattern.finditer(data):
            left = kind.search(data, max(0, found.start() - LONGEST_KIND), found.start())
            right = kind.search(found[1])
            if left and right and left[1].lower() != right[1].lower():
                return True
    return False
