"""How the tables differ from those a mapping was last let read.

`real-shops.md` rule 19. dlt never changes or drops a column: a value of another type goes to a new
one beside it (`qty__v_double`, `address__street`, or a table `orders__address`), and the mapped
column stays empty. Seen are: such a place with values that the mapping does not read, a mapped
column or table that is gone, and a mapped column whose type is of another family.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replenit_destination.engine.sql import queries, quote
from replenit_destination.engine.tables import LOAD_ID, PARENT_ID, ROW_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.readings import Reading
    from replenit_destination.engine.tables import Tables

__all__ = ["Drift", "Finding", "KnownColumns", "Seen"]

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_NUMBERS = (*_INTEGERS, *(f"U{name}" for name in _INTEGERS), "FLOAT", "DOUBLE", "DECIMAL")
_FAMILY = dict.fromkeys(_NUMBERS, "number") | dict.fromkeys(("VARCHAR", "ENUM", "UUID"), "text")
_FAMILY["DATE"] = "time"
_FACT = "*"
"""In place of a table's name: what is remembered is a fact of the entity, not a column."""

Columns = dict[tuple[str, str], str]
"""(table, column), both in lower case → DuckDB type."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which the tables are not what they were: a sentence, and the fields it concerns.

    Accepting it lets `new` pass from then on, the place with the values that the mapping does not
    read, (table, column) → type, or `fact`, what else was found. `strays` are the rows with values
    in a new place, `loaded` how many rows came with them, in the same loads.
    """

    reason: str
    uses: tuple[str, ...]
    new: Columns = field(default_factory=dict)
    fact: str = ""
    strays: int = 0
    loaded: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What an entity was last let read; empty before its first comparison.

    `accepted` are places that the mapping does not read and that a person let pass, `facts` what
    else a person let pass, `mapping` a digest of the mapping.
    """

    read: Columns = field(default_factory=dict)
    accepted: Columns = field(default_factory=dict)
    facts: frozenset[str] = frozenset()
    mapping: str = ""


class KnownColumns:
    """Remembers per entity what its mapping was last let read.

    Args:
        work: A connection that sees the ledger's file.
        ledger: The account's ledger.
        dataset: The staged dataset.
    """

    def __init__(self, work: duckdb.DuckDBPyConnection, ledger: Ledger, dataset: str) -> None:
        self._work = work
        self._table = f"{ledger.schema}.known_column"
        self._scope = [ledger.account, dataset]
        self._seen: dict[str, Seen] | None = None
        statement = queries("replenit_destination.engine", "drift.sql")["known_column"]
        work.execute(statement.replace("{ledger}", ledger.schema))

    def of(self, entity: str) -> Seen:
        """Return what is remembered of an entity."""
        if self._seen is None:
            rows = self._work.execute(
                "SELECT entity, table_name, column_name, type, accepted"
                f" FROM {self._table} WHERE account = ? AND dataset = ?",
                self._scope,
            ).fetchall()
            names = {row[0] for row in rows}
            self._seen = {n: _seen([row[1:] for row in rows if row[0] == n]) for n in names}
        return self._seen.get(entity, Seen())

    def keep(self, entity: str, seen: Seen) -> None:
        """Remember this instead, where it differs."""
        if seen == self.of(entity):
            return
        rows = [
            *((table, name, kind, False) for (table, name), kind in seen.read.items()),
            *((table, name, kind, True) for (table, name), kind in seen.accepted.items()),
            *((_FACT, name, "", True) for name in sorted(seen.facts)),
            (_FACT, "mapping", seen.mapping, False),
        ]
        self._work.execute("BEGIN")
        self._work.execute(
            f"DELETE FROM {self._table} WHERE account = ? AND dataset = ? AND entity = ?",
            [*self._scope, entity],
        )
        marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(rows))
        values = [value for row in rows for value in (*self._scope, entity, *row)]
        self._work.execute(f"INSERT INTO {self._table} VALUES {marks}", values)
        self._work.execute("COMMIT")
        self._seen = None


def _seen(rows: Sequence[tuple[str, str, str, bool]]) -> Seen:
    columns = [row for row in rows if row[0] != _FACT]
    return Seen(
        {(table, name): kind for table, name, kind, accepted in columns if not accepted},
        {(table, name): kind for table, name, kind, accepted in columns if accepted},
        frozenset(name for table, name, _, accepted in rows if table == _FACT and accepted),
        next((kind for table, _, kind, accepted in rows if table == _FACT and not accepted), ""),
    )


@dataclass
class Drift:
    """Compares what one entity's mapping reads with what it was last let read.

    Args:
        work: A connection to the staged dataset.
        tables: The dataset's tables.
        reads: What the mapping reads.
        query: The rows of an entity that has a query, as SQL; it is the table without a name.
    """

    work: duckdb.DuckDBPyConnection
    tables: Tables
    reads: Sequence[Reading]
    query: str | None = None

    def __post_init__(self) -> None:
        self._columns: dict[str, Mapping[str, str]] = {}
        self._uses: dict[tuple[str, str], list[str]] = {}
        for one in self.reads:
            uses = self._uses.setdefault((one.table.lower(), one.column.lower()), [])
            if one.use not in uses:
                uses.append(one.use)

    def read(self) -> Columns:
        """Return the columns that are read and are there."""
        found = {}
        for table, column in self._uses:
            kind = self._of(table).get(column)
            if kind is not None:
                found[table, column] = kind
        return found

    def findings(self, seen: Seen) -> list[Finding]:
        """Return every way in which the tables are not what they were."""
        return [*self._gone(seen), *self._of_other_type(seen), *self._elsewhere(seen)]

    def _gone(self, seen: Seen) -> list[Finding]:
        missing: dict[str, dict[str, list[str]]] = {}
        for (table, column), uses in self._uses.items():
            if (table, column) in seen.read and column not in self._of(table):
                missing.setdefault(table, {})[column] = uses
        found = []
        for table, columns in missing.items():
            if not self._of(table) and table:
                uses = list(dict.fromkeys(use for some in columns.values() for use in some))
                reason = f"the table `{table}` is not in the dataset any more ({_for(uses)})"
                found.append(Finding(reason, tuple(uses)))
                continue
            for column, uses in columns.items():
                reason = f"{_named(table)} has no column `{column}` any more ({_for(uses)})"
                found.append(Finding(reason, tuple(uses)))
        return found

    def _of_other_type(self, seen: Seen) -> list[Finding]:
        found = []
        for (table, column), uses in self._uses.items():
            before = seen.read.get((table, column), _NULL)
            now = self._of(table).get(column, _NULL)
            if _NULL not in (before, now) and _family(before) != _family(now):
                reason = f"`{column}` of {_named(table)} was {before} and is {now} now"
                found.append(Finding(f"{reason} ({_for(uses)})", tuple(uses)))
        return found

    def _elsewhere(self, seen: Seen) -> list[Finding]:
        found = []
        for (table, column), uses in self._uses.items():
            if column not in self._of(table) or column.startswith("_dlt_"):
                continue
            for other, kind in self._of(table).items():
                if other.startswith(f"{column}__") and self._unread(table, other, seen):
                    values = f"{quote(column)} IS NULL AND {quote(other)} IS NOT NULL"
                    found += self._stray(table, column, other, uses, {(table, other): kind}, values)
            child = f"{table}__{column}"
            if {ROW_ID, column} <= self._of(table).keys() and self._unread(child, "", seen):
                parents = f"SELECT {PARENT_ID} FROM {self._relation(child)}"
                values = f"{quote(column)} IS NULL AND {ROW_ID} IN ({parents})"
                if PARENT_ID in self._of(child):
                    found += self._stray(table, column, child, uses, {(child, ""): "list"}, values)
        return found

    def _stray(
        self, table: str, column: str, other: str, uses: list[str], new: Columns, values: str
    ) -> list[Finding]:
        row = self.work.execute(
            f"SELECT count(*) FROM {self._relation(table)} WHERE {values}"
        ).fetchone()
        rows = int(row[0]) if row else 0
        if rows == 0:
            return []
        reason = (
            f"`{column}` of {_named(table)} ({_for(uses)}) is empty in {rows} rows that have its"
            f" value in `{other}`, which the mapping does not read"
        )
        if "__v_" in other:
            both = _alike({column: self._of(table)[column], other: self._of(table)[other]})
            reason += f"; write coalesce({', '.join(both)})"
        loaded = self._loaded_with(table, values)
        return [Finding(reason, tuple(uses), new, strays=rows, loaded=loaded)]

    def _loaded_with(self, table: str, values: str) -> int:
        """Return how many rows the loads have brought that brought those with the values."""
        rows, parent = self._relation(table), table.rpartition("__")[0]
        same = "true"
        if LOAD_ID in self._of(table):
            same = f"{LOAD_ID} IN (SELECT {LOAD_ID} FROM {rows} WHERE {values})"
        elif PARENT_ID in self._of(table) and {LOAD_ID, ROW_ID} <= self._of(parent).keys():
            parents = self._relation(parent)
            strays = f"SELECT {PARENT_ID} FROM {rows} WHERE {values}"
            loads = f"SELECT {LOAD_ID} FROM {parents} WHERE {ROW_ID} IN ({strays})"
            brought = f"SELECT {ROW_ID} FROM {parents} WHERE {LOAD_ID} IN ({loads})"
            same = f"{PARENT_ID} IN ({brought})"
        row = self.work.execute(f"SELECT count(*) FROM {rows} WHERE {same}").fetchone()
        return int(row[0]) if row else 0

    def _unread(self, table: str, column: str, seen: Seen) -> bool:
        """Whether the mapping takes nothing from there, and nobody let that pass."""
        if (table, column) in seen.accepted:
            return False
        if column:
            return (table, column) not in self._uses
        return not any(read == table for read, _ in self._uses)

    def _of(self, table: str) -> Mapping[str, str]:
        """Return the columns of a table in lower case; none where it is not there."""
        if table not in self._columns:
            if table:
                there = self.tables.columns(self.tables.find(table) or "")
            else:
                rows = self.work.execute(f"DESCRIBE {self.query}").fetchall() if self.query else []
                there = {row[0]: row[1] for row in rows}
            self._columns[table] = {name.lower(): kind for name, kind in there.items()}
        return self._columns[table]

    def _relation(self, table: str) -> str:
        if table:
            return self.tables.relation(self.tables.find(table) or table)
        return f"({self.query})"


_NULL = '"NULL"'  # what DuckDB calls the type of an untyped NULL


def _family(kind: str) -> str:
    name = kind.partition("(")[0]
    if name.endswith("[]"):
        return "list"
    return _FAMILY.get(name, "time" if name.startswith("TIMESTAMP") else name)


def _alike(kinds: Mapping[str, str]) -> list[str]:
    """Return columns as one expression can take them: as text, where their types do not mix."""
    if len({_family(kind) for kind in kinds.values()}) == 1:
        return list(kinds)
    return [name if kind == "VARCHAR" else f"{name}::VARCHAR" for name, kind in kinds.items()]


def _named(table: str) -> str:
    return f"`{table}`" if table else "the query"


def _for(uses: Sequence[str]) -> str:
    return f"for {', '.join(uses)}"
