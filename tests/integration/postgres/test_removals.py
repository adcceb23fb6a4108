"""Rows that are gone: by a column, by a log of deletions, by their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from tests.integration.postgres.conftest import Database, Loaded

ITEMS = """
CREATE TABLE items (
  id bigint PRIMARY KEY, parent bigint, sku text, deleted_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON items (updated_at);
INSERT INTO items (id, parent, sku, updated_at)
SELECT i, i / 10, 'S' || i, timestamptz '2026-01-01Z' + i * interval '1 hour'
FROM generate_series(1, 100) AS i;
CREATE TABLE gone (what text, row_id text, gone_at timestamptz DEFAULT now());
"""
LOG = {"log": "gone", "key": "row_id", "at": "gone_at", "where": "what LIKE 'item%'"}


def ids(loaded: Loaded) -> set[int]:
    return {row[0] for row in loaded.rows("SELECT id FROM shop.items")}


def run(loaded: Loaded, removal: dict[str, Any] | None = None, **settings: Any) -> dict[str, int]:
    removals = {"items": removal} if removal else {}
    return loaded.run(["items"], removals=removals, **settings)


def test_column_marks_a_row_as_deleted_and_as_alive_again(
    database: Database, loaded: Loaded
) -> None:
    database.run(ITEMS + "UPDATE items SET deleted_at = now() WHERE id = 1;")
    by_column = {"column": "deleted_at"}
    run(loaded, by_column)
    assert ids(loaded) == set(range(2, 101)), "what is deleted before the first run never arrives"
    database.run("UPDATE items SET deleted_at = now(), updated_at = now() WHERE id IN (2, 3)")
    assert run(loaded, by_column) == {"items": 2}
    assert ids(loaded) == set(range(4, 101))
    assert run(loaded, by_column) == {}, "a deletion within the overlap is not loaded again"
    database.run("UPDATE items SET deleted_at = NULL, updated_at = now() WHERE id = 2")
    assert run(loaded, by_column) == {"items": 1}
    assert ids(loaded) == {2, *range(4, 101)}


def test_boolean_marks_only_when_it_is_true(database: Database, loaded: Loaded) -> None:
    database.run(ITEMS + "ALTER TABLE items ADD hidden boolean;")
    run(loaded, {"column": "hidden"})
    database.run("UPDATE items SET hidden = id = 1, updated_at = now() WHERE id < 3")
    run(loaded, {"column": "hidden"})
    assert ids(loaded) == set(range(2, 101))


def test_log_names_the_rows_that_are_gone(database: Database, loaded: Loaded) -> None:
    database.run(ITEMS)
    database.run("INSERT INTO gone VALUES ('item', '5', now())")
    run(loaded, LOG)
    database.run("DELETE FROM items WHERE id IN (7, 8)")
    database.run("INSERT INTO gone VALUES ('item', '7'), ('item', '8'), ('other', '9')")
    assert run(loaded, LOG) == {"items": 2}
    assert ids(loaded) == set(range(1, 101)) - {7, 8}, "5 is in the log and in the table: alive"
    assert run(loaded, LOG) == {}


def test_row_that_came_back_is_alive_whatever_the_log_says(
    database: Database, loaded: Loaded
) -> None:
    database.run(ITEMS)
    run(loaded, LOG)
    database.run("DELETE FROM items WHERE id = 7; INSERT INTO gone VALUES ('item', '7')")
    database.run("INSERT INTO items (id, sku) VALUES (7, 'again')")
    run(loaded, LOG)
    assert loaded.rows("SELECT sku FROM shop.items WHERE id = 7") == [("again",)]


def test_log_of_keys_with_two_columns(database: Database, loaded: Loaded) -> None:
    database.run(
        "CREATE TABLE items (a int, b text, updated_at timestamptz DEFAULT now(),"
        " PRIMARY KEY (a, b)); INSERT INTO items VALUES (1, 'x'), (1, 'y'), (2, 'x');"
        "CREATE TABLE gone (a int, b text, gone_at timestamptz DEFAULT now())"
    )
    log = {"log": "gone", "key": "a, b", "at": "gone_at"}
    run(loaded, log)
    database.run("DELETE FROM items WHERE b = 'y'")
    database.run("INSERT INTO gone VALUES (1, 'y'), (1, 'x')")
    run(loaded, log)
    assert loaded.rows("SELECT a, b FROM shop.items") == [(1, "x"), (2, "x")]


def test_keys_are_compared_when_their_time_has_come(database: Database, loaded: Loaded) -> None:
    database.run(ITEMS)
    run(loaded)
    database.run("DELETE FROM items WHERE id IN (10, 11)")
    assert run(loaded) == {}, "not yet: keys are compared once a day"
    assert run(loaded, sweep_hours=0) == {"items": 2}
    assert ids(loaded) == set(range(1, 101)) - {10, 11}


def test_keys_are_not_compared_where_that_is_said(database: Database, loaded: Loaded) -> None:
    """A shop that archives old orders deletes rows that are no deletions."""
    database.run(ITEMS)
    run(loaded, {"sweep": False})
    database.run("DELETE FROM items WHERE id < 50")
    assert run(loaded, {"sweep": False}, full=True) == {}


def test_table_that_is_suddenly_empty_deletes_nothing(
    database: Database, loaded: Loaded, caplog: pytest.LogCaptureFixture
) -> None:
    database.run(ITEMS)
    run(loaded)
    database.run("DELETE FROM items")
    assert run(loaded, sweep_hours=0) == {}
    assert len(ids(loaded)) == 100
    assert "`items` is empty" in caplog.text


def test_rows_that_a_policy_hides_are_not_deleted(
    database: Database, loaded: Loaded, caplog: pytest.LogCaptureFixture
) -> None:
    database.run(ITEMS)
    run(loaded)
    database.run(
        "CREATE POLICY few ON items FOR SELECT USING (id < 50);"
        "ALTER TABLE items ENABLE ROW LEVEL SECURITY;"
        "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT SELECT ON items TO reader"
    )
    loaded.database.address = database.address.replace("shop@", "reader@")
    assert run(loaded, sweep_hours=0) == {}
    assert len(ids(loaded)) == 100
    assert "row level security" in caplog.text
    database.run("DROP OWNED BY reader; DROP ROLE reader")


def test_increment_scans_no_table(database: Database, loaded: Loaded) -> None:
    """Changes, deletions and the log are found by indexes; 20,000 rows make a scan dearer."""
    database.run(ITEMS.replace("(1, 100)", "(1, 20000)").replace("1 hour", "1 minute"))
    database.run("CREATE INDEX ON gone (gone_at)")
    database.run(
        "INSERT INTO gone SELECT 'item', i, timestamptz '2026-01-01Z' + i * interval '1 minute'"
        " FROM generate_series(100000, 110000) AS i; ANALYZE"
    )
    run(loaded, LOG)
    database.run("UPDATE items SET sku = 'new', updated_at = now() WHERE id BETWEEN 1 AND 100")
    database.run("DELETE FROM items WHERE id = 500; INSERT INTO gone VALUES ('item', '500')")
    before = database.scans()
    assert run(loaded, LOG) == {"items": 101}
    assert database.scans() == before
