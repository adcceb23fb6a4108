"""What a mapping reads, how tables differ from those it was let read, and the marks of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replenit_destination.engine.binding import bind
from replenit_destination.engine.diff import create_tables
from replenit_destination.engine.drift import Drift, KnownColumns, Seen
from replenit_destination.engine.expressions import Parser
from replenit_destination.engine.ledger import Ledger
from replenit_destination.engine.ledger_file import LedgerFile
from replenit_destination.engine.mapping import Mapping
from replenit_destination.engine.marks import Marks, Shift
from replenit_destination.engine.readings import Reading, readings
from replenit_destination.engine.tables import Tables
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.doubles.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replenit_destination.engine.mapping import EntityMapping

TARGET = ReplenitTarget(
    ReplenitSettings(
        api_key="a2V5",
        tenant_id="5a11d0b0-0000-4000-8000-000000000001",
        customer_identifier_priority="email",
    )
)
ORDERS: dict[str, Any] = {
    "table": "orders",
    "where": "NOT test",
    "lookups": {"person": {"table": "people", "on": {"id": "person_id"}, "order": "seen DESC"}},
    "fields": {
        "OrderId": "id",
        "CustomerId": "person_id",
        "Email": "coalesce(person.email, mail)",
        "OrderDate": "placed",
        "TotalRevenue": "amounts.gross",
        "Currency": "'EUR'",
    },
    "items": {
        "table": "lines",
        "on": {"order_id": "id"},
        "fields": {
            "ProductId": "sku",
            "Sku": "sku",
            "Quantity": "qty",
            "Price": "price * orders.rate",
        },
    },
}


def entity(name: str, tables: dict[str, Any]) -> EntityMapping:
    return Mapping({name: tables}).entities(TARGET.entities)[name]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA shop")
        yield connection


def read(connection: duckdb.DuckDBPyConnection, mapping: EntityMapping) -> list[Reading]:
    return readings(Parser(connection), mapping)


def drift(
    connection: duckdb.DuckDBPyConnection, *reads: Reading, query: str | None = None
) -> Drift:
    return Drift(connection, Tables(connection, "memory", "shop"), reads, query)


# -- readings


def test_everything_a_mapping_names_is_read_and_nothing_else(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    uses: dict[tuple[str, str], set[str]] = {}
    for one in read(connection, entity("orders", ORDERS)):
        uses.setdefault((one.table, one.column), set()).add(one.use)
    assert uses == {
        ("orders", "id"): {"OrderId", "orders.items.on"},
        ("orders", "test"): {"orders.where"},
        ("orders", "person_id"): {"CustomerId", "Email", "orders.lookups.person.on"},
        ("orders", "mail"): {"Email"},
        ("orders", "placed"): {"OrderDate"},
        ("orders", "amounts"): {"TotalRevenue"},
        ("orders", "rate"): {"items.Price"},
        ("people", "email"): {"Email"},
        ("people", "id"): {"Email", "orders.lookups.person.on"},
        ("people", "seen"): {"orders.lookups.person.order"},
        ("lines", "order_id"): {"orders.items.on"},
        ("lines", "sku"): {"items.ProductId", "items.Sku"},
        ("lines", "qty"): {"items.Quantity"},
        ("lines", "price"): {"items.Price"},
    }


def test_rule_reads_what_the_fields_it_follows_from_read(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    fields = {"Email": "mail", "EmailOptin": "news", "GdprOptin": {"rule": "email_optin"}}
    mapping = entity("customers", {"table": "people", "fields": fields})
    assert Reading("people", "news", "GdprOptin") in read(connection, mapping)
    assert Reading("people", "mail", "GdprOptin") not in read(connection, mapping)


def test_query_reads_its_tables_and_the_mapping_its_result(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    query = "WITH newest AS (SELECT * FROM people) SELECT p.mail, max(news) AS n FROM newest AS p"
    fields = {"Email": "mail", "GdprOptin": "n"}
    mapping = entity("customers", {"query": query, "fields": fields})
    assert set(read(connection, mapping)) == {
        Reading("", "mail", "Email"),
        Reading("", "n", "GdprOptin"),
        Reading("people", "mail", "customers.query"),
        Reading("people", "news", "customers.query"),
    }


def test_members_of_json_elements_are_no_columns(connection: duckdb.DuckDBPyConnection) -> None:
    items = {"column": "lines", "fields": ORDERS["items"]["fields"] | {"Price": "price"}}
    mapping = entity("orders", ORDERS | {"items": items})
    places = [(one.table, one.column) for one in read(connection, mapping)]
    assert ("orders", "lines") in places
    assert not [column for _, column in places if column in {"sku", "qty", "price"}]


# -- findings


def test_remembered_columns_come_back_as_they_were(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        known = KnownColumns(connection, ledger(connection, tmp_path), "shop")
        assert known.of("orders") == Seen()
        seen = Seen(
            {("orders", "id"): "BIGINT", ("", "n"): "BOOLEAN"},
            {("orders", "id__v_text"): "VARCHAR"},
            frozenset({"held"}),
            "abc",
        )
        known.keep("orders", seen)
        known.keep("orders", seen)
        assert known.of("orders") == seen
        assert known.of("customers") == Seen()


def test_column_is_missed_only_where_it_was_known_and_is_read(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("CREATE TABLE shop.orders (id BIGINT)")
    tables = drift(connection, Reading("orders", "Id", "OrderId"), Reading("Orders", "mail", "X"))
    assert tables.read() == {("orders", "id"): "BIGINT"}
    assert tables.findings(Seen()) == []
    before = Seen(tables.read() | {("orders", "mail"): "VARCHAR", ("orders", "old"): "VARCHAR"})
    (found,) = tables.findings(before)
    assert (found.reason, found.uses) == (
        "`orders` has no column `mail` any more (for X)",
        ("X",),
    )


@pytest.mark.parametrize(
    ("before", "now", "differs"),
    [
        ("BIGINT", "DECIMAL(38,9)", False),
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", False),
        ("DATE", "TIMESTAMP", False),
        ("VARCHAR", "UUID", False),
        ("VARCHAR", "BIGINT", True),
        ("BOOLEAN", "VARCHAR", True),
        ("VARCHAR", "VARCHAR[]", True),
        ("BIGINT", "TIMESTAMP", True),
    ],
)
def test_type_counts_by_its_family(
    connection: duckdb.DuckDBPyConnection, before: str, now: str, differs: bool
) -> None:
    connection.execute(f"CREATE TABLE shop.orders (total {now})")
    tables = drift(connection, Reading("orders", "total", "TotalRevenue"))
    assert bool(tables.findings(Seen({("orders", "total"): before}))) is differs


def test_new_place_counts_where_the_old_one_is_empty(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute(
        "CREATE TABLE shop.orders AS SELECT 1 AS total, 2 AS total__v_double, 3 AS total_tax"
    )
    total = Reading("orders", "total", "TotalRevenue")
    assert drift(connection, total).findings(Seen()) == []
    connection.execute("UPDATE shop.orders SET total = NULL")
    (found,) = drift(connection, total).findings(Seen())
    assert found.new == {("orders", "total__v_double"): "INTEGER"}
    assert found.reason.endswith("write coalesce(total, total__v_double)")
    assert drift(connection, total).findings(Seen(accepted=found.new)) == []
    variant = Reading("orders", "total__v_double", "TotalRevenue")
    assert drift(connection, total, variant).findings(Seen()) == []


# -- marks

PEOPLE = entity(
    "customers",
    {"table": "people", "fields": {"Email": "mail", "Name": "name", "GdprOptin": "true"}},
)
LINES = {**ORDERS, "fields": {**ORDERS["fields"], "TotalRevenue": "total"}}


def ledger(connection: duckdb.DuckDBPyConnection, folder: Path) -> Ledger:
    return Ledger(
        LedgerFile(connection, folder / "ledger.duckdb"),
        target="t",
        host="h",
        tenant="t",
        run="r",
        fingerprint="f",
        clock=FakeClock(),
    )


class Rows:
    """Rows of `pending`, let through run by run."""

    def __init__(self, folder: Path, mapping: EntityMapping, *tables: str) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("CREATE SCHEMA shop")
        for table in tables:
            self.connection.execute(f"CREATE TABLE shop.{table}")
        create_tables(self.connection)
        self.ledger = ledger(self.connection, folder)
        self.mapping = mapping
        known = Tables(self.connection, "memory", "shop")
        name = mapping.entity
        self.bound = bind(self.connection, {name: mapping}, TARGET.entities, known)[name]

    def marks(self, query: str, documents: int = 1, mapping: EntityMapping | None = None) -> Marks:
        """Make `pending` of a query for key and document."""
        self.connection.execute("DELETE FROM pending")
        self.connection.execute(
            "INSERT INTO pending BY NAME SELECT ? AS entity, *, true AS sent, false AS resend"
            f" FROM ({query})",
            [self.mapping.entity],
        )
        chosen = mapping or self.mapping
        return Marks(self.connection, self.ledger, self.bound, chosen, documents)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rows]:
    folder = tmp_path_factory.mktemp("people")
    rows = Rows(folder, PEOPLE, "people (mail VARCHAR, name VARCHAR)")
    yield rows
    rows.connection.close()


def named(names: list[str | None]) -> str:
    listed = ", ".join("NULL" if name is None else f"'{name}'" for name in names)
    return (
        "SELECT 'p' || i AS key, CAST(to_json({Email: 'p' || i, Name: name, GdprOptin: true})"
        f" AS VARCHAR) AS document FROM (SELECT unnest(range({len(names)})) AS i,"
        f" unnest([{listed}]::VARCHAR[]) AS name)"
    )


@given(
    st.lists(
        st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from([None, "a", "b"])),
        min_size=1,
        max_size=20,
    )
)
@settings(deadline=None)
def test_counts_are_those_of_the_values(
    people: Rows, pairs: list[tuple[str | None, str | None]]
) -> None:
    rows = people
    rows.marks(named([before for before, _ in pairs])).let_through()
    shifts = rows.marks(named([now for _, now in pairs])).shifts()
    changed = [now for before, now in pairs if before != now]
    assert shifts == [
        Shift("Email", 0, 0),
        Shift("Name", len(changed), changed.count(None)),
        Shift("GdprOptin", 0, 0),
    ]


def test_rows_seen_through_another_mapping_are_not_compared(people: Rows) -> None:
    people.marks(named(["a"])).let_through()
    other = entity(
        "customers",
        {"table": "people", "fields": {"Email": "mail", "Name": "mail", "GdprOptin": "true"}},
    )
    assert [one.changed for one in people.marks(named(["b"]), mapping=other).shifts()] == [0, 0, 0]
    assert people.marks(named(["b"])).shifts()[1].changed == 1


def test_sample_of_many_documents_tells_the_share(people: Rows) -> None:
    def query(name: str) -> str:
        document = "to_json({Email: 'p' || i, Name: " + name + ", GdprOptin: true})::VARCHAR"
        return f"SELECT 'p' || i AS key, {document} AS document FROM range(50_000) t(i)"

    people.marks(query("'a' || i"), 60_000).let_through()
    assert people.marks(query("'a' || i"), 60_000).every == 3
    kept = people.connection.execute(
        f"SELECT count(*) FROM {people.ledger.schema}.source_mark"
    ).fetchone()
    assert kept is not None
    assert 15_500 < kept[0] < 17_500
    half = people.marks(query("CASE WHEN i % 2 = 0 THEN 'a' || i ELSE 'b' || i END"), 60_000)
    assert 23_500 < half.shifts()[1].changed < 26_500


def test_lines_are_compared_value_by_value_where_their_number_is_the_same(tmp_path: Path) -> None:
    rows = Rows(
        tmp_path,
        entity("orders", {**LINES, "lookups": {}, "fields": {**LINES["fields"], "Email": "mail"}}),
        "orders (id BIGINT, person_id BIGINT, mail VARCHAR, placed TIMESTAMPTZ, total DOUBLE,"
        " rate DOUBLE, test BOOLEAN)",
        "lines (order_id BIGINT, sku VARCHAR, qty BIGINT, price DOUBLE, _dlt_load_id VARCHAR)",
    )

    def order(number: int, total: str, *lines: tuple[str, str | None]) -> str:
        listed = ", ".join(
            f"{{ProductId: 'x', Sku: '{sku}', Quantity: '1', Price: {price or 'NULL::VARCHAR'}}}"
            for sku, price in lines
        )
        return (
            f"SELECT '{number}' AS key, to_json({{OrderId: '{number}', TotalRevenue: '{total}',"
            f" OrderItems: [{listed}]}})::VARCHAR AS document"
        )

    orders = [
        order(1, "19.900", ("a", "'1.0'")),
        order(2, "5", ("a", "'1'")),
        order(3, "5", ("a", "'1'"), ("b", "'2'")),
    ]
    rows.marks(" UNION ALL ".join(orders)).let_through()
    later = [
        order(1, "19.9", ("a", "'1.00'")),  # the same, written otherwise
        order(2, "6", ("a", None)),
        order(3, "5", ("a", "'9'")),  # a line less is no change of prices
    ]
    shifts = {one.field: one for one in rows.marks(" UNION ALL ".join(later)).shifts()}
    assert shifts["TotalRevenue"] == Shift("TotalRevenue", 1, 0)
    assert shifts["items.Price"] == Shift("items.Price", 1, 1)
    assert shifts["items.Sku"] == Shift("items.Sku", 0, 0)
    rows.connection.close()
