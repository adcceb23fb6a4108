"""Reads the result file of a bulk operation: lines in, whole objects out, in bounded memory.

A child's line names its parent in `__parentId` and comes after it; directly after it only in a
grouped file. A first pass counts everything and notices children away from their parents; their
places in the file are then kept in an index on disk. So neither order needs it all in memory.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from .errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["Contents", "objects", "survey"]

Node = dict[str, Any]
PARENT = "__parentId"


@dataclass(frozen=True)
class Contents:
    """What a file holds; `grouped` when every child follows its own parent."""

    lines: int
    roots: int
    grouped: bool


def survey(path: Path) -> Contents:
    """Count a file's lines and roots.

    Raises:
        IntegrityError: A line is not whole.
    """
    lines = roots = 0
    grouped = True
    family: set[str] = set()
    with path.open("rb") as file:
        for line in file:
            node = _read(line, lines + 1)
            lines += 1
            if PARENT not in node:
                roots += 1
                family = {node["id"]} if "id" in node else set()
            elif node[PARENT] in family:
                family.add(node.get("id", ""))
            else:
                grouped = False
    return Contents(lines, roots, grouped)


def objects(path: Path, contents: Contents, children: Mapping[str, str]) -> Iterator[Node]:
    """Yield the root objects, each with its children as `{"nodes": [...]}` in its own fields.

    Args:
        path: The file.
        contents: What the survey found.
        children: The kind in a child's global id → the field that lists it.

    Raises:
        IntegrityError: A child's parent is not in the file.
    """
    if contents.grouped:
        yield from _grouped(path, children)
    else:
        yield from _scattered(path, contents, children)


def _grouped(path: Path, children: Mapping[str, str]) -> Iterator[Node]:
    family: dict[str, Node] = {}
    root: Node | None = None
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            node = _whole(_read(line, number), children)
            parent = node.pop(PARENT, None)
            if parent is None:
                if root is not None:
                    yield root
                root, family = node, {}
            else:
                _adopt(family[parent], node, children)
            if "id" in node:
                family.setdefault(node["id"], node)
    if root is not None:
        yield root


def _scattered(path: Path, contents: Contents, children: Mapping[str, str]) -> Iterator[Node]:
    place = path.with_suffix(".index")
    place.unlink(missing_ok=True)
    with closing(sqlite3.connect(place)) as index, path.open("rb") as file:
        _build(index, path)
        placed = 0
        with path.open("rb") as roots:
            for number, line in enumerate(roots, start=1):
                root = _read(line, number)
                if PARENT in root:
                    continue
                placed += 1 + _fill(root, index, file, children)
                yield root
    place.unlink(missing_ok=True)
    if placed != contents.lines:
        message = f"{contents.lines - placed} lines of a bulk result have no parent in it."
        raise IntegrityError(message)


def _build(index: sqlite3.Connection, path: Path) -> None:
    """Note where each parent's children are; the index may be lost, so nothing is synchronised."""
    index.executescript(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
        "CREATE TABLE child (parent TEXT, place INTEGER, PRIMARY KEY (parent, place)) WITHOUT ROWID"
    )

    def places() -> Iterator[tuple[str, int]]:
        place = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                parent = _read(line, number).get(PARENT)
                if parent is not None:
                    yield parent, place
                place += len(line)

    index.executemany("INSERT INTO child VALUES (?, ?)", places())


def _fill(
    node: Node, index: sqlite3.Connection, file: BinaryIO, children: Mapping[str, str]
) -> int:
    """Give a node its children and theirs; returns how many lines that took."""
    _whole(node, children)
    found = index.execute("SELECT place FROM child WHERE parent = ? ORDER BY place", [node["id"]])
    count = 0
    for (place,) in found.fetchall():
        file.seek(place)
        child = orjson.loads(file.readline())
        del child[PARENT]
        count += 1 + _fill(child, index, file, children)
        _adopt(node, child, children)
    return count


def _read(line: bytes, number: int) -> Node:
    try:
        # A line without its end may still be readable; nothing at all is not.
        node: Node = orjson.loads(line if line.endswith(b"\n") else b"")
    except ValueError:
        message = f"Line {number} of a bulk result is not whole."
        raise IntegrityError(message) from None
    return node


def _whole(node: Node, children: Mapping[str, str]) -> Node:
    """Let a node have every list that its kind may have: a parent without children has no lines."""
    kind = _kind(node)
    if PARENT not in node:
        for field in set(children.values()) - {"media"}:
            node.setdefault(field, {"nodes": []})
    if kind == "ProductVariant":
        node.setdefault("media", {"nodes": []})
    return node


def _adopt(parent: Node, child: Node, children: Mapping[str, str]) -> None:
    parent.setdefault(children[_kind(child)], {"nodes": []})["nodes"].append(child)


def _kind(node: Mapping[str, Any]) -> str:
    parts = str(node.get("id", "")).split("/")
    return parts[3] if len(parts) > 3 else ""
