"""The script as a person starts it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.sandbox import ReplenitSandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[..., tuple[int, str, str]]


def test_help_documents_every_exit_code(start: Start) -> None:
    code, out, _ = start("--help")
    assert code == 0
    for number in "0123":
        assert f"{number} " in out.partition("Exit codes")[2]
    assert "order_items=order_items*.csv" in out.replace("\n", " ")


def test_without_settings_and_demo_it_names_all_that_is_missing(
    start: Start, tmp_path: Path
) -> None:
    code, out, err = start()
    assert (code, out) == (2, "")
    for name in (
        "sources.csv_files.folder",
        "destination.replenit.api_key",
        "destination.replenit.tenant_id",
        "destination.replenit.customer_identifier_priority",
    ):
        assert f"  {name}: " in err
        assert name.upper().replace(".", "__") in err
    assert list(tmp_path.iterdir()) == [], "a run that cannot start leaves nothing behind"


def test_table_without_pattern_is_refused(start: Start) -> None:
    code, _, err = start("--demo", "--table", "sales")
    assert code == 2
    assert "NAME=PATTERN" in err


def test_demo_delivers_then_rests_then_sends_only_what_was_edited(
    start: Start, tmp_path: Path
) -> None:
    """Without files, account or network: the sample, nothing, one customer and one line less."""

    def run() -> dict[str, Any]:
        code, out, err = start("--demo", "--report", "report.json")
        assert code == 0, err
        assert "Everything is delivered" in out
        assert "note" not in out, "the sample has every column that the layout knows"
        report: dict[str, Any] = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
        return report

    first = run()
    assert {name: one["created"] for name, one in first["entities"].items()} == {
        "customers": 120,
        "orders": 360,
        "products": 9,
    }
    second = run()
    assert (second["requests"], second["bytes"]) == (0, 0)
    files = tmp_path / ".demo" / "csv" / "files"
    edit(files / "customers.csv", lambda line: line.replace("person7@", "seven@"))
    edit(files / "order_items.csv", without_a_second_line())
    third = run()
    assert third["entities"]["orders"]["children_deleted"] == 1
    assert third["entities"]["customers"]["created"] == 1
    assert third["entities"]["customers"]["deleted"] == 1, "a changed address is another customer"
    assert third["entities"]["products"]["updated"] == 0
    assert third["requests"] == 4
    assert (tmp_path / ".demo").stat().st_mode & 0o077 == 0


def test_second_run_at_a_time_is_told_of_the_first(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / ".demo" / "csv"
    folder.mkdir(mode=0o700, parents=True)
    with closing(sqlite3.connect(folder / "csv_to_replenit.run")) as other:
        other.execute("BEGIN EXCLUSIVE")
        code, _, err = start("--demo", DESTINATION__REPLENIT__LOCK_WAIT_SECONDS="0")
    assert code == 2
    assert "pipeline `csv_to_replenit` is being run by another process" in err
    assert start("--demo")[0] == 0


def without_a_second_line() -> Callable[[str], str]:
    """Leave out the first line that is not the only one of its order."""
    left_out: list[str] = []

    def change(line: str) -> str:
        if left_out or line.split(",")[1] != "2":
            return line
        left_out.append(line)
        return ""

    return change


def edit(file: Path, change: Callable[[str], str]) -> None:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    changed = [change(line) for line in lines]
    assert changed != lines
    file.write_text("".join(changed), encoding="utf-8")


def test_sample_is_the_same_every_time(start: Start, tmp_path: Path) -> None:
    from csv_files.sample import write_sample

    assert write_sample(tmp_path / "one")
    assert write_sample(tmp_path / "two")
    assert not write_sample(tmp_path / "two"), "files that are there are never written over"
    for file in (tmp_path / "one").iterdir():
        text = file.read_text(encoding="utf-8")
        assert text == (tmp_path / "two" / file.name).read_text(encoding="utf-8")
        assert "@" not in text.replace("@example.com", "")


def test_broken_file_stops_with_its_place_and_says_nothing_personal(
    start: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "customers.csv").write_text("email,gdpr_optin\njane@example.com,yes,no\n")
    code, out, err = start("--demo", "--folder", str(folder))
    assert (code, out) == (2, "")
    assert "line 2 of `customers.csv` has 3 values, the first line names 2 columns" in err
    assert "jane" not in err
    (folder / "customers.csv").write_text("email,gdpr_optin\njane@example.com,yes\n")
    assert start("--demo", "--folder", str(folder))[0] == 0


def test_draft_of_a_mapping_is_refused_until_consent_is_decided(
    start: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "customers_1.csv").write_text("email,newsletter\njane@example.com,yes\n")
    code, out, err = start("--folder", "exports", "--propose-mapping", "shop.toml")
    assert (code, err) == (0, "")
    assert "shop.toml is a draft" in out
    text = (tmp_path / "shop.toml").read_text(encoding="utf-8")
    assert 'customers = "customers_*.csv"' in text or 'customers = "customers*.csv"' in text
    assert "jane" not in text
    code, _, err = start("--demo", "--folder", "exports", "--mapping", "shop.toml")
    assert code == 2
    assert "which people may Replenit process?" in err


def test_folder_without_files_is_named(start: Start) -> None:
    code, _, err = start("--demo", "--folder", "nowhere")
    assert code == 2
    assert "`nowhere` has none of customers*.csv" in err


@pytest.mark.parametrize("where", ["arguments", "configuration"])
def test_live_run_delivers_own_files_by_own_mapping(
    start: Start, tmp_path: Path, where: str
) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "leute_1.csv").write_text(
        "Kunde;Mail;Newsletter\n7;Jürgen@example.com;ja\n8;ada@example.com;nein\n",
        encoding="windows-1252",
    )
    (tmp_path / "shop.toml").write_text(
        '[customers]\ntable = "people"\n[customers.fields]\nCustomerId = "kunde"\nEmail = "mail"\n'
        "GdprOptin = \"newsletter = 'ja'\"\n",
        encoding="utf-8",
    )
    arguments = [
        *("--folder", "exports", "--table", "people=leute*.csv"),
        *("--mapping", "shop.toml", "--delimiter", ";", "--encoding", "windows-1252"),
    ]
    if where == "configuration":
        arguments = []
        (tmp_path / ".dlt").mkdir()
        (tmp_path / ".dlt" / "config.toml").write_text(
            '[sources.csv_files]\nfolder = "exports"\ndelimiter = ";"\nencoding = "windows-1252"\n'
            '[sources.csv_files.tables]\npeople = "leute*.csv"\n'
            '[destination.replenit]\nmapping = "shop.toml"\n',
            encoding="utf-8",
        )
    with ReplenitSandbox(limits=None) as box:
        settings = {
            "DESTINATION__REPLENIT__API_KEY": box.api_key,
            "DESTINATION__REPLENIT__TENANT_ID": box.tenant_id,
            "DESTINATION__REPLENIT__BASE_URL": box.url,
            "DESTINATION__REPLENIT__CUSTOMER_IDENTIFIER_PRIORITY": "email",
            "DLT_DATA_DIR": str(tmp_path / "dlt"),
        }
        code, out, err = start(*arguments, **settings)
        assert (code, err) == (0, ""), out
        consents = {key: one["GdprOptin"] for key, one in box.state()["customers"].items()}
    assert consents == {"jürgen@example.com": True, "ada@example.com": False}
    assert "example.com" not in out


def test_bucket_is_read_through_the_settings(
    start: Start, s3_endpoint: str, tmp_path: Path
) -> None:
    """The very settings of the page, against an S3: first all files, then the changed one."""
    import s3fs
    from csv_files.sample import write_sample

    write_sample(tmp_path / "files")
    bucket = s3fs.S3FileSystem(endpoint_url=s3_endpoint, key="test", secret="test")
    bucket.call_s3("create_bucket", Bucket="exports")
    bucket.put(str(tmp_path / "files"), "exports/shop", recursive=True)
    with ReplenitSandbox() as vendor:
        settings = {
            "SOURCES__CSV_FILES__FOLDER": "s3://exports/shop",
            "SOURCES__FILESYSTEM__CREDENTIALS__AWS_ACCESS_KEY_ID": "test",
            "SOURCES__FILESYSTEM__CREDENTIALS__AWS_SECRET_ACCESS_KEY": "test",
            "SOURCES__FILESYSTEM__CREDENTIALS__ENDPOINT_URL": s3_endpoint,
            "DESTINATION__REPLENIT__API_KEY": vendor.api_key,
            "DESTINATION__REPLENIT__TENANT_ID": vendor.tenant_id,
            "DESTINATION__REPLENIT__BASE_URL": vendor.url,
            "DESTINATION__REPLENIT__CUSTOMER_IDENTIFIER_PRIORITY": "email",
        }

        def run() -> int:
            code, out, err = start("--report", "report.json", **settings)
            assert code == 0, out + err
            report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
            assert len(vendor.state()["customers"]) == 120
            return int(report["requests"])

        assert run() >= 3
        assert run() == 0
        customers = bucket.cat("exports/shop/customers.csv")
        bucket.pipe("exports/shop/customers.csv", customers.replace(b"Evans", b"Evers"))
        assert run() == 1
