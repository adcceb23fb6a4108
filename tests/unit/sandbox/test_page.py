"""The page about the sandbox and the code say the same."""

import re
from pathlib import Path

from replenit_destination.sandbox import PROFILES, SWITCHES, FaultKind, ReplenitService, Switches
from replenit_destination.sandbox.__main__ import parser
from replenit_destination.sandbox.replenit.control import PREFIX, Control

PAGE = Path(__file__).parents[3] / "docs" / "sandbox.md"


def switch_table() -> str:
    rows = ["| Switch | Values | Meaning | Question |", "| --- | --- | --- | --- |"]
    for switch in SWITCHES.values():
        default = getattr(Switches(), switch.name)
        values = switch.values or (f"{default or 'none'}" if default != 0 else "0",)
        shown = ", ".join(f"`{value}`" for value in values)
        rows.append(f"| `{switch.name}` | {shown} | {switch.meaning} | {switch.question} |")
    return "\n".join(rows)


def test_every_switch_is_on_the_page():
    between = PAGE.read_text().partition("held by a test -->\n")[2].partition("<!-- /switches")[0]

    assert between.strip() == switch_table()


def test_every_profile_fault_control_and_option_is_on_the_page(vendor):
    text = PAGE.read_text()
    controls = Control(vendor().service).routes
    options = re.findall(r"--[a-z-]+", parser().format_usage())

    for name in (*PROFILES, *FaultKind):
        assert f"| `{name}` |" in text
    for method, name in controls:
        assert f"| `{method} {PREFIX}{name}" in text
    for option in options:
        assert option in text


def test_every_setting_of_the_service_is_on_the_page():
    rows = re.findall(r"^\| (`.+?) \|", PAGE.read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    settings = ReplenitService.__init__.__kwdefaults__

    assert settings.keys() <= named
