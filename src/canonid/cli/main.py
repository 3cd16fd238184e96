"""`canonid`: what can be typed, and what becomes of errors."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from canonid.cli import audits, ids, inits, registries, scopes
from canonid.errors import CanonidError, InvalidId, RegistryError, StoreError, UnknownName, show_path

LONGEST = 250  # characters of what is wrong with the arguments
EXIT_CODES = """\
exit codes:
  0  every answer was found
  1  some text is invalid, ambiguous or unknown
     `registry check`: the registry has faults or concerns
     `registry diff`: a change breaks readers or producers
     `audit`: there are findings, or new ones beside a baseline
     `init`: no kind of ID was found to declare
  2  wrong usage, or a kind, format or service that is not declared
  3  the registry, the store, the input or the output can't be used
     `audit`: a file can't be read or parsed, whatever else was found
  130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = parser().parse_args(arguments)
    if sys.stdin is None or sys.stdout is None:
        return 3  # closed by the caller, who can't be told
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except (RegistryError, StoreError) as error:
        return _fail(error, 3)
    except UnknownName as error:
        return _fail(error, 2)
    except InvalidId as error:
        return _fail(error, 1)
    except CanonidError as error:
        return _fail(error, 3)
    except BrokenPipeError:
        # The reader has had enough, e.g. `| head`; closing stdout again at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(_plain(error), 3)
    except OverflowError as error:  # the clock is out of what a format holds
        return _fail(error, 3)
    except KeyboardInterrupt:
        return 130


def run() -> None:
    """The entry point of the installed command."""
    sys.exit(main())


def _plain(error: OSError) -> Exception | str:
    """What is wrong with which file, without its number."""
    if error.strerror is None:
        return error
    return error.strerror if error.filename is None else f"{show_path(str(error.filename))}: {error.strerror}"


def _fail(error: Exception | str, code: int) -> int:
    print(f"canonid: {error}", file=sys.stderr)
    return code


def parser() -> argparse.ArgumentParser:
    """The whole grammar of the command line."""
    top = _parser(
        _Arguments(prog="canonid"),
        "One source of truth for every identifier in a system of Python services.",
        "canonid id mint user\n"
        "canonid id explain run_thread_chat_41_9f3c2b1a_83123_ab12cd34\n"
        "canonid registry check",
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    _common(top, None, json=False)
    groups = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    id_group = _parser(
        groups.add_parser("id", help="mint, explain, check, translate and resolve IDs"),
        "IDs, from the arguments or from standard input, one a line.",
        "canonid id mint thread -n 3\ncanonid id check --kind user user_01h455vb4pex5vsknk084sn02q",
    )
    id_commands = id_group.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in ids.COMMANDS:
        _leaf(id_commands, command)
    registry_group = _parser(
        groups.add_parser("registry", help="check the registry, compare two versions"),
        "The registry file: the nearest canonid.toml, or pyproject.toml with [tool.canonid].",
        "canonid registry check\ncanonid registry diff released.toml canonid.toml --json",
    )
    registry_commands = registry_group.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in registries.COMMANDS:
        _leaf(registry_commands, command)
    scopes_group = _parser(
        groups.add_parser("scopes", help="what is live in all processes, and what was released"),
        "The scopes that processes share on Valkey or Redis.",
        "canonid scopes tree user_01h455vb4pex5vsknk084sn02q\ncanonid scopes receipt 0197e2ac-… --kind tool",
    )
    scopes_commands = scopes_group.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in scopes.COMMANDS:
        _leaf(scopes_commands, command)
    _leaf(groups, audits.COMMAND)
    _leaf(groups, inits.COMMAND)
    return top


class _Arguments(argparse.ArgumentParser):
    """A parser, and those of its commands, that show what was typed as safely as other messages do."""

    def error(self, message: str) -> NoReturn:
        safe = message if message.isprintable() else ascii(message)[1:-1]
        super().error(safe if len(safe) <= LONGEST else f"{safe[:LONGEST]}…")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # 50 ms that nobody else should pay

        parser.exit(message=f"canonid {version('canonid')}\n")


def _leaf(commands: argparse._SubParsersAction[argparse.ArgumentParser], command: ids.Command) -> None:
    leaf = _parser(
        commands.add_parser(command.name, help=command.help), command.description, command.examples
    )
    _common(leaf, argparse.SUPPRESS, argparse.SUPPRESS)
    command.arguments(leaf)
    leaf.set_defaults(run=command.run)


def _common(parser: argparse.ArgumentParser, registry: str | None, json: bool | str) -> None:
    """What may stand before the command as well as after it."""
    parser.add_argument(
        "--registry",
        metavar="FILE",
        default=registry,
        help="registry file (default: the nearest one upwards)",
    )
    parser.add_argument("--json", action="store_true", default=json, help="one JSON object a line")


def _parser(parser: argparse.ArgumentParser, description: str, examples: str) -> argparse.ArgumentParser:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = description
    indented = "".join(f"  {line}\n" for line in examples.splitlines())
    parser.epilog = f"examples:\n{indented}\n{EXIT_CODES}"
    parser.allow_abbrev = False
    return parser
