"""The script as a person starts it, its demo, and the draft of a mapping that it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from postgres.description import describe
from proposal import propose

from replenit_destination.sandbox import ReplenitSandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from postgres.server import PostgresServer

    from tests.integration.postgres.conftest import Database, Delivered

    Start = Callable[..., tuple[int, str, str]]


@pytest.fixture
def start(project: Path, tmp_path: Path) -> Start:
    """Start the script in `tmp_path`; returns its code, output and errors."""

    def run(*arguments: str, **settings: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, str(project / "pipelines" / "postgres_to_replenit.py"), *arguments],
            cwd=tmp_path,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def demo(server: PostgresServer, start: Start, tmp_path: Path) -> Iterator[Start]:
    """The demo starts a server of its own, in a folder outside of `tmp_path`: it goes with it."""
    yield start
    kept = tmp_path / ".demo" / "postgres" / "server"
    if kept.exists():
        type(server)(folder=_folder(kept)).remove()


def _folder(kept: Path) -> Path:
    return type(kept)(kept.read_text(encoding="utf-8"))


def test_help_documents_every_option_and_exit_code(start: Start) -> None:
    code, out, _ = start("--help")
    assert code == 0
    for number in "0123":
        assert f"{number} " in out.partition("Exit codes")[2]
    for option in ("demo", "since", "until", "full", "entities", "report", "propose-mapping"):
        assert f"--{option}" in out


def test_without_settings_and_demo_it_names_all_that_is_missing(
    start: Start, tmp_path: Path
) -> None:
    code, out, err = start()
    assert (code, out) == (2, "")
    for name in (
        "sources.postgres.credentials",
        "destination.replenit.api_key",
        "destination.replenit.tenant_id",
        "destination.replenit.customer_identifier_priority",
        "destination.replenit.gdpr_optin",
    ):
        assert f"  {name}: " in err
        assert name.upper().replace(".", "__") in err
    assert list(tmp_path.iterdir()) == [], "a run that cannot start leaves nothing behind"


def test_demo_delivers_then_rests_then_sends_what_a_day_brought(
    demo: Start, tmp_path: Path
) -> None:
    def run(*arguments: str) -> dict[str, Any]:
        code, out, err = demo("--demo", "--report", "report.json", *arguments)
        assert (code, err) == (0, ""), out
        assert "Everything is delivered" in out
        assert "note" not in out, "the sample has every column that the preset knows"
        report: dict[str, Any] = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
        return report

    first = run()
    assert {name: one["created"] for name, one in first["entities"].items()} == {
        "customers": 120,
        "orders": 360,
        "products": 8,
    }
    assert run()["requests"] == 0
    third = run("--new-day")
    assert third["entities"]["customers"]["deleted"] == 1, "a changed address is another customer"
    assert third["entities"]["orders"]["children_deleted"] == 2, "a line deleted, a line moved"
    assert third["entities"]["products"]["updated"] == 1
    assert run("--full", "--entities", "orders,products")["requests"] == 0
    assert (tmp_path / ".demo").stat().st_mode & 0o077 == 0


def test_live_run_delivers_the_configured_database(
    start: Start, database: Database, tmp_path: Path
) -> None:
    database.run(
        "CREATE TABLE people (id int PRIMARY KEY, mail text, news boolean, password text,"
        " gone boolean, seen timestamptz);"
        "INSERT INTO people VALUES (1, 'Ada@example.com', true, 'xyzzy', false),"
        " (2, 'b@example.com', false, 'xyzzy', NULL), (3, 'c@example.com', true, 'xyzzy', true)"
    )
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text(
        '[sources.postgres.removals]\npeople = { column = "gone" }\n'
        '[sources.postgres.cursors]\npeople = "seen"\n',
        encoding="utf-8",
    )
    (tmp_path / "shop.toml").write_text(
        '[customers]\ntable = "people"\n[customers.fields]\nCustomerId = "id"\nEmail = "mail"\n'
        'GdprOptin = "news"\n',
        encoding="utf-8",
    )
    with ReplenitSandbox(limits=None) as box:
        settings = {
            "DESTINATION__REPLENIT__API_KEY": box.api_key,
            "DESTINATION__REPLENIT__TENANT_ID": box.tenant_id,
            "DESTINATION__REPLENIT__BASE_URL": box.url,
            "DESTINATION__REPLENIT__CUSTOMER_IDENTIFIER_PRIORITY": "email",
            "SOURCES__POSTGRES__CREDENTIALS": database.address,
            "DLT_DATA_DIR": str(tmp_path / "dlt"),
        }
        code, out, err = start("--mapping", "shop.toml", **settings)
        assert code == 0, err
        assert "`people.seen` has no index" in err, "the configured column is the one it goes by"
        consents = {key: one["GdprOptin"] for key, one in box.state()["customers"].items()}
        assert consents == {"ada@example.com": True, "b@example.com": False}
        assert "example.com" not in out
        kept = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert not any(b"xyzzy" in file.read_bytes() for file in kept), "no password left home"

        settings["SOURCES__POSTGRES__CREDENTIALS"] = "postgresql://ada:hush@127.0.0.1:1/shop"
        code, out, err = start("--mapping", "shop.toml", **settings)
        assert (code, out) == (2, "")
        assert "no connection to Postgres at 127.0.0.1" in err
        assert "hush" not in err


def test_draft_is_written_once_and_never_over_a_file(
    start: Start, database: Database, tmp_path: Path
) -> None:
    database.run("CREATE TABLE customers (id int PRIMARY KEY, email text, newsletter boolean)")
    settings = {"SOURCES__POSTGRES__CREDENTIALS": database.address}
    code, out, err = start("--propose-mapping", "shop.toml", **settings)
    assert (code, err) == (0, "")
    assert "shop.toml is a draft" in out
    text = (tmp_path / "shop.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["customers"]["fields"] == {"CustomerId": "id", "Email": "email"}
    code, _, err = start("--propose-mapping", "shop.toml", **settings)
    assert code == 2
    assert "`shop.toml` exists" in err
    # The draft is refused until somebody has decided who may be processed.
    code, _, err = start("--demo", "--mapping", "shop.toml", **settings)
    assert code == 2
    assert "which people may Replenit process?" in err


def draft(database: Database, **answers: str) -> str:
    """Return the draft for a database, with its questions answered; the others stay."""
    tables, notes = describe(database.address)
    text = propose(tables, origin="the tables", notes=notes)
    assert "GdprOptin" not in tomllib.loads(text).get("customers", {}).get("fields", {})
    for name, answer in answers.items():
        lines = [
            f"{name} = {answer}" if line.startswith(f"#? {name} = ") else line
            for line in text.splitlines()
        ]
        assert f"{name} = {answer}" in lines, "the draft asks this"
        text = "\n".join(lines)
    return text


def test_draft_for_the_plain_shop_needs_the_consent_only(
    database: Database, delivered: Delivered, project: Path, tmp_path: Path
) -> None:
    sample = project / "pipelines" / "postgres" / "sample.sql"
    database.run(sample.read_text(encoding="utf-8"))
    mapping = tmp_path / "draft.toml"
    text = draft(database, GdprOptin='"email_opt_in"')
    assert "email_opt_in, sms_opt_in" in text
    assert 'customers = { column = "deleted_at" }' in text
    mapping.write_text(text, encoding="utf-8")
    report = delivered.run(str(mapping))
    assert report.exit_code == 0, report.summary
    assert {name: one.created for name, one in report.entities.items()} == {
        "customers": 120,
        "orders": 360,
        "products": 8,
    }


def test_draft_for_chinook_asks_what_its_tables_do_not_say(
    database: Database, delivered: Delivered, shared: Path, tmp_path: Path
) -> None:
    script = shared / "data" / "chinook_pg" / "Chinook_PostgreSql.sql"
    database.run(script.read_text(encoding="utf-8").partition("\\c chinook;")[2])
    mapping = tmp_path / "draft.toml"
    text = draft(
        database,
        GdprOptin='{ rule = "never" }',
        timezone='"America/New_York"',
        Sku="\"'TRACK-' || track_id\"",
        Currency="\"'USD'\"",
        IsAvailable='"true"',
    )
    mapping.write_text(text, encoding="utf-8")
    report = delivered.run(str(mapping))
    assert report.exit_code == 0, report.summary
    assert [one.created for _, one in sorted(report.entities.items())] == [59, 412, 3503]
    order = delivered.box.state()["orders"]["1"]
    assert [(line["ProductId"], line["Sku"]) for line in order["OrderItems"]] == [
        ("2", "TRACK-2"),
        ("4", "TRACK-4"),
    ]


def test_sample_shop_starts_where_it_was_left(server: PostgresServer, tmp_path: Path) -> None:
    from postgres.sample import new_day, sample_shop

    kept = tmp_path / "server"
    with sample_shop(kept) as address:
        assert len(new_day(address)) == 6
    with sample_shop(kept) as address, psycopg.connect(address) as connection:
        row = connection.execute("SELECT email FROM customers WHERE id = 7").fetchone()
    assert row == ("seven@example.com",)
    type(server)(folder=_folder(kept)).remove()
