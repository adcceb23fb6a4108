"""What was asked of the sandbox and what it answered, request by request."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, overload

__all__ = ["Entry", "Journal"]

Body = bytes  # the entry has a field called bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One request to the vendor's paths. The key that came with it is never kept."""

    number: int  # 1 for the first request since the start or the last reset
    time: float  # Unix seconds on the sandbox's clock
    method: str
    path: str  # as sent: percent-encoded, without the query
    query: str
    status: int  # 0 when the connection was dropped without an answer
    documents: int  # in the request's body
    bytes: int  # of the request's body
    outcome: str  # stored, deleted, refused, throttled, …; "fault:<kind>" when a fault answered
    entity: str = ""  # customers, orders or products
    tenant: str = ""
    stored: int = 0  # documents that were saved
    ignored: int = 0  # documents answered with 200 and skipped
    committed: bool = False  # whether the request changed, or may have changed, the state
    body: Body | None = None  # only when the sandbox was told to keep bodies

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as JSON-ready values; a kept body becomes text."""
        values = asdict(self)
        values["body"] = None if self.body is None else self.body.decode("utf-8", "replace")
        return values


class Journal(Sequence[Entry]):
    """The requests since the last reset, oldest first.

    Only the newest `keep` entries are held; `total` and the numbers of the entries go on counting.
    """

    def __init__(self, *, keep: int = 500_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=keep)
        self.total = 0

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...

    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if isinstance(index, slice):
            return list(self._entries)[index]
        return self._entries[index]

    def append(self, entry: Entry) -> None:
        """Add the newest entry."""
        self._entries.append(entry)
        self.total += 1

    def clear(self) -> None:
        """Forget everything and start numbering at 1 again."""
        self._entries.clear()
        self.total = 0

    def requests(
        self, method: str | None = None, path_prefix: str | None = None, *, since: int = 0
    ) -> list[Entry]:
        """Return the entries of one method, below one path, with a number above `since`."""
        held_from = self.total - len(self._entries)
        return [
            entry
            for entry in islice(self._entries, max(0, since - held_from), None)
            if (method is None or entry.method == method.upper())
            and (path_prefix is None or entry.path.startswith(path_prefix))
        ]
