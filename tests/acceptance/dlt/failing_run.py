"""A user's script in a process of its own, with every log turned on; started by test_privacy.py.

It reads its settings as JSON from stdin, stages customers and orders, and prints everything a user
may print: the error and its traceback, the trace, the load info, the report.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from dataclasses import replace
from functools import partial
from typing import Any

import dlt

from replenit_destination import push, replenit
from replenit_destination.engine import run
from tests.doubles.clock import FakeClock

say = partial(print, flush=True)


def hurried(*given: Any, **named: Any) -> Any:
    options = replace(named.pop("options"), workers=0)
    return run.push(*given, **{**named, "clock": FakeClock()}, options=options)


def main(settings: dict[str, Any]) -> None:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
    engine = {"engine": hurried} if settings.pop("hurried") else {}
    rounds = settings.pop("rounds")
    shop = dlt.pipeline(
        "shop",
        destination=replenit(**settings, **engine),
        dataset_name="shop_data",
        pipelines_dir="pipelines",
        progress="log",
    )
    say(repr(shop), repr(shop.destination))
    for tables in rounds:
        for action in (lambda tables=tables: load(shop, tables), lambda: deliver(shop)):
            try:
                action()
            except Exception as error:
                say(repr(error), error, error.__cause__, error.__context__)
                traceback.print_exc()
                say(traceback.format_exception(error))
        if shop.last_trace:
            say(shop.last_trace.asstr(verbosity=2), shop.last_trace.asdict())


def load(shop: dlt.Pipeline, tables: dict[str, list[Any]]) -> None:
    @dlt.source(name="shop")
    def source() -> Any:
        for name, rows in tables.items():
            yield dlt.resource(rows, name=name, primary_key="id", write_disposition="merge")

    if shop.has_pending_data:
        shop.load()
    info = shop.run(source())
    say(info.asstr(verbosity=2), info.asdict())


def deliver(shop: dlt.Pipeline) -> None:
    report = push(shop)
    say(report, report.summary, json.dumps(report.to_dict()))


if __name__ == "__main__":
    main(json.load(sys.stdin))
