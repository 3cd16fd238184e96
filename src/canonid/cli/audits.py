"""`canonid audit …`. The audit itself is imported only by who runs it."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from canonid.cli.ids import Command
from canonid.core.declaring import did_you_mean
from canonid.errors import UnknownName, show, show_path
from canonid.project import find_registry, read_registry

if TYPE_CHECKING:
    from canonid.audit.changes import Changes
    from canonid.audit.findings import Finding
    from canonid.audit.formats.terminal import Screen
    from canonid.audit.report import Report

FORMATS = ("text", "json", "jsonl", "sarif", "markdown", "html")
PIPED = 100  # columns where there is no terminal
ROOMY = 30  # rows


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="*", metavar="PATH", help="folders and files (default: the current folder)"
    )
    parser.add_argument(
        "--format",
        type=_format_name,
        metavar="FORMAT",
        help=f"{', '.join(FORMATS)} (default: text, for people; --json is jsonl)",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of standard output")
    parser.add_argument(
        "--explain", metavar="CODE", help="a rule: why, what instead, examples; audits nothing"
    )
    parser.add_argument("--show-ignored", action="store_true", help="what only looks like a finding, and why")
    parser.add_argument(
        "--since", metavar="REV", help="only what stands on lines changed since a git revision"
    )
    parser.add_argument(
        "--baseline", metavar="FILE", help="tolerate the findings in this file, and no others"
    )
    parser.add_argument(
        "--update-baseline",
        action="store_true",
        help="write the baseline, or take out of it what is gone (default FILE: canonid-baseline.json)",
    )
    parser.add_argument("--force", action="store_true", help="--update-baseline also takes in what is new")
    parser.add_argument("--exit-zero", action="store_true", help="0 although there are findings")
    parser.add_argument("--root", metavar="DIR", help="what paths are relative to (default: PATH)")
    working_arguments(parser)


def working_arguments(parser: argparse.ArgumentParser) -> None:
    """How the audit works, whatever is made of it."""
    parser.add_argument("--workers", type=_workers, metavar="N", help="processes (default: one a core)")
    parser.add_argument("--no-cache", action="store_true", help="look at every file anew")


def _workers(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,2}", text):
        raise argparse.ArgumentTypeError(f"expected a number from 1, got {show(text)}")
    return int(text)


def _format_name(text: str) -> str:
    if text not in FORMATS:
        hint = did_you_mean(text, FORMATS) or f"; there are {', '.join(FORMATS)}"
        raise argparse.ArgumentTypeError(f"there is no format {show(text)}{hint}")
    return text


def _audit(options: argparse.Namespace) -> int:
    if options.explain:
        return _explain(options.explain)
    if contradiction := _contradiction(options):
        print(f"canonid: {contradiction}", file=sys.stderr)
        return 2
    _check_files(options)
    changes = _changes(options)
    report = audited(options.path or ["."], options, options.root)
    for note in report.notes:
        print(f"canonid: {note}", file=sys.stderr)
    if options.update_baseline:
        return _update(report, options)
    report = _narrowed(report, options, changes)
    with _output(options.output) as output:
        for chunk in _formatted(report, options, output):
            output.write(chunk)
    return _code(report.findings, options)


def _contradiction(options: argparse.Namespace) -> str:
    if options.force and not options.update_baseline:
        return "--force goes with --update-baseline"
    if options.since and options.update_baseline:
        return "--update-baseline needs all findings, not those --since a revision"
    if options.update_baseline and (options.output or options.format or options.json):
        return "--update-baseline writes the baseline alone; it goes with no format and no output"
    if options.show_ignored and _format(options) in ("jsonl", "sarif"):
        return f"--show-ignored has no place in {_format(options)}; use json"
    return ""


def _format(options: argparse.Namespace) -> str:
    return options.format or ("jsonl" if options.json else "text")


def _explain(code: str) -> int:
    from canonid.audit.formats.terminal import explanation
    from canonid.audit.rules import BY_CODE

    rule = BY_CODE.get(code.upper())
    if rule is None:
        raise UnknownName(_no_rule(code))
    sys.stdout.writelines(explanation(rule, _screen(sys.stdout).columns))
    return 0


def _no_rule(code: str) -> str:
    """With the rules that may be meant: those that begin so, those written alike, or all."""
    from difflib import get_close_matches

    from canonid.audit.rules import BY_CODE

    codes = sorted(BY_CODE)
    begun = [each for each in codes if each.startswith(code.upper())] if len(code) > 3 else []
    near = begun or get_close_matches(code[:20].upper(), codes, n=3, cutoff=0.8) or codes
    listed = "".join(f"\n  {each}  {BY_CODE[each].title}" for each in near)
    return f"there is no rule {show(code)}; {'there are' if near is codes else 'did you mean'}{listed}"


def _check_files(options: argparse.Namespace) -> None:
    """Says what can't be used before the work is done rather than after it."""
    from canonid.audit.sources import root_of

    paths = options.path or ["."]
    root = Path(root_of(paths, options.root)).resolve()
    outside = [path for path in paths if not Path(path).resolve().is_relative_to(root)]
    if outside and options.root:
        raise UnknownName(f"{show_path(outside[0])} is not below --root {show_path(options.root)}")
    if options.registry:
        read_registry(options.registry)
    if options.output:
        check_output(Path(options.output))
    if options.baseline and not options.update_baseline:
        from canonid.audit.baseline import read

        read(Path(options.baseline))


def check_output(path: Path) -> None:
    """Raises OSError where no file can be written at a path."""
    if path.is_dir():
        raise IsADirectoryError(f"{show_path(str(path))} is a folder; name a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {show_path(str(path.parent))} to write {path.name} in")


def _changes(options: argparse.Namespace) -> Changes | None:
    """The lines that count, where not all do; asked for first, since a wrong revision is soon told."""
    if not options.since:
        return None
    from canonid.audit.changes import changes_since
    from canonid.audit.sources import root_of

    return changes_since(root_of(options.path or ["."], options.root), options.since)


def audited(paths: Sequence[str], options: argparse.Namespace, root: str | None = None) -> Report:
    """The report on some paths, with a bar that shows how far it has come."""
    from canonid.audit.auditing import audit
    from canonid.audit.cache import Cache, default_folder
    from canonid.cli.progress import Bar

    folder = None if options.no_cache else default_folder()
    cache = Cache(folder) if folder else None
    with Bar() as bar:
        return audit(
            paths,
            root=root,
            workers=options.workers,
            cache=cache,
            progress=bar,
            registry=options.registry,
        )


# Old and new


def _narrowed(report: Report, options: argparse.Namespace, changes: Changes | None) -> Report:
    """The report with what is asked for alone: what the baseline doesn't tolerate, on lines that changed."""
    findings = report.findings
    if changes is not None:
        # Of equals, the baseline's are those on lines that stayed.
        findings = sorted(findings, key=changes.touch)
    if options.baseline:
        from canonid.audit.baseline import compare, read

        compared = compare(read(Path(options.baseline)), findings, _is_unseen(report, options.path))
        findings = compared.new
        if compared.gone:
            told = f"{compared.gone} of the baseline are gone; take them out with --update-baseline"
            print(f"canonid: {told}", file=sys.stderr)
    if changes is not None:
        findings = [finding for finding in findings if changes.touch(finding)]
    return report._replace(findings=sorted(findings, key=_in_order))


def _in_order(finding: Finding) -> tuple[object, ...]:
    return finding.path, finding.line, finding.column, finding.code


def _is_unseen(report: Report, paths: Sequence[str]) -> Callable[[str], bool]:
    """Tells the paths of which a report knows nothing: what is not below those named, or can't be read."""
    named = [os.path.relpath(path, report.root).replace(os.sep, "/") for path in paths or ["."]]
    broken = [each.path for each in report.findings if each.category == "broken-file"]

    def is_unseen(path: str) -> bool:
        return not _is_below(path, named) or _is_below(path, broken)

    return is_unseen


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(folder in (".", path) or path.startswith(f"{folder}/") for folder in folders)


def _update(report: Report, options: argparse.Namespace) -> int:
    """Writes what is tolerated from now on: what was and is still there, or everything the first time."""
    from canonid.audit.baseline import DEFAULT, compare, entries, read, write
    from canonid.audit.formats.terminal import listed

    path = Path(options.baseline or DEFAULT)
    if options.force or not path.exists():
        tolerated = entries(report.findings)
        write(path, tolerated)
        print(f"canonid: {path} tolerates {len(tolerated)} findings", file=sys.stderr)
        return 0
    compared = compare(read(path), report.findings, _is_unseen(report, options.path))
    tolerated = [*entries(compared.old), *compared.unseen]
    write(path, tolerated)
    told = f"{compared.gone} gone, {compared.moved} moved, {len(compared.new)} new and not taken in"
    print(f"canonid: {path} tolerates {len(tolerated)} findings; {told}", file=sys.stderr)
    sys.stdout.writelines(listed(compared.new, _screen(sys.stdout)))
    return _code(compared.new, options)


def _code(findings: Iterable[Finding], options: argparse.Namespace) -> int:
    counted = [finding for finding in findings if finding.counts]
    if any(finding.category == "broken-file" for finding in counted):
        return 3
    return 1 if counted and not options.exit_zero else 0


# Output


@contextmanager
def _output(path: str | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        yield file


def _formatted(report: Report, options: argparse.Namespace, output: TextIO) -> Iterator[str]:
    from canonid.audit.excerpts import lines_below
    from canonid.audit.rules import BY_CODE

    name = _format(options)
    if name != "text" and output is sys.stdout:
        output.reconfigure(encoding="utf-8")  # type: ignore[attr-defined]
    lines_of = lines_below(report.root)
    if name in ("json", "jsonl"):
        from canonid.audit.formats.records import jsonl, one_json

        return jsonl(report) if name == "jsonl" else one_json(report, ignored=options.show_ignored)
    if name == "sarif":
        from importlib.metadata import version

        from canonid.audit.formats.sarif import sarif

        return sarif(report, BY_CODE, version("canonid"), "" if options.root else _above(report.root))
    if name == "markdown":
        from canonid.audit.formats.markdown import markdown

        return markdown(report, BY_CODE, lines_of, ignored=options.show_ignored)
    if name == "html":
        from canonid.audit.formats.html import html

        return html(report, BY_CODE, lines_of, ignored=options.show_ignored)
    from canonid.audit.formats.terminal import ignored, listed, terminal

    screen = _screen(output)
    if options.show_ignored:
        return ignored(report)
    if options.since or options.baseline:
        return listed(report.findings, screen)
    return terminal(report, BY_CODE, lines_of, screen, _next_steps(report, options.path, screen.rows))


def _above(root: str) -> str:
    """The way from the top of the git work tree to the root, as "src/"; "" where there is none."""
    from canonid.audit.sources import work_tree

    way = os.path.relpath(root, work_tree(root) or root).replace(os.sep, "/")
    return "" if way == "." else f"{way}/"


def _screen(output: TextIO) -> Screen:
    from canonid.audit.formats.terminal import Screen

    if not output.isatty():
        return Screen(PIPED)
    import shutil

    columns, rows = shutil.get_terminal_size()
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Screen(columns, rows, colour)


def _next_steps(report: Report, paths: Sequence[str], rows: int | None) -> list[str]:
    """What to type next; to write a registry only where there is room to say it, and none yet."""
    import shlex

    from canonid.audit.excerpts import printable
    from canonid.audit.formats.totals import worst

    counted = [*worst(report), *[finding for finding in report.findings if finding.counts]]
    if not counted:
        return ["Nothing was found that counts."]
    shown = [printable(path) for path in paths]
    command = shlex.join(["canonid", "audit", *shown])
    has_room = rows is None or rows >= ROOMY
    first = has_room and report.written and len(paths) < 2 and find_registry(report.root) is None
    return [
        f"canonid audit --explain {counted[0].code}  # what to do instead",
        f"{command} --format html -o audit.html  # every finding",
        f"{command} --update-baseline  # from now on, only new ones fail",
        *(
            [f"{shlex.join(['canonid', 'init', *shown])}  # a first registry from what was found"]
            if first
            else []
        ),
    ]


COMMAND = Command(
    "audit",
    "find every way a codebase makes, cuts and reads IDs",
    "Looks at Python code without importing it, and needs no configuration and no network.\n"
    "Findings are certain or likely; questions are for a person to answer and never fail.",
    "canonid audit\n"
    "canonid audit src --format html -o audit.html\n"
    "canonid audit --update-baseline\n"
    "canonid audit --baseline canonid-baseline.json --since origin/main",
    _arguments,
    _audit,
)
