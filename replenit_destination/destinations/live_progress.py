"""Progress for people: a live view in a terminal, a line now and then where there is none.

    dlt.pipeline("shop", destination="replenit", progress=LiveProgress())

It is a collector of dlt's, so it shows dlt's own steps too. What a delivery tells of itself, it
reads where others read it: the status file beside the ledger and the account's quota. Everything
goes to stderr.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO

from dlt.common.runtime.collector_base import Collector

from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.status import Status, read_status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.table import Table

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.quota_use import WindowUse

__all__ = ["LiveProgress", "told"]

QUOTA_SECONDS = 2.0  # reading the account's log takes some milliseconds
MIN_SECONDS = 2.0  # before that a rate is a guess
MIN_REQUESTS = 5
_BAR = 24
_FEW = 0.1  # of the window: what is left of it is shown in another colour
_OF_DLT = frozenset({"Resources", "Files", "Items", "Jobs"})
_WINDOWS = {60.0: "this minute", 3600.0: "this hour"}


class LiveProgress(Collector):
    """Shows what a pipeline does, and how a delivery stands against the quota.

    Args:
        stream: Where to show it; default stderr.
        every_seconds: How often a line is written where `stream` is no terminal.
        clock: Time.
        console: Where to show it instead, such as one that records.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        every_seconds: float = 30.0,
        clock: Clock | None = None,
        console: Console | None = None,
    ) -> None:
        from rich.console import Console as Made
        from rich.spinner import Spinner

        self.step = ""
        self._console = console or Made(file=stream or sys.stderr, highlight=False)
        self._every = every_seconds
        self._clock = clock or SystemClock()
        self._counts: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()
        self._live: Live | None = None
        self._began = self._told = self._clock.monotonic()
        self._watched: tuple[Path, Callable[[], Sequence[WindowUse]]] | None = None
        self._uses: tuple[float, Sequence[WindowUse]] = (float("-inf"), ())
        self._stage: tuple[str, int, int] = ("", 0, 0)  # its name, what was done before it
        self._spinner = Spinner("dots")
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> LiveProgress:
        """Return the same: dlt copies its collector with a pipeline, and there is one terminal."""
        return self

    def watch(self, ledger: Path, uses: Callable[[], Sequence[WindowUse]]) -> None:
        """Show a delivery as well, until the step ends.

        Args:
            ledger: The delivery's ledger, beside which it tells where it is.
            uses: Returns how full the account's windows are.
        """
        self._watched = (ledger, uses)

    def update(
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        """Count; where there is no terminal, write a line when one is due."""
        with self._lock:
            self._counts[name] += inc
            if total is not None:
                self._totals[name] = total
            self._totals[name] += inc_total or 0
        now = self._clock.monotonic()
        if self._live is None and now - self._told >= self._every:
            self._told = now
            self._line(self._sentence())

    def __rich__(self) -> RenderableType:
        """Return what the terminal shows now."""
        from rich.console import Group
        from rich.text import Text

        status = self._status()
        stage = f", {status.stage}" if status and status.stage else ""
        self._spinner.update(text=Text(f"{self.step}{stage}", style="bold"))
        if status is None or not status.step:
            return Group(self._spinner, Text(f"  {self._counted()}", style="dim"))
        return Group(self._spinner, self._delivery(status))

    def _start(self, step: str) -> None:
        from rich.live import Live

        self._counts.clear()
        self._totals.clear()
        self._began = self._told = self._clock.monotonic()
        if self._console.is_terminal:
            # What a script prints stays where it prints it: on stdout.
            self._live = Live(
                get_renderable=self.__rich__,
                console=self._console,
                transient=True,
                redirect_stdout=False,
                refresh_per_second=5,
            )
            self._live.start()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            seconds = self._clock.monotonic() - self._began
            done = f"[green]✓[/] {_escaped(self.step)} [dim]{seconds:.1f} s  {self._counted()}[/]"
            self._console.print(done, soft_wrap=True)
        self._watched, self._stage = None, ("", 0, 0)
        self._uses = (float("-inf"), ())

    def _status(self) -> Status | None:
        status = read_status(self._watched[0]) if self._watched else None
        if status is None:
            return None
        # It is told once a second; what was counted since is known here.
        newer = max(0, self._counts["Delivered"] - status.documents)
        return replace(
            status,
            documents=status.documents + newer,
            remaining=max(0, status.remaining - newer),
        )

    def _windows(self) -> Sequence[WindowUse]:
        now = self._clock.monotonic()
        read, uses = self._uses
        if self._watched and now - read >= QUOTA_SECONDS:
            with suppress(Exception):  # a picture of the quota is never worth a run
                uses = self._watched[1]()
            self._uses = (now, uses)
        return uses

    def _per_request(self, status: Status) -> float | None:
        """Return how many documents a request of this stage holds; None until that is known."""
        if status.stage != self._stage[0]:
            self._stage = (status.stage, status.documents, status.requests)
        _, documents, requests = self._stage
        sent = status.requests - requests
        return (status.documents - documents) / sent or None if sent >= MIN_REQUESTS else None

    def _delivery(self, status: Status) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        known = status.documents + status.remaining
        grid = Table.grid(padding=(0, 1))
        grid.add_column(style="dim", min_width=11)
        grid.add_column(width=_BAR)
        grid.add_column()
        bar = ProgressBar(
            total=max(known, 1), completed=status.documents, width=_BAR, complete_style="cyan"
        )
        seconds = self._clock.now() - status.started
        windows = self._windows()
        grid.add_row("  documents", bar, told(status, seconds, windows, self._per_request(status)))
        for use in windows:
            style = "yellow" if use.free < _FEW * use.allowed else "green"
            used = ProgressBar(
                total=use.allowed,
                completed=use.used,
                width=_BAR,
                complete_style=style,
                finished_style=style,
            )
            name = _WINDOWS.get(use.seconds, f"in {use.seconds:g} s")
            grid.add_row("  quota", used, f"{use.free:,} of {use.allowed:,} requests left {name}")
        return grid

    def _sentence(self) -> str:
        status = self._status()
        if status is None or not status.step:
            return f"{self.step}: {self._counted()}"
        windows = self._windows()
        seconds = self._clock.now() - status.started
        parts = [told(status, seconds, windows, self._per_request(status))]
        parts += [
            f"{use.free:,} left {_WINDOWS.get(use.seconds, f'in {use.seconds:g} s')}"
            for use in windows
        ]
        return f"{self.step}: {', '.join(parts)}"

    def _counted(self) -> str:
        with self._lock:
            counts = dict(self._counts)
            totals = dict(self._totals)
        counts = {name: count for name, count in counts.items() if not name.startswith("_dlt")}
        shown = {name: count for name, count in counts.items() if name not in _OF_DLT}
        return ", ".join(
            f"{name} {count:,}" + (f" of {totals[name]:,}" if totals.get(name) else "")
            for name, count in (shown or counts).items()
        )

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


def told(
    status: Status,
    seconds: float,
    uses: Sequence[WindowUse] = (),
    per_request: float | None = None,
) -> str:
    """Return how far a delivery is, how fast, and how long it will take.

    Args:
        status: What it tells of itself.
        seconds: How long it has been under way.
        uses: The account's windows: what was quick so far may have to wait for them.
        per_request: Documents in a request; default the run's so far.
    """
    known = status.documents + status.remaining
    of = f" of {known:,}" if status.remaining else ""
    parts = [f"{status.documents:,}{of} documents", _requests(status.requests)]
    if seconds >= MIN_SECONDS and status.documents:
        rate = status.documents / seconds
        parts.append(f"{rate:,.0f} a second" if rate >= 1 else f"{rate * 60:,.0f} a minute")
        if status.remaining:
            left = max(status.remaining / rate, _wait(status, uses, per_request))
            parts.append(f"about {_long(left)} left")
    return ", ".join(parts)


def _wait(status: Status, uses: Sequence[WindowUse], per_request: float | None) -> float:
    """Return how long the windows make the requests that are left last, in seconds."""
    requests = status.remaining / (per_request or status.documents / max(1, status.requests))
    return max(((requests - use.free) / use.allowed * use.seconds for use in uses), default=0.0)


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count:,} requests"


def _long(seconds: float) -> str:
    for limit, unit, each in ((120, "s", 1), (7200, "min", 60)):
        if seconds < limit:
            return f"{seconds / each:.0f} {unit}"
    return f"{seconds / 3600:.1f} h"


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
