"""Flat files: one row per order line, order columns repeated or only on an order's first row."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from csv_files import Format, csv_files
from csv_files.description import describe
from proposal import propose

from replenit_destination import push, replenit
from replenit_destination.sandbox import ReplenitSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# As Shopify writes it: the values of an order on its first row, its name and address on all.
EXPORT = (
    "Name,Email,Created at,Currency,Subtotal,Lineitem quantity,Lineitem price,"
    "Lineitem compare at price,Lineitem sku,Accepts Marketing,Cancelled at\n"
    "#1001,ada@example.com,2026-03-01 10:00:00 -0500,EUR,25.50,2,8.00,,TEA-1,yes,\n"
    "#1001,ada@example.com,,,,1,9.50,12.00,TEA-2,,\n"
    "#1002,b@example.com,2026-03-02 09:00:00 -0500,EUR,8.00,1,8.00,,TEA-1,no,2026-03-03\n"
)
COLUMNS = {"lines": {"created_at": "time %Y-%m-%d %H:%M:%S %z"}}


class Shop:
    def __init__(self, here: Path, box: ReplenitSandbox) -> None:
        self.here = here
        self.box = box
        self.folder = here / "files"
        self.folder.mkdir()

    def run(self, mapping: str, tables: dict[str, str], **settings: Any) -> Any:
        dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
        (self.here / "staged").mkdir(mode=0o700, exist_ok=True)
        made = dlt.pipeline(
            "flat",
            destination=replenit(
                self.here / "staged" / "shop.duckdb",
                mapping=mapping,
                api_key=self.box.api_key,
                tenant_id=self.box.tenant_id,
                base_url=self.box.url,
                customer_identifier_priority="email",
                deliver="manual",
            ),
            dataset_name="csv",
            pipelines_dir=str(self.here / "pipelines"),
        )
        made.run(csv_files(str(self.folder), tables, **settings), loader_file_format="parquet")
        return push(made)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with ReplenitSandbox(profile="gitbook", limits=None) as box:
        yield Shop(tmp_path, box)


@pytest.mark.parametrize("repeated", [False, True])
def test_order_export_becomes_orders_with_lines(
    shop: Shop, project: Path, *, repeated: bool
) -> None:
    text = EXPORT
    if repeated:
        first = "2026-03-01 10:00:00 -0500,EUR,25.50"
        text = text.replace("ada@example.com,,,,1", f"ada@example.com,{first},1")
        assert text != EXPORT
    (shop.folder / "orders_export_1.csv").write_text(text)
    mapping = str(project / "pipelines" / "shopify_export.toml")
    report = shop.run(mapping, {"lines": "orders_export*.csv"}, layouts=COLUMNS)
    assert report.exit_code == 0, report.summary
    orders = shop.box.state()["orders"]
    assert {
        name: (
            one["Email"],
            one["OrderDate"],
            one["TotalRevenue"],
            one["IsOrderCancelled"],
            [(line["Sku"], line["Quantity"], line["Price"]) for line in one["OrderItems"]],
        )
        for name, one in orders.items()
    } == {
        "#1001": (
            *("ada@example.com", "2026-03-01T15:00:00.000Z", 25.5, False),
            [("TEA-1", 2, 8), ("TEA-2", 1, 9.5)],
        ),
        "#1002": ("b@example.com", "2026-03-02T14:00:00.000Z", 8, True, [("TEA-1", 1, 8)]),
    }
    assert shop.run(mapping, {"lines": "orders_export*.csv"}, layouts=COLUMNS).requests == 0


GERMAN = {
    "kunden.csv": "Kundennummer;E-Mail;Vorname;Nachname;Newsletter\nK1;ada@example.com;Zoë;Öz;ja\n",
    "artikel.csv": "Artikelnummer;Bezeichnung;Preis\nA1;Käse;1.234,50\nA2;Brot;3,20\n",
    "verkauf_2026-01.csv": (
        "Bestellnummer;Kundennummer;Bestelldatum;Artikelnummer;Menge;Einzelpreis;Gesamt\n"
        "B1;K1;31.01.2026;A1;1;1.234,50;1.240,90\nB1;K1;31.01.2026;A2;2;3,20;1.240,90\n"
    ),
}


def test_draft_for_flat_files_names_encoding_layouts_and_questions(shop: Shop) -> None:
    for name, text in GERMAN.items():
        (shop.folder / name).write_text(text, encoding="windows-1252")
    tables, notes = describe(str(shop.folder), None, Format(delimiter=";"))
    text = propose(tables, origin="the files", notes=notes)
    drafted = tomllib.loads(text)
    assert "GdprOptin" not in drafted["customers"]["fields"]
    assert "Columns that speak of it: newsletter" in text
    assert "GROUP BY bestellnummer" in drafted["orders"]["query"]
    settings = tomllib.loads(
        "\n".join(
            line.removeprefix("#").strip() for line in text.split("docs/csv.md.")[1].splitlines()
        )
    )["sources"]["csv_files"]
    assert settings == {
        "encoding": "iso-8859-1",
        "tables": {"artikel": "artikel.csv", "kunden": "kunden.csv", "verkauf": "verkauf*.csv"},
        "layouts": {
            "artikel": {"preis": "number 1.234,56"},
            "verkauf": {
                "bestelldatum": "date %d.%m.%Y",
                "einzelpreis": "number 1.234,56",
                "gesamt": "number 1.234,56",
            },
        },
    }
    answers = {
        "timezone": '"Europe/Berlin"',
        "GdprOptin": "\"newsletter = 'ja'\"",
        "ProductId": '"artikelnummer"',
        "VariantId": '"artikelnummer"',
        "Currency": "\"'EUR'\"",
        "IsAvailable": '"true"',
    }
    for name, answer in answers.items():
        text = "\n".join(
            f"{name} = {answer}" if line.startswith(f"#? {name} = ") else line
            for line in text.splitlines()
        )
    text = text.replace('#? on = { … = "…" }', 'on = { artikelnummer = "artikelnummer" }')
    mapping = shop.here / "shop.toml"
    mapping.write_text(text, encoding="utf-8")
    report = shop.run(str(mapping), delimiter=";", **settings)
    assert report.exit_code == 0, report.summary
    state = shop.box.state()
    assert state["customers"]["ada@example.com"]["Name"] == "Zoë"
    (order,) = state["orders"].values()
    assert (order["OrderDate"], order["TotalRevenue"]) == ("2026-01-31T11:00:00.000Z", 1240.9)
    assert [(one["Sku"], one["Price"]) for one in order["OrderItems"]] == [
        ("A1", 1234.5),
        ("A2", 3.2),
    ]


def test_draft_leaves_a_date_open_that_could_be_read_both_ways(shop: Shop) -> None:
    (shop.folder / "orders.csv").write_text("order_id,order_date,total\n1,01/02/2026,5\n")
    _, notes = describe(str(shop.folder), None, Format())
    assert '    order_date = "date %m/%d/%Y or %d/%m/%Y: which?"' in notes
