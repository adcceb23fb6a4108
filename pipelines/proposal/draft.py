"""A mapping as a draft: guesses to be checked by a person, and questions where a guess would harm.

It never proposes consent: columns that speak of it are named in a comment, and the mapping is
refused until somebody has decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .roles import column_for, guess_roles
from .words import CONSENT, FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .found import FoundTable, Link
    from .roles import Roles

__all__ = ["propose"]

_HEADER = """\
# A draft of a mapping, made from the names and types of {origin}.
#
# Every line is a guess: read it, correct it, and answer the questions, which are the lines that begin with `#?`.
# Nothing runs before the required ones are answered. What can stand here is described in docs/mapping.md.
#
# On the left of `=` stands a field of Replenit, on the right a column of the table or any DuckDB SQL expression.
"""  # noqa: E501 - the draft is as wide as the other mappings
_QUESTIONS = {
    "CustomerId": "what identifies a person in the shop?",
    "Email": "which column holds the e-mail address?",
    "OrderId": "which column holds the order's number?",
    "OrderDate": "when was it ordered?",
    "TotalRevenue": "what was paid for the goods, without shipping?",
    "Currency": "no column names it; a constant is written in quotes of its own",
    "ProductId": "which product?",
    "Sku": "the same text as in the products; derive one where there are none: 'SKU-' || id",
    "Quantity": "how many? 1 where every line is one piece",
    "Price": "per piece, after discounts",
    "ProductName": "what is it called?",
    "VariantId": "what identifies a variant?",
    "Name": "what is the variant called?",
    "OriginalPrice": "the price per piece",
    "IsAvailable": "can it be bought? true where the table lists only what is for sale",
}
_CONSENT = """\
# Who may be processed is your decision, and required. Columns that speak of it: {spoken}
# The opt-ins of the channels are EmailOptin, SmsOptin, WhatsappOptin and AppPushOptin.
#? GdprOptin = "…" # a column, or a rule such as {{ rule = "email_or_sms_optin" }}"""
_SUGGESTED = {"Currency": "'EUR'", "IsAvailable": "true", "Quantity": "1"}
_REQUIRED = {
    "customers": ("CustomerId", "Email"),
    "orders": ("OrderId", "OrderDate", "TotalRevenue", "Currency"),
    "items": ("ProductId", "Sku", "Quantity", "Price"),
    "products": ("ProductId", "ProductName"),
    "variants": ("VariantId", "Sku", "Name", "OriginalPrice", "Currency", "IsAvailable"),
}


def propose(tables: Sequence[FoundTable], *, origin: str, notes: Sequence[str] = ()) -> str:
    """Return the draft as TOML.

    Args:
        tables: What is known of them.
        origin: Where they are, as the first line names it.
        notes: Lines to end with, as comments.
    """
    draft = _Draft(guess_roles(tables), tables)
    parts = [_HEADER.format(origin=origin), draft.timezone()]
    parts += [draft.customers(), draft.products(), draft.orders()]
    if unused := sorted(table.name for table in tables if table.name not in draft.used):
        parts.append(f"# Tables that nothing uses: {', '.join(unused)}\n")
    if notes:
        parts.append("".join(f"# {note}\n" if note else "#\n" for note in notes))
    return "\n".join(part for part in parts if part)


class _Draft:
    """Writes the sections; `used` are the tables that some section reads."""

    def __init__(self, roles: Roles, tables: Sequence[FoundTable]) -> None:
        self.roles = roles
        self.by_name = {table.name: table for table in tables}
        self.used: set[str] = set()

    def timezone(self) -> str:
        tables = [
            self.roles.tables[kind] for kind in ("orders", "items") if kind in self.roles.tables
        ]
        times = [(t, column_for(t, "orders", "OrderDate")) for t in tables]
        bare = [f"{t.name}.{c}" for t, c in times if c and t.kind(c) != "time"]
        if not bare:
            return ""
        return f'#? timezone = "Europe/Berlin" # required: {bare[0]} carries no zone\n'

    # -- sections ---------------------------------------------------------------------------------

    def customers(self) -> str:
        table = self.roles.tables.get("customers")
        if table is None:
            return _absent("customers", "people: e-mail addresses and names")
        fields = self._fields(table, "customers", {"CustomerId": _single(table.key)})
        spoken = [c.name for c in table.columns if any(word in c.name.lower() for word in CONSENT)]
        decision = _CONSENT.format(spoken=", ".join(spoken) or "none")
        return self._section("customers", table, ["[customers.fields]", *fields, decision], spoken)

    def products(self) -> str:
        table = self.roles.tables.get("products")
        variants = self.roles.tables.get("variants")
        if table is None and variants is None:
            return _absent("products", "products: names, SKUs and prices")
        table = table or variants
        assert table is not None  # noqa: S101 - for the type checker
        key = _single(table.key) or column_for(table, "products", "ProductId")
        fields = self._fields(table, "products", {"ProductId": key})
        child, link = variants or table, None
        if variants is not None and variants is not table:
            link = variants.links_to(table.name)
        lines = ["[products.fields]", *fields, "", "[products.variants]", f'table = "{child.name}"']
        if child is table:
            lines[-1] += " # each product is its own only variant"
        lines.append(_on(link, table, child, key))
        own = _single(child.key) or (key if child is table else None)
        lines += ["", "[products.variants.fields]"]
        lines += self._fields(child, "variants", {"VariantId": own}, own)
        self.used.add(child.name)
        return self._section("products", table, lines)

    def orders(self) -> str:
        lines_table = self.roles.tables.get("items")
        table = self.roles.tables.get("orders")
        if lines_table is None:
            return _absent("orders", "order lines: products and quantities")
        if self.roles.flat:
            return self._flat_orders(lines_table, self.roles.flat)
        if table is None:
            return _absent("orders", "orders: numbers and dates")
        key = _single(table.key) or column_for(table, "orders", "OrderId")
        lookup, known = self._lookup("orders", "customer", table, "customers", {"Email": "Email"})
        fields = self._fields(table, "orders", {"OrderId": key, **known})
        fields += [
            f"#? IsOrderCancelled = \"{name} = 'cancelled'\" # which of its values mean that?"
            for name in ("status", "state", "order_status")
            if name in table
        ]
        link = lines_table.links_to(table.name)
        parts = [*lookup, "[orders.fields]", *fields, "", "[orders.items]"]
        parts += [f'table = "{lines_table.name}"', _on(link, table, lines_table, key)]
        self.used.add(lines_table.name)
        return self._section("orders", table, [*parts, *self._items(lines_table)])

    def _flat_orders(self, table: FoundTable, number: str) -> str:
        """Orders made of lines: one row per line, which names its order."""
        once = {
            one: column
            for one in FIELDS["orders"]
            if one != "OrderId" and (column := column_for(table, "orders", one, {number}))
        }
        # `max` skips empty values: in some exports only an order's first row has its own columns.
        chosen = [f"max({column}) AS {column}" for column in dict.fromkeys(once.values())]
        query = ",\n".join(f"  {one}" for one in [number, *chosen])
        customer = once.get("CustomerId")
        lookup: list[str] = []
        people = self.roles.tables.get("customers")
        if customer and people and "Email" not in once and customer in people:
            lookup, known = self._lookup_lines("orders", "customer", people, {customer: customer})
            self.used.add(people.name)
            once |= (
                {"Email": f"customer.{column_for(people, 'customers', 'Email')}"} if known else {}
            )
        fields = self._written("orders", {"OrderId": number, **once})
        parts = [
            "# No table lists orders, only their lines: an order is the lines of one number.",
            "[orders]",
        ]
        parts += [f'query = """\nSELECT\n{query}\nFROM {table.name}\nGROUP BY {number}\n"""', ""]
        parts += [
            *lookup,
            "[orders.fields]",
            *fields,
            "",
            "[orders.items]",
            f'table = "{table.name}"',
        ]
        parts += [f'on = {{ {number} = "{number}" }}', *self._items(table)]
        self.used.add(table.name)
        return "\n".join(parts) + "\n"

    def _items(self, table: FoundTable) -> list[str]:
        own = _single(table.key)
        lines = [f'id = "{own}"'] if own else []
        wanted = {"ProductId": "ProductId", "Sku": "Sku", "Price": "OriginalPrice"}
        lookup, known = self._lookup("orders.items", "variant", table, "variants", wanted)
        if not lookup:
            lookup, known = self._lookup("orders.items", "product", table, "products", wanted)
        return [
            *lines,
            "",
            *lookup,
            "[orders.items.fields]",
            *self._fields(table, "items", known, own),
        ]

    # -- parts ------------------------------------------------------------------------------------

    def _section(
        self, name: str, table: FoundTable, lines: Sequence[str], read: Sequence[str] = ()
    ) -> str:
        self.used.add(table.name)
        head = [f"[{name}]", f'table = "{table.name}"']
        text = "\n".join([*head, "", *lines])
        named = {one.name for one in table.columns if f'"{one.name}"' in text} | set(read)
        left = [one.name for one in table.columns if one.name not in named]
        if left:
            text += f"\n\n# Columns of {table.name} that stay at home: {', '.join(left)}"
        return text + "\n"

    def _lookup(
        self, place: str, name: str, table: FoundTable, kind: str, wanted: dict[str, str]
    ) -> tuple[list[str], dict[str, str | None]]:
        """Return a look-up's section, and the fields it fills where the table itself has none."""
        found = self.roles.tables.get(kind)
        if found is None or found is table:
            return [], {}
        link = table.links_to(found.name)
        on = (
            dict(zip(link.targets, link.columns, strict=True))
            if link
            else _shared_key(table, found)
        )
        if not on:
            return [], {}
        lines, _ = self._lookup_lines(place, name, found, on)
        own = "items" if place.endswith("items") else "orders"
        known: dict[str, str | None] = {}
        for one, theirs in wanted.items():
            column = self._identifier(found, kind, theirs)
            if column and not column_for(table, own, one):
                known[one] = f"{name}.{column}"
            elif one == "Email" and column:
                known[one] = f"coalesce({name}.{column}, {column_for(table, own, one)})"
        self.used.add(found.name)
        return lines, known

    def _identifier(self, table: FoundTable, kind: str, wanted: str) -> str | None:
        if wanted == "ProductId":
            parent = self.roles.tables.get("products")
            link = table.links_to(parent.name) if parent and kind == "variants" else None
            if link:
                return link.columns[0]
            return column_for(table, "products", wanted) or _single(table.key)
        source = "variants" if wanted in FIELDS["variants"] else kind
        return column_for(table, source, wanted)

    def _lookup_lines(
        self, place: str, name: str, found: FoundTable, on: dict[str, str]
    ) -> tuple[list[str], bool]:
        joined = ", ".join(f'{theirs} = "{own}"' for theirs, own in on.items())
        return [
            f"[{place}.lookups.{name}]",
            f'table = "{found.name}"',
            f"on = {{ {joined} }} # the looked-up table's column = the row's own",
            "",
        ], column_for(found, "customers", "Email") is not None

    def _fields(
        self, table: FoundTable, kind: str, known: dict[str, str | None], key: str | None = None
    ) -> list[str]:
        guessed: dict[str, str] = {name: text for name, text in known.items() if text}
        for one in FIELDS[kind]:
            if one not in guessed and (
                column := column_for(table, kind, one, [key] if key else [])
            ):
                guessed[one] = column
        return self._written(kind, guessed)

    def _written(self, kind: str, guessed: dict[str, str]) -> list[str]:
        lines = []
        for one in FIELDS[kind]:
            if one in guessed:
                lines.append(f'{one} = "{guessed[one]}"')
            elif one in _REQUIRED[kind]:
                suggested = _SUGGESTED.get(one, "…")
                lines.append(f'#? {one} = "{suggested}" # required: {_QUESTIONS[one]}')
        return lines


def _absent(name: str, what: str) -> str:
    return f"#? [{name}] # no table looks like {what}\n"


def _single(key: Sequence[str]) -> str | None:
    return key[0] if len(key) == 1 else None


def _shared_key(table: FoundTable, other: FoundTable) -> dict[str, str]:
    """Return how a table names a row of another where no foreign key says it: by the same name."""
    key = _single(other.key)
    if key and key in table:
        return {key: key}
    shared = [one.name for one in other.columns if one.name in table and one.name.endswith(_IDS)]
    return {shared[0]: shared[0]} if shared else {}


_IDS = ("_id", "_key", "_number", "sku", "nummer")


def _on(link: Link | None, parent: FoundTable, child: FoundTable, key: str | None) -> str:
    if link:
        joined = ", ".join(
            f'{own} = "{theirs}"' for own, theirs in zip(link.columns, link.targets, strict=True)
        )
        return f"on = {{ {joined} }} # the child's column = the parent's column"
    if key and key in child:
        return f"on = {{ {key} = \"{key}\" }} # the child's column = the parent's column"
    question = f"which column of {child.name} names its row of {parent.name}?"
    return f'#? on = {{ … = "{key or "…"}" }} # required: {question}'
