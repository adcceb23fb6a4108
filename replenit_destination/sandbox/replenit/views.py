"""The stored documents as plain values, to compare with what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replenit_destination.sandbox.replenit.fields import ENTITIES

if TYPE_CHECKING:
    from replenit_destination.sandbox.replenit.store import Record, TenantStore

__all__ = ["flags", "state"]


def state(store: TenantStore) -> dict[str, dict[str, dict[str, Any]]]:
    """Return a tenant's documents: entity → key → fields, children as a list in key order."""
    return {
        entity: {
            key: _document(entity, record) for key, record in sorted(store.records[entity].items())
        }
        for entity in ENTITIES
    }


def flags(store: TenantStore) -> dict[str, dict[str, list[str]]]:
    """Return what the sandbox noticed: entity → key → remarks; only documents that have any.

    `unlinked`: no such customer now (K8, §7.3). `unmatched_line:<Sku>`: no such variant now (K13).
    `order_date_filled`: the server's time was stored (K10). `duplicate_child`: one key twice in
    the list (K17).
    `product_id_kept`: found by Sku while another product has the new id (K20).
    """
    noticed: dict[str, dict[str, list[str]]] = {entity: {} for entity in ENTITIES}
    for entity, records in store.records.items():
        for key, record in records.items():
            remarks = sorted(record.marks)
            if entity == "orders":
                remarks += _links(store, record)
            if remarks:
                noticed[entity][key] = remarks
    return noticed


def _document(entity: str, record: Record) -> dict[str, Any]:
    child_property = ENTITIES[entity].child_property
    if not child_property:
        return dict(record.fields)
    children = [
        dict(child) for _, child in sorted(record.children.items(), key=lambda each: each[0])
    ]
    return {**record.fields, child_property: children}


def _links(store: TenantStore, record: Record) -> list[str]:
    remarks = [] if store.knows_customer(record.fields) else ["unlinked"]
    skus = (child.get("Sku") or "" for child in record.children.values())
    return remarks + [f"unmatched_line:{sku}" for sku in sorted(skus) if not store.knows_sku(sku)]
