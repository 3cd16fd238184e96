"""All files together: from their facts to the findings."""

from __future__ import annotations

import re
from collections.abc import Iterable

from canonid.audit.facts import FileFacts
from canonid.audit.findings import Draft, Finding, Place
from canonid.audit.fingerprints import findings_of
from canonid.audit.report import IgnoredAt, Report
from canonid.audit.repository import Repository
from canonid.audit.rules import BY_CODE, OF_REPOSITORIES
from canonid.audit.rules.files import BrokenFile
from canonid.audit.suppressing import suppress

TESTS = re.compile(r"(?:^|/)(?:tests?|testing|testutils?|test_[^/]*|conftest\.py|[^/]*_tests?\.py)(?:/|$)")


def link(root: str, files: Iterable[FileFacts]) -> Report:
    """What all files say together, in whatever order they come."""
    facts = sorted(files)
    findings: list[Finding] = []
    ignored: list[IgnoredAt] = []
    together = _together(Repository(facts))
    for each in facts:
        drafts = [_broken(each)] if each.error else [*each.drafts, *together.get(each.path, ())]
        left = suppress(each.directives, drafts)
        findings += findings_of(each.path, left.drafts, BY_CODE, in_tests=is_test(each.path))
        ignored += [IgnoredAt(each.path, what) for what in sorted([*each.ignored, *left.ignored])]
    lines = sum([each.lines for each in facts])
    return Report(root, len(facts), lines, findings, ignored, sum([each.error != "" for each in facts]))


def is_test(path: str) -> bool:
    """Whether a file is test code, by its name or its folder's."""
    return TESTS.search(path) is not None


def _together(repository: Repository) -> dict[str, list[Draft]]:
    """What only all files together show, by the path of the file in which it stands."""
    found: dict[str, list[Draft]] = {}
    for rule in OF_REPOSITORIES:
        for path, draft in rule.check(repository):
            found.setdefault(path, []).append(draft)
    return found


def _broken(facts: FileFacts) -> Draft:
    return Draft(BrokenFile.code, Place(1, 1, 1, 1), "certain", "", "", facts.error, facts.error)
