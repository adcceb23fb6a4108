"""The sample shop of the demo: a server with a database, and things that happen in it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from .server import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["REMOVALS", "new_day", "sample_shop"]

REMOVALS = {
    "customers": {"column": "deleted_at"},
    "order_items": {
        "log": "deleted_rows",
        "key": "row_id",
        "at": "deleted_at",
        "where": "table_name = 'order_items'",
    },
}
"""How the sample shop tells of rows that are gone; orders and products by their keys."""

_DATABASE = "shop"
_SAMPLE = Path(__file__).with_name("sample.sql")

_DAY = {
    "person7@example.com has a new address": (
        "UPDATE customers SET email = 'seven@example.com' WHERE id = 7"
    ),
    "somebody takes back the consent to e-mails": (
        "UPDATE customers SET email_opt_in = false WHERE id ="
        " (SELECT min(id) FROM customers WHERE email_opt_in AND deleted_at IS NULL)"
    ),
    "an order loses its last line": (
        "DELETE FROM order_items WHERE id = (SELECT max(id) FROM order_items AS i WHERE EXISTS"
        " (SELECT FROM order_items AS o WHERE o.order_id = i.order_id AND o.id < i.id))"
    ),
    "a line moves to the order before its own": (
        "UPDATE order_items SET order_id = order_id - 1 WHERE id ="
        " (SELECT min(id) FROM order_items AS i WHERE order_id > 1001 AND EXISTS"
        " (SELECT FROM order_items AS o WHERE o.order_id = i.order_id AND o.id > i.id))"
    ),
    "the large Sencha is sold out": (
        "UPDATE product_variants SET active = false, stock = 0 WHERE id = 13"
    ),
    "somebody orders": (
        "WITH placed AS (INSERT INTO orders (customer_id, total, created_at)"
        " VALUES (11, 9.90, now()) RETURNING id)"
        " INSERT INTO order_items (order_id, variant_id, quantity, unit_price)"
        " SELECT id, 21, 1, 9.90 FROM placed"
    ),
}


@contextmanager
def sample_shop(kept: Path) -> Iterator[str]:
    """Run the sample shop's server and yield its address.

    Args:
        kept: A file that remembers where the data is, so that the next run finds what this one
            left. The data itself is in a temporary folder.

    Raises:
        PostgresError: No server is installed, or it does not start.
    """
    folder = Path(kept.read_text(encoding="utf-8")) if kept.exists() else None
    server = PostgresServer(folder if folder and folder.is_dir() else None)
    with server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE])
            made = found.fetchone() is None
            if made:
                connection.execute(f"CREATE DATABASE {_DATABASE}")
        if made:
            with psycopg.connect(server.url(_DATABASE)) as connection:
                connection.execute(_SAMPLE.read_text(encoding="utf-8").encode())
        kept.write_text(str(server.folder), encoding="utf-8")
        yield server.url(_DATABASE)


def new_day(address: str) -> list[str]:
    """Let a few things happen in the sample shop, and return what."""
    with psycopg.connect(address) as connection:
        for change in _DAY.values():
            connection.execute(change.encode())
    return list(_DAY)
