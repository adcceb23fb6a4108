"""A Ctrl-C or TERM that ended a load's delivery ends the script's `push` as well.

dlt forgets a signal when `run()` returns, and `run()` returns normally when the delivery inside it
was stopped. The usual script goes on to `push`, which would then deliver for hours although it was
told to stop.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from replenit_destination.engine.delivery_options import Halt

if TYPE_CHECKING:
    from dlt import Pipeline

    from replenit_destination.engine.run import Report

__all__ = ["note_stopped", "take_stopped"]

_stopped: WeakKeyDictionary[Pipeline, Report] = WeakKeyDictionary()


def note_stopped(pipeline: Pipeline, report: Report) -> None:
    """Remember a load's report when a signal ended its delivery."""
    # Who types the next line himself may well mean it.
    if report.halted == Halt.STOPPED and not hasattr(sys, "ps1"):
        _stopped[pipeline] = report


def take_stopped(pipeline: Pipeline) -> Report | None:
    """Return the report of a pipeline's stopped load, once."""
    return _stopped.pop(pipeline, None)
