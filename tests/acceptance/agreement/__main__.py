"""Print every disagreement with its explanation, as a Markdown table."""

from __future__ import annotations

from tests.acceptance.agreement.explanations import DOUBTS, MENDED, OURS
from tests.acceptance.agreement.hearing import hear


def main() -> None:
    findings = hear()
    rows = [("lane or side", "field", "what", "profiles that refuse", "why", "source")]
    for doubt in DOUBTS:
        what = f"{doubt.solo_class}: {doubt.complaint or 'taken'}"
        profiles = ", ".join(sorted(doubt.profiles)) or "none"
        rows.append(("alone", doubt.field, what, profiles, doubt.why, doubt.source))
    for side, shelf, entries in (
        ("only we refuse", findings.ours, OURS),
        ("we mend", findings.mended, MENDED),
    ):
        explained = {(name, one.what): one for one in entries for name in one.fields}
        for finding, who in sorted(shelf.items()):
            one = explained.get(finding)
            profiles = "none" if shelf is findings.ours else ", ".join(sorted(who))
            why, source = (one.why, one.source) if one else ("NOT EXPLAINED", "")
            rows.append((side, finding.field, finding.what, profiles, why, source))
    rows.insert(1, ("---",) * 6)
    counts = [f"{count} {what}" for what, count in sorted(findings.documents.items())]
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    print("\n".join([*lines, "", ", ".join(counts)]))  # noqa: T201  # a person asked for it


if __name__ == "__main__":
    main()
