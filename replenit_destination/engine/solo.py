"""The solo lane: documents that one reading of the vendor's pages allows and another forbids.

They travel one per request, so that a refusal hits nobody else. Twenty acceptances show that the
service takes the class, which then travels in batches until the first refusal (real-shops.md rule
9).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from replenit_destination.engine.documents import Document, Lane

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from replenit_destination.engine.documents import Item

__all__ = ["PROMOTED_AFTER", "SoloLane"]

PROMOTED_AFTER = 20


class SoloLane:
    """Waiting solo documents, what their classes have shown, and the requests they may take.

    Args:
        accepted: Class → acceptances since its last refusal, remembered per tenant; changed in
            place. A class is named `entity/solo_class`.
        share: Largest share of the run's requests that solo documents take …
        floor: … but so many in any case.
    """

    def __init__(self, accepted: MutableMapping[str, int], *, share: float, floor: int) -> None:
        self._accepted = accepted
        self._share = share
        self._floor = floor
        self._waiting: deque[Document] = deque()
        self.sent = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def wants(self, item: Item) -> bool:
        """Return whether the item must travel alone now."""
        if not isinstance(item, Document) or item.lane is not Lane.SOLO:
            return False
        return not item.solo_class or self._accepted.get(_name(item), 0) < PROMOTED_AFTER

    def put(self, item: Item) -> None:
        """Let a document wait for its turn."""
        if isinstance(item, Document):
            self._waiting.append(item)

    def affordable(self, requests: int) -> bool:
        """Return whether one more may travel in a run with so many requests."""
        return self.sent < max(self._floor, self._share * requests)

    def take(self, requests: int) -> Document | None:
        """Return the next document if one may travel in a run with so many requests."""
        if not self._waiting or not self.affordable(requests):
            return None
        self.sent += 1
        return self._waiting.popleft()

    def drain(self) -> list[Document]:
        """Return and forget all that wait."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def accepted(self, item: Item) -> list[Document]:
        """Note an acceptance and return the documents that may now travel in batches."""
        if not self._counts(item):
            return []
        name = _name(item)
        self._accepted[name] = self._accepted.get(name, 0) + 1
        if self._accepted[name] != PROMOTED_AFTER:
            return []
        promoted = [waiting for waiting in self._waiting if not self.wants(waiting)]
        self._waiting = deque(waiting for waiting in self._waiting if self.wants(waiting))
        return promoted

    def refused(self, item: Item) -> None:
        """Note a refusal: the whole class travels alone again."""
        if self._counts(item):
            self._accepted[_name(item)] = 0

    @staticmethod
    def _counts(item: Item) -> bool:
        return isinstance(item, Document) and item.lane is Lane.SOLO and bool(item.solo_class)


def _name(item: Item) -> str:
    return f"{item.entity}/{item.solo_class}" if isinstance(item, Document) else item.entity
