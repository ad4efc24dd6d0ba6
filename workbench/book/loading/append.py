"""Appending: of a delivery, only what the book did not know yet is added, as new versions by key."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from workbench.book.loading.stage import known_columns
from workbench.book.loading.write import count_keys
from workbench.book.schema import TABLES
from workbench.book.sources.files import literal, quoted

MAX_PARTS = 12  # more files of one table are made one


@dataclass(frozen=True)
class Added:
    """What an append added to a table.

    `unchanged` rows say what the book knew already; `corrections` contradict a version of the very same instant, so they
    are known only since this delivery; `conflicts` contradict this delivery's own version and are not added.
    """

    rows: int
    new_keys: int
    unchanged: int
    corrections: int
    conflicts: int


def append_table(
    connection: duckdb.DuckDBPyConnection, table: str, delivered: Path, known: Sequence[Path], out: Path, rejects: Path
) -> Added:
    """Write to `out` those rows of `delivered` that say something new, and nothing where there are none.

    Both are sorted canonical files; `_delivery.delivered_at` holds the moment of the delivery.
    """
    schema = TABLES[table]
    key = ", ".join(quoted(name) for name in schema.key)
    same_key = " AND ".join(f"d.{quoted(name)} = k.{quoted(name)}" for name in schema.key)
    columns = list(known_columns(table))
    listed = ", ".join(quoted(name) for name in columns)
    content = [name for name in columns if name not in (*schema.key, "known_at")]
    same = " AND ".join(f"d.{quoted(name)} IS NOT DISTINCT FROM k.{quoted(name)}" for name in content) or "true"
    files = ", ".join(literal(str(path)) for path in known)
    run = connection.execute
    run(f"CREATE OR REPLACE TEMP TABLE _new AS SELECT {listed} FROM read_parquet({literal(str(delivered))})")
    run(
        f"CREATE OR REPLACE TEMP TABLE _known AS SELECT {listed} FROM read_parquet([{files}]) SEMI JOIN _new USING ({key})"
    )

    def compare(rows: str, into: str) -> None:
        run(
            f"CREATE OR REPLACE TEMP TABLE {into} AS SELECT d.*, CASE WHEN k.known_at IS NULL THEN 'new' WHEN {same} THEN "
            f"'unchanged' WHEN k.known_at = d.known_at THEN 'contradicts' ELSE 'new' END AS _verdict "
            f"FROM {rows} d ASOF LEFT JOIN _known k ON {same_key} AND d.known_at >= k.known_at"
        )

    compare("_new", "_first")
    moment = "(SELECT delivered_at AT TIME ZONE 'UTC' FROM _delivery)"
    run(
        f"CREATE OR REPLACE TEMP TABLE _late AS SELECT * EXCLUDE (_verdict) REPLACE ({moment} AS known_at) FROM _first "
        "WHERE _verdict = 'contradicts'"
    )
    compare("_late", "_second")
    conflicts = run("SELECT count(*) FROM _second WHERE _verdict = 'contradicts'").fetchall()[0][0]
    if conflicts:
        run(
            f"COPY (SELECT {literal(table)} AS canonical_table, NULL AS source, NULL AS file, 'rejected' AS action, "
            "'contradicts what this very delivery said' AS reasons, to_json(_second) AS source_row FROM _second "
            f"WHERE _verdict = 'contradicts') TO {literal(str(rejects))} (HEADER, DELIMITER ',')"
        )
    run(
        f"CREATE OR REPLACE TEMP TABLE _added AS SELECT {listed} FROM _first WHERE _verdict = 'new' UNION ALL "
        f"SELECT {listed} FROM _second WHERE _verdict = 'new'"
    )
    rows, new_keys = run(
        f"SELECT (SELECT count(*) FROM _added), (SELECT count(*) FROM (SELECT DISTINCT {key} FROM _added ANTI JOIN _known "
        f"USING ({key})))"
    ).fetchall()[0]
    corrections = run("SELECT count(*) FROM _second WHERE _verdict = 'new'").fetchall()[0][0]
    unchanged = run(
        "SELECT (SELECT count(*) FROM _first WHERE _verdict = 'unchanged') + "
        "(SELECT count(*) FROM _second WHERE _verdict = 'unchanged')"
    ).fetchall()[0][0]
    if rows:
        run(f"COPY (FROM _added ORDER BY {key}, known_at) TO {literal(str(out))} (FORMAT parquet, COMPRESSION zstd)")
    for name in ("_new", "_known", "_first", "_late", "_second", "_added"):
        run(f"DROP TABLE {name}")
    return Added(rows, new_keys, unchanged, corrections, conflicts)


def carry_over(files: Sequence[Path], out: Path) -> None:
    """Put the files of an earlier generation into a new one, as links where the file system has them."""
    for file in files:
        try:
            os.link(file, out / file.name)
        except OSError:
            shutil.copy2(file, out / file.name)


def merge_parts(connection: duckdb.DuckDBPyConnection, table: str, files: Sequence[Path]) -> tuple[int, int]:
    """Make several files of a table one, under the first's name; return rows and keys."""
    order = ", ".join(quoted(name) for name in (*TABLES[table].key, "known_at"))
    merged = files[0].with_suffix(".merging")
    listed = ", ".join(literal(str(path)) for path in files)
    connection.execute(
        f"COPY (FROM read_parquet([{listed}]) ORDER BY {order}) TO {literal(str(merged))} (FORMAT parquet, COMPRESSION zstd)"
    )
    for file in files:
        file.unlink()
    merged.replace(files[0])
    rows, keys, _repeated = count_keys(files[0], table)
    return rows, keys
