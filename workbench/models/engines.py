"""Scoring where the data is: DuckDB over files or a database file, PostgreSQL, SQLite, Spark over files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from workbench.core.errors import InputError
from workbench.models.batch import BLOCK_ROWS, Seen, Told, as_scores
from workbench.models.export.sql import REASONS, scorecard_sql
from workbench.models.scorecard import Scorecard
from workbench.models.scoring import id_columns, text_inputs
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
    seen: Seen,
    told: Told,
) -> Iterator[pa.Table]:
    """Score `files`, or `table` of the database at `url`, by an engine; see `score_table`.

    Raises
    ------
    InputError
        Files for an engine that reads none, a table without an address, or an address of another engine.
    """
    if table is None and engine not in ("duckdb", "spark"):
        raise InputError(f"--engine {engine} reads no files. Give --table and --url, or leave --engine out.")
    if table is not None and url is None:
        raise InputError(f"--table {table}: expected --url, the address of the database that holds it.")
    if table is not None:
        from workbench.book.databases import open_database

        connection = open_database(str(url), root=root, environment=environment)
        if connection.name != engine:
            raise InputError(f"--url: found {connection.name}, expected {engine}.")
    else:
        connection, table = _over_files(engine, files, scorecard), FILES
    try:
        yield from score_table(scorecard, version, connection, table, seen=seen, told=told)
    finally:
        connection.disconnect()


def _over_files(engine: str, files: Sequence[Path], scorecard: Scorecard) -> Any:
    """Return a connection with the files as the view `input`."""
    import ibis

    paths = [str(path) for path in files]
    if engine == "spark":
        connection = ibis.pyspark.connect()
        session = connection._session
        if files[0].suffix == ".csv":
            raise InputError("--engine spark reads .parquet files. Leave --engine out for a CSV.")
        session.read.parquet(*paths).createOrReplaceTempView(FILES)
        return connection
    connection = ibis.duckdb.connect()
    if files[0].suffix == ".csv":
        words = dict.fromkeys(text_inputs(scorecard), "VARCHAR")
        connection.read_csv(paths, table_name=FILES, types=words)
    else:
        connection.read_parquet(paths, table_name=FILES)
    return connection


def score_table(
    scorecard: Scorecard,
    version: ModelVersion,
    connection: Any,
    table: str,
    *,
    seen: Seen,
    told: Told,
) -> Iterator[pa.Table]:
    """Score a table where it lies, by the SQL of `export.sql`; reasons are codes, without words.

    Parameters
    ----------
    connection : Ibis connection to DuckDB, PostgreSQL, SQLite or Spark
    table : str
        Its table or view.

    Raises
    ------
    InputError, ModelError
        What the engine says of the query; a missing column.
    """
    names = list(connection.get_schema(table))
    scorecard.columns(pd.DataFrame(columns=names))
    ids = [name for name in id_columns(scorecard) if name in names and name not in scorecard.inputs]
    dialect = {"pyspark": "spark"}.get(connection.name, connection.name)
    query = scorecard_sql(scorecard, dialect=dialect, table=table, ids=ids, version=version.version)
    try:
        for batch in _batches(connection, query, dialect):
            block = pa.table(batch) if isinstance(batch, pa.RecordBatch) else batch
            told_of = [block.column(name).to_pylist() for name in REASONS]
            codes = [[code for code in row if code is not None] for row in zip(*told_of, strict=True)]
            values = {name: block.column(name) for name in ("score", "pd", "grade")}
            values = {name: column.combine_chunks() for name, column in values.items()}
            yield as_scores(block, {**values, "reason_codes": codes}, scorecard, version)
            seen.add(len(block), [])
            told(seen.rows)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"table {table}: {connection.name} refused the query: {str(error).strip():.600}") from error


def _batches(connection: Any, query: str, dialect: str) -> Iterator[pa.RecordBatch | pa.Table]:
    if dialect == "duckdb":  # Ibis 12 asks DuckDB 2 for a method that it no longer has
        yield from connection.con.sql(query).to_arrow_reader(BLOCK_ROWS)
    elif dialect == "sqlite":  # whose columns have no types, so that nulls come first and text after
        cursor = connection.con.execute(query)
        names = [about[0] for about in cursor.description]
        while rows := cursor.fetchmany(BLOCK_ROWS):
            kinds = {"score": pa.float64(), "pd": pa.float64()}
            yield pa.table({n: pa.array(v, kinds.get(n)) for n, v in zip(names, zip(*rows, strict=True), strict=True)})
    else:
        yield from connection.sql(query, dialect=dialect).to_pyarrow_batches(chunk_size=BLOCK_ROWS)
