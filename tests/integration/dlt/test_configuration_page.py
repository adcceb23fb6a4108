"""A setting that is not on the page does not exist."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from replenit_destination.destinations.alarm_settings import AlarmConfiguration
from replenit_destination.destinations.configuration import (
    ReplenitClientConfiguration,
    TargetConfiguration,
)

if TYPE_CHECKING:
    from pathlib import Path

SEAMS = {"engine", "transport", "destination_type"}
OURS = {
    *TargetConfiguration.__annotations__,
    *ReplenitClientConfiguration.__annotations__,
    *AlarmConfiguration.__annotations__,
} - SEAMS
SHOWN = OURS | {"credentials"}


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_setting_stands_on_the_configuration_page(project: Path, name: str) -> None:
    page = (project / "docs" / "configuration.md").read_text(encoding="utf-8")

    assert f"\n| `{name}` |" in page


def test_example_files_show_every_setting_and_no_other(project: Path) -> None:
    config = (project / ".dlt" / "config.toml").read_text(encoding="utf-8")
    section = config.split("[load]")[0]
    shown = set(re.findall(r"^# (\w+) =", section, flags=re.MULTILINE))
    secrets = (project / ".dlt" / "example.secrets.toml").read_text(encoding="utf-8")

    secret = {"api_key", "credentials"}
    assert shown == SHOWN - secret
    assert set(re.findall(r"^(?:# )?(\w+) =", secrets, flags=re.MULTILINE)) >= secret


def test_every_setting_is_documented_in_the_code(project: Path) -> None:
    folder = project / "replenit_destination" / "destinations"
    files = [folder / "configuration.py", folder / "alarm_settings.py"]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    documented = re.findall(r'^    (\w+): .+\n    """', source, flags=re.MULTILINE)

    assert set(documented) >= OURS
