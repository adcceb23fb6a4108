"""Chinook in Postgres, the mapping beside the script, and a sandbox: does exactly that arrive?

What should arrive is computed by Postgres itself, in SQL of this test's own.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.postgres.conftest import Database, Delivered

# What the vendor fills in where nothing was sent (sections 4.1 to 4.4 of the fact sheet).
EXPECTED = {
    "customers": """
        SELECT email, json_build_object('CustomerId', customer_id::text, 'Email', email,
          'Name', first_name, 'Surname', last_name,
          'Phone', translate(phone, ' ()-.', ''),
          'EmailOptin', false, 'SmsOptin', false, 'WhatsappOptin', false, 'AppPushOptin', false,
          'GdprOptin', false, 'IsExcluded', false)
        FROM customer""",
    "products": """
        SELECT t.track_id::text, json_build_object('ProductId', t.track_id::text,
          'ProductName', t.name, 'Taxonomy', json_build_array(g.name),
          'IsOfflineExclusive', false,
          'ProductVariants', json_build_array(json_build_object(
            'VariantId', t.track_id::text, 'Sku', 'TRACK-' || t.track_id, 'Name', t.name,
            'OriginalPrice', t.unit_price::text, 'Currency', 'USD', 'IsAvailable', true,
            'BrandName', a.name)))
        FROM track t JOIN genre g ON g.genre_id = t.genre_id
        JOIN album ON album.album_id = t.album_id JOIN artist a ON a.artist_id = album.artist_id""",
    "orders": """
        SELECT i.invoice_id::text, json_build_object('OrderId', i.invoice_id::text,
          'CustomerId', i.customer_id::text, 'Email', c.email,
          'OrderDate', to_char((i.invoice_date::date + time '12:00')
            AT TIME ZONE 'America/New_York' AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"'),
          'TotalRevenue', i.total::text, 'Currency', 'USD', 'IsOrderCancelled', false,
          'TotalQuantity', (SELECT sum(quantity)::text FROM invoice_line l
            WHERE l.invoice_id = i.invoice_id),
          'UniqueQuantity', (SELECT count(DISTINCT track_id)::text FROM invoice_line l
            WHERE l.invoice_id = i.invoice_id),
          'OrderItems', (SELECT json_agg(json_build_object('ProductId', track_id::text,
              'Sku', 'TRACK-' || track_id, 'Quantity', quantity::text, 'Price', unit_price::text,
              'IsGift', false) ORDER BY track_id::text)
            FROM invoice_line l WHERE l.invoice_id = i.invoice_id))
        FROM invoice i JOIN customer c ON c.customer_id = i.customer_id""",
}


@pytest.fixture
def chinook(database: Database, shared: Path) -> Database:
    script = shared / "data" / "chinook_pg" / "Chinook_PostgreSql.sql"
    # The script begins with making a database and connecting to it, which are psql's commands.
    _, connect, rest = script.read_text(encoding="utf-8").partition("\\c chinook;")
    assert connect
    database.run(rest)
    return database


def expected(database: Database) -> dict[str, dict[str, Any]]:
    return {
        entity: {key: exact(row) for key, row in database.run(query)}
        for entity, query in EXPECTED.items()
    }


def held(delivered: Delivered) -> dict[str, dict[str, Any]]:
    found = delivered.box.state()
    for order in found["orders"].values():
        order["OrderItems"].sort(key=lambda line: line["ProductId"])
    return {
        entity: {key: exact(one) for key, one in documents.items()}
        for entity, documents in found.items()
    }


def exact(value: Any) -> Any:
    """Without nulls, and amounts as the decimals they are."""
    if isinstance(value, dict):
        return {
            name: Decimal(str(one)).normalize() if name in AMOUNTS else exact(one)
            for name, one in value.items()
            if one is not None
        }
    return [exact(one) for one in value] if isinstance(value, list) else value


AMOUNTS = {
    *("TotalRevenue", "Price", "OriginalPrice", "Quantity", "TotalQuantity", "UniqueQuantity"),
}


def test_shop_arrives_document_by_document_and_then_only_what_changed(
    project: Path, chinook: Database, delivered: Delivered
) -> None:
    mapping = str(project / "pipelines" / "chinook.toml")
    first = delivered.run(mapping)
    assert first.exit_code == 0, first.summary
    assert {name: one.created for name, one in first.entities.items()} == {
        "customers": 59,
        "products": 3503,
        "orders": 412,
    }
    assert held(delivered) == expected(chinook)
    delivered.calls()
    assert delivered.run(mapping).requests == 0

    # No table says when a row was changed, and none is scanned for nothing: what differs, travels.
    chinook.run("UPDATE invoice_line SET quantity = 2 WHERE invoice_line_id = 1")
    chinook.run("DELETE FROM invoice_line WHERE invoice_line_id = 3")
    chinook.run("UPDATE invoice_line SET invoice_id = 4 WHERE invoice_line_id = 8")
    chinook.run("UPDATE customer SET email = 'new@example.com' WHERE customer_id = 59")
    chinook.run("UPDATE artist SET name = 'AC⚡DC' WHERE artist_id = 1")
    third = delivered.run(mapping)
    assert third.exit_code == 0, third.summary
    assert held(delivered) == expected(chinook)
    orders = [
        str(row[0]) for row in chinook.run("SELECT invoice_id FROM invoice WHERE customer_id = 59")
    ]
    sent = delivered.calls()
    assert [keys for method, path, keys in sent if (method, path) == ("POST", "/orders")] == [
        sorted({"1", "2", "3", "4", *orders})
    ]
    tracks = chinook.run(
        "SELECT track_id::text FROM track JOIN album USING (album_id) WHERE artist_id = 1"
    )
    assert [keys for method, path, keys in sent if path == "/products"] == [
        sorted(track for (track,) in tracks)
    ]
    assert json.dumps(third.to_dict()).count("@") == 0
    assert delivered.run(mapping).requests == 0
