"""Documents that point to what the vendor was never told of: orders of products no catalogue has.

They are sent all the same, since the vendor takes them; but a reminder cannot name such a product,
so a person should know. Only documents accepted in this run are looked at, and of the catalogue
only what they point to, so the work grows with the change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.sql import queries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.target import EntitySpec

__all__ = ["Absent", "absent_references"]

SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Absent:
    """What the documents of one entity point to in another that does not have it.

    `documents` point to `references` different ones; `samples` are the commonest (identifiers as
    the vendor names them, and the documents that have them).
    """

    entity: str
    refers_to: str
    documents: int
    references: int
    samples: tuple[tuple[dict[str, str], int], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {
            "entity": self.entity,
            "refers_to": self.refers_to,
            "documents": self.documents,
            "references": self.references,
            "samples": [{**names, "documents": count} for names, count in self.samples],
        }

    def __str__(self) -> str:
        shown = [
            f"{' '.join(f'{name} {value}' for name, value in names.items())} ({count})"
            for names, count in self.samples[:3]
        ]
        return (
            f"{self.documents} {self.entity} refer to {self.references} {self.refers_to} that the "
            f"catalogue does not have, for instance {', '.join(shown)}"
        )


def absent_references(
    ledger: Ledger,
    specs: Mapping[str, EntitySpec],
    entities: Collection[str],
    standing: Collection[str],
) -> Iterator[Absent]:
    """Yield what this run's documents point to and the ledger does not know.

    Args:
        ledger: Folded.
        specs: The target's entities.
        entities: The mapped ones: without a mapped catalogue nothing is absent from it.
        standing: Those with any entry.
    """
    for name in entities:
        spec = specs[name]
        for field, other in spec.child_link.items():
            if other in entities and other in standing:
                found = _absent(ledger, spec, field, specs[other])
                if found is not None:
                    yield found


def _absent(ledger: Ledger, spec: EntitySpec, field: str, other: EntitySpec) -> Absent | None:
    if spec.child is None or field not in spec.child.key:
        return None
    fields = {one.name for one in other.child.fields} if other.child else set()
    part = next((name for name in spec.child.key if name != field and name in fields), None)
    statement = queries("replenit_destination.engine", "references.sql")["absent"]
    parts = f"$.{other.child.property}[*].{part}" if other.child and part else "$"
    place = f"$[{spec.child.key.index(part)}]" if part else ""
    values = {
        "{ledger}": ledger.schema,
        "{place}": f"$[{spec.child.key.index(field)}]",
        "{part}": f"json_extract_string(child, '{place}')" if part else "''",
        "{parts}": parts,
        "{limit}": str(SAMPLES),
    }
    for mark, value in values.items():
        statement = statement.replace(mark, value)
    row = ledger.connection.execute(
        statement, [ledger.account, spec.name, ledger.run, ledger.account, other.name]
    ).fetchone()
    documents, references, samples = row or (0, 0, None)
    if not references:
        return None
    told = tuple(
        ({field: one["id"]} | ({part: one["part"]} if part else {}), one["documents"])
        for one in samples
    )
    return Absent(spec.name, other.name, documents, references, told)
