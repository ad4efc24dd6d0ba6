"""The canonical tables as they lie in a schema of a PostgreSQL database: what is there, whether it fits, how much it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import ibis
from ibis import _

from workbench.book.engines import Engine, canonical
from workbench.book.schema import REQUIRED_TABLES, TABLES, Dtype, TableSchema
from workbench.core.errors import BookError, ParameterError, unknown

_READABLE = """
SELECT c.relname, has_table_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
"""
_EXPECTED: dict[Dtype, str] = {
    "string": "text or varchar",
    "date": "date",
    "timestamp": "timestamp or timestamptz",
    "money": "numeric(18, 2)",
    "float": "double precision",
    "int": "bigint",
    "bool": "boolean",
}


@dataclass(frozen=True)
class Size:
    """How many rows a table has and when it last changed, as far as `known_at` tells."""

    rows: int
    known: datetime | None


@dataclass(frozen=True)
class Extent:
    """What a full look at a table says: how many keys it has, and when its first row happened."""

    keys: int
    first: date | datetime | None


@dataclass(frozen=True)
class Found:
    """The canonical tables found in a schema, and what is there besides."""

    engine: Engine
    warnings: list[str] = field(default_factory=list)


def find_tables(connection: Any, schema: str, *, where: str) -> Found:
    """Return the canonical tables of `schema`, in canonical columns and types; tables with other names are ignored.

    Raises
    ------
    BookError
        If the schema or a required table is missing or may not be read, or a column is missing or has the wrong type.
    """
    schemas = [name for name in connection.list_databases() if not name.startswith(("pg_", "information_schema"))]
    if schema not in schemas:
        raise ParameterError(f"{where}: {unknown('schema', schema, schemas)}")
    there = dict(connection.con.execute(_READABLE, (schema,)).fetchall())
    tables, warnings, faults = {}, [], []
    for name, contract in TABLES.items():
        if there.get(name):
            rows = connection.table(name, database=schema)
            faults += _faults(contract, rows.schema())
            extra = [column for column in rows.columns if column not in {*contract.arrow_schema().names}]
            if extra:
                warnings.append(f"table {name}: unknown columns are not read: {', '.join(extra)}.")
            tables[name] = rows
        elif name in there and name not in REQUIRED_TABLES:
            warnings.append(f"table {name}: is there, but this user may not read it: left out.")
        elif name in REQUIRED_TABLES:
            fault = "this user may not read it: GRANT SELECT is needed" if name in there else "is missing"
            faults.append(f"table {name}: {fault}; {' and '.join(REQUIRED_TABLES)} are required")
    if faults:
        raise BookError(
            f"{where}, schema {schema}: {'; '.join(faults)}. Make views with the canonical columns and types "
            "(docs/books/attached.md) and attach their schema."
        )
    return Found(Engine(connection, {name: canonical(name, rows) for name, rows in tables.items()}), warnings)


def _faults(contract: TableSchema, found: ibis.Schema) -> list[str]:
    faults = []
    wanted: list[tuple[str, Dtype, bool]] = [
        *((column.name, column.dtype, column.required or column.name in contract.key) for column in contract.columns),
        ("known_at", "timestamp", True),
    ]
    for name, dtype, required in wanted:
        if name not in found:
            if required:
                faults.append(f"table {contract.name}: column {name} is missing, expected {_EXPECTED[dtype]}")
        elif not _fits(found[name], dtype):
            faults.append(
                f"table {contract.name}: column {name} has the type {str(found[name]).lstrip('!')}, expected {_EXPECTED[dtype]}"
            )
    return faults


def _fits(found: Any, dtype: Dtype) -> bool:
    """Return whether values of a database type become those of a canonical type without loss or guess."""
    match dtype:
        case "string":
            return bool(found.is_string() or found.is_uuid())
        case "date":
            return bool(found.is_date())
        case "timestamp":
            return bool(found.is_timestamp())
        case "money":
            return bool(found.is_decimal() or found.is_integer())
        case "float":
            return bool(found.is_numeric())
        case "int":
            return bool(found.is_integer())
        case "bool":
            return bool(found.is_boolean())


def sizes(engine: Engine) -> dict[str, Size]:
    """Return the size of each table: one quick query a table; a `known_at` after the database's own clock is not counted."""
    found = {}
    (clock,) = engine.connection.con.execute("SELECT now() AT TIME ZONE 'UTC'").fetchone()
    for name, rows in engine.tables.items():
        known = rows.known_at.max(where=rows.known_at <= ibis.literal(clock))
        answer = _one_row(engine, rows.aggregate(rows=rows.count(), known=known))
        found[name] = Size(answer["rows"], answer["known"])
    return found


def extent(engine: Engine, name: str) -> Extent:
    """Return how many keys a table has and when its first row happened: one aggregate query.

    Raises
    ------
    BookError
        If a row has no `known_at`, or a key has several rows of one.
    """
    contract, rows = TABLES[name], engine.tables[name]
    first = rows[contract.occurred].min() if contract.occurred else ibis.null("date")
    by_key = rows.group_by(list(contract.key)).aggregate(
        first=first, versions=rows.count(), instants=rows.known_at.nunique(), known=rows.known_at.count()
    )
    answer = _one_row(
        engine,
        by_key.aggregate(
            keys=_.count(),
            first=_["first"].min(),
            repeated=(_.known > _.instants).ifelse(1, 0).sum(),
            unknown=(_.versions - _.known).sum(),
        ),
    )
    if answer["unknown"]:
        raise BookError(
            f"table {name}: {int(answer['unknown']):,} rows have no known_at; expected the moment since which the lender knows "
            "each row. Fill it, or attach a view that does."
        )
    if answer["repeated"]:
        raise BookError(
            f"table {name}: {answer['repeated']:,} of {answer['keys']:,} keys ({', '.join(contract.key)}) have several rows of "
            "one known_at; expected one version an instant. Mend the table, or attach a view that has one."
        )
    return Extent(answer["keys"], answer["first"])


def _one_row(engine: Engine, query: ibis.Table) -> Mapping[str, Any]:
    row: Mapping[str, Any] = engine.connection.to_pyarrow(query).to_pylist()[0]
    return row
