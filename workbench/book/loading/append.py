"""Appending: of a delivery, only what the book did not know yet is added, as new versions by key."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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

    Attributes
    ----------
    unchanged
        Delivered rows that say what the book knew already.
    corrections
        Rows that the delivery tells otherwise than the book under a `known_at` that the book has; known since the delivery.
    conflicts
        Rows that contradict an older version than the newest: the past stays as it was known, so they are not taken.
    belated
        Added rows that say they were known before the delivery before this one.
    """

    rows: int
    new_keys: int
    unchanged: int
    corrections: int
    conflicts: int
    belated: int


def append_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    delivered: Path,
    known: Sequence[Path],
    out: Path,
    rejects: Path,
    *,
    earlier: Sequence[datetime],
    dated: bool,
) -> Added:
    """Write to `out` those rows of `delivered` that say something new, and nothing where there are none.

    Both are sorted canonical files; `_delivery.delivered_at` holds the moment of the delivery, `earlier` those of the loads
    before. `dated` tells whether the source gives versions dates of their own; where `known_at` only follows from what a row
    says, such as the day of a payment, another date is a correction too, and step 1 is for new keys alone. Three steps, key
    by key:

    1. A delivered version with a `known_at` of its own is new, unless it repeats what was known just before.
    2. One that contradicts a version of the same `known_at` is not taken: what was known then stays.
    3. If the delivery's newest version, not older than the book's newest (versions that step 3 stamped in earlier loads
       apart), is not what the book then says, the source has changed it without a new date: it is known since the delivery.
    """
    schema = TABLES[table]
    columns = list(known_columns(table))
    keys = [quoted(name) for name in schema.key]
    key, listed = ", ".join(keys), ", ".join(quoted(name) for name in columns)
    others = [quoted(name) for name in columns if name not in (*schema.key, "known_at")]
    content = f"struct_pack({', '.join(f'{name} := {name}' for name in others)})"
    now = connection.execute("SELECT delivered_at AT TIME ZONE 'UTC' FROM _delivery").fetchall()[0][0]
    stamped = " OR ".join(_within(moment.astimezone(UTC).replace(tzinfo=None)) for moment in earlier) or "false"
    files = ", ".join(literal(str(path)) for path in known)
    new_keys_alone = "" if dated else f" AND ({key}) NOT IN (SELECT ({key}) FROM _known)"
    run = connection.execute
    run(
        f"CREATE OR REPLACE TEMP TABLE _new AS SELECT {listed}, {content} AS _content "
        f"FROM read_parquet({literal(str(delivered))})"
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE _known AS SELECT {listed}, {content} AS _content, ({stamped}) AS _stamped "
        f"FROM read_parquet([{files}]) SEMI JOIN _new USING ({key})"
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE _judged AS SELECT n.*, CASE WHEN k.known_at IS NULL THEN 'new' "
        f"WHEN n._content IS NOT DISTINCT FROM k._content THEN 'unchanged' ELSE 'contradicts' END AS _verdict "
        f"FROM _new n LEFT JOIN _known k ON {' AND '.join(f'n.{name} = k.{name}' for name in keys)} "
        "AND n.known_at = k.known_at"
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE _added AS SELECT {listed}, _content FROM (SELECT *, lag(_content) OVER "
        f"(PARTITION BY {key} ORDER BY known_at) AS _before FROM (SELECT {listed}, _content, false AS _is_new FROM _known "
        f"UNION ALL SELECT {listed}, _content, true FROM _judged WHERE _verdict = 'new')) "
        f"WHERE _is_new AND _before IS DISTINCT FROM _content{new_keys_alone}"
    )
    genuine = "newest.known_at >= coalesce(book.genuine, newest.known_at)" if dated else "true"
    run(
        f"CREATE OR REPLACE TEMP TABLE _latest AS SELECT newest.* REPLACE (coalesce(book.latest + INTERVAL 1 MICROSECOND, "
        f"TIMESTAMP '{now}') AS known_at), newest._content IS DISTINCT FROM present.said AS _moved FROM "
        f"(SELECT * FROM _judged WHERE known_at <= TIMESTAMP '{now}' "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY known_at DESC) = 1) newest "
        f"JOIN (SELECT {key}, max(known_at) FILTER (NOT _stamped) AS genuine, "
        f"max(known_at) FILTER ({_within(now)}) AS latest FROM _known GROUP BY ALL) book USING ({key}) "
        f"JOIN (SELECT {key}, arg_max(_content, known_at) AS said FROM (SELECT {key}, known_at, _content FROM _known UNION ALL "
        f"SELECT {key}, known_at, _content FROM _added) WHERE known_at < TIMESTAMP '{now}' + INTERVAL 1 SECOND GROUP BY ALL) "
        f"present USING ({key}) WHERE {genuine}"
    )
    belated = f"known_at < TIMESTAMP '{max(earlier).astimezone(UTC).replace(tzinfo=None)}'" if earlier else "false"
    told, contradicting, settled, corrections, of_old, rows, late = run(
        "SELECT (SELECT count(*) FROM _judged), (SELECT count(*) FROM _judged WHERE _verdict = 'contradicts'), "
        "(SELECT count(*) FROM _latest WHERE _verdict = 'contradicts'), (SELECT count(*) FROM _latest WHERE _moved), "
        "(SELECT count(*) FROM _latest WHERE _moved AND _verdict = 'new' AND "
        f"({key}) IN (SELECT ({key}) FROM _added)), "
        f"(SELECT count(*) FROM _added), (SELECT count(*) FROM _added WHERE {belated})"
    ).fetchall()[0]
    if contradicting > settled:
        run(
            f"COPY (SELECT {literal(table)} AS canonical_table, NULL AS source, NULL AS file, 'rejected' AS action, "
            "'contradicts an older version: what was known then stays' AS reasons, "
            f"to_json(struct_pack({', '.join(f'{name} := {name}' for name in (*keys, 'known_at'))}, row := _content)) "
            "AS source_row FROM _judged "
            f"WHERE _verdict = 'contradicts' AND ({key}, _content) NOT IN (SELECT ({key}, _content) FROM _latest)) "
            f"TO {literal(str(rejects))} (HEADER, DELIMITER ',')"
        )
    run(f"INSERT INTO _added SELECT {listed}, _content FROM _latest WHERE _moved")
    new_keys = run(
        f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM _added ANTI JOIN _known USING ({key}))"
    ).fetchall()[0][0]
    if rows + corrections:
        run(
            f"COPY (SELECT {listed} FROM _added ORDER BY {key}, known_at) TO {literal(str(out))} "
            "(FORMAT parquet, COMPRESSION zstd)"
        )
    for name in ("_new", "_known", "_judged", "_added", "_latest"):
        run(f"DROP TABLE {name}")
    return Added(
        rows=rows + corrections,
        new_keys=new_keys,
        unchanged=told - rows - (contradicting - settled) - (corrections - of_old),
        corrections=corrections,
        conflicts=contradicting - settled,
        belated=late,
    )


def _within(moment: datetime) -> str:
    """Return the condition that `known_at` was stamped by a load of this moment; a second one then is a microsecond later."""
    return f"(known_at >= TIMESTAMP '{moment}' AND known_at < TIMESTAMP '{moment}' + INTERVAL 1 SECOND)"


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
