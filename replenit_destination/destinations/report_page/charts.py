"""Charts as inline SVG: no script, no library, colours from the page's own style.

Each chart is drawn twice, for a wide and for a narrow page, because a picture that shrinks takes
its words with it. Every mark carries its figures as a title, and `figures.py` puts a table below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from replenit_destination.destinations.report_page.elements import Html, join, tag
from replenit_destination.destinations.report_page.scales import amount, marks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Level", "Series", "Ticks", "bars", "columns", "curves", "sized"]

NARROW = 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 12, 26
_WIDEST_COLUMN = 36
_POINTS_WITH_DOTS = 45

Ticks: TypeAlias = "Sequence[tuple[float, str]]"
"""Places on the horizontal axis, and their words."""


@dataclass(frozen=True, slots=True)
class Series:
    """One thing that is counted: its name, its colour class, a value per place."""

    name: str
    colour: str
    values: list[float]
    says: Callable[[float], str] = field(default=amount)


@dataclass(frozen=True, slots=True)
class Level:
    """A line across the chart that values are held against."""

    name: str
    value: float
    colour: str


def sized(draw: Callable[[int], Html], wide: int) -> Html:
    """Return a chart in both widths; the style shows one."""
    return join(
        tag("div", draw(width), class_=name) for name, width in (("wide", wide), ("narrow", NARROW))
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """The coordinates of one chart."""

    width: int
    height: int
    first: float
    last: float
    ticks: list[float]
    top: int = _TOP

    def x(self, value: float) -> float:
        span = (self.last - self.first) or 1.0
        inner = self.width - _LEFT - _RIGHT
        return round(_LEFT + (value - self.first) / span * inner, 1)

    def y(self, value: float) -> float:
        inner = self.height - self.top - _BOTTOM
        return round(self.height - _BOTTOM - value / self.ticks[-1] * inner, 1)

    def axes(self, below: Ticks, says: Callable[[float], str]) -> list[Html]:
        """Return the grid, the marks on the left and those below."""
        right = self.width - _RIGHT
        parts = []
        for value in self.ticks:
            y = self.y(value)
            kind = "grid" if value else "base"
            parts.append(tag("line", x1=_LEFT, x2=right, y1=y, y2=y, class_=kind))
            parts.append(tag("text", says(value), x=_LEFT - 6, y=y + 3.5, class_="left"))
        for at, words in below:
            x = self.x(at)
            anchor = "end" if x > right - 18 else "start" if x < _LEFT + 6 else None
            y = self.height - 8
            parts.append(tag("text", words, x=x, y=y, class_="below", text_anchor=anchor))
        return parts

    def levels(self, levels: list[Level]) -> list[Html]:
        """Return the lines that values are held against."""
        right = self.width - _RIGHT
        return [
            tag(
                "line",
                tag("title", level.name),
                x1=_LEFT,
                x2=right,
                y1=self.y(level.value),
                y2=self.y(level.value),
                class_=f"level {level.colour}",
            )
            for level in levels
        ]

    def markers(self, markers: Ticks) -> list[Html]:
        """Return upright lines with their names above the grid, in two rows where they crowd."""
        parts = []
        for number, (at, words) in enumerate(markers):
            x, y = self.x(at), 10 + 13 * (number % 2)
            line = tag("line", x1=x, x2=x, y1=y + 3, y2=self.y(0), class_="level marker")
            name = tag("text", words, x=x + 4, y=y, class_="marker-name")
            if x > self.width - 40:
                name = tag("text", words, x=x - 4, y=y, class_="marker-name", text_anchor="end")
            parts += [line, name]
        return parts

    def svg(self, label: str, parts: list[Html]) -> Html:
        """Return the picture with its name for those who listen."""
        box = f"0 0 {self.width} {self.height}"
        return tag("svg", *parts, viewBox=box, role="img", aria_label=label)


def columns(
    label: str,
    places: list[str],
    series: list[Series],
    *,
    width: int,
    below: Ticks,
    height: int = 200,
    levels: list[Level] | None = None,
    markers: Ticks | None = None,
    says: Callable[[float], str] = amount,
) -> Html:
    """Return columns, stacked when there are several series.

    Args:
        label: What the chart shows, in a sentence.
        places: What each column stands for, in words; series have a value for each.
        series: From the bottom up.
        width: Of the picture.
        below: Marks of the horizontal axis, in columns.
        height: Of the picture.
        levels: Lines across.
        markers: Lines upright, in columns, with their words.
        says: How the marks on the left are written.
    """
    totals = [sum(one.values[at] for one in series) for at in range(len(places))]
    highest = max([*totals, *(level.value for level in levels or [])], default=0.0)
    top = _TOP + (20 if markers else 0)
    ticks = marks(highest * 1.02, whole=says is amount)
    frame = _Frame(width, height, -0.5, max(len(places), 1) - 0.5, ticks, top)
    slot = (width - _LEFT - _RIGHT) / max(len(places), 1)
    thick = max(1.0, min(_WIDEST_COLUMN, slot * (0.86 if slot > 4 else 1)))
    parts = frame.axes(below, says)
    for at, place in enumerate(places):
        stacked = 0.0
        for one in series:
            value = one.values[at]
            if not value:
                continue
            foot = frame.y(stacked)
            stacked += value
            tall = max(1.0, round(foot - frame.y(stacked), 1))
            parts.append(
                tag(
                    "rect",
                    tag("title", f"{place}: {one.says(value)} {one.name}"),
                    x=round(frame.x(at) - thick / 2, 1),
                    y=round(foot - tall, 1),
                    width=round(thick, 1),
                    height=tall,
                    rx=1.5 if thick > 4 else None,
                    class_=one.colour,
                )
            )
    parts += frame.levels(levels or [])
    parts += frame.markers(markers or [])
    return frame.svg(label, parts)


def curves(
    label: str,
    places: list[str],
    series: list[Series],
    *,
    width: int,
    below: Ticks,
    height: int = 200,
    says: Callable[[float], str] = amount,
) -> Html:
    """Return a line per series over equally spaced places."""
    highest = max((value for one in series for value in one.values), default=0.0)
    ticks = marks(highest * 1.02, whole=says is amount)
    frame = _Frame(width, height, 0.0, max(len(places) - 1, 1), ticks)
    parts = frame.axes(below, says)
    for one in series:
        dots = [(frame.x(at), frame.y(value)) for at, value in enumerate(one.values)]
        path = " ".join(f"{x},{y}" for x, y in dots)
        if len(series) == 1 and dots:
            area = f"M{dots[0][0]},{frame.y(0)} L{path} L{dots[-1][0]},{frame.y(0)} Z"
            parts.append(tag("path", d=area, class_=f"area {one.colour}"))
        parts.append(tag("polyline", points=path, class_=f"curve {one.colour}"))
        if len(dots) > _POINTS_WITH_DOTS:
            continue
        for at, (x, y) in enumerate(dots):
            told = f"{places[at]}: {one.says(one.values[at])} {one.name}"
            kind = f"dot {one.colour}"
            parts.append(tag("circle", tag("title", told), cx=x, cy=y, r=3, class_=kind))
    return frame.svg(label, parts)


def bars(
    label: str,
    rows: list[tuple[str, list[tuple[str, str, float]]]],
    *,
    width: int,
    says: Callable[[float], str] = amount,
) -> Html:
    """Return one bar per row, lying, made of parts.

    Args:
        label: What the chart shows, in a sentence.
        rows: Name → parts as (name, colour class, value).
        width: Of the picture.
        says: How the totals at the end of a bar are written.
    """
    left, room, each = 14 + 7.4 * max((len(name) for name, _ in rows), default=0), 62, 34
    totals = [sum(value for _, _, value in row) for _, row in rows]
    scale = (width - left - room) / (max(totals, default=0) or 1)
    parts = []
    for number, ((name, row), total) in enumerate(zip(rows, totals, strict=True)):
        y, x = number * each + 6, round(left, 1)
        parts.append(tag("text", name, x=round(left - 10, 1), y=y + 15, class_="left name"))
        for part, colour, value in row:
            if not value:
                continue
            long = max(1.5, value * scale)
            told = f"{name}: {says(value)} {part}"
            at = {"x": round(x, 1), "y": y, "width": round(long, 1), "height": 22}
            parts.append(tag("rect", tag("title", told), **at, rx=2, class_=colour))
            x += long + (1 if long > 2 else 0)
        parts.append(tag("text", says(total), x=round(x + 7, 1), y=y + 15, class_="total"))
    box = f"0 0 {width} {len(rows) * each + 8}"
    return tag("svg", *parts, viewBox=box, role="img", aria_label=label)
