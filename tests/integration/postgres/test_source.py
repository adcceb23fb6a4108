"""The source alone, from a real Postgres into plain DuckDB: what a run reads, and what it loads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from postgres import PostgresError, Window, postgres

from tests.integration.postgres.conftest import Database, Loaded

if TYPE_CHECKING:
    from pathlib import Path

    from postgres.server import PostgresServer

ITEMS = """
CREATE TABLE items (
  id bigint PRIMARY KEY, parent bigint, sku text, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON items (updated_at);
INSERT INTO items SELECT i, i / 10, 'S' || i, timestamptz '2026-01-01Z' + i * interval '1 hour'
FROM generate_series(1, 100) AS i;
"""


def test_second_run_loads_nothing(database: Database, loaded: Loaded) -> None:
    database.run(ITEMS)
    assert loaded.run() == {"items": 100}
    assert loaded.run() == {}


def test_changed_and_new_rows_are_loaded_and_no_others(database: Database, loaded: Loaded) -> None:
    database.run(ITEMS)
    loaded.run()
    database.run("UPDATE items SET sku = 'new', updated_at = now() WHERE id IN (3, 50)")
    database.run("INSERT INTO items (id, parent, sku) VALUES (101, 10, 'S101')")
    assert loaded.run() == {"items": 3}
    assert len(loaded.rows("SELECT id FROM shop.items")) == 101
    assert loaded.rows("SELECT id FROM shop.items WHERE sku = 'new'") == [(3,), (50,)]


def test_rows_of_one_moment_are_not_lost(database: Database, loaded: Loaded) -> None:
    """A bulk update gives thousands of rows one time; a run may end in the middle of them."""
    database.run(ITEMS)
    loaded.run()
    moment = "timestamptz '2026-02-01 10:00Z'"
    database.run(f"UPDATE items SET sku = 'a', updated_at = {moment} WHERE id = 1")
    assert loaded.run() == {"items": 1}
    database.run(f"UPDATE items SET sku = 'b', updated_at = {moment} WHERE id = 2")
    assert loaded.run() == {"items": 1}


def test_row_of_a_transaction_that_commits_late_is_not_lost(
    database: Database, loaded: Loaded
) -> None:
    """Its time is that of its transaction's beginning, and newer rows have been read before."""
    database.run(ITEMS)
    loaded.run()
    with database.transaction() as late:
        late.execute("UPDATE items SET sku = 'late', updated_at = now() WHERE id = 1")
        database.run("UPDATE items SET sku = 'early', updated_at = now() WHERE id = 2")
        # No overlap at all: the open transaction alone holds the position back.
        assert loaded.run(overlap_minutes=0) == {"items": 1}
    assert loaded.run(overlap_minutes=0) == {"items": 1}
    assert loaded.rows("SELECT sku FROM shop.items WHERE id < 3") == [("early",), ("late",)]


def test_row_that_a_slow_clock_dates_back_is_found_within_the_overlap(
    database: Database, loaded: Loaded
) -> None:
    database.run(ITEMS)
    database.run("INSERT INTO items (id) VALUES (200)")
    loaded.run()
    database.run("INSERT INTO items (id, updated_at) VALUES (201, now() - interval '9 minutes')")
    assert loaded.run() == {"items": 1}


def test_date_in_the_future_hides_no_later_change(database: Database, loaded: Loaded) -> None:
    database.run(ITEMS)
    database.run("UPDATE items SET updated_at = '2199-01-01Z' WHERE id = 1")
    loaded.run()
    database.run("UPDATE items SET sku = 'new', updated_at = now() WHERE id = 2")
    assert loaded.run() == {"items": 1}


def test_rows_without_a_time_of_change_are_compared_in_every_run(
    database: Database, loaded: Loaded
) -> None:
    database.run(ITEMS.replace(" NOT NULL DEFAULT now()", ""))
    database.run("UPDATE items SET updated_at = NULL WHERE id < 5")
    loaded.run()
    database.run("UPDATE items SET sku = 'new' WHERE id = 4")
    assert loaded.run() == {"items": 1}


def test_table_without_a_time_of_change_loads_only_what_differs(
    database: Database, loaded: Loaded
) -> None:
    database.run("CREATE TABLE kinds (id int PRIMARY KEY, name text)")
    database.run("INSERT INTO kinds SELECT i, 'k' || i FROM generate_series(1, 9) AS i")
    assert loaded.run() == {"kinds": 9}
    assert loaded.run() == {}
    database.run("UPDATE kinds SET name = 'new' WHERE id = 1; DELETE FROM kinds WHERE id = 2")
    assert loaded.run() == {"kinds": 2}
    assert len(loaded.rows("SELECT id FROM shop.kinds")) == 8


def test_table_without_a_key_is_replaced(database: Database, loaded: Loaded) -> None:
    database.run("CREATE TABLE notes (text text); INSERT INTO notes VALUES ('a'), ('a'), ('b')")
    loaded.run()
    database.run("DELETE FROM notes WHERE text = 'b'")
    loaded.run()
    assert loaded.rows("SELECT text FROM shop.notes") == [("a",), ("a",)]


def test_view_is_read_by_the_key_it_is_given(database: Database, loaded: Loaded) -> None:
    database.run(ITEMS + "CREATE VIEW sold AS SELECT * FROM items WHERE id <= 50;")
    settings: dict[str, Any] = {"tables": ["sold"], "primary_keys": {"sold": "id"}}
    assert loaded.run(**settings) == {"sold": 50}
    assert loaded.run(**settings) == {}


def test_only_the_columns_asked_for_leave_the_database(database: Database, loaded: Loaded) -> None:
    database.run("CREATE TABLE people (id int PRIMARY KEY, email text, password text)")
    database.run("INSERT INTO people VALUES (1, 'ada@example.com', 'secret')")
    loaded.run({"people": ["email"]})
    (row,) = loaded.rows("SELECT * FROM shop.people")
    assert "secret" not in row
    assert "secret" not in "".join(
        file.read_bytes().decode("latin-1") for file in loaded.here.rglob("*") if file.is_file()
    )


def test_column_that_is_wanted_later_is_read_for_all_rows(
    database: Database, loaded: Loaded
) -> None:
    database.run(ITEMS)
    loaded.run({"items": ["parent"]})
    assert loaded.run({"items": ["parent", "sku"]}) == {"items": 100}
    assert loaded.rows("SELECT sku FROM shop.items WHERE id = 7") == [("S7",)]
    assert loaded.run({"items": ["parent", "sku"]}) == {}


def test_window_reads_a_stretch_and_leaves_the_position(database: Database, loaded: Loaded) -> None:
    database.run(ITEMS)
    until = datetime(2026, 1, 3, tzinfo=UTC)
    assert loaded.run(window=Window(datetime(2026, 1, 2, tzinfo=UTC), until)) == {"items": 24}
    # The first run decides where the next one goes on: after the stretch, not before it.
    assert loaded.run() == {"items": 100 - 47}
    assert loaded.run(window=Window(None, until)) == {"items": 23}
    assert loaded.run() == {}


def test_full_run_finds_what_no_time_of_change_tells(database: Database, loaded: Loaded) -> None:
    database.run(ITEMS)
    loaded.run()
    database.run("UPDATE items SET sku = 'silent' WHERE id = 1; DELETE FROM items WHERE id = 2")
    assert loaded.run() == {}
    assert loaded.run(full=True) == {"items": 2}
    assert len(loaded.rows("SELECT id FROM shop.items")) == 99


def test_types_of_postgres_arrive_exactly(database: Database, loaded: Loaded) -> None:
    database.run(
        """
        CREATE TYPE mood AS ENUM ('sad', 'ok');
        CREATE TABLE things (
          id uuid PRIMARY KEY, price numeric(12, 2), rate numeric, "First Name" text, mood mood,
          tags text[], options jsonb, spans interval, day date, at timestamptz, wall timestamp,
          flag boolean, small smallint, code char(4), raw bytea
        );
        INSERT INTO things VALUES (
          '6f9619ff-8b86-d011-b42d-00c04fc964ff', 19.90, 0.123456789, 'Zoë', 'ok', '{a,b}',
          '{"size": "L"}', '1 day', '2026-03-29', '2026-03-29 02:30+02', '2026-03-29 02:30',
          true, 7, 'ab', '\\x00ff'
        );
        """
    )
    loaded.run()
    assert loaded.rows(
        "SELECT id, CAST(price AS VARCHAR), CAST(rate AS VARCHAR), first_name, mood,"
        " tags ->> '$[1]', options ->> '$.size', spans, CAST(day AS VARCHAR),"
        ' epoch("at"), CAST(wall AS VARCHAR), flag, small, raw FROM shop.things'
    ) == [
        (
            *("6f9619ff-8b86-d011-b42d-00c04fc964ff", "19.90", "0.123456789", "Zoë", "ok"),
            *("b", "L", "1 day", "2026-03-29", 1774744200.0, "2026-03-29 02:30:00", True, 7),
            b"\x00\xff",
        )
    ]
    assert loaded.run() == {}, "every type compares equal to what is staged of it"


def test_any_text_arrives_as_it_is(database: Database, loaded: Loaded) -> None:
    odd = ["", "a,b", 'say "Zoë"', "two\nlines\r\n", "\\.", "\\N", "50 %", "%s", " t ", "NULL"]
    texts = [*odd, "long " * 500_000, None]
    database.run("CREATE TABLE notes (id int PRIMARY KEY, written text)")
    database.run("CREATE TABLE lone (written text)")
    with database.transaction() as connection:
        for number, text in enumerate(texts):
            connection.execute("INSERT INTO notes VALUES (%s, %s)", (number, text))
            connection.execute("INSERT INTO lone VALUES (%s)", (text,))
    loaded.run(["notes", "lone"])
    assert loaded.rows("SELECT id, written FROM shop.notes") == list(enumerate(texts))
    # A line with nothing in it is a row too.
    assert loaded.rows("SELECT count(*), count(DISTINCT written) FROM shop.lone") == [(12, 11)]


def test_how_a_server_prefers_to_write_makes_no_difference(
    server: PostgresServer, database: Database, tmp_path: Path
) -> None:
    database.run(
        "CREATE DATABASE old_shop ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    old = Database(server, "old_shop")
    for setting in (
        *("bytea_output = 'escape'", "DateStyle = 'SQL, DMY'", "TimeZone = 'Asia/Kolkata'"),
        *("extra_float_digits = -10", "client_encoding = 'LATIN1'"),
    ):
        old.run(f"ALTER DATABASE old_shop SET {setting}")
    old.run(
        """
        CREATE TABLE things (id int PRIMARY KEY, name text, raw bytea, day date, at timestamptz,
          weight float8, opens time, closes timetz);
        INSERT INTO things VALUES (1, U&'J\\00FCrgen', '\\x5c00ff', '2026-03-29',
          '2026-03-29 02:30+02', 0.1234567890123456, '09:30', '18:00:00.5+02')
        """
    )
    loaded = Loaded(old, tmp_path)
    try:
        loaded.run()
        assert loaded.rows(
            'SELECT name, raw, CAST(day AS VARCHAR), epoch("at"), weight, CAST(opens AS VARCHAR),'
            " CAST(closes AS VARCHAR) FROM shop.things"
        ) == [
            (
                *("Jürgen", b"\x5c\x00\xff", "2026-03-29", 1774744200.0, 0.1234567890123456),
                *("09:30:00", "18:00:00.5"),
            )
        ]
    finally:
        old.connection.close()
        database.run("DROP DATABASE old_shop WITH (FORCE)")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("timestamptz", "infinity"),
        ("date", "0044-03-15 BC"),
        ("numeric(10, 2)", "NaN"),
        ("numeric", "0.12345678912345"),
    ],
)
def test_value_that_cannot_be_staged_is_named(
    database: Database, loaded: Loaded, kind: str, value: str
) -> None:
    database.run(f"CREATE TABLE things (id int PRIMARY KEY, good int, odd {kind})")
    database.run(f"INSERT INTO things VALUES (1, 1, '{value}')")
    with pytest.raises(PipelineStepFailed, match="column `odd` has a value that is no ") as error:
        loaded.run()
    assert value not in str(error.value)
    assert database.others() == 0


def test_tables_are_read_at_one_moment(database: Database, loaded: Loaded) -> None:
    """A row that arrives while a run reads is not half there: it waits for the next run."""
    database.run(ITEMS + "CREATE TABLE parents (id bigint PRIMARY KEY)")
    database.run("INSERT INTO parents VALUES (1)")
    source = postgres(database.address, tables=["parents", "items"])
    database.run("INSERT INTO parents VALUES (2); INSERT INTO items (id, parent) VALUES (999, 2)")
    loaded.pipeline().run(source, loader_file_format="parquet")
    assert loaded.rows("SELECT id FROM shop.parents") == [(1,)]
    assert loaded.rows("SELECT id FROM shop.items WHERE id > 100") == []
    loaded.run(["parents", "items"])
    assert loaded.rows("SELECT id FROM shop.items WHERE id > 100") == [(999,)]


def test_no_connection_is_left_open(database: Database, loaded: Loaded) -> None:
    database.run(ITEMS)
    loaded.run()
    assert database.others() == 0


def test_missing_index_is_named(
    database: Database, loaded: Loaded, caplog: pytest.LogCaptureFixture
) -> None:
    database.run("CREATE TABLE slow (id int PRIMARY KEY, updated_at timestamptz)")
    loaded.run()
    assert 'CREATE INDEX CONCURRENTLY ON "slow" ("updated_at")' in caplog.text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tables": ["itmes"]}, "schema `public` has no table itmes"),
        ({"cursors": {"items": "sku"}}, "`sku` is TEXT; it must be a timestamp"),
        ({"cursors": {"items": "changed"}}, "`items` has no column `changed`"),
        ({"cursors": {"other": "at"}}, "sources.postgres.cursors.other: no such table"),
        ({"removals": {"items": {"colunm": "x"}}}, "unknown colunm"),
        ({"removals": {"items": {"log": "gone"}}}, "say key and at too"),
        ({"removals": {"items": {"log": "gone", "key": "a, b", "at": "t"}}}, "names 2"),
        ({"credentials": "mysql://u:secret@localhost/shop"}, "postgresql://user:password@host"),
        ({"credentials": "postgresql://u:secret@127.0.0.1:1/shop"}, "no connection to Postgres"),
    ],
)
def test_unusable_setting_is_refused(
    database: Database, loaded: Loaded, settings: dict[str, Any], said: str
) -> None:
    database.run(ITEMS)
    with pytest.raises(PostgresError, match=said) as caught:
        postgres(**{"credentials": database.address, **settings})
    assert "secret" not in str(caught.value)
    assert database.others() == 0


def test_failed_run_reads_the_same_again(database: Database, loaded: Loaded) -> None:
    database.run(ITEMS)
    loaded.run()
    database.run("UPDATE items SET sku = 'new', updated_at = now() WHERE id = 1")
    # dlt keeps a position only together with the rows it belongs to.
    broken = postgres(
        database.address,
        tables=["items"],
        removals={"items": {"log": "no_such_table", "key": "id", "at": "at"}},
    )
    with pytest.raises(PipelineStepFailed):
        loaded.pipeline().run(broken)
    assert loaded.run() == {"items": 1}
