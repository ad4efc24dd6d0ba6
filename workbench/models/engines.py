"""Scoring where the data is: DuckDB over files or a database file, PostgreSQL, SQLite, Spark over files."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from workbench.book.sources.opened import quoted
from workbench.core.errors import InputError, ModelError, WorkbenchError
from workbench.models.batch import BLOCK_ROWS, Seen, Told, as_scores, check_ids, empty_rows
from workbench.models.export.sql import REASONS, counts_sql, scorecard_sql, table_parts
from workbench.models.scorecard import Scorecard
from workbench.models.scoring import id_columns
from workbench.models.tracking import ModelVersion

FILES = "input"


def score_by_engine(
    scorecard: Scorecard,
    version: ModelVersion,
    engine: str,
    *,
    files: Sequence[Path],
    table: str | None,
    url: str | None,
    root: Path,
    environment: Mapping[str, str],
    ids: Sequence[str] = (),
    reasons: bool = True,
    seen: Seen,
    told: Told,
) -> Iterator[pa.Table]:
    """Score `files`, or `table` of the database at `url`, by an engine; see `score_table`.

    Raises
    ------
    InputError, ModelError
        Files for an engine that reads none, a CSV, files of different columns, a table without an address, or an address of
        another engine.
    """
    if table is None and engine not in ("duckdb", "spark"):
        raise InputError(f"--engine {engine} reads no files. Give --table and --url, or leave --engine out.")
    if table is not None and engine == "spark":
        raise InputError(
            "--engine spark reads .parquet files, by --input. For its tables: workbench model export --format sql."
        )
    if table is not None and url is None:
        raise InputError(f"--table {table}: expected --url, the address of the database that holds it.")
    if table is not None:
        from workbench.book.databases import open_database

        connection = open_database(str(url), root=root, environment=environment)
        if connection.name != engine:
            raise InputError(f"--url: found {connection.name}, expected {engine}.")
    else:
        connection, table = _over_files(engine, files, scorecard, ids), FILES
    try:
        yield from score_table(scorecard, version, connection, table, ids=ids, reasons=reasons, seen=seen, told=told)
    finally:
        connection.disconnect()


def _over_files(engine: str, files: Sequence[Path], scorecard: Scorecard, ids: Sequence[str]) -> Any:
    """Return a connection with the files as the view `input`."""
    import ibis

    if files[0].suffix == ".csv":
        raise InputError(f"--engine {engine} reads .parquet files. Leave --engine out for a CSV.")
    wanted = {*id_columns(scorecard, ids), *scorecard.inputs}
    first: set[tuple[str, str]] | None = None
    for path in files:  # an engine would take the types of one of them for all
        schema = empty_rows(path, scorecard, ids).schema
        own = {(about.name, str(about.type)) for about in schema if about.name in wanted}
        first = own if first is None else first
        if own != first:
            name, kind = sorted(own ^ first)[0]
            raise InputError(
                f"{path}: {name} ({kind}) is not alike in all files. Leave --engine out, or mend the files."
            )
    if engine == "spark":
        from pyspark.errors import PySparkException

        connection = ibis.pyspark.connect()
        session = connection._session
        session.conf.set("spark.sql.variable.substitute", "false")  # or ${x} in a category is no category
        try:
            session.read.parquet(*map(_for_hadoop, files)).createOrReplaceTempView(FILES)
        except PySparkException as error:
            raise InputError(f"{files[0]}: spark cannot read it: {str(error).strip():.300}") from error
        return connection
    connection = ibis.duckdb.connect()
    paths = [glob.escape(str(path)) for path in files]
    connection.read_parquet(paths, table_name=FILES, hive_partitioning=False)
    return connection


def _for_hadoop(path: Path) -> str:
    if found := set(str(path)) & set("{}[]*?\\"):
        raise InputError(f"{path}: spark takes {sorted(found)[0]!r} for a pattern. Rename the file or its folder.")
    return str(path)


def score_table(
    scorecard: Scorecard,
    version: ModelVersion,
    connection: Any,
    table: str,
    *,
    ids: Sequence[str] = (),
    reasons: bool = True,
    seen: Seen,
    told: Told,
) -> Iterator[pa.Table]:
    """Score a table where it lies, by the SQL of `export.sql`; reasons are codes, without words.

    Parameters
    ----------
    connection : Ibis connection to DuckDB, PostgreSQL, SQLite or Spark
    table : str
        Its table or view, as `export.sql.table_parts` reads it.

    Raises
    ------
    InputError, ModelError
        What the engine says of the query; no such table; a missing column, or one of another type than it is scored as.
    """
    schema = _schema(connection, table)
    names = list(schema)
    scorecard.columns(pd.DataFrame(columns=names))
    check_ids(ids, names)
    known = [name for name in id_columns(scorecard, ids) if name in names and name not in scorecard.inputs]
    odd = [name for name in known if not _is_plain(schema[name])]
    as_text = [*odd, *_checked(scorecard, schema, table)]
    dialect = {"pyspark": "spark"}.get(connection.name, connection.name)
    options: dict[str, Any] = {"dialect": dialect, "table": table, "as_text": as_text}
    query = scorecard_sql(scorecard, ids=known, version=version.version, **options)
    try:
        if dialect == "sqlite":
            _no_text_in_numbers(scorecard, connection, table)
        blocks = 0
        for batch in _batches(connection, query, dialect):
            block = pa.table(batch) if isinstance(batch, pa.RecordBatch) else batch
            yield _scores(block, scorecard, version, ids, reasons)
            blocks += 1
            seen.rows += len(block)
            told(seen.rows)
        if not blocks:  # a table without rows has scores without rows
            nothing = {name: pa.array([], _arrow(schema[name])) for name in known}
            nothing |= {name: pa.array([], pa.string()) for name in ("grade", *REASONS)}
            nothing |= {name: pa.array([], pa.float64()) for name in ("score", "pd")}
            yield _scores(pa.table(nothing), scorecard, version, ids, reasons)
        counts = next(iter(_batches(connection, counts_sql(scorecard, **options), dialect)))
        flat = [int(column.to_pylist()[0] or 0) for column in counts.columns]
    except WorkbenchError:
        raise
    except Exception as error:
        raise InputError(f"table {table}: {connection.name} refused the query: {str(error).strip():.600}") from error
    for variable in scorecard.variables:
        size, homes = variable.bins.size, variable.bins.homes()
        own, flat = flat[:size], flat[size:]
        seen.counts.append(np.bincount(homes, weights=own, minlength=size).astype(np.int64))


def _scores(
    block: pa.Table, scorecard: Scorecard, version: ModelVersion, ids: Sequence[str], reasons: bool
) -> pa.Table:
    values: dict[str, Any] = {name: block.column(name).combine_chunks() for name in ("score", "pd", "grade")}
    if reasons:
        said = [block.column(name).to_pylist() for name in REASONS]
        codes = [[code for code in row if code is not None] for row in zip(*said, strict=True)]
        values["reason_codes"] = pa.array(codes, pa.list_(pa.string()))
    return as_scores(block, values, scorecard, version, ids)


def _schema(connection: Any, table: str) -> Any:
    import ibis

    name, *others = table_parts(table)
    place = dict(zip(("database", "catalog"), others, strict=False))
    try:
        return connection.get_schema(name, **place)
    except ibis.common.exceptions.TableNotFound:
        raise InputError(
            f"--table {table}: {connection.name} has no such table. Mend the name; where it lies in a schema: crm.rows."
        ) from None


def _checked(scorecard: Scorecard, schema: Any, table: str) -> list[str]:
    """Return the inputs to cast to text, whose types Ibis does not know (as PostgreSQL's own); refuse what does not fit."""
    found = []
    for name, kind in scorecard.inputs.items():
        about = schema[name]
        if kind == "text" and about.is_unknown():
            found.append(name)
        elif not (about.is_numeric() if kind == "number" else about.is_string()):
            raise ModelError(
                f"table {table}, {name}: found {about}, expected {kind}s. Cast it in a view, and score that."
            )
    return found


def _is_plain(kind: Any) -> bool:
    return bool(kind.is_string() or kind.is_numeric() or kind.is_boolean() or kind.is_date() or kind.is_timestamp())


def _arrow(kind: Any) -> pa.DataType:
    return kind.to_pyarrow() if _is_plain(kind) else pa.string()


def _no_text_in_numbers(scorecard: Scorecard, connection: Any, table: str) -> None:
    """Refuse text in columns of numbers, which SQLite allows and would cast to 0."""
    place = ".".join(quoted(part) for part in reversed(table_parts(table)))
    for name, kind in scorecard.inputs.items():
        column = quoted(name)
        if kind == "number":
            query = f"select {column} from {place} where typeof({column}) in ('text', 'blob') limit 1"  # noqa: S608
            if (row := connection.con.execute(query).fetchone()) is not None:
                raise ModelError(
                    f"table {table}, {name}: found the text {row[0]!r}, expected numbers. Mend it, or cast in a view."
                )


def _batches(connection: Any, query: str, dialect: str) -> Iterator[pa.RecordBatch | pa.Table]:
    if dialect == "duckdb":  # Ibis 12 asks DuckDB 2 for a method that it no longer has
        yield from connection.con.sql(query).to_arrow_reader(BLOCK_ROWS)
    elif dialect == "sqlite":  # whose columns have no types, so that nulls come first and text after
        cursor = connection.con.execute(query)
        names = [about[0] for about in cursor.description]
        while rows := cursor.fetchmany(BLOCK_ROWS):
            yield pa.table({n: _column(n, v) for n, v in zip(names, zip(*rows, strict=True), strict=True)})
    else:
        yield from connection.sql(query, dialect=dialect).to_pyarrow_batches(chunk_size=BLOCK_ROWS)


def _column(name: str, values: tuple[Any, ...]) -> pa.Array:
    """Return one of SQLite's columns; where it mixes types, as text."""
    if name in ("score", "pd"):
        return pa.array(values, pa.float64())
    try:
        return pa.array(values)
    except pa.ArrowException:
        return pa.array([None if value is None else str(value) for value in values], pa.string())
