"""HTML and SVG as values: what is text is escaped, what is an element is not."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Html", "join", "prose", "table", "tag"]


class Html(str):
    """A piece of a page that is already markup."""

    __slots__ = ()


_VOID = frozenset({"br", "circle", "input", "line", "meta", "path", "polyline", "rect"})


def tag(_name: str, *children: object, **attributes: object) -> Html:
    """Return an element.

    Args:
        _name: Its name.
        *children: `Html` goes in as it is, everything else as escaped text; None is left out.
        **attributes: `class_` and `for_` lose their underscore, other underscores become hyphens;
            True is written without a value, None and False are left out.
    """
    written = "".join(
        f" {_attribute(name)}" + ("" if value is True else f'="{escape(str(value))}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    if _name in _VOID and not children:
        return Html(f"<{_name}{written}/>")
    return Html(f"<{_name}{written}>{join(children)}</{_name}>")


def join(parts: Iterable[object]) -> Html:
    """Return the parts in a row."""
    return Html("".join(_text(part) for part in parts if part is not None))


def prose(text: str) -> Html:
    """Return a sentence whose names in backquotes are shown as names."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # an odd backquote is one of the text
        return join([text])
    return join(tag("code", part) if at % 2 else part for at, part in enumerate(parts))


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: int = 0
) -> Html:
    """Return a table whose rows begin with a heading.

    Args:
        caption: What it shows; read aloud, not seen.
        columns: The headings.
        rows: The cells; whole numbers get commas.
        numbers: From which column on cells stand right; 0 is none.
    """

    def side(place: int) -> str | None:
        return "number" if numbers and place >= numbers else None

    head = [tag("th", name, scope="col", class_=side(at)) for at, name in enumerate(columns)]
    body = []
    for row in rows:
        first, *others = row
        cells = [tag("td", _shown(cell), class_=side(at)) for at, cell in enumerate(others, 1)]
        body.append(tag("tr", tag("th", _shown(first), scope="row"), *cells))
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", *head)),
            tag("tbody", *body),
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def _shown(cell: object) -> object:
    if cell == 0:
        return tag("span", "0", class_="zero")
    return f"{cell:,}" if isinstance(cell, int) else cell


def _text(part: object) -> str:
    return part if isinstance(part, Html) else escape(str(part), quote=False)


def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-") if name != "viewBox" else name
