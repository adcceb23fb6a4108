"""Long statements are broken off, without effect."""

from __future__ import annotations

import threading

import duckdb
import pytest

from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.stopping import finished, finished_in_time

ENDLESS = "CREATE TABLE t AS SELECT count(*) FROM range(1_000_000_000) a, range(1_000_000_000) b"


def test_statement_is_broken_off_when_asked_to_stop() -> None:
    connection = duckdb.connect()
    assert not finished(lambda: connection.execute(ENDLESS), connection, stop=lambda: True)
    assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)


def test_statement_that_nobody_stops_comes_to_its_end() -> None:
    connection = duckdb.connect()
    assert finished(lambda: connection.execute("SELECT 1"), connection, stop=lambda: False)
    assert [thread for thread in threading.enumerate() if thread.name == "stopping"] == []


def test_books_of_a_stopped_run_may_take_a_moment_only() -> None:
    connection = duckdb.connect()
    run = (lambda: connection.execute(ENDLESS), connection)
    assert not finished_in_time(*run, clock=SystemClock(), hurried=True)


def test_other_errors_are_not_taken_for_an_end() -> None:
    connection = duckdb.connect()
    with pytest.raises(duckdb.ParserException):
        finished(lambda: connection.execute("SELEC"), connection, stop=lambda: True)
