"""Write docs/commands.md: every command of the command line, from the words of its own --help.

python tools/make_reference.py           writes the page
python tools/make_reference.py --check   fails when the page is not what it would write
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from replenit_destination.cli.app import COMMANDS, configure

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
HEAD = """\
# Commands

<!-- Made by tools/make_reference.py from the commands' own --help; change it there. -->

Every command is both `dlt replenit COMMAND` and `python -m replenit_destination COMMAND`. Results
go to stdout, all else to stderr; `--json` prints the result for a program.
[Operating](operating.md) shows them at work.

## Exit codes

"""


def page() -> str:
    """Return the page as it should be."""
    parser = argparse.ArgumentParser(prog="dlt replenit")
    configure(parser)
    commands = next(a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001
    parts = [HEAD + "\n".join(_exit_codes(parser.epilog or "")), _contents()]
    parts += ["\n".join(_command(name, commands[name])) for name in COMMANDS]
    return "\n\n".join(parts) + "\n"


def _exit_codes(epilog: str) -> Iterator[str]:
    yield "| Code | Meaning |"
    yield "| --- | --- |"
    for line in epilog.splitlines()[1:]:
        code, _, meaning = line.strip().partition(" ")
        yield f"| {code} | {meaning.strip()} |"


def _contents() -> str:
    return "## All of them\n\n" + " · ".join(f"[{name}](#{name})" for name in COMMANDS)


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    text, _, example = str(parser.description).partition("\nExample:\n")
    yield f"## {name}\n"
    yield text.strip()
    yield "\n```sh"
    yield "\n".join(line.strip() for line in example.rstrip().splitlines())
    yield "```\n"
    yield "| Argument | Meaning |"
    yield "| --- | --- |"
    yield from _arguments(parser)


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:  # noqa: SLF001 - argparse shows them in no other way
        if isinstance(action, argparse._HelpAction):  # noqa: SLF001
            continue
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for name, below in action.choices.items():
                told = next((c.help for c in action._choices_actions if c.dest == name), "")  # noqa: SLF001
                yield f"| `{name}` | {_cell(told or str(below.description or ''))} |"
                yield from (line.replace("| `", f"| `{name} ", 1) for line in _arguments(below))
            continue
        names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        choices = "\\|".join(map(str, action.choices)) if action.choices else ""
        value = "" if action.nargs == 0 or not action.option_strings else action.metavar
        value = value or ("" if action.nargs == 0 or not action.option_strings else choices)
        shown = f"{names} {value}".strip() if action.option_strings else choices or names
        yield f"| `{shown}` | {_cell(action.help or '')} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int | str:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    made = page()
    if not parser.parse_args().check:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == made:
        return 0
    return f"{PAGE.name} is out of date: run python tools/make_reference.py"


if __name__ == "__main__":
    sys.exit(main())
