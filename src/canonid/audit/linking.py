"""All files together: from their facts to the findings."""

from __future__ import annotations

import re
from collections.abc import Iterable

from canonid.audit.facts import FileFacts
from canonid.audit.findings import Draft, Finding, Place
from canonid.audit.fingerprints import findings_of
from canonid.audit.report import IgnoredAt, Report
from canonid.audit.rules import BY_CODE
from canonid.audit.rules.files import BrokenFile
from canonid.audit.suppressing import suppress

TESTS = re.compile(r"(?:^|/)(?:tests?|testing|testutils?|test_[^/]*|conftest\.py|[^/]*_tests?\.py)(?:/|$)")


def link(root: str, files: Iterable[FileFacts]) -> Report:
    """What all files say together, in whatever order they come."""
    facts = sorted(files)
    findings: list[Finding] = []
    ignored: list[IgnoredAt] = []
    for each in facts:
        drafts = [_broken(each)] if each.error else list(each.drafts)
        left = suppress(each.directives, drafts)
        findings += findings_of(each.path, left.drafts, BY_CODE, in_tests=is_test(each.path))
        ignored += [IgnoredAt(each.path, what) for what in sorted([*each.ignored, *left.ignored])]
    lines = sum([each.lines for each in facts])
    return Report(root, len(facts), lines, findings, ignored, sum([each.error != "" for each in facts]))


def is_test(path: str) -> bool:
    """Whether a file is test code, by its name or its folder's."""
    return TESTS.search(path) is not None


def _broken(facts: FileFacts) -> Draft:
    return Draft(BrokenFile.code, Place(1, 1, 1, 1), "certain", "", "", facts.error, facts.error)
