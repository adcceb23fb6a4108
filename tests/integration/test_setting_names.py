"""dlt also looks for a setting under its bare name: none may be what shells and runners export."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from pipelines.csv_files import csv_files
from pipelines.postgres import postgres
from pipelines.shopify import shopify
from replenit_destination.destinations.configuration import TargetConfiguration

EXPORTED = set(
    """
    CI COLUMNS DEBUG DISPLAY DOMAIN EDITOR EMAIL GROUP GROUPS HISTSIZE HOME HOST HOSTNAME LANG
    LANGUAGE LINES LOGNAME MAIL NAME OPTIONS PAGER PATH PORT PROMPT PWD RANDOM SECONDS SHELL TEMP
    TERM TIME TIMEOUT TMP TMPDIR TZ UID USER USERNAME VERSION
    """.split()  # noqa: SIM905 - a list of forty quoted words reads worse
)


@pytest.mark.parametrize("source", [csv_files, postgres, shopify])
def test_no_setting_of_a_source_is_a_variable_of_every_shell(source: object) -> None:
    assert callable(source)
    names = {name.upper() for name in inspect.signature(source).parameters}
    assert names
    assert not names & EXPORTED


def test_no_setting_of_the_destination_is_a_variable_of_every_shell() -> None:
    names = {field.name.upper() for field in dataclasses.fields(TargetConfiguration)}
    assert "TENANT_ID" in names
    assert not names & EXPORTED
