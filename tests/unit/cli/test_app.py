"""The command line itself: help, results, the question before what cannot be taken back."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from replenit_destination.cli.app import COMMANDS, EXIT_CODES, configure, load, main
from replenit_destination.cli.confirmation import confirmed
from replenit_destination.cli.console import Console


@pytest.mark.parametrize("name", COMMANDS)
def test_command_says_what_it_does_and_shows_an_example(name: str) -> None:
    head, _, details = (load(name).__doc__ or "").partition("\n")
    assert head.endswith(".")
    assert f"\nExample:\n  dlt replenit {name}" in details


def test_help_keeps_its_lines_whatever_formatter_dlt_sets() -> None:
    parser = argparse.ArgumentParser(prog="dlt replenit")
    configure(parser)
    (commands,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    for each in (parser, commands.choices["push"]):
        each.formatter_class = argparse.HelpFormatter  # as dlt does, after configure
        assert EXIT_CODES.strip() in each.format_help()


def test_schema_is_json_with_and_without_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert main(["schema", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == plain
    assert "customers" in plain["properties"]


def test_reader_that_went_away_ends_the_command_quietly() -> None:
    """As `dlt replenit schema | head -1` does."""
    command = [sys.executable, "-m", "replenit_destination", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_nothing_is_done_without_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(out=io.StringIO(), err=io.StringIO())
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))  # no terminal
    assert not confirmed(SimpleNamespace(yes=False), console, "Forget all?")
    assert "--yes" in console.err.getvalue()
    assert confirmed(SimpleNamespace(yes=True), console, "Forget all?")
