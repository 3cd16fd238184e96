"""All files together: from their facts to the findings."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from canonid.audit.facts import FileFacts
from canonid.audit.findings import Draft, Finding, Ignored, Place
from canonid.audit.fingerprints import findings_of
from canonid.audit.kinds import written
from canonid.audit.paths import is_test
from canonid.audit.report import IgnoredAt, Report
from canonid.audit.repository import Repository
from canonid.audit.rules import BY_CODE, OF_REPOSITORIES
from canonid.audit.rules.files import BrokenFile
from canonid.audit.settings import Settings, settings
from canonid.audit.suppressing import suppress
from canonid.audit.systems import systems
from canonid.core import Registry
from canonid.core.declaring import draft
from canonid.errors import RegistryError, show_path
from canonid.project import find_registry, read_registry


def link(root: str, files: Iterable[FileFacts], registry: str | os.PathLike[str] | None = None) -> Report:
    """What all files say together, in whatever order they come; `registry` is a file as for `audit`."""
    facts = sorted(files)
    findings: list[Finding] = []
    ignored: list[IgnoredAt] = []
    declared = _declared(root, registry)
    repository = Repository(facts, declared.services, posixpath.basename(root), declared.registry)
    together = _together(repository)
    for each in facts:
        own = together.get(each.path, ())
        if not (own or each.drafts or each.ignored or each.directives or each.error):
            continue  # most of them
        more = [one for one in own if isinstance(one, Draft)]
        seen = [one for one in own if isinstance(one, Ignored)]
        drafts, no_ids = _decided(declared.settings, [*each.drafts, *more], [*each.ignored, *seen])
        left = suppress(each.directives, [_broken(each)] if each.error else drafts)
        findings += findings_of(each.path, left.drafts, BY_CODE, in_tests=is_test(each.path))
        ignored += [IgnoredAt(each.path, what) for what in sorted([*no_ids, *left.ignored])]
    lines = sum([each.lines for each in facts])
    broken = sum([each.error != "" for each in facts])
    services = sorted({repository.service_of(each.path) for each in facts} - {""})
    return Report(
        root,
        len(facts),
        lines,
        findings,
        ignored,
        broken,
        repository.once(systems),
        repository.once(written),
        services,
        declared.notes,
    )


class _Declared(NamedTuple):
    """What the registry of the root says; `registry` is None where it has faults, and a note says so."""

    services: Sequence[str] = ()
    registry: Registry | None = None
    notes: Sequence[str] = ()
    settings: Settings = Settings()


def _declared(root: str, registry: str | os.PathLike[str] | None) -> _Declared:
    try:
        file = find_registry(root) if registry is None else registry
        if file is None:
            return _Declared()
        text, _ = read_registry(file)
    except RegistryError as error:
        return _Declared(notes=[f"{error}; it is not heeded"])
    said = settings(text)
    notes = [f"{show_path(str(file))}: {fault}; it is not heeded" for fault in said.faults]
    if said.alone:
        return _Declared(notes=notes, settings=said)
    found = draft(text)
    services = list(found.declarations.services)
    if not found.faults:
        return _Declared(services, Registry(*found.declarations), notes, said)
    place, sentence = found.faults[0]
    more = f", and {len(found.faults) - 1:,} more" if len(found.faults) > 1 else ""
    told = f"{show_path(str(file))} is not heeded where it has faults: {place}: {sentence}{more}"
    return _Declared(services, None, [*notes, f"{told}; see canonid registry check"], said)


def _decided(
    said: Settings, drafts: Sequence[Draft], ignored: Sequence[Ignored]
) -> tuple[list[Draft], list[Ignored]]:
    """What is found and what is no ID, as the project itself sees it."""
    if not (said.not_ids or said.ids):
        return list(drafts), list(ignored)
    found = [each for each in drafts if not said.denies(each.name)]
    found += [_insisted(each) for each in ignored if said.insists(each.name)]
    no_ids = [each for each in ignored if not said.insists(each.name)]
    no_ids += [_denied(each) for each in drafts if said.denies(each.name)]
    return found, no_ids


def _denied(draft: Draft) -> Ignored:
    return Ignored(draft.code, draft.place, draft.symbol, "audit.not_ids", draft.name)


def _insisted(ignored: Ignored) -> Draft:
    message = f"{ignored.name} is an ID by audit.ids, though it looks like a {ignored.reason}"
    return Draft(
        ignored.code, ignored.place, "likely", ignored.symbol, "", message, ignored.name, name=ignored.name
    )


def _together(repository: Repository) -> dict[str, list[Draft | Ignored]]:
    """What only all files together show, by the path of the file in which it stands."""
    found: dict[str, list[Draft | Ignored]] = {}
    for rule in OF_REPOSITORIES:
        for path, each in rule.check(repository):
            found.setdefault(path, []).append(each)
    return found


def _broken(facts: FileFacts) -> Draft:
    """Known again by its path: how a fault is told differs between versions of Python and layouts."""
    return Draft(BrokenFile.code, Place(1, 1, 1, 1), "certain", "", "", facts.error, facts.path)
