"""Staged rows become a canonical file: in total order, each key once at each instant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workbench.book.loading.stage import known_columns, stage_name
from workbench.book.schema import TABLES
from workbench.book.sources.files import literal, quoted

ROW_GROUP = 122_880


@dataclass(frozen=True)
class WrittenTable:
    """What came of the staged rows of a table: `duplicates` stood more than once, `conflicts` contradict each other."""

    rows: int
    keys: int
    duplicates: int = 0
    conflicts: int = 0


def write_table(
    connection: duckdb.DuckDBPyConnection, table: str, source: str, out: Path, rejects: Path
) -> WrittenTable:
    """Write the rows of `source` (a relation with the canonical columns) to `out`, sorted by key and `known_at`.

    Rows that are equal in everything are kept once. Rows of one key and instant that differ contradict each other: none of
    them is kept, all are written to `rejects`.
    """
    columns = ", ".join(quoted(name) for name in known_columns(table))
    _copy(connection, f"SELECT {columns} FROM {source}", table, out)
    rows, keys, repeated = count_keys(out, table)
    if not repeated:
        return WrittenTable(rows, keys)
    key = ", ".join(quoted(name) for name in (*TABLES[table].key, "known_at"))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE _once AS SELECT DISTINCT {columns} FROM {source}")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _torn AS SELECT {key} FROM _once GROUP BY ALL HAVING count(*) > 1"
    )
    distinct, torn = (
        connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in ("_once", "_torn")
    )
    conflicts = 0
    if torn:
        conflicts = connection.execute(f"SELECT count(*) FROM _once SEMI JOIN _torn USING ({key})").fetchall()[0][0]
        connection.execute(
            f"COPY (SELECT {literal(table)} AS canonical_table, NULL AS source, NULL AS file, 'rejected' AS action, "
            f"'rows of one key and instant contradict each other' AS reasons, to_json(_once) AS source_row "
            f"FROM _once SEMI JOIN _torn USING ({key}) ORDER BY {key}) TO {literal(str(rejects))} (HEADER, DELIMITER ',')"
        )
    _copy(connection, f"SELECT {columns} FROM _once ANTI JOIN _torn USING ({key})", table, out)
    written, keys, _none = count_keys(out, table)
    connection.execute("DROP TABLE _once; DROP TABLE _torn")
    return WrittenTable(written, keys, duplicates=rows - distinct, conflicts=conflicts)


def compare(
    connection: duckdb.DuckDBPyConnection, table: str, old: Sequence[Path], new: Sequence[Path]
) -> tuple[int, int]:
    """Return how many keys of `old` are gone in `new`, and how many other rows of `old` are not there as they were."""
    key = ", ".join(quoted(name) for name in TABLES[table].key)
    before, after = (f"read_parquet([{', '.join(literal(str(path)) for path in files)}])" for files in (old, new))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _lost AS SELECT {key} FROM (SELECT {key}, hash(t) AS _hash FROM {before} t) "
        f"ANTI JOIN (SELECT hash(t) AS _hash FROM {after} t) USING (_hash)"
    )
    lost, gone_rows, gone = connection.execute(
        f"SELECT (SELECT count(*) FROM _lost), count(*), count(DISTINCT ({key},)) FROM _lost ANTI JOIN {after} USING ({key})"
    ).fetchall()[0]
    connection.execute("DROP TABLE _lost")
    return gone, lost - gone_rows


def _copy(connection: duckdb.DuckDBPyConnection, select: str, table: str, out: Path) -> None:
    """Write rows in total order; those that lie in it already, as most exports do, are not sorted again."""
    order = ", ".join(quoted(name) for name in (*TABLES[table].key, "known_at"))
    falls = connection.execute(
        f"SELECT 1 FROM (SELECT ({order}) < lag(({order})) OVER () AS falls FROM ({select})) WHERE falls LIMIT 1"
    ).fetchall()
    connection.execute(
        f"COPY ({select}{f' ORDER BY {order}' if falls else ''}) TO {literal(str(out))} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
    )


def count_keys(path: Path, table: str) -> tuple[int, int, int]:
    """Return rows, keys, and rows that repeat the key and `known_at` before them, of a file sorted by both."""
    key = list(TABLES[table].key)
    rows = keys = repeated = 0
    last: pa.RecordBatch | None = None
    for batch in pq.ParquetFile(path).iter_batches(batch_size=1 << 19, columns=[*key, "known_at"]):
        if not batch.num_rows:
            continue
        joined = pa.Table.from_batches([batch] if last is None else [last, batch]).combine_chunks()
        before, after = joined.slice(0, joined.num_rows - 1), joined.slice(1)
        same = _equal(before, after, key)
        rows += batch.num_rows
        keys += after.num_rows - _true(same) + (last is None)
        repeated += _true(pc.and_(same, pc.equal(before["known_at"], after["known_at"])))
        last = batch.slice(batch.num_rows - 1)
    return rows, keys, repeated


def _equal(before: pa.Table, after: pa.Table, key: list[str]) -> pa.ChunkedArray:
    same = pc.equal(before[key[0]], after[key[0]])
    for name in key[1:]:
        same = pc.and_(same, pc.equal(before[name], after[name]))
    return same


def _true(values: pa.ChunkedArray) -> int:
    return int(pc.sum(values).as_py() or 0)


def good_rows(table: str, fatal: dict[int, int]) -> str:
    """Return the staged rows that are not rejected, as a relation; `fatal` is each part's mask."""
    if not any(fatal.values()):
        return stage_name(table)
    masks = " ".join(f"WHEN {part} THEN {mask}" for part, mask in fatal.items())
    return f"(SELECT * FROM {stage_name(table)} WHERE _fault & (CASE _part {masks} END)::BIGINT = 0)"


def write_lines(lines: list[dict[str, object]], out: Path) -> None:
    """Write rejected lines, one JSON object each."""
    out.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
