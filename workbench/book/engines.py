"""Engines that a book is read on: each gives an Ibis connection and the canonical tables in it.

The rest of the package writes Ibis expressions and asks no engine its name. Every session's clock is UTC, so that no setting
of a machine shifts a timestamp.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis

from workbench.book.schema import TABLES, Dtype
from workbench.core.errors import BookError
from workbench.core.settings import Settings

ibis.options.sql.fuse_selects = False  # engines merge nested selects themselves, faster than Ibis does in Python
gc.set_threshold(max(gc.get_threshold()[0], 50_000))  # Ibis makes many small objects: a sixth of the time of a query

ENGINES = ("duckdb", "postgres", "spark")  # an attached book is read on PostgreSQL, a stored one on the others
Files = Mapping[str, Sequence[Path]]  # parquet files by table

IBIS_TYPES: dict[Dtype, str] = {
    "string": "string",
    "date": "date",
    "timestamp": "timestamp",
    "money": "decimal(18, 2)",
    "float": "float64",
    "int": "int64",
    "bool": "boolean",
}


@dataclass(frozen=True)
class Engine:
    """A connection, and the canonical tables in it: every version of every row, in canonical columns and types."""

    connection: Any
    tables: Mapping[str, ibis.Table]


def canonical(table: str, rows: ibis.Table) -> ibis.Table:
    """Return `rows` in the canonical columns and types of `table`; a column that they lack is null.

    Instants with a time zone become UTC without one, which is right in a session whose clock is UTC.
    """
    columns: list[tuple[str, Dtype]] = [(column.name, column.dtype) for column in TABLES[table].columns]
    columns.append(("known_at", "timestamp"))
    values = {}
    for name, dtype in columns:
        wanted = IBIS_TYPES[dtype]
        value = rows[name] if name in rows.columns else ibis.null(wanted)
        values[name] = value if value.type().copy(nullable=True) == ibis.dtype(wanted) else value.cast(wanted)
    return rows.select(**values)


def duckdb_engine(files: Files, *, settings: Settings, scratch: Path) -> Engine:
    """Return an in-memory DuckDB with the files as views; it spills to `scratch`."""
    scratch.mkdir(parents=True, exist_ok=True)
    connection = ibis.duckdb.connect(
        threads=settings.threads,
        memory_limit=settings.memory,
        temp_directory=str(scratch),
        autoinstall_known_extensions=False,  # nothing is fetched at run time
        preserve_insertion_order=False,
    )
    connection.raw_sql("SET TimeZone = 'UTC'")
    return Engine(
        connection,
        {table: connection.read_parquet(list(paths), table_name=table) for table, paths in sorted(files.items())},
    )


def spark_engine(files: Files, *, settings: Settings, scratch: Path) -> Engine:
    """Return a local Spark session with the files as views, on loopback alone, without its web page.

    The process has one Spark; each engine gets a session of its own in it, with its own views.

    Raises
    ------
    BookError
        If the extra `spark` or Java is missing.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise BookError(
            "engine spark: the package pyspark is missing. Install it with: pip install 'loan-risk-workbench[spark]'"
        ) from None
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (home and (Path(home) / "bin" / "java").exists())):
        raise BookError("engine spark: no Java on the PATH or in JAVA_HOME. Spark 4.0 needs Java 17: install it.")
    scratch.mkdir(parents=True, exist_ok=True)
    options = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": settings.memory.replace(" ", "").removesuffix("B").lower(),
        "spark.local.dir": str(scratch),
        "spark.log.level": "ERROR",
        "spark.sql.shuffle.partitions": str(settings.threads),  # one machine; 200, the default, takes minutes
        "spark.sql.warehouse.dir": str(scratch / "spark-warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master(f"local[{settings.threads}]").appName("workbench")
    for name, value in options.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate().newSession()
    except Exception as error:  # whatever the gateway to Java raises
        raise BookError(f"engine spark: Spark did not start: {error}. It needs Java 17 and free memory.") from error
    connection = ibis.pyspark.connect(session)  # sets the session's clock to UTC
    tables = {}
    for table, paths in sorted(files.items()):
        session.read.parquet(*map(str, paths)).createOrReplaceTempView(table)
        tables[table] = connection.table(table)
    return Engine(connection, tables)
