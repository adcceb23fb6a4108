"""What one tenant holds: customers, orders with lines, products with variants."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from replenit_destination.sandbox.replenit.fields import ENTITIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replenit_destination.sandbox.replenit.switches import Switches

__all__ = ["Deletion", "Record", "TenantStore"]

Found = Literal["deleted", "missing", "no_parent"]


@dataclass(slots=True)
class Record:
    """One stored document: its fields, its children by their key, the sandbox's remarks."""

    fields: dict[str, Any]
    children: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)
    marks: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Deletion:
    """A delete as it was asked for. `by` is a key field, or `line` or `variant`."""

    entity: str
    by: str
    key: tuple[str, ...]
    due: float = 0.0  # Unix seconds; only when queued


class TenantStore:
    """The documents of one tenant, under that tenant's switches.

    `changes` collects what a request touched, as (entity, key), and `queue_changed` whether the
    queue did, for
    whoever persists them.
    """

    def __init__(self, switches: Switches) -> None:
        self.switches = switches
        self.records: dict[str, dict[str, Record]] = {name: {} for name in ENTITIES}
        self.queue: list[Deletion] = []
        self.changes: set[tuple[str, str]] = set()
        self.queue_changed = False
        self._holders: dict[str, dict[str, list[str]]] = {}
        self._reindex()

    # -- upserts
    # ------------------------------------------------------------------------------------------

    def upsert(
        self,
        entity: str,
        document: dict[str, Any],
        defaults: Mapping[str, Any],
        child_defaults: Mapping[str, Any],
    ) -> None:
        """Create or update one valid document (§7.1). The document becomes the store's own."""
        shelf = self.records[entity]
        children = document.pop(ENTITIES[entity].child_property, None)
        key = self._key(entity, document, children)
        old = shelf.get(key)
        fresh = old is None
        record = old or Record({})
        before = record.fields
        filled = "OrderDate" in defaults and "OrderDate" not in document
        record.fields = self._merged(None if fresh else before, document, defaults)
        if entity == "orders":
            if filled and (fresh or self.switches.omitted == "reset"):
                record.marks.add("order_date_filled")
            elif not filled:
                record.marks.discard("order_date_filled")
        if entity != "customers":
            skus = _skus(record)
            self._take_children(entity, record, children, child_defaults)
            if entity == "products":
                key = self._rename_product(key, before, record)
                self._index_skus(key, skus, record)
        else:
            self._index_customer(key, before, record.fields)
        shelf[key] = record
        self.changes.add((entity, key))

    def _key(self, entity: str, document: dict[str, Any], children: Any) -> str:
        if entity == "orders":
            return str(document["OrderId"])
        if entity == "products":
            return self._product_key(document, children or ())
        priority = self.switches.customer_priority
        if priority == "email":
            return self._fold(document["Email"])
        if priority == "customerid" or document.get("CustomerId") is not None:
            return str(document["CustomerId"])
        # [R]: Email only where CustomerId is absent; it then finds whoever holds the address.
        address = self._fold(document["Email"])
        holders = self._holders["Email"].get(address)
        return holders[-1] if holders else address

    def _product_key(self, document: dict[str, Any], variants: Any) -> str:
        product_id = str(document["ProductId"])
        if self.switches.product_priority == "productid":
            return product_id
        # K20: any shared Sku finds the product. Without one its ProductId still must be unique
        # (assumption).
        holders = [
            holder
            for variant in variants
            for holder in self._holders["Sku"].get(variant.get("Sku") or "", ())
        ]
        if not holders or product_id in holders:
            return product_id
        return holders[0]

    def _rename_product(self, key: str, before: dict[str, Any], record: Record) -> str:
        """Move a product found by Sku to its new ProductId, unless another product has that."""
        wanted = str(record.fields["ProductId"])
        if wanted == key:
            return key
        shelf = self.records["products"]
        if wanted in shelf:
            record.fields["ProductId"] = before["ProductId"]
            record.marks.add("product_id_kept")
            return key
        del shelf[key]
        self.changes.add(("products", key))
        self._unindex_skus(key, record)
        return wanted

    def _merged(
        self, old: dict[str, Any] | None, new: dict[str, Any], defaults: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the fields after an update: the omitted ones reset to defaults or kept (Q3)."""
        base = defaults if old is None or self.switches.omitted == "reset" else old
        merged = {**base, **new}
        if self.switches.nulls == "clear":
            for name in [name for name, value in merged.items() if value is None]:
                if name in defaults:
                    merged[name] = defaults[name]
                else:
                    del merged[name]
        return merged

    def _take_children(
        self, entity: str, record: Record, children: Any, child_defaults: Mapping[str, Any]
    ) -> None:
        """Merge the children into the stored ones or put them in their place (Q4, K17)."""
        if children is None:
            if self.switches.children == "replace" and self.switches.omitted == "reset":
                record.children = {}
            return
        record.marks.discard("duplicate_child")
        unkeyed = entity == "orders" and self.switches.line_key == "none"
        # A list that is replaced starts from nothing: there is no stored child whose fields could
        # be kept.
        stored = {} if unkeyed or self.switches.children == "replace" else record.children
        taken = dict(stored)
        sent: set[tuple[str, ...]] = set()
        for place, child in enumerate(children):
            key = _child_key(entity, child)
            if unkeyed:
                key = (*key, f"{place:06}")
            elif key in sent:
                record.marks.add("duplicate_child")
            sent.add(key)
            taken[key] = self._merged(stored.get(key), child, child_defaults)
        record.children = taken

    # -- deletes
    # ------------------------------------------------------------------------------------------

    def delete(self, deletion: Deletion) -> Found:
        """Carry out a delete now."""
        if deletion.by in ("line", "variant"):
            return self._delete_child(deletion)
        shelf = self.records[deletion.entity]
        value = deletion.key[0]
        if deletion.entity == "customers":
            # Everyone who holds the identifier goes: the page names one record and no tie-break
            # (assumption).
            keys = list(self._holders[deletion.by].get(self._folded(deletion.by, value), ()))
        else:
            keys = [value] if value in shelf else []
        for key in keys:
            record = shelf.pop(key)
            self.changes.add((deletion.entity, key))
            if deletion.entity == "customers":
                self._index_customer(key, record.fields, {})
            elif deletion.entity == "products":
                self._unindex_skus(key, record)
        return "deleted" if keys else "missing"

    def _delete_child(self, deletion: Deletion) -> Found:
        parent, *key = deletion.key
        record = self.records[deletion.entity].get(parent)
        if record is None:
            return "no_parent"
        wanted = tuple(key)
        gone = [each for each in record.children if each[: len(wanted)] == wanted]
        for each in gone:
            if deletion.entity == "products":
                self._unindex_skus(parent, record)
            del record.children[each]
            if deletion.entity == "products":
                self._index_skus(parent, set(), record)
        if gone:
            self.changes.add((deletion.entity, parent))
        return "deleted" if gone else "missing"

    def enqueue(self, deletion: Deletion) -> None:
        """Take a delete for later."""
        self.queue.append(deletion)
        self.queue_changed = True

    def settle(self, now: float) -> int:
        """Carry out the queued deletes that are due; return how many."""
        due = [each for each in self.queue if each.due <= now]
        if due:
            self.queue = [each for each in self.queue if each.due > now]
            self.queue_changed = True
            for each in due:
                self.delete(each)
        return len(due)

    # -- links and identifiers
    # ----------------------------------------------------------------------------

    def knows_customer(self, order: Mapping[str, Any]) -> bool:
        """Whether an order finds its customer: by the tenant's identifier, in [R] by either."""
        priority = self.switches.customer_priority
        names = {"email": ("Email",), "customerid": ("CustomerId",)}.get(
            priority, ("CustomerId", "Email")
        )
        return any(
            self._folded(name, str(order[name])) in self._holders[name]
            for name in names
            if order.get(name) is not None
        )

    def knows_sku(self, sku: str) -> bool:
        """Whether a variant carries this Sku, compared exactly [R]."""
        return sku in self._holders["Sku"]

    def _fold(self, email: str) -> str:
        return email.strip().casefold() if self.switches.email_case == "insensitive" else email

    def _folded(self, name: str, value: str) -> str:
        return self._fold(value) if name == "Email" else value

    def rekey(self, switches: Switches) -> None:
        """Go on under other switches: identifiers may change which records are one."""
        self.switches = switches
        customers = self.records["customers"]
        self.records["customers"] = {}
        self._reindex()
        for key, record in customers.items():
            self.changes.add(("customers", key))
            name = "Email" if switches.customer_priority == "email" else "CustomerId"
            value = record.fields.get(name) or record.fields.get("Email") or key
            new_key = self._folded(name, str(value))
            self.records["customers"][new_key] = record
            self.changes.add(("customers", new_key))
        self._reindex()

    def _reindex(self) -> None:
        self._holders = {name: defaultdict(list) for name in ("CustomerId", "Email", "Sku")}
        for key, record in self.records["customers"].items():
            self._index_customer(key, {}, record.fields)
        for key, record in self.records["products"].items():
            self._index_skus(key, set(), record)

    def load(self, entity: str, key: str, record: Record) -> None:
        """Put back a record that was persisted; call `loaded` after the last."""
        self.records[entity][key] = record

    def loaded(self) -> None:
        """Finish loading: the indexes are built once."""
        self._reindex()

    def _index_customer(self, key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        for name in ("CustomerId", "Email"):
            before, after = old.get(name), new.get(name)
            if before == after:
                continue
            holders = self._holders[name]
            if before is not None:
                _drop(holders, self._folded(name, before), key)
            if after is not None:
                holders[self._folded(name, after)].append(key)

    def _index_skus(self, key: str, old: set[str], record: Record) -> None:
        new = _skus(record)
        for sku in new - old:
            self._holders["Sku"][sku].append(key)
        for sku in old - new:
            _drop(self._holders["Sku"], sku, key)

    def _unindex_skus(self, key: str, record: Record) -> None:
        for sku in _skus(record):
            _drop(self._holders["Sku"], sku, key)


def _child_key(entity: str, child: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what identifies a child: the pair that E6 takes (K17), or VariantId [R]."""
    if entity == "orders":
        return (child.get("ProductId") or "", child.get("Sku") or "")
    return (child["VariantId"],)


def _skus(record: Record) -> set[str]:
    return {child["Sku"] for child in record.children.values() if child.get("Sku")}


def _drop(holders: dict[str, list[str]], value: str, key: str) -> None:
    keys = holders.get(value, [])
    if key in keys:
        keys.remove(key)
    if not keys:
        holders.pop(value, None)
