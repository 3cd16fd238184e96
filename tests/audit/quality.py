"""Recall and precision of the audit over the hand-labelled corpus: `python tests/audit/quality.py`.

A label is a comment at the end of a line of the corpus. The audit never sees it: labels are cut off before it
reads the file, which leaves lines and columns as they were.

    #! direct-uuid truncated    both are expected on this line
    #! reader?                  a question is right here, and so is silence
    #! ~weak-source             right either way
    #! none: nonce              looks like a finding and is none, and why

A line without a label expects nothing. What is about several files at once (conflicts, boundaries,
competing systems, broken calls), or in files that can't carry comments, is labelled in the project's
`labels.toml`, where `at` is a part of the line meant; `[encoding]` names the encodings in which files are
written before the audit.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from canonid.audit.findings import Finding
from canonid.audit.linking import link
from canonid.audit.notebooks import code_of
from canonid.audit.scanning import scan

CORPUS = Path(__file__).parent / "corpus"
SUFFIXES = {".py", ".pyi", ".ipynb"}
ACROSS = {"conflict", "boundary", "competing-system", "broken-call"}
CATEGORIES = (
    "direct-uuid", "strong-source", "weak-source", "truncated", "time-only", "hand-made", "reader",
    "conflict", "broken-call", "boundary", "competing-system", "broken-file", "suppression",
)  # fmt: skip
LABEL = re.compile(r"[ \t]*#! (?P<text>[^\n\r]*)")


class Label(NamedTuple):
    """What is right at a place. `line` 0 stands for any line of the file."""

    project: str
    path: str
    line: int
    category: str
    required: bool = True  # else reporting it is right, and so is silence
    question: bool = False  # only a question is right


class Scored(NamedTuple):
    """The audit's answers beside the labels. A false alarm is a finding that counts and has no label."""

    labels: tuple[Label, ...]
    sites: int  # labelled lines, those with a look-alike included
    hits: tuple[tuple[str, Finding], ...]
    alarms: tuple[tuple[str, Finding], ...]
    misses: tuple[Label, ...]
    questions: tuple[tuple[str, Finding], ...]

    def precision(self, category: str = "", confidence: str = "") -> float:
        """The part of what counts as found that is right; 1.0 where nothing was found."""
        right, wrong = (
            sum(_is(found, category, confidence) for _, found in group) for group in (self.hits, self.alarms)
        )
        return right / (right + wrong) if right + wrong else 1.0

    def recall(self, category: str) -> float:
        """The part of what must be found that is found as certain or likely."""
        wanted = sum(label.category == category for label in self.labels if label.required)
        missed = sum(label.category == category for label in self.misses)
        return (wanted - missed) / wanted if wanted else 1.0

    def asked(self) -> float:
        """The part of all findings that are questions."""
        total = len(self.hits) + len(self.alarms) + len(self.questions)
        return len(self.questions) / total if total else 0.0


def _is(found: Finding, category: str, confidence: str) -> bool:
    return category in ("", found.category) and confidence in ("", found.confidence)


def strip(text: str) -> str:
    """The text without labels."""
    return LABEL.sub("", text)


def labels_of(project: str, path: str, text: str) -> Iterator[tuple[int, Label | None]]:
    """The labelled lines of a file, each with its label, or None for a look-alike."""
    for number, line in enumerate(text.splitlines(), 1):
        match = LABEL.search(line)
        if match is None:
            continue
        if match["text"].startswith("none:"):
            yield number, None
            continue
        for word in match["text"].split():
            category = word.strip("~?")
            if category not in CATEGORIES:
                raise ValueError(f"{project}/{path}:{number}: no category is called {word!r}")
            required = not word.startswith("~") and not word.endswith("?")
            yield number, Label(project, path, number, category, required, word.endswith("?"))


def _declared(project: str, entry: dict[str, str], text: str) -> Label:
    at = entry.get("at", "")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if at and at in line]
    if at and len(lines) != 1:
        raise ValueError(f"{project}/{entry['path']}: {at!r} is on {len(lines)} lines, not on one")
    return Label(project, entry["path"], lines[0] if at else 0, entry["category"])


def score(corpus: Path = CORPUS) -> Scored:
    """Audits each project of the corpus by itself and compares."""
    labels: list[Label] = []
    sites: set[tuple[str, str, int]] = set()
    found: list[tuple[str, Finding]] = []
    for root in sorted(each for each in corpus.iterdir() if each.is_dir()):
        project = root.name
        declared = root / "labels.toml"
        extra = tomllib.loads(declared.read_text()) if declared.exists() else {}
        encodings = extra.get("encoding", {})
        facts = []
        for file in sorted(each for each in root.rglob("*") if each.suffix in SUFFIXES):
            path = file.relative_to(root).as_posix()
            text = file.read_text(encoding="utf-8")
            for line, label in labels_of(project, path, text):
                sites.add((project, path, line))
                labels += [label] if label else []
            data = strip(text).encode(encodings.get(path, "utf-8"))
            facts.append(scan(path, code_of(data) if path.endswith(".ipynb") else data))
        for entry in extra.get("finding", ()):
            label = _declared(project, entry, (root / entry["path"]).read_text(encoding="utf-8"))
            labels.append(label)
            sites.add((project, label.path, label.line))
        found += [(project, each) for each in link(str(root), facts).findings]
    return compare(labels, len(sites), found)


def compare(labels: Iterable[Label], sites: int, found: Iterable[tuple[str, Finding]]) -> Scored:
    """Several findings of one category on one line are one answer to one label, and one alarm each."""
    labels = tuple(labels)
    right = {label[:4]: label for label in labels}
    hits, alarms, questions, seen = [], [], [], set()
    for project, each in found:
        keys = [(project, each.path, line, each.category) for line in (each.line, 0)]
        key = next((key for key in keys if key in right), None)
        if not each.counts:
            questions.append((project, each))
        elif key is None or right[key].question:
            alarms.append((project, each))
        else:
            hits.append((project, each))
            seen.add(key)
    misses = tuple(label for label in labels if label.required and label[:4] not in seen)
    return Scored(labels, sites, tuple(hits), tuple(alarms), misses, tuple(questions))


def _code(project: str, path: str, line: int) -> str:
    lines = strip((CORPUS / project / path).read_text(encoding="utf-8")).splitlines()
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""


def show(scored: Scored) -> Iterator[str]:
    """The report, line by line."""
    yield f"{scored.sites} labelled sites"
    yield f"{'category':<18}{'expected':>9}{'recall':>9}{'precision':>11}{'certain':>9}{'likely':>9}"
    for category in CATEGORIES:
        expected = sum(label.category == category and label.required for label in scored.labels)
        yield (
            f"{category:<18}{expected:>9}{scored.recall(category):>9.3f}{scored.precision(category):>11.3f}"
            f"{scored.precision(category, 'certain'):>9.3f}{scored.precision(category, 'likely'):>9.3f}"
        )
    yield f"certain {scored.precision('', 'certain'):.3f}, likely {scored.precision('', 'likely'):.3f}"
    yield f"questions {scored.asked():.3f} of all findings"
    for label in scored.misses:
        where = f"{label.project}/{label.path}:{label.line}"
        yield f"MISSED {label.category} {where}: {_code(label.project, label.path, label.line)}"
    for project, each in scored.alarms:
        where = f"{project}/{each.path}:{each.line}"
        code = _code(project, each.path, each.line)
        yield f"FALSE ALARM {each.category} ({each.confidence}, {each.code}) {where}: {code}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in show(score()))
