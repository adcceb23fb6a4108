"""docs/report.md explains every key of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.engine.alarms import Alarm
from replenit_destination.engine.guards import Withheld
from replenit_destination.engine.holds import Held
from replenit_destination.engine.references import Absent
from replenit_destination.engine.report import EntityReport, Report
from replenit_destination.engine.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL = Report("vendor", "tenant", entities={"orders": EntityReport()}, tally=Tally())
FULL.withheld.append(Withheld("orders", 1, "why"))
FULL.held.append(Held("orders", 1, 1, 1, 1.0))
FULL.absent.append(Absent("orders", "products", 1, 1, (({"ProductId": "p"}, 1),)))
FULL.alarms.append(Alarm(kind="volume", entity="orders", text="why"))
FULL.refusals["orders", "Total", "why"] = 1
FULL.left_out["orders", "dropped", "Total", "why"] = 1
FULL.unconfirmed["orders"] = (1, ("0123456789",))


def keys(value: Any, of_data: bool = False) -> Iterator[str]:
    """Yield every documented key: those of a dictionary whose keys are data are left out."""
    if isinstance(value, list):
        for one in value:
            yield from keys(one)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if not of_data:
                yield name
            yield from keys(inner, of_data=name in {"entities", "rulings", "verdicts", "seconds"})


@pytest.mark.parametrize("name", sorted(set(keys(FULL.to_dict()))))
def test_key_is_explained(project: Path, name: str) -> None:
    assert f"`{name}`" in (project / "docs" / "report.md").read_text(encoding="utf-8")
