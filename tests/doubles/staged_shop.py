"""The shop's rows in a staging database, written the way dlt's loads leave them behind.

A merge load deletes and inserts the rows it brings, under a new load id and new row ids; children
that dlt nested have no load id of their own; the staging dataset holds the last load's rows,
destroyed ones with their flag set. A replace load writes everything anew.
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from replenit_destination.engine.staging import Staged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.doubles.shop import Line, Order, Product, Shop, Variant

__all__ = ["FORMS", "Form", "StagedShop", "mapping_for"]

Form = Literal["nested", "table", "json", "list"]
FORMS: tuple[Form, ...] = ("nested", "table", "json", "list")
"""How lines and variants arrive: dlt child tables, tables of their own, JSON, or arrow's lists.

Arrow sources have no load ids.
"""

_LINE = (
    "id BIGINT, product_id BIGINT, variant_id BIGINT, sku VARCHAR, quantity BIGINT,"
    " price DECIMAL(18,9), size VARCHAR"
)
_VARIANT = (
    "id BIGINT, sku VARCHAR, name VARCHAR, price DECIMAL(18,9), brand VARCHAR, available BOOLEAN"
)
_ROOTS = {
    "customers": "id BIGINT, email VARCHAR, name VARCHAR, phone VARCHAR, email_optin BOOLEAN,"
    " gdpr BOOLEAN",
    "orders": "id BIGINT, customer_id BIGINT, email VARCHAR, placed_at TIMESTAMPTZ,"
    " total DECIMAL(38,9), cancelled BOOLEAN",
    "products": "id BIGINT, name VARCHAR",
}
_CHILDREN = {"orders": ("lines", _LINE), "products": ("variants", _VARIANT)}
_PARENT = {"lines": "order_id", "variants": "product_id"}

Row = tuple[Any, ...]


class StagedShop:
    """A staging database that follows a shop, load by load.

    Args:
        shop: The truth.
        form: How children arrive.
        path: The database's file; in memory when not given.
    """

    def __init__(self, shop: Shop, form: Form = "nested", path: Path | None = None) -> None:
        self.shop = shop
        self.form = form
        self.path = path
        self.connection = duckdb.connect(str(path) if path else ":memory:")
        self._loads = count(1_700_000_000)
        self._row_ids = count(1)
        self._roots: dict[str, dict[int, tuple[Row, tuple[Row, ...]]]] = {}
        self._create()

    @property
    def staged(self) -> Staged:
        """What a push is told."""
        return Staged(
            self.path or Path(),  # not opened: the connection is lent
            "shop",
            staging_dataset="shop_staging",
            hard_deletes=dict.fromkeys(_ROOTS, "deleted"),
            connection=self.connection,
        )

    def load(self, *, replace: bool = False) -> str:
        """Bring what changed since the last load, or everything; return the load id."""
        load_id = f"{next(self._loads)}.5"
        self.connection.execute("BEGIN")
        for table in _ROOTS:
            self._load_root(table, load_id, replace=replace)
        self.connection.execute("COMMIT")
        self.shop.destroyed.clear()
        self.shop.reloaded.clear()
        return load_id

    def reopen(self) -> None:
        """Open the file again, after `connection` was closed for somebody else to use it."""
        self.connection = duckdb.connect(str(self.path))

    def drop(self, table: str) -> None:
        """Let a table vanish from the dataset, with its children."""
        self.connection.execute(f"DROP TABLE shop.{table}")
        if table in _CHILDREN and self.form == "nested":
            self.connection.execute(f"DROP TABLE shop.{table}__{_CHILDREN[table][0]}")

    def rename(self, table: str, column: str, name: str) -> None:
        """Give a column another name, in the last load too."""
        for schema in ("shop", "shop_staging"):
            self.connection.execute(f"ALTER TABLE {schema}.{table} RENAME {column} TO {name}")

    # -- tables

    def _create(self) -> None:
        load_id = "" if self.form == "list" else ", _dlt_load_id VARCHAR, _dlt_id VARCHAR"
        self.connection.execute("CREATE SCHEMA shop; CREATE SCHEMA shop_staging")
        for schema in ("shop", "shop_staging"):
            for table, columns in _ROOTS.items():
                child = self._child_column(table)
                self.connection.execute(
                    f"CREATE TABLE {schema}.{table} ({columns}{child}, deleted BOOLEAN{load_id})"
                )
            for table, (child, columns) in _CHILDREN.items():
                if self.form == "nested":
                    self.connection.execute(
                        f"CREATE TABLE {schema}.{table}__{child} ({columns},"
                        " _dlt_parent_id VARCHAR, _dlt_list_idx BIGINT, _dlt_id VARCHAR)"
                    )
                elif self.form == "table":
                    self.connection.execute(
                        f"CREATE TABLE {schema}.{child} ({columns}, {_PARENT[child]}_ref BIGINT,"
                        " _dlt_load_id VARCHAR, _dlt_id VARCHAR)"
                    )

    def _child_column(self, table: str) -> str:
        if table not in _CHILDREN or self.form not in {"json", "list"}:
            return ""
        name, columns = _CHILDREN[table]
        return f", {name} JSON" if self.form == "json" else f", {name} STRUCT({columns})[]"

    # -- loads

    def _load_root(self, table: str, load_id: str, *, replace: bool) -> None:
        before = self._roots.get(table, {})
        now = dict(_rows(table, self.shop))
        gone = before.keys() - now.keys()
        own = self.form == "table"
        changed = [
            number
            for number, row in now.items()
            if replace
            or (table, number) in self.shop.reloaded
            or number not in before
            or (row[0] != before[number][0] if own else row != before[number])
        ]
        destroyed = [number for name, number in self.shop.destroyed if name == table]
        self._clear(f"shop_staging.{table}")
        self._delete(table, [*gone, *changed], everything=replace)
        self._insert_roots("shop", table, [(n, now[n], None) for n in changed], load_id)
        flagged = [(n, before[n], True) for n in destroyed if n in before]
        if not replace:
            news = [(n, now[n], None) for n in changed]
            self._insert_roots("shop_staging", table, [*news, *flagged], load_id)
        if own and table in _CHILDREN:
            self._load_children(table, before, now, load_id, replace=replace)
        self._roots[table] = now

    def _insert_roots(
        self,
        schema: str,
        table: str,
        rows: list[tuple[int, tuple[Row, tuple[Row, ...]], bool | None]],
        load_id: str,
    ) -> None:
        roots, children = [], []
        for _, (root, kids), deleted in rows:
            row_id = f"r{next(self._row_ids)}"
            column = self._column_value(table, kids)
            marks = () if self.form == "list" else (load_id, row_id)
            roots.append((*root, *column, deleted, *marks))
            children += [
                (*kid, row_id, place, f"r{next(self._row_ids)}") for place, kid in enumerate(kids)
            ]
        self._insert(f"{schema}.{table}", roots)
        if self.form == "nested" and table in _CHILDREN:
            self._insert(f"{schema}.{table}__{_CHILDREN[table][0]}", children)

    def _column_value(self, table: str, kids: tuple[Row, ...]) -> Row:
        if table not in _CHILDREN or self.form not in {"json", "list"}:
            return ()
        names = [part.split()[0] for part in _CHILDREN[table][1].split(", ")]
        listed = [dict(zip(names, kid, strict=True)) for kid in kids]
        return (json.dumps(listed, default=str),) if self.form == "json" else (listed,)

    def _load_children(
        self,
        table: str,
        before: dict[int, tuple[Row, tuple[Row, ...]]],
        now: dict[int, tuple[Row, tuple[Row, ...]]],
        load_id: str,
        *,
        replace: bool,
    ) -> None:
        """Bring the children that changed; a lost one leaves nothing behind."""
        name = _CHILDREN[table][0]
        old = {kid[0]: (*kid, parent) for parent, row in before.items() for kid in row[1]}
        new = {kid[0]: (*kid, parent) for parent, row in now.items() for kid in row[1]}
        changed = [n for n, row in new.items() if replace or old.get(n) != row]
        gone = [n for n in old if n not in new]
        if replace:
            self._clear(f"shop.{name}")
        elif gone or changed:
            self.connection.execute(f"DELETE FROM shop.{name} WHERE id IN {_listed(gone, changed)}")
        rows = [(*new[n], load_id, f"r{next(self._row_ids)}") for n in changed]
        self._insert(f"shop.{name}", rows)

    def _delete(self, table: str, numbers: list[int], *, everything: bool) -> None:
        if self.form == "nested" and table in _CHILDREN:
            child = f"{table}__{_CHILDREN[table][0]}"
            self._clear(f"shop_staging.{child}")
            if everything:
                self._clear(f"shop.{child}")
            elif numbers:
                self.connection.execute(
                    f"DELETE FROM shop.{child} WHERE _dlt_parent_id IN"
                    f" (SELECT _dlt_id FROM shop.{table} WHERE id IN {_listed(numbers)})"
                )
        if everything:
            self._clear(f"shop.{table}")
        elif numbers:
            self.connection.execute(f"DELETE FROM shop.{table} WHERE id IN {_listed(numbers)}")

    def _clear(self, table: str) -> None:
        self.connection.execute(f"DELETE FROM {table}")

    def _insert(self, table: str, rows: list[Row]) -> None:
        if rows:
            marks = f"({', '.join('?' * len(rows[0]))})"
            values = [value for row in rows for value in row]
            self.connection.execute(
                f"INSERT INTO {table} VALUES {', '.join([marks] * len(rows))}", values
            )


def _listed(*numbers: Iterable[int]) -> str:
    return f"({', '.join(str(n) for part in numbers for n in part)})"


def _rows(table: str, shop: Shop) -> Iterable[tuple[int, tuple[Row, tuple[Row, ...]]]]:
    """Yield (id, (root row, child rows)) of one table."""
    if table == "customers":
        for c in shop.customers.values():
            yield c.id, ((c.id, c.email, c.name, c.phone, c.email_optin, c.gdpr), ())
    elif table == "orders":
        for order in shop.orders.values():
            yield order.id, (_order(order), tuple(_line(line) for line in order.lines))
    else:
        for product in shop.products.values():
            yield product.id, (_product(product), tuple(_variant(v) for v in product.variants))


def _order(order: Order) -> Row:
    return (order.id, order.customer, order.email, order.placed, order.total, order.cancelled)


def _line(line: Line) -> Row:
    return (
        *(line.id, line.product, line.variant, line.sku),
        *(line.quantity, line.price, line.size),
    )


def _product(product: Product) -> Row:
    return (product.id, product.name)


def _variant(variant: Variant) -> Row:
    return (variant.id, variant.sku, variant.name, variant.price, variant.brand, variant.available)


def mapping_for(form: Form) -> dict[str, Any]:
    """Return the mapping of a shop whose children arrive in this form.

    Where variants are a table of their own, a line's Sku is the variant's of today.
    """
    sku = "coalesce(variant.sku, sku)" if form == "table" else "sku"
    items: dict[str, Any] = {
        "id": "id",
        "fields": {
            "ProductId": "product_id",
            "Sku": sku,
            "Quantity": "quantity",
            "Price": "price",
            "Size": "size",
        },
    }
    variants: dict[str, Any] = {
        "fields": {
            "VariantId": "id",
            "Sku": "sku",
            "Name": "name",
            "OriginalPrice": "price",
            "Currency": "'EUR'",
            "BrandName": "brand",
            "IsAvailable": "available",
        },
    }
    for block, (table, name) in (
        (items, ("orders", "lines")),
        (variants, ("products", "variants")),
    ):
        if form == "nested":
            block["table"] = f"{table}__{name}"
        elif form == "table":
            block |= {"table": name, "on": {f"{_PARENT[name]}_ref": "id"}, "order": "id"}
        else:
            block["column"] = name
    if form == "table":
        items["lookups"] = {"variant": {"table": "variants", "on": {"id": "variant_id"}}}
    return {
        "customers": {
            "table": "customers",
            "fields": {
                "CustomerId": "id",
                "Email": "email",
                "Name": "name",
                "Phone": "phone",
                "EmailOptin": "email_optin",
                "GdprOptin": "gdpr",
            },
        },
        "products": {
            "table": "products",
            "fields": {"ProductId": "id", "ProductName": "name"},
            "variants": variants,
        },
        "orders": {
            "table": "orders",
            "lookups": {"customer": {"table": "customers", "on": {"id": "customer_id"}}},
            "fields": {
                "OrderId": "id",
                "CustomerId": "customer_id",
                "Email": "coalesce(customer.email, email)",
                "OrderDate": "placed_at",
                "TotalRevenue": "total",
                "Currency": "'EUR'",
                "IsOrderCancelled": "cancelled",
            },
            "items": items,
        },
    }
