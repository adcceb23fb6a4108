"""`init` makes a folder in which its own README's commands work."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from replenit_destination.cli.app import main
from replenit_destination.destinations.project import make_project
from replenit_destination.exceptions import SettingsError
from replenit_destination.sandbox import ReplenitSandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

CLOSED = 0o077
ORDERS = "order_id,customer_id,email,order_date,total_revenue,currency\n"
VARIANTS = "product_id,variant_id,sku,name,original_price,currency,is_available\n"
ITEMS = "order_id,line,product_id,sku,quantity,price\n"
KINDS = ("csv", "postgres", "shopify")


def start(folder: Path, command: Sequence[str]) -> tuple[int, str, str]:
    """Run a command as a person in that folder does; nothing of the checkout is importable."""
    programs = Path(sys.executable).parent
    done = subprocess.run(
        [str(programs / command[0]), *command[1:]],
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def commands(folder: Path) -> list[list[str]]:
    """The commands of the README's steps, in order."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    return [
        block.split() for block in re.findall(r"^   ```sh\n   (.+)\n   ```$", text, re.MULTILINE)
    ]


def answer(file: Path, **answers: str) -> None:
    """Fill in placeholders, as a person does."""
    text = file.read_text(encoding="utf-8")
    for name, value in answers.items():
        text, found = re.subn(rf'^{name} = ""', f'{name} = "{value}"', text, flags=re.MULTILINE)
        assert found == 1, f"{file.name} does not ask for {name}"
    file.write_text(text, encoding="utf-8")


def fill_in(folder: Path, box: ReplenitSandbox, exports: Path) -> None:
    """Answer all that is asked for, with the sandbox in Replenit's place."""
    config = folder / ".dlt" / "config.toml"
    answer(config, tenant_id=box.tenant_id, customer_identifier_priority="email")
    answer(config, folder=str(exports))
    answer(folder / ".dlt" / "secrets.toml", api_key=box.api_key)
    text = config.read_text(encoding="utf-8")
    section = "[destination.replenit]"
    text = text.replace(section, f'{section}\nbase_url = "{box.url}"')
    config.write_text(text, encoding="utf-8")


def write_files(folder: Path, orders: int) -> None:
    folder.mkdir()
    people = [f"c{n},person{n}@example.com,true" for n in range(orders)]
    bought = [f"o{n},c{n},person{n}@example.com,2026-01-05T10:00:00Z,9,EUR" for n in range(orders)]
    lines = [f"o{n},1,p1,s1,1,9" for n in range(orders)]
    for name, head, rows in (
        ("products.csv", "product_id,product_name\n", ["p1,Tea"]),
        ("product_variants.csv", VARIANTS, ["p1,v1,s1,Tea,9,EUR,true"]),
        ("customers.csv", "customer_id,email,gdpr_optin\n", people),
        ("orders.csv", ORDERS, bought),
        ("order_items.csv", ITEMS, lines),
    ):
        (folder / name).write_text(head + "\n".join(rows) + "\n", encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_project_keeps_secrets_and_state_to_its_owner_and_names_absolute_paths(
    kind: str, tmp_path: Path
) -> None:
    project = make_project(kind, tmp_path / "shop")
    assert (project.folder / ".dlt" / "secrets.toml").stat().st_mode & CLOSED == 0
    assert (project.folder / "state").stat().st_mode & CLOSED == 0
    here = tomllib.loads((project.folder / ".dlt" / "secrets.toml").read_text(encoding="utf-8"))
    assert here["pipelines"]["pipelines_dir"] == str(tmp_path / "shop" / "state" / "pipelines")
    assert Path(here["destination"]["replenit"]["credentials"]).is_absolute()
    shared = (project.folder / ".dlt" / "config.toml").read_text(encoding="utf-8")
    assert str(tmp_path) not in shared, "what is committed fits every machine"
    assert {".gitignore", "mapping.toml", "README.md", "launch.py"} < set(project.files)
    assert "secrets.toml" in (project.folder / ".gitignore").read_text(encoding="utf-8")
    script = (project.folder / project.script).read_text(encoding="utf-8")
    assert script.endswith('if __name__ == "__main__":\n    sys.exit(main())\n')


@pytest.mark.parametrize("kind", KINDS)
def test_fresh_project_asks_for_every_setting_at_once(kind: str, tmp_path: Path) -> None:
    folder = make_project(kind, tmp_path / "shop").folder
    code, _, err = start(folder, ["python", f"{kind}_to_replenit.py"])
    assert code == 2
    asked = set(re.findall(r"^  (?:destination|sources)\.\w+\.(\w+): ", err, re.MULTILINE))
    here = {"csv": {"folder"}, "postgres": {"credentials"}}
    shopify = {"shop", "client_id", "client_secret"}
    consent = set() if kind == "csv" else {"gdpr_optin"}
    common = {"api_key", "tenant_id", "customer_identifier_priority"}
    assert asked == common | consent | here.get(kind, shopify)
    assert list((folder / "state").iterdir()) == [], "a run that cannot start leaves nothing behind"


def test_existing_file_is_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mapping.toml").write_text("mine", encoding="utf-8")
    assert main(["init", "csv", str(tmp_path)]) == 2
    assert "mapping.toml already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mapping.toml"]


def test_unknown_kind_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"magento.*shopify, postgres, csv"):
        make_project("magento", tmp_path / "shop")


def test_shopify_project_runs_its_demo(tmp_path: Path) -> None:
    folder = make_project("shopify", tmp_path / "shop").folder
    code, out, err = start(folder, [*commands(folder)[0], "--entities", "products"])
    assert (code, "Everything is delivered" in out) == (0, True), err
    assert not any((folder / "state").iterdir()), "the demo keeps to .demo/"


def test_csv_project_follows_its_readme_and_needs_no_arguments_afterwards(tmp_path: Path) -> None:
    """Demo, settings, first requests, status, the rest by `push`: all from the folder alone."""
    folder = make_project("csv", tmp_path / "my shop").folder
    demo, first, status = commands(folder)
    code, out, err = start(folder, demo)
    assert (code, "Everything is delivered" in out) == (0, True), err
    write_files(tmp_path / "exports", orders=450)
    with ReplenitSandbox() as box:
        fill_in(folder, box, tmp_path / "exports")
        two = [word.replace("5", "2") for word in first]
        code, out, err = start(folder, two)
        assert (code, len(box.requests("POST"))) == (3, 2), out + err
        if status[2] in known_commands():
            assert start(folder, status)[0] == 0
        code, out, err = start(folder, ["dlt", "replenit", "push"])
        assert (code, "Everything is delivered" in out) == (0, True), err
        assert len(box.state()["orders"]) == 450
    state = {path.name for path in (folder / "state").iterdir()}
    assert {"staging.duckdb", "staging.ledger.duckdb", "pipelines"} <= state
    assert stat.S_IMODE((folder / "state").stat().st_mode) == 0o700


def test_lost_ledger_is_told_before_anything_is_sent_again(tmp_path: Path) -> None:
    folder = make_project("csv", tmp_path / "shop").folder
    write_files(tmp_path / "exports", orders=3)
    with ReplenitSandbox() as box:
        fill_in(folder, box, tmp_path / "exports")
        code, out, err = start(folder, ["python", "csv_to_replenit.py"])
        assert (code, "Warning" in err) == (0, False), out + err
        for command in (["python", "csv_to_replenit.py"], ["dlt", "replenit", "push"]):
            (folder / "state" / "staging.ledger.duckdb").unlink()
            code, _, err = start(folder, command)
            assert "Warning: pipeline `csv_to_replenit` has loaded before, but its ledger" in err


def known_commands() -> tuple[str, ...]:
    from replenit_destination.cli.app import COMMANDS

    return COMMANDS
