"""Scoring where the data is: DuckDB over files or a database file, PostgreSQL, SQLite, Spark over files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from workbench.core.errors import InputError
from workbench.models.batch import Seen, Told, score_in_engine
from workbench.models.scorecard import Scorecard
from workbench.models.scoring import text_inputs
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
    """Score `files`, or `table` of the database at `url`, by an engine; see `batch.score_in_engine`.

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
        yield from score_in_engine(scorecard, version, connection, table, seen=seen, told=told)
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
