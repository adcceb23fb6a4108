"""The client's contracts and the sandbox's rules agree, or the disagreement is explained.

The two were read from the vendor's pages separately. Thousands of generated rows, five tenants and
four profiles show where the readings differ; `agreement/explanations.py` says why they do. The
whole table: `python -m tests.acceptance.agreement`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.agreement.explanations import DOUBTS, MENDED, OURS
from tests.acceptance.agreement.hearing import Finding, Findings, hear

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.acceptance.agreement.explanations import Explanation


@pytest.fixture(scope="module")
def findings() -> Findings:
    return hear()


def unexplained(
    findings: Findings, shelf: Mapping[Finding, set[str]], entries: Iterable[Explanation]
) -> list[tuple[Finding, list[str], str]]:
    explained = listed(entries)
    return [
        (finding, sorted(who), findings.examples[finding])
        for finding, who in sorted(shelf.items())
        if finding not in explained
    ]


def listed(entries: Iterable[Explanation]) -> set[Finding]:
    return {Finding(name, one.what) for one in entries for name in one.fields}


def test_every_kind_of_verdict_is_generated_often(findings: Findings) -> None:
    for entity in ("customers", "orders", "products"):
        assert findings.documents[f"{entity} batch"] > 1000
        assert findings.documents[f"{entity} refused"] > 1000
        assert findings.documents[f"{entity} solo"] >= 20


def test_what_is_ready_for_a_batch_is_taken_by_every_profile(findings: Findings) -> None:
    assert findings.not_taken == []


def test_what_is_stored_is_what_was_sent(findings: Findings) -> None:
    assert findings.stored_otherwise == []


def test_no_property_is_sent_that_no_page_knows(findings: Findings) -> None:
    assert findings.unknown_properties == set()


def test_what_travels_alone_is_refused_only_for_the_listed_doubts(findings: Findings) -> None:
    listed_doubts = {Finding(one.field, one.complaint): one for one in DOUBTS if one.complaint}
    assert findings.doubts == {at: set(one.profiles) for at, one in listed_doubts.items()}
    assert findings.solo_classes == {(one.entity, one.solo_class) for one in DOUBTS}


def test_what_only_we_refuse_is_listed(findings: Findings) -> None:
    assert unexplained(findings, findings.ours, OURS) == []


def test_what_we_mend_is_listed(findings: Findings) -> None:
    assert unexplained(findings, findings.mended, MENDED) == []


def test_no_explanation_is_stale(findings: Findings) -> None:
    assert listed(OURS) - findings.ours.keys() == set()
    assert listed(MENDED) - findings.mended.keys() == set()
