"""Column types of every table, so that a column exists before a row first fills it.

A shop without cancellations has a `cancelled_at` all the same, and a mapping can name it.
"""

from __future__ import annotations

from typing import Literal

from dlt.common.schema.typing import TColumnSchema, TTableSchemaColumns

__all__ = ["CUSTOMERS", "LINE_ITEMS", "ORDERS", "PRODUCTS", "REFUNDS", "VARIANTS"]

Kind = Literal["text", "bool", "bigint", "decimal", "timestamp", "json"]


def _columns(**kinds: str) -> TTableSchemaColumns:
    columns: TTableSchemaColumns = {}
    for kind, names in kinds.items():
        for name in names.split():
            columns[name] = TColumnSchema(name=name, data_type=kind)  # type: ignore[typeddict-item]
    return columns


def _root(**kinds: str) -> TTableSchemaColumns:
    """Columns of a table merged on id: the newest row wins, a row marked deleted deletes."""
    columns = _columns(**kinds)
    columns["id"] = {"name": "id", "data_type": "text", "nullable": False}
    columns["deleted"] = {"name": "deleted", "data_type": "bool", "hard_delete": True}
    columns["updated_at"] = {"name": "updated_at", "data_type": "timestamp", "dedup_sort": "desc"}
    return columns


def _money(*names: str) -> str:
    return " ".join(f"{name} {name}_presentment" for name in names)


CUSTOMERS = _root(
    text=(
        "gid first_name last_name email email_marketing_state email_marketing_opt_in_level phone "
        "sms_marketing_state sms_marketing_opt_in_level locale city country_code address_phone"
    ),
    bool="email_valid_format data_sale_opt_out",
    timestamp="email_marketing_updated_at sms_marketing_updated_at created_at",
    json="tags",
)
ORDERS = _root(
    text=(
        "gid name customer_id email phone customer_locale cancel_reason financial_status "
        "return_status currency presentment_currency source_name"
    ),
    bool="test edited taxes_included",
    bigint="quantity current_quantity",
    timestamp="created_at processed_at cancelled_at",
    json="tags discount_codes attributes",
    decimal=_money(
        "total_price",
        "current_total_price",
        "subtotal_price",
        "current_subtotal_price",
        "shipping_price",
        "current_shipping_price",
        "shipping_tax",
        "total_tax",
        "current_total_tax",
        "total_refunded",
    ),
)
LINE_ITEMS = _columns(
    text="id title sku variant_title vendor product_id variant_id variant_sku",
    bool="is_gift_card",
    bigint="quantity current_quantity",
    json="options attributes",
    decimal=_money("original_unit_price", "unit_price", "unit_tax"),
)
REFUNDS = _columns(text="id", timestamp="created_at updated_at", decimal=_money("total_refunded"))
PRODUCTS = _root(
    text=(
        "gid title handle status vendor product_type category online_store_url image_url currency "
        "language"
    ),
    bool="is_gift_card has_only_default_variant",
    timestamp="published_at created_at",
    json="tags",
)
VARIANTS = _columns(
    text="id gid sku title display_name image_url",
    bool="available_for_sale inventory_tracked",
    bigint="position inventory_quantity",
    decimal="price compare_at_price",
    timestamp="updated_at",
    json="options",
)
