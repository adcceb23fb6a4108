"""Full batches: requests are rationed, so an empty seat in a batch is delivery time lost.

A batch closes when the next document would exceed the entity's limit of documents or bytes. Limits
of bytes are learned downwards when the service calls a body too large, and grow back while it does
not.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from replenit_destination.engine.documents import Batch, Document, Lane
from replenit_destination.engine.target import BatchLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence

    from replenit_destination.engine.documents import Item

__all__ = ["LearnedLimits", "Numbering", "Packer", "halves", "pack"]

GROW_AFTER_BATCHES = 20
MOST_BATCHES_TO_GROW_AFTER = 640
GROWTH = 1.25
SMALLEST_LEARNED_BYTES = 1024


class Numbering:
    """Makes batches with numbers that are unique within the run."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def batch(self, items: Sequence[Item], parent: Batch | None = None) -> Batch:
        """Return a batch of items of one entity, with the batch it was split from."""
        return Batch(
            number=next(self._numbers),
            entity=items[0].entity,
            items=tuple(items),
            parent=parent.number if parent else None,
        )


class LearnedLimits:
    """A target's batch limits, tightened by what the service would not take.

    Args:
        limits: The target's own limits per entity.
        learned: Entity → bytes per request, from an earlier run; changed in place, to be kept for
            the next one.
        accepted_since: Entity → requests taken since its bytes changed; the same.
    """

    def __init__(
        self,
        limits: Callable[[str], BatchLimits],
        learned: MutableMapping[str, int] | None = None,
        accepted_since: MutableMapping[str, int] | None = None,
    ) -> None:
        self._limits = limits
        self.learned: MutableMapping[str, int] = {} if learned is None else learned
        self.accepted_since = {} if accepted_since is None else accepted_since
        self._largest_taken: dict[str, int] = {}
        self._patience: dict[str, int] = {}

    def __call__(self, entity: str) -> BatchLimits:
        """Return how much one request of this entity may hold now."""
        own = self._limits(entity)
        return BatchLimits(own.documents, min(own.bytes, self.learned.get(entity, own.bytes)))

    def too_large(self, batch: Batch) -> None:
        """Note that the service did not take a body of this size.

        From then on bodies are as large as its larger half, or as the largest that was taken. The
        next attempt at a larger one waits twice as long as the one that has failed.
        """
        entity = batch.entity
        taken = self._largest_taken.get(entity, 0)
        if taken >= batch.size_bytes:
            taken = self._largest_taken[entity] = 0  # not any more
        larger_half = halves(batch.items)[1]
        size = sum(len(item.body) + 1 for item in larger_half) + 1
        ceiling = max(SMALLEST_LEARNED_BYTES, size, taken)
        self.learned[entity] = min(ceiling, self(entity).bytes)
        if taken:
            patience = self._patience.get(entity, GROW_AFTER_BATCHES)
            self._patience[entity] = min(2 * patience, MOST_BATCHES_TO_GROW_AFTER)
        self.accepted_since[entity] = 0

    def accepted(self, batch: Batch) -> None:
        """Note that the service took a body; after enough of them the next ones may be larger."""
        if batch.entity not in self.learned:
            return
        largest = self._largest_taken.get(batch.entity, 0)
        self._largest_taken[batch.entity] = max(largest, batch.size_bytes)
        taken = self.accepted_since.get(batch.entity, 0) + 1
        self.accepted_since[batch.entity] = taken
        if taken < self._patience.get(batch.entity, GROW_AFTER_BATCHES):
            return
        self.accepted_since[batch.entity] = 0
        larger = int(self.learned[batch.entity] * GROWTH)
        if larger >= self._limits(batch.entity).bytes:
            del self.learned[batch.entity]
        else:
            self.learned[batch.entity] = larger


class Packer:
    """Collects documents into full batches, per entity; urgent ones are packed by themselves.

    Documents keep the order in which they came. A removal, and a document larger than the limit of
    bytes, travels alone.
    """

    def __init__(self, limits: Callable[[str], BatchLimits], numbering: Numbering) -> None:
        self._limits = limits
        self._numbering = numbering
        self._open: dict[tuple[str, bool], list[Item]] = {}
        self._bytes: dict[tuple[str, bool], int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._open.values()))

    def add(self, item: Item) -> list[Batch]:
        """Add one item and return the batches that are full now."""
        if not isinstance(item, Document):
            return [self._numbering.batch([item])]
        pack = (item.entity, item.urgent)
        limits = self._limits(item.entity)
        items = self._open.setdefault(pack, [])
        full = []
        # Brackets and commas: one byte per document and one more (see `Batch.size_bytes`).
        size = self._bytes.get(pack, 1) + len(item.body) + 1
        if items and size > limits.bytes:
            full.append(self._close(pack))
            items = self._open.setdefault(pack, [])
            size = 1 + len(item.body) + 1
        items.append(item)
        self._bytes[pack] = size
        if len(items) >= limits.documents or size >= limits.bytes:
            full.append(self._close(pack))
        return full

    def close(self) -> list[Batch]:
        """Return what is left as batches, urgent ones first."""
        return [self._close(pack) for pack in sorted(self._open, key=lambda pack: not pack[1])]

    def _close(self, pack: tuple[str, bool]) -> Batch:
        self._bytes.pop(pack, None)
        return self._numbering.batch(self._open.pop(pack))


def pack(items: Iterable[Item], limits: Callable[[str], BatchLimits]) -> Iterator[Batch]:
    """Pack items into the batches that a smooth delivery sends; `plan` counts them.

    Yields: Batches in sending order; no item is dropped or repeated. A solo document is a batch of
    its own.
    """
    numbering = Numbering()
    packer = Packer(limits, numbering)
    for item in items:
        if item.lane is Lane.SOLO:
            yield numbering.batch([item])
        else:
            yield from packer.add(item)
    yield from packer.close()


def halves(items: Sequence[Item]) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Split two or more items into halves, the first one being the smaller."""
    middle = len(items) // 2
    return tuple(items[:middle]), tuple(items[middle:])
