"""How a source value of some DuckDB type is written into a row's JSON, per kind of vendor field.

The forms are those of `target.Kind`. Numbers travel as text, so that DECIMAL stays exact from
source to JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.sql import literal
from replenit_destination.engine.target import Folding, Kind

if TYPE_CHECKING:
    from replenit_destination.engine.target import FieldSpec

__all__ = ["RenderingError", "render", "truth"]

_INTEGERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
    | {"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
)
_FLOATS = frozenset({"FLOAT", "DOUBLE"})
_NAIVE = frozenset({"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"})
_ZONED = "TIMESTAMP WITH TIME ZONE"
_NULL = '"NULL"'
_BLANKS = r"E' \t\n\r' || chr(160)"
_WORDS = {
    "true": "'true', 't', 'yes', 'y', '1'",
    "false": "'false', 'f', 'no', 'n', '0'",
}
_UTC_FORMAT = "'%Y-%m-%dT%H:%M:%S.%gZ'"
_HAS_ZONE = r"'([Zz]|[+-]\d\d(:?\d\d)?| [A-Za-z][A-Za-z_/]+)$'"


class RenderingError(ValueError):
    """A source type that cannot fill the field; the message says what to do."""


def render(spec: FieldSpec, sql: str, kind: str, timezone: str | None) -> str:
    """Return SQL that renders an expression of DuckDB type `kind` for the field.

    Args:
        spec: The vendor field.
        sql: The expression.
        kind: Its type as DuckDB names it.
        timezone: The zone of values that carry none, an IANA name.

    Raises:
        RenderingError: The type cannot fit, or a naive time has no declared zone.
    """
    if kind == _NULL:
        return "NULL"
    render_kind = {
        Kind.TEXT: _text,
        Kind.INTEGER: _number,
        Kind.DECIMAL: _number,
        Kind.BOOLEAN: _boolean,
        Kind.TEXTS: _texts,
    }.get(spec.kind)
    rendered = render_kind(sql, kind) if render_kind else _timestamp(sql, kind, timezone)
    if rendered is None:
        message = f"is {kind}, the target wants {spec.kind.value}; convert it in the expression"
        if spec.kind is Kind.TIMESTAMP and _is_number(kind):
            message += ", for instance with to_timestamp(seconds)"
        raise RenderingError(message)
    return f"lower({rendered})" if spec.folding is Folding.LOWER else rendered


def truth(sql: str, kind: str) -> str:
    """Return SQL for a boolean field's value as a BOOLEAN, NULL when it is neither.

    Args:
        sql: The field's expression.
        kind: Its type as DuckDB names it.
    """
    if kind == "BOOLEAN":
        return sql
    if _is_number(kind):
        return f"({sql}) <> 0"
    text = _text(sql, kind) if kind != _NULL else None
    if text is None:
        return "CAST(NULL AS BOOLEAN)"
    return (
        f"CASE WHEN lower({text}) IN ({_WORDS['true']}) THEN true"
        f" WHEN lower({text}) IN ({_WORDS['false']}) THEN false END"
    )


def _trimmed(sql: str) -> str:
    return f"nullif(trim({sql}, {_BLANKS}), '')"


def _is_number(kind: str) -> bool:
    return kind in _INTEGERS or kind in _FLOATS or kind.startswith("DECIMAL")


def _text(sql: str, kind: str) -> str | None:
    if kind == "VARCHAR" or kind.startswith("ENUM"):
        return _trimmed(sql if kind == "VARCHAR" else f"CAST({sql} AS VARCHAR)")
    if kind == "JSON":
        return _trimmed(f"(({sql}) ->> '$')")
    if kind in _FLOATS or (kind.startswith("DECIMAL") and not kind.endswith(",0)")):
        # An integer column often arrives as a float or a wide decimal: an id must not become
        # `12.0`.
        whole = f"CAST(TRY_CAST({sql} AS HUGEINT) AS VARCHAR)"
        text = f"CAST({sql} AS VARCHAR)"
        if kind not in _FLOATS:
            text = f"rtrim({text}, '0')"
        return f"CASE WHEN ({sql}) = trunc({sql}) THEN coalesce({whole}, {text}) ELSE {text} END"
    if kind in {"UUID", "BOOLEAN"} or _is_number(kind):
        return f"CAST({sql} AS VARCHAR)"
    return None


def _number(sql: str, kind: str) -> str | None:
    if _is_number(kind):
        return f"CAST({sql} AS VARCHAR)"
    if kind in {"VARCHAR", "JSON"}:
        return _text(sql, kind)
    return None


def _boolean(sql: str, kind: str) -> str | None:
    if kind == "BOOLEAN" or _is_number(kind):
        return truth(sql, kind)
    text = _text(sql, kind) if kind in {"VARCHAR", "JSON"} or kind.startswith("ENUM") else None
    if text is None:
        return None
    # A word that is neither stays a text in the JSON, for the target to refuse with a reason.
    return f"coalesce(to_json({truth(sql, kind)}), to_json({text}))"


def _timestamp(sql: str, kind: str, timezone: str | None) -> str | None:
    zone = literal(timezone) if timezone else None
    if kind == _ZONED:
        return _utc(sql)
    if kind in _NAIVE or kind == "DATE":
        if zone is None:
            what = "a date" if kind == "DATE" else "a time without a zone"
            message = f'is {what}; say in which zone: timezone = "Europe/Berlin"'
            raise RenderingError(message)
        moment = sql if kind != "DATE" else f"({sql}) + INTERVAL 12 HOUR"
        return _utc(f"timezone({zone}, CAST({moment} AS TIMESTAMP))")
    if kind not in {"VARCHAR", "JSON"}:
        return None
    text = _text(sql, kind) or sql
    zoned = _utc(f"TRY_CAST({text} AS TIMESTAMPTZ)")
    if zone is None:
        naive = text  # without a declared zone the target refuses it, naming the setting
    else:
        noon = f"CASE WHEN length({text}) <= 10 THEN INTERVAL 12 HOUR ELSE INTERVAL 0 HOUR END"
        local = f"timezone({zone}, TRY_CAST({text} AS TIMESTAMP) + {noon})"
        naive = f"coalesce({_utc(local)}, {text})"
    has_zone = f"length({text}) > 10 AND regexp_matches({text}, {_HAS_ZONE})"
    return f"CASE WHEN {has_zone} THEN coalesce({zoned}, {text}) ELSE {naive} END"


def _utc(sql: str) -> str:
    return f"strftime(timezone('UTC', {sql}), {_UTC_FORMAT})"


def _texts(sql: str, kind: str) -> str | None:
    if kind == "VARCHAR":
        text = _trimmed(sql)
        return f"CASE WHEN {text} IS NOT NULL THEN [{text}] END"
    if kind == "JSON":
        # One value counts as a list of it.
        listed = (
            f"CASE json_type({sql}) WHEN 'ARRAY' THEN json_extract_string({sql}, '$[*]')"
            f" WHEN 'NULL' THEN NULL ELSE [({sql}) ->> '$'] END"
        )
    elif kind.endswith("[]") and not kind.startswith(("STRUCT", "MAP", "JSON", "UNION")):
        listed = f"CAST({sql} AS VARCHAR[])"
    elif kind == "JSON[]":
        listed = f"list_transform({sql}, lambda x: x ->> '$')"
    else:
        return None
    trimmed = f"list_transform({listed}, lambda x: {_trimmed('x')})"
    return f"list_filter({trimmed}, lambda x: x IS NOT NULL)"
