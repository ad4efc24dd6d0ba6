"""A table or a query of PostgreSQL, SQLite or a DuckDB file, read through Ibis into one parquet file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from workbench.book.databases import check_url, open_database, told
from workbench.core.errors import BookError, ParameterError, unknown

BATCH_ROWS = 50_000


def _url(text: str) -> str:
    try:
        return check_url(text)
    except ParameterError as error:
        raise ValueError(str(error).removeprefix("url: ")) from None


class SqlSource(BaseModel):
    """One table or query of a SQL database.

    `url` is an address without a password (`postgresql://user@host/database`, `sqlite://FILE`, `duckdb://FILE`), or
    `env:NAME` or `file:PATH` of a whole address.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    url: Annotated[str, AfterValidator(_url)]
    table: str | None = None
    query: str | None = None
    schema_name: str | None = Field(None, alias="schema", description="schema of `table`; by default the session's own")

    @model_validator(mode="after")
    def _one_of_both(self) -> SqlSource:
        if (self.table is None) == (self.query is None):
            raise ValueError("expected exactly one of table and query")
        if self.query is not None and self.schema_name is not None:
            raise ValueError("schema goes with table; in a query, write schema.table")
        return self


@dataclass(frozen=True)
class SqlFacts:
    """What was fetched."""

    rows: int


def fetch_sql(source: SqlSource, *, out: Path, root: Path, environment: Mapping[str, str]) -> SqlFacts:
    """Write the rows of `source` to the parquet file `out`, a batch at a time.

    An instant (`timestamptz`) stays one, in UTC; a timestamp without a zone is a local time of the source. Decimals keep
    their scale, text stays text, and an empty result keeps its columns. SQLite has no types for dates, timestamps and
    decimals: they come as the text that its rows hold.

    Raises
    ------
    BookError
        If the database, the table or the query cannot be read, or a value is not of its column's type.
    """
    connection = open_database(source.url, root=root, environment=environment)
    rows = 0
    try:
        with told(source.url):
            table = _table(connection, source)
            table = table if connection.name == "sqlite" else _readable(table)
            if connection.name == "postgres":
                connection.raw_sql("SET default_transaction_read_only = on").close()
            schema = _stored(connection, table)
            with pq.ParquetWriter(out, schema, compression="zstd") as writer:
                for batch in _batches(connection, table, schema):
                    writer.write_batch(_as_stored(batch, schema))
                    rows += batch.num_rows
    finally:
        connection.disconnect()
    return SqlFacts(rows)


def _table(connection: Any, source: SqlSource) -> ibis.Table:
    if source.query is not None:
        query = source.query.strip().rstrip(";")
        if connection.name != "duckdb":
            return connection.sql(query)
        connection.raw_sql(f"CREATE TEMP VIEW asked AS {query}")
        return connection.table("asked")
    if source.schema_name is not None:
        schemas = [name for name in _schemas(connection) if not name.startswith(("pg_", "information_schema"))]
        if source.schema_name not in schemas:
            raise BookError(f"{source.url}: {unknown('schema', source.schema_name, schemas)}")
    known = _tables(connection, source.schema_name)
    if source.table not in known:
        raise BookError(f"{source.url}: {unknown('table', str(source.table), known)}")
    return connection.table(source.table, database=source.schema_name)


def _schemas(connection: Any) -> list[str]:
    if connection.name != "duckdb":
        return list(connection.list_databases())
    return _first_column(connection, "SELECT DISTINCT table_schema FROM information_schema.tables ORDER BY 1")


def _tables(connection: Any, schema: str | None) -> list[str]:
    if connection.name != "duckdb":
        return list(connection.list_tables(database=schema))
    query = (
        "SELECT table_name FROM information_schema.tables WHERE table_schema = coalesce(?, current_schema()) ORDER BY 1"
    )
    return _first_column(connection, query, [schema])


def _first_column(connection: Any, query: str, values: Sequence[Any] = ()) -> list[str]:
    """Return a column of DuckDB; Ibis 12 asks DuckDB 2.0 for a method that is gone, so it cannot list what there is."""
    return [row[0] for row in connection.con.execute(query, values).fetchall()]


def _readable(table: ibis.Table) -> ibis.Table:
    """Return the table with text for what parquet has no type for, and a scale for decimals that have none."""
    changed = {}
    for name, dtype in table.schema().items():
        if dtype.is_uuid() or dtype.is_json() or dtype.is_unknown() or dtype.is_inet() or dtype.is_macaddr():
            changed[name] = table[name].cast("string")
        elif dtype.is_decimal() and dtype.scale is None:
            changed[name] = table[name].cast("decimal(38, 9)")
    return table.mutate(**changed) if changed else table


def _stored(connection: Any, table: ibis.Table) -> pa.Schema:
    if connection.name == "sqlite":
        return pa.schema([(name, _sqlite_type(dtype)) for name, dtype in table.schema().items()])
    return pa.schema([(field.name, _moments(field.type)) for field in table.schema().to_pyarrow()])


def _sqlite_type(dtype: Any) -> pa.DataType:
    """Return the type of a SQLite column: of those that SQLite itself knows, or text, which the mapping's formats read."""
    if dtype.is_integer():
        return pa.int64()
    if dtype.is_floating():
        return pa.float64()
    if dtype.is_boolean():
        return pa.bool_()
    return pa.binary() if dtype.is_binary() else pa.string()


def _moments(dtype: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", tz="UTC" if dtype.tz else None) if pa.types.is_timestamp(dtype) else dtype


def _as_stored(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        column.cast(field.type, safe=not pa.types.is_timestamp(field.type))  # nanoseconds are cut off
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _batches(connection: Any, table: ibis.Table, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    if connection.name == "sqlite":  # Ibis fetches all rows of SQLite at once, through pandas
        yield from _sqlite_batches(connection, table, schema)
    elif connection.name == "duckdb":  # Ibis 12 asks DuckDB 2.0 for a method that is gone, here and for `.sql()`
        yield from connection.con.sql(connection.compile(table)).to_arrow_reader(BATCH_ROWS)
    else:
        yield from connection.to_pyarrow_batches(table, chunk_size=BATCH_ROWS)


def _sqlite_batches(connection: Any, table: ibis.Table, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    cursor = connection.con.execute(connection.compile(table))
    while found := cursor.fetchmany(BATCH_ROWS):
        columns = [
            _sqlite_column(values, field) for values, field in zip(zip(*found, strict=True), schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _sqlite_column(values: tuple[Any, ...], field: pa.Field) -> pa.Array:
    """Return the values of one column; SQLite lets a column hold any type, whatever its declaration says."""
    try:
        return pa.array([None if value is None else _sqlite_value(value, field.type) for value in values], field.type)
    except (ValueError, TypeError, OverflowError, pa.ArrowException):  # their words hold the value
        raise BookError(
            f"column {field.name!r}: found a value that is no {field.type}, as the table declares it. Mend the row, or read "
            f"the column as text with a query: CAST({field.name} AS TEXT)."
        ) from None


def _sqlite_value(value: Any, dtype: pa.DataType) -> Any:
    if pa.types.is_string(dtype):
        return value.decode() if isinstance(value, bytes) else str(value)
    if pa.types.is_boolean(dtype) and value in (0, 1):
        return bool(value)
    return value
