"""Files in our own layout, delivered by the script's parts to a real sandbox."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from csv_files import LAYOUT, csv_files

from replenit_destination import push, replenit
from replenit_destination.sandbox import ReplenitSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {
    "customers.csv": (
        "customer_id,email,name,gdpr_optin\nC1,Ada@Example.com,Ada,yes\nC2,b@example.com,NA,no\n"
    ),
    "products.csv": "product_id,product_name,taxonomy\nP1,Sencha,Tea > Green tea\n",
    "product_variants.csv": (
        "product_id,variant_id,sku,name,original_price,currency,is_available\n"
        'P1,V1,SEN-50,"Sencha, 50g",4.50,EUR,yes\nP1,V2,SEN-100,,8.90,EUR,no\n'
    ),
    "orders_2026-01.csv": (
        "order_id,customer_id,email,order_date,total_revenue,currency\n"
        "0001,C1,old@example.com,2026-01-02T10:00:00+01:00,13.40,EUR\n"
    ),
    "order_items.csv": (
        "order_id,line,product_id,sku,quantity,price\n"
        "0001,10,P1,SEN-100,1,8.90\n0001,9,P1,SEN-50,1,4.5\n0002,1,P1,SEN-50,1,4.5\n"
    ),
}


class Shop:
    def __init__(self, here: Path, box: ReplenitSandbox) -> None:
        self.here = here
        self.box = box
        (here / "files").mkdir()
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        (self.here / "files" / name).write_text(text, encoding="utf-8")

    def run(self, **settings: Any) -> Any:
        dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
        destination = replenit(
            self.here / "staged" / "shop.duckdb",
            api_key=self.box.api_key,
            tenant_id=self.box.tenant_id,
            base_url=self.box.url,
            customer_identifier_priority="email",
            deliver="manual",
            **{"mapping": str(LAYOUT), **settings},
        )
        pipeline = dlt.pipeline(
            "shop",
            destination=destination,
            dataset_name="csv",
            pipelines_dir=str(self.here / "pipelines"),
        )
        pipeline.run(csv_files(str(self.here / "files")), loader_file_format="parquet")
        return push(pipeline)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    (tmp_path / "staged").mkdir(mode=0o700)
    with ReplenitSandbox(limits=None) as box:
        yield Shop(tmp_path, box)


def test_every_document_is_made_as_the_files_say(shop: Shop) -> None:
    report = shop.run()
    assert report.exit_code == 0, report.summary
    held = shop.box.state()
    customer = held["customers"]["ada@example.com"]
    assert (customer["CustomerId"], customer["Name"], customer["GdprOptin"]) == ("C1", "Ada", True)
    assert held["customers"]["b@example.com"]["Name"] == "NA"
    product = held["products"]["P1"]
    assert product["Taxonomy"] == ["Tea", "Green tea"]
    names = {one["Sku"]: one["Name"] for one in product["ProductVariants"]}
    assert names == {"SEN-50": "Sencha, 50g", "SEN-100": "Sencha"}
    order = held["orders"]["0001"]
    assert order["Email"] == "ada@example.com", "a known customer's present address"
    assert order["OrderDate"] == "2026-01-02T09:00:00.000Z"
    prices = {one["Sku"]: one["Price"] for one in order["OrderItems"]}
    assert prices == {"SEN-50": 4.5, "SEN-100": 8.9}


def test_of_two_files_the_later_one_wins(shop: Shop) -> None:
    shop.run()
    shop.write("orders_2026-02.csv", FILES["orders_2026-01.csv"].replace("13.40", "12.40"))
    report = shop.run()
    assert (report.entities["orders"].updated, report.entities["orders"].rejected) == (1, 0)
    assert shop.box.state()["orders"]["0001"]["TotalRevenue"] == 12.4


def test_missing_consent_column_is_asked_for(shop: Shop) -> None:
    shop.write("customers.csv", "customer_id,email\nC1,ada@example.com\n")
    with pytest.raises(Exception, match=r"customers.fields.GdprOptin.*no column `gdpr_optin`"):
        shop.run()
    assert shop.run(gdpr_optin="never").exit_code == 0


def test_date_without_zone_is_refused_until_the_zone_is_said(shop: Shop) -> None:
    without = FILES["orders_2026-01.csv"].replace("T10:00:00+01:00", "")
    shop.write("orders_2026-01.csv", without)
    report = shop.run()
    assert report.entities["orders"].rejected == 1
    assert "zone" in report.summary
    mapping = tomllib.loads(LAYOUT.read_text(encoding="utf-8"))
    assert shop.run(mapping=mapping | {"timezone": "Europe/Berlin"}).exit_code == 0
    assert shop.box.state()["orders"]["0001"]["OrderDate"] == "2026-01-02T11:00:00.000Z"


def test_orders_made_by_a_query_and_two_of_them_under_one_number(shop: Shop) -> None:
    """The query names the tables as its author sees them; neither order is taken for the other."""
    shop.write("orders_2026-01.csv", FILES["orders_2026-01.csv"] + SECOND)
    mapping = tomllib.loads(LAYOUT.read_text(encoding="utf-8"))
    mapping["orders"]["query"] = "SELECT DISTINCT * FROM orders"
    mapping["orders"]["id"] = "order_id || '/' || customer_id"
    del mapping["orders"]["order"]
    first = shop.run(mapping=mapping)
    assert (first.entities["orders"].created, first.entities["orders"].rejected) == (1, 1)
    assert "2 different orders of the source share this OrderId" in first.summary
    assert list(shop.box.state()["orders"]) == ["0002"]
    assert shop.run(mapping=mapping).requests == 0


SECOND = (
    "0001,C2,b@example.com,2026-01-03T10:00:00Z,4.50,EUR\n"
    "0002,C2,b@example.com,2026-01-04T10:00:00Z,4.50,EUR\n"
)
