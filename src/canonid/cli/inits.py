"""`canonid init`. The audit itself is imported only by who runs it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from canonid.cli.audits import audited, check_output, working_arguments
from canonid.cli.ids import Command
from canonid.cli.output import line, record
from canonid.errors import StoreError, show_path
from canonid.project import NAMES, find_registry

if TYPE_CHECKING:
    from canonid.audit.proposal import Proposal


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", default=".", metavar="PATH", help="default: the current folder")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: canonid.toml in PATH")
    parser.add_argument("--dry-run", action="store_true", help="show the file, write nothing")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    working_arguments(parser)


def _init(options: argparse.Namespace) -> int:
    from canonid.audit.proposal import proposal

    folder = Path(options.path)
    folder = folder.parent if folder.is_file() else folder
    target = Path(options.output) if options.output else folder / NAMES[0]
    if not options.dry_run and not options.force:
        _refuse_to_replace(folder, target, named=options.output is not None)
    if not options.dry_run and options.output:
        check_output(target)
    report = audited([options.path], options)
    found = proposal(report, os.path.basename(report.root) or report.root)
    if found is None:
        line("Found no kind of ID to declare; `canonid audit` shows what was found.")
        return 1
    if options.dry_run:
        sys.stdout.write(found.text)
        return 0
    target.write_text(found.text, encoding="utf-8", newline="\n")
    if options.json:
        record(registry=str(target), **found._replace(text="")._asdict())
    else:
        _tell(found, target)
    return 0


def _refuse_to_replace(folder: Path, target: Path, *, named: bool) -> None:
    if os.path.lexists(target):  # a link to nowhere, too: its end may be anywhere
        raise StoreError(f"{show_path(str(target))} exists already; --force replaces it")
    known = None if named or not folder.is_dir() else find_registry(folder)
    if known is not None:
        told = show_path(str(known))
        raise StoreError(f"{told} declares the registry of this folder; --force writes {target} all the same")


def _tell(found: Proposal, target: Path) -> None:
    counts = (len(found.kinds), "kind"), (len(found.formats), "format"), (len(found.services), "service")
    told = ", ".join([f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts])
    line(f"{show_path(str(target))}: {told}")
    if found.left_out:
        what = "1 more was" if found.left_out == 1 else f"{found.left_out} more were"
        line(f"  {what} found that no format can say, or that others would be confused with: see its end")
    here = target.resolve() == Path(NAMES[0]).resolve()
    line("  next: canonid registry check" + ("" if here else f" --registry {show_path(str(target))}"))


COMMAND = Command(
    "init",
    "write a first registry from what the audit finds",
    "Writes canonid.toml with the kinds, formats and services that the code shows, each with a comment\n"
    "that says where. `canonid registry check` accepts it: of formats that could be confused, the most\n"
    "widely used ones are declared; the others stay in it as comments. A file that is there is never\n"
    "replaced without --force.",
    "canonid init\ncanonid init src --dry-run\ncanonid init . -o services/canonid.toml",
    _arguments,
    _init,
)
