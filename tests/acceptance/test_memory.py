"""DuckDB may keep less in memory than a push would like to: smaller portions, or a clear error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from replenit_destination import MemoryLimitError
from tests.acceptance.orders import MAPPING, Orders

if TYPE_CHECKING:
    from pathlib import Path

ORDERS = 8_000


@pytest.fixture
def wide(tmp_path: Path) -> Orders:
    """Orders of four lines with long texts, in a file: 32 MB of documents."""
    made = Orders(tmp_path / "push", ORDERS, database=tmp_path / "staged.duckdb")
    made.connection.execute(
        "ALTER TABLE shop.lines ADD COLUMN brand VARCHAR; DELETE FROM shop.lines;"
        "INSERT INTO shop.lines SELECT orders.id, 'p', 's' || n, 1, total, _dlt_load_id,"
        " n || _dlt_id, repeat(md5(n || orders.id), 30) FROM shop.orders, range(4) AS t(n);"
        "CHECKPOINT"
    )
    orders = MAPPING["orders"]
    items = {**orders["items"], "fields": {**orders["items"]["fields"], "Brand": "brand"}}
    made.mapping = {"orders": {**orders, "items": items}}
    return made


def test_too_large_a_portion_is_nested_in_smaller_ones(wide: Orders) -> None:
    report = wide.push(memory_limit="120MB")
    assert report.entities["orders"].created == ORDERS
    assert wide.held() == wide.source()


def test_too_low_a_limit_is_named_and_nothing_is_lost(wide: Orders) -> None:
    with pytest.raises(MemoryLimitError, match=r"destination\.replenit\.memory_limit"):
        wide.push(memory_limit="10MB")
    assert wide.push().entities["orders"].created == ORDERS
