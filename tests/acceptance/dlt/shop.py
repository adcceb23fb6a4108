"""A small shop: what is true at the source, how a dlt source tells it, and what Replenit must hold.

`Shop` is the truth. `Shop.source` tells it in one of several forms (children nested, in tables of
their own, as arrow, as JSON) and dispositions; all but `replace` tell only what changed since it
was last told. `Shop.expected` is the oracle, written from the rules and not from the engine.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

import dlt
import pyarrow as pa

Row = dict[str, Any]

CHILDREN = {"orders": "lines", "products": "variants"}
PARENTS = {"orders": "order_id", "products": "product_id"}
FORMS = ("nested", "json", "table", "arrow", "arrow_json")
DISPOSITIONS = ("merge", "upsert", "replace", "append")


@dataclass
class Shop:
    """The truth at the source; `put` and `destroy` change it, `source` tells what has changed."""

    rows: dict[str, dict[int, Row]] = field(
        default_factory=lambda: {"customers": {}, "orders": {}, "products": {}}
    )
    clock: int = 0
    _untold: dict[tuple[str, int], Row] = field(default_factory=dict)
    _only_children: set[tuple[str, int]] = field(default_factory=set)
    _lost: dict[tuple[str, int], Row] = field(default_factory=dict)
    _products_told: dict[str, Row] = field(default_factory=dict)

    def put(self, entity: str, number: int, **values: Any) -> None:
        """Add a row or change some of its values; a list of children replaces the old one."""
        self.clock += 1
        old = self.rows[entity].get(number, {})
        row = {**old, **values, "id": number, "version": self.clock, "deleted": False}
        self.rows[entity][number] = row
        if entity in CHILDREN:
            self._lose(entity, number, old.get(CHILDREN[entity], []), row[CHILDREN[entity]])
        place = (entity, number)
        if old and values.keys() == {CHILDREN.get(entity)} and place not in self._untold:
            self._only_children.add(place)
        elif values.keys() != {CHILDREN.get(entity)}:
            self._only_children.discard(place)
        self._untold[place] = row

    def destroy(self, entity: str, number: int) -> None:
        """Take a row away for good, and say so to whoever listens."""
        self.clock += 1
        gone = {**self.rows[entity].pop(number), "version": self.clock, "deleted": True}
        self._untold[entity, number] = gone
        self._only_children.discard((entity, number))
        if entity in CHILDREN:
            self._lose(entity, number, gone[CHILDREN[entity]], [])

    def source(self, form: str, disposition: str, *, everything: bool = False) -> Any:
        """Return a dlt source that tells what has changed, or all rows where dlt replaces them.

        Children in a table of their own are told without their parent when only they changed, and
        those that are gone as tombstones.
        """
        apart = form in {"table", "arrow"}
        tables: dict[str, list[Row]] = {}
        for entity in self.rows:
            rows = [row for (name, _), row in self._untold.items() if name == entity]
            alone = {number for name, number in self._only_children if name == entity and apart}
            if everything or disposition == "replace":
                rows, alone = list(self.rows[entity].values()), set()
            if apart and entity in CHILDREN:
                lost = [row for (name, _), row in self._lost.items() if name == entity]
                children = [] if disposition == "replace" else lost
                children = children + [child for row in rows for child in _apart(entity, row)]
                tables[CHILDREN[entity]] = children
                rows = [{k: v for k, v in row.items() if k != CHILDREN[entity]} for row in rows]
            tables[entity] = [row for row in rows if row["id"] not in alone]
        self._products_told = self._products()
        self._untold, self._only_children, self._lost = {}, set(), {}
        if disposition != "replace":
            tables = {name: rows for name, rows in tables.items() if rows}
        return _source(form, disposition, copy.deepcopy(tables))

    def _lose(self, entity: str, number: int, old: list[Row], new: list[Row]) -> None:
        kept = {child["id"] for child in new}
        for child in old:
            if child["id"] not in kept:
                gone = {**child, PARENTS[entity]: number, "deleted": True}
                self._lost[entity, child["id"]] = gone
        for identity in kept:
            self._lost.pop((entity, identity), None)

    def expected(self) -> dict[str, dict[str, Row]]:
        """Return what Replenit must hold when everything was destroyed with evidence."""
        people = self.rows["customers"]
        return {
            "customers": {row["email"]: _customer(row) for row in people.values()},
            "orders": {
                str(key): _order(row, people.get(row["customer_id"]))
                for key, row in self.rows["orders"].items()
            },
            "products": self._products(),
        }

    def _products(self) -> dict[str, Row]:
        """Return today's products; what is gone since it was told stays as not available."""
        alive = {str(key): _product(row) for key, row in self.rows["products"].items()}
        told = self._products_told
        return alive | {key: _with_gone(one, alive.get(key)) for key, one in told.items()}


def _customer(row: Row) -> Row:
    return {"CustomerId": str(row["id"]), "Email": row["email"], "GdprOptin": row["optin"]}


def _order(row: Row, customer: Row | None) -> Row:
    items = [
        {"ProductId": str(one["product_id"]), "Sku": one["sku"], "Quantity": one["quantity"]}
        | {"Price": one["price"]}
        for one in sorted(row["lines"], key=lambda one: (str(one["product_id"]), one["sku"]))
    ]
    return {
        "OrderId": str(row["id"]),
        "CustomerId": str(row["customer_id"]),
        "Email": (customer or row)["email"],
        "OrderDate": row["created_at"].replace("Z", ".000Z"),
        "TotalRevenue": row["total"],
        "Currency": "EUR",
        "IsOrderCancelled": row["cancelled"],
        "TotalQuantity": sum(one["Quantity"] for one in items),
        "UniqueQuantity": len({one["Sku"] for one in items}),
        "OrderItems": items,
    }


def _product(row: Row) -> Row:
    variants = [
        {"VariantId": str(one["id"]), "Sku": one["sku"], "Name": row["title"]}
        | {"OriginalPrice": one["price"], "Currency": "EUR", "IsAvailable": True}
        for one in sorted(row["variants"], key=lambda one: str(one["id"]))
    ]
    return {"ProductId": str(row["id"]), "ProductName": row["title"], "ProductVariants": variants}


def _with_gone(told: Row, now: Row | None) -> Row:
    present = {one["VariantId"]: one for one in now["ProductVariants"]} if now else {}
    gone = {one["VariantId"]: {**one, "IsAvailable": False} for one in told["ProductVariants"]}
    variants = [one for _, one in sorted((gone | present).items())]
    return {**(now or told), "ProductVariants": variants}


def first_shop() -> Shop:
    """Return a shop with three customers, two products of two variants and six orders."""
    shop = Shop()
    for number in (1, 2, 3):
        shop.put("customers", number, email=f"person{number}@example.com", optin=True)
    for number in (1, 2):
        variants = [variant(number, "s"), variant(number, "m")]
        shop.put("products", number, title=f"Pot {number}", variants=variants)
    for number in range(1, 7):
        put_order(shop, number, lines=[line(number, 1, "s"), line(number, 2, "m")])
    return shop


def put_order(shop: Shop, number: int, **values: Any) -> None:
    """Add an order with sound values for whatever is not given."""
    person = (number - 1) % 3 + 1
    first = {"customer_id": person, "email": f"person{person}@example.com", "cancelled": False}
    first |= {"created_at": f"2026-01-{number:02}T10:00:00Z", "total": 20.5, "lines": []}
    shop.put("orders", number, **{**first, **shop.rows["orders"].get(number, {}), **values})


def variant(product: int, size: str) -> Row:
    """Return a variant; its id and SKU follow from product and size."""
    return {"id": product * 10 + "sml".index(size), "sku": f"POT-{product}-{size}", "price": 9.5}


def line(order: int, product: int, size: str, quantity: int = 1) -> Row:
    """Return a line; its id follows from order, product and size."""
    identity = order * 100 + product * 10 + "sml".index(size)
    sku = f"POT-{product}-{size}"
    return {"id": identity, "product_id": product, "sku": sku, "quantity": quantity, "price": 9.5}


def mapping(form: str, disposition: str = "merge") -> Row:
    """Return the mapping for tables told in this form."""
    people = {"CustomerId": "id", "Email": "email", "GdprOptin": "optin"}
    orders = {
        "OrderId": "id",
        "CustomerId": "customer_id",
        "Email": "coalesce(customer.email, email)",
        "OrderDate": "created_at",
        "TotalRevenue": "total",
        "Currency": "'EUR'",
        "IsOrderCancelled": "cancelled",
    }
    items = {"ProductId": "product_id", "Sku": "sku", "Quantity": "quantity", "Price": "price"}
    products = {"ProductId": "id", "ProductName": "title"}
    variants = {
        "VariantId": "id",
        "Sku": "sku",
        "Name": "products.title",
        "OriginalPrice": "price",
        "Currency": "'EUR'",
        "IsAvailable": "true",
    }
    whole: Row = {
        "customers": {"table": "customers", "id": "id", "fields": people},
        "orders": {
            "table": "orders",
            "id": "id",
            "lookups": {"customer": {"table": "customers", "on": {"id": "customer_id"}}},
            "fields": orders,
            "items": {**_children("orders", form), "fields": items},
        },
        "products": {
            "table": "products",
            "id": "id",
            "fields": products,
            "variants": {**_children("products", form), "fields": variants},
        },
    }
    if disposition == "append":
        whole["orders"]["lookups"]["customer"]["order"] = "version DESC"
        for entity in whole.values():
            entity |= {"order": "version DESC", "destroyed_when": "deleted"}
    return whole


def _children(entity: str, form: str) -> Row:
    name = CHILDREN[entity]
    if form in {"json", "arrow_json"}:
        return {"column": name}
    if form in {"table", "arrow"}:
        return {"table": name, "on": {PARENTS[entity]: "id"}}
    return {"table": f"{entity}__{name}"}


def _apart(entity: str, row: Row) -> list[Row]:
    """Return the children of a row as rows of a table of their own; none when it is gone."""
    link = {PARENTS[entity]: row["id"], "deleted": False}
    return [] if row["deleted"] else [{**child, **link} for child in row[CHILDREN[entity]]]


def _source(form: str, disposition: str, tables: dict[str, list[Row]]) -> Any:
    @dlt.source(name="shop", max_table_nesting=0 if form == "json" else None)
    def shop() -> Any:
        for name, rows in tables.items():
            yield _resource(form, disposition, name, rows)

    return shop()


def _resource(form: str, disposition: str, name: str, rows: list[Row]) -> Any:
    hints: Row = {"primary_key": "id", "write_disposition": disposition}
    columns: Row = {}
    if disposition in {"merge", "upsert"}:
        strategy = "upsert" if disposition == "upsert" else "delete-insert"
        hints["write_disposition"] = {"disposition": "merge", "strategy": strategy}
        columns["deleted"] = {"data_type": "bool", "hard_delete": True}
    if form == "arrow_json" and name in CHILDREN:
        columns[CHILDREN[name]] = {"data_type": "json"}
        rows = [{**row, CHILDREN[name]: json.dumps(row[CHILDREN[name]])} for row in rows]
    told = [pa.Table.from_pylist(rows)] if form.startswith("arrow") and rows else rows
    return dlt.resource(told, name=name, columns=columns, **hints)
