"""AdventureWorks' CSV files, the script, and a sandbox: does exactly that data arrive?

What should arrive is computed here from the files themselves, by other SQL over DuckDB's own CSV
reader; nothing of the engine or of the mapping takes part in it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from replenit_destination.sandbox import ReplenitSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CUSTOMERS = "AdventureWorks_Customers.csv"
PRODUCTS = "AdventureWorks_Products.csv"
SALES = "AdventureWorks_Sales_2019.csv"
COLLIDING = {"SO62019", "SO72019"}

# What the vendor fills in where nothing was sent (sections 4.1 to 4.4 of the fact sheet).
NO_CONSENT = dict.fromkeys(
    ["EmailOptin", "SmsOptin", "WhatsappOptin", "AppPushOptin", "GdprOptin", "IsExcluded"], False
)

ORACLE = """
CREATE MACRO text_of(files) AS TABLE
  SELECT * FROM read_csv(files, all_varchar = true, header = true, delim = ',', quote = '"');

CREATE VIEW people AS SELECT * FROM text_of('{folder}/AdventureWorks_Customers.csv');
CREATE VIEW goods AS SELECT *, ProductPrice::DECIMAL(18, 4) AS price,
  CASE WHEN ProductSize <> '0' THEN ProductSize END AS size,
  CASE WHEN ProductColor <> 'NA' THEN ProductColor END AS color
  FROM text_of('{folder}/AdventureWorks_Products.csv');
CREATE VIEW lines AS SELECT *, OrderQuantity::INTEGER AS quantity,
  -- noon in Los Angeles as UTC: daylight saving time runs from March to November
  CASE
    WHEN day BETWEEN DATE '2017-03-12' AND DATE '2017-11-04' THEN 19
    WHEN day BETWEEN DATE '2018-03-11' AND DATE '2018-11-03' THEN 19
    WHEN day BETWEEN DATE '2019-03-10' AND DATE '2019-11-02' THEN 19
    ELSE 20
  END AS hour
  FROM (
    SELECT *, make_date(
      split_part(OrderDate, '/', 3)::INTEGER,
      split_part(OrderDate, '/', 1)::INTEGER,
      split_part(OrderDate, '/', 2)::INTEGER
    ) AS day
    FROM text_of('{folder}/AdventureWorks_Sales_*.csv')
  );
"""

EXPECTED = {
    "customers": """
        SELECT EmailAddress, {'CustomerId': CustomerKey, 'Email': EmailAddress,
          'Name': FirstName, 'Surname': LastName}
        FROM people""",
    "products": """
        SELECT ModelName, {'ProductId': ModelName, 'ProductName': ModelName,
          'IsOfflineExclusive': false,
          'ProductVariants': list({'VariantId': ProductKey, 'Sku': ProductSKU, 'Name': ProductName,
            'OriginalPrice': price, 'Currency': 'USD', 'IsAvailable': true, 'Size': size}
            ORDER BY ProductKey)}
        FROM goods GROUP BY ModelName""",
    "orders": """
        SELECT OrderNumber, {'OrderId': OrderNumber, 'CustomerId': any_value(CustomerKey),
          'Email': any_value(EmailAddress),
          'OrderDate': any_value(strftime(day, '%Y-%m-%d') || 'T' || hour || ':00:00.000Z'),
          'TotalRevenue': sum(quantity * price), 'Currency': 'USD',
          'TotalQuantity': sum(quantity), 'UniqueQuantity': count(DISTINCT ProductSKU),
          'IsOrderCancelled': false,
          'OrderItems': list({'ProductId': ModelName, 'Sku': ProductSKU, 'Quantity': quantity,
            'Price': price, 'Size': size, 'Color': color, 'IsGift': false}
            ORDER BY ModelName, ProductSKU)}
        FROM lines JOIN goods USING (ProductKey) JOIN people USING (CustomerKey)
        GROUP BY OrderNumber HAVING count(DISTINCT CustomerKey) = 1""",
}
CHILDREN = {
    "orders": ("OrderItems", "ProductId", "Sku"),
    "products": ("ProductVariants", "VariantId"),
}


class Feed:
    """Copies of the files, the script, and the sandbox it delivers to."""

    def __init__(self, project: Path, here: Path, box: ReplenitSandbox, originals: Path) -> None:
        self.project = project
        self.here = here
        self.box = box
        self.folder = here / "files"
        self.folder.mkdir()
        for file in originals.glob("*.csv"):
            shutil.copyfile(file, self.folder / file.name)

    def run(self) -> dict[str, Any]:
        """Start the script as a schedule does and return its report."""
        arguments = ["--folder", str(self.folder), "--report", "report.json"]
        for table, pattern in {
            "customers": CUSTOMERS,
            "products": PRODUCTS,
            "sales": "AdventureWorks_Sales_*.csv",
        }.items():
            arguments += ["--table", f"{table}={pattern}"]
        arguments += ["--mapping", str(self.project / "pipelines" / "adventureworks.toml")]
        settings = {
            "API_KEY": self.box.api_key,
            "TENANT_ID": self.box.tenant_id,
            "BASE_URL": self.box.url,
            "CUSTOMER_IDENTIFIER_PRIORITY": "email",
            "REQUESTS_PER_MINUTE": "1000000",
            "REQUESTS_PER_HOUR": "1000000",
        }
        done = subprocess.run(
            [sys.executable, str(self.project / "pipelines" / "csv_to_replenit.py"), *arguments],
            cwd=self.here,
            env={
                **os.environ,
                **{f"DESTINATION__REPLENIT__{name}": value for name, value in settings.items()},
                "DLT_DATA_DIR": str(self.here / "dlt"),
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.said = done.stdout + done.stderr
        assert "@adventure-works.com" not in self.said, "the output names nobody"
        assert done.returncode in {0, 1}, done.stderr
        report: dict[str, Any] = json.loads((self.here / "report.json").read_text())
        assert report["exit_code"] == done.returncode
        return report

    def calls(self) -> list[tuple[str, str, list[str]]]:
        """Return the calls since the last question: method, path below the tenant, keys."""
        found = []
        for entry in self.box.requests():
            path = entry.path.replace(f"/{self.box.tenant_id}", "")
            documents = json.loads(entry.body) if entry.body else []
            found.append((entry.method, path, sorted(key_of(one) for one in documents)))
        self.box.journal.clear()
        return sorted(found)

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        content = path.read_bytes()
        assert content.count(old.encode()) == 1, "the edit must be about one line"
        path.write_bytes(content.replace(old.encode(), new.encode()))

    def expected(self) -> dict[str, dict[str, Any]]:
        """Compute from the files what the vendor should hold."""
        with duckdb.connect() as oracle:
            oracle.execute(ORACLE.replace("{folder}", str(self.folder)))
            return {
                entity: {
                    key: arranged(entity, NO_CONSENT | row if entity == "customers" else row)
                    for key, row in oracle.execute(query).fetchall()
                }
                for entity, query in EXPECTED.items()
            }

    def held(self) -> dict[str, dict[str, Any]]:
        """Return what the sandbox holds, in the same form."""
        return {
            entity: {key: arranged(entity, document) for key, document in documents.items()}
            for entity, documents in self.box.state().items()
        }


def key_of(document: dict[str, Any]) -> str:
    key: str = document.get("OrderId") or document.get("ProductId") or document["Email"]
    return key


def arranged(entity: str, document: dict[str, Any]) -> dict[str, Any]:
    """Without nulls, numbers exact, children in the order of their keys."""
    plain = {name: exact(value) for name, value in document.items() if value is not None}
    if entity in CHILDREN:
        block, *keys = CHILDREN[entity]
        rows = [{n: exact(v) for n, v in row.items() if v is not None} for row in plain[block]]
        plain[block] = sorted(rows, key=lambda row: [row[key] for key in keys])
    return plain


def exact(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return Decimal(str(value)).normalize()


def differences(held: dict[str, Any], expected: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Key → (held, expected) of the first documents that differ."""
    keys = sorted(held.keys() | expected.keys())
    wrong = [key for key in keys if held.get(key) != expected.get(key)]
    return {key: (held.get(key), expected.get(key)) for key in wrong[:3]}


@pytest.fixture
def feed(project: Path, shared: Path, tmp_path: Path) -> Iterator[Feed]:
    with ReplenitSandbox(profile="strict", limits=None, keep_bodies=True) as box:
        yield Feed(project, tmp_path, box, shared / "data" / "adventureworks_csv")


@pytest.mark.slow
def test_shop_arrives_document_by_document_and_then_only_what_changed(feed: Feed) -> None:
    first = feed.run()
    expected = feed.expected()
    held = feed.held()
    assert {name: len(held[name]) for name in held} == {
        "customers": 18148,
        "products": 119,
        "orders": 25160,
    }
    for entity in expected:
        assert differences(held[entity], expected[entity]) == {}
    assert feed.box.flags()["orders"] == {}, "every order is linked, every line matches a product"
    assert first["requests"] == 37 + 2 + 126

    # Two orders of two people under one number, twice: nobody's order is sent as another's.
    assert first["exit_code"] == 1
    assert [(one["entity"], one["count"]) for one in first["refusals"]] == [("orders", 2)]
    assert "2 different orders of the source share this OrderId" in feed.said
    assert not COLLIDING & held["orders"].keys()

    # Addresses that are not ASCII travel as they are, byte order mark or not.
    assert sum(not key.isascii() for key in held["customers"]) == 39
    assert "11000" in {one["CustomerId"] for one in held["customers"].values()}
    # `NA` is how the files say none; it is read as the text it is, and the mapping takes it out.
    colors = {
        line.get("Color") for order in held["orders"].values() for line in order["OrderItems"]
    }
    assert "NA" not in colors
    assert None in colors
    with duckdb.connect(str(next(feed.here.glob("**/*_replenit.duckdb")))) as staged:
        unknown = staged.execute("SELECT count(*) FROM csv.customers WHERE gender = 'NA'")
        assert unknown.fetchone() == (130,)
    feed.calls()

    second = feed.run()
    assert (second["requests"], second["bytes"]) == (0, 0)
    assert second["entities"]["orders"]["unchanged"] == 25160
    assert feed.calls() == []

    # One line more expensive by quantity, one line less, one of the colliding numbers corrected.
    feed.replace(SALES, "01/01/2019,9/24/2003,SO61285,214,23791,1,3,1\r\n", "")
    feed.replace(
        SALES,
        "01/01/2019,12/13/2003,SO61285,529,23791,1,2,2\r\n",
        "01/01/2019,12/13/2003,SO61285,529,23791,1,2,3\r\n",
    )
    feed.replace(
        SALES,
        "1/13/2019,11/20/2003,SO62019,584,12807,8,1,1\r\n",
        "1/13/2019,11/20/2003,SO62019B,584,12807,8,1,1\r\n",
    )
    third = feed.run()
    assert feed.calls() == [
        ("DELETE", "/orders/SO61285/items", []),
        ("POST", "/orders", ["SO61285", "SO62019", "SO62019B"]),
    ]
    assert third["entities"]["orders"]["children_deleted"] == 1
    assert third["entities"]["orders"]["rejected"] == 1
    held, expected = feed.held(), feed.expected()
    for entity in expected:
        assert differences(held[entity], expected[entity]) == {}
    assert feed.run()["requests"] == 0
