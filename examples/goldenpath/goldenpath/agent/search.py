"""Full-text search over a project's own Markdown files: SQLite FTS5, in memory, built at start."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

MAX_TERMS = 12  # of a query; the rest is ignored
NEAR = 0.6  # of the best score

_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a about after all also am an and any are as ask at be because been before but by can could did do
        does doing done each explain find for from get give had has have hello help her here hey hi him his
        how i if in into is it its just know like many may me mean means more most much my need no not of on
        once only or other our out over own please say search shall she should show so some such tell than
        thank thanks that the their them then there these they thing things this those through to too under
        until up use very want was we were what when where which while who whom whose why will with work
        works would yes you your
        """,
    )
)


class Hit(NamedTuple):
    """A section that matches. `score` is higher for better matches of the same query."""

    title: str
    path: str
    section: str
    snippet: str
    score: float


class Docs:
    """An index of the Markdown files in `sources`: files, or folders searched recursively.

    Paths are shown relative to `root`. Sources that don't exist are left out. Usable from any thread;
    the files are read once, here. Close it when done.
    """

    def __init__(self, sources: Iterable[Path], root: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute(
            "CREATE VIRTUAL TABLE sections USING fts5("
            "title, section, prose, code, path UNINDEXED, tokenize = 'porter unicode61')"
        )
        for path in _markdown_files(sources):
            shown = path.relative_to(root) if path.is_relative_to(root) else path
            sections = _sections(path.read_text("utf-8", errors="replace"))
            title = next((section.heading for section in sections if section.heading), path.stem)
            self._database.executemany(
                "INSERT INTO sections (title, section, prose, code, path) VALUES (?, ?, ?, ?, ?)",
                [
                    (title, section.heading or title, prose, code, shown.as_posix())
                    for section in sections
                    for prose, code in [(_plain(section.prose), " ".join(section.code.split()))]
                    if prose or code
                ],
            )

    def search(self, query: str, limit: int = 3) -> list[Hit]:
        """The sections that hold at least half of the query's terms, best first. Any text is a query.

        What matches much worse than the best one is left out.
        """
        # Quoted, a term can't be FTS5 syntax: it holds no quote itself (see `terms`).
        wanted = [f'"{term}"' for term in terms(query)]
        if not wanted:
            return []
        with self._lock:
            held = Counter(row for term in wanted for (row,) in self._database.execute(_HOLDING, [term]))
            ranked = self._database.execute(_RANKED, [" OR ".join(wanted)]).fetchall()
        hits = [Hit(*found) for row, *found in ranked if 2 * held[row] >= len(wanted)][:limit]
        return [hit for hit in hits if hit.score >= NEAR * hits[0].score]

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def __enter__(self) -> Docs:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


_HOLDING = "SELECT rowid FROM sections WHERE sections MATCH ?"
# Passages are quoted from prose where there is some, 50 words at most.
_RANKED = """
    SELECT rowid, title, path, section,
           iif(prose = '', snippet(sections, 3, '', '', '…', 50), snippet(sections, 2, '', '', '…', 50)),
           -bm25(sections, 3.0, 5.0, 1.0, 0.5) AS score
    FROM sections WHERE sections MATCH ? ORDER BY score DESC, rowid
"""


def terms(text: str) -> list[str]:
    """The words of a text that are worth searching for: lower case, each once, without stop words."""
    words = re.findall(r"\w{1,64}", text.lower())
    return list(dict.fromkeys(word for word in words if word not in _STOP_WORDS))[:MAX_TERMS]


def _markdown_files(sources: Iterable[Path]) -> Iterable[Path]:
    found = [[source] if source.is_file() else sorted(source.rglob("*.md")) for source in sources]
    return dict.fromkeys(path for paths in found for path in paths if path.is_file())


@dataclass
class _Section:
    heading: str
    prose: str = ""
    code: str = ""


_HEADING = re.compile(r"#{1,6}\s+(.*?)[\s#]*")
_FENCE = re.compile(r"\s*(```|~~~)")


def _sections(markdown: str) -> list[_Section]:
    sections = [_Section("")]
    in_code = False
    for line in markdown.splitlines():
        if _FENCE.match(line):
            in_code = not in_code
        elif in_code:
            sections[-1].code += line + "\n"
        elif heading := _HEADING.fullmatch(line):
            sections.append(_Section(_plain(heading[1])))
        else:
            sections[-1].prose += line + "\n"
    return sections


_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?![\s*])([^*\n]+)(?<!\s)\*(?![\w*])")
_ROW_END = re.compile(r"\s*\|\s*$", re.MULTILINE)
_MARKUP = re.compile(
    r"<!--.*?-->|</?(?:a|br|div|details|h[1-6]|img|kbd|p|picture|source|sub|summary|sup)\b[^>]*>"
    r"|\*\*|`|^[ |:;-]+$|^\|",
    re.MULTILINE | re.DOTALL,
)


def _plain(markdown: str) -> str:
    """Markdown as running text: no links, emphasis, HTML or table frames."""
    text = _EMPHASIS.sub(r"\1", _LINK.sub(r"\1", markdown))
    return " ".join(_MARKUP.sub("", _ROW_END.sub(";", text)).split())
