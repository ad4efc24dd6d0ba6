"""Staged rows become the files of a new generation: tables anew, or what an append adds to those there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import duckdb

from workbench.book.loading.append import MAX_PARTS, append_table, carry_over, merge_parts
from workbench.book.loading.record import TableLoad
from workbench.book.loading.stage import StagedPart, stage_name
from workbench.book.loading.write import compare, good_rows, write_table
from workbench.book.mapping import Mapping as BookMapping
from workbench.book.schema import FLOWS, TABLES
from workbench.book.sources.files import literal
from workbench.book.store import BookManifest, TableFacts, check_columns, file_sha256, table_facts, table_files
from workbench.core.errors import BookError

Generation = tuple[Path, BookManifest]


def write_tables(
    connection: duckdb.DuckDBPyConnection,
    mapping: BookMapping,
    parts: Sequence[StagedPart],
    out: Path,
    accounts: Mapping[str, TableLoad],
    *,
    before: Generation | None,
    append: bool,
    rejects: Path,
    scratch: Path,
    earlier: Sequence[datetime],
    progress: Callable[[str], None],
) -> tuple[dict[str, TableFacts], dict[str, TableLoad]]:
    """Write the staged tables to `out`; return the facts of all tables there, and the accounts carried on."""
    made: dict[str, TableFacts] = {}
    accounts = dict(accounts)
    if append and before is not None:
        for table, facts in before[1].tables.items():
            carry_over(table_files(before[0], table), out)
            made[table] = facts
    for table in mapping.tables:
        progress(f"writing {table}")
        source = good_rows(table, {part.number: part.fatal for part in parts if part.table == table})
        if table in made:
            made[table], changes = _append(
                connection,
                table,
                source,
                made[table],
                out,
                rejects=rejects,
                scratch=scratch,
                earlier=earlier,
                dated=is_dated(mapping, table),
            )
        else:
            made[table], changes = _write(connection, table, source, out, before=before, rejects=rejects)
        accounts[table] = accounts[table].model_copy(update=changes)
        connection.execute(f"DROP TABLE {stage_name(table)}")
    return made, accounts


def _write(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    source: str,
    out: Path,
    *,
    before: Generation | None,
    rejects: Path,
) -> tuple[TableFacts, dict[str, int]]:
    path = out / f"{table}.parquet"
    written = write_table(connection, table, source, path, rejects / f"{table}-conflicts.csv")
    check_columns(path, table)
    facts = table_facts(written.rows, written.keys, {path.name: file_sha256(path)})
    changes = {"duplicates": written.duplicates, "conflicts": written.conflicts, "rows_out": written.rows}
    known = before[1].tables.get(table) if before is not None else None
    if before is not None and known is not None and known.sha256 != facts.sha256:
        old = [file for file in table_files(before[0], table) if file.exists()]
        if old:
            changes["gone"], changes["rewritten"] = compare(connection, table, old, [path])
    return facts, changes


def is_dated(mapping: BookMapping, table: str) -> bool:
    """Return whether a table's `known_at` is a date that its source gives to versions, and does not just follow from a row."""
    for part in mapping.tables[table]:
        follows = {*part.columns, *(column.sql for column in part.columns.values())}
        if part.known_at is not None and part.known_at.strip() not in follows:
            return True
    return False


def _append(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    source: str,
    before: TableFacts,
    out: Path,
    *,
    rejects: Path,
    scratch: Path,
    earlier: Sequence[datetime],
    dated: bool,
) -> tuple[TableFacts, dict[str, int]]:
    delivered = scratch / f"{table}.delivered.parquet"
    written = write_table(connection, table, source, delivered, rejects / f"{table}-conflicts.csv")
    files = table_files(out, table)
    path = out / f"{table}+{len(files):04d}.parquet"
    added = append_table(
        connection, table, delivered, files, path, rejects / f"{table}-contradictions.csv", earlier=earlier, dated=dated
    )
    changes = {
        "duplicates": written.duplicates,
        "conflicts": written.conflicts + added.conflicts,
        "unchanged": added.unchanged,
        "corrections": added.corrections,
        "belated": added.belated,
        "rows_out": added.rows,
    }
    if not added.rows:
        return before, changes
    check_columns(path, table)
    if len(files) + 1 > MAX_PARTS:
        rows, keys = merge_parts(connection, table, [*files, path])
        return table_facts(rows, keys, {files[0].name: file_sha256(files[0])}), changes
    hashes = {**before.files, path.name: file_sha256(path)}
    return table_facts(before.rows + added.rows, before.keys + added.new_keys, hashes), changes


def span(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Sequence[Path]], zone: str, delivered: date
) -> tuple[date, date]:
    """Return the first and last business day on which something happened that makes a book move, none after the delivery.

    Raises
    ------
    BookError
        If nothing happened by then.
    """
    moving = [name for name in FLOWS if name in tables] or ["loans"]
    connection.execute(f"SET TimeZone = {literal(zone)}")
    days: list[date] = []
    for table in moving:
        name = str(TABLES[table].occurred)
        local = f"({name} AT TIME ZONE 'UTC')::DATE" if TABLES[table].column(name).dtype == "timestamp" else name
        files = ", ".join(literal(str(path)) for path in tables[table])
        row = connection.execute(
            f"SELECT min({local}), max({local}) FROM read_parquet([{files}]) WHERE {local} <= DATE '{delivered}'"
        ).fetchall()[0]
        days += [day for day in row if day is not None]
    if not days:
        raise BookError(
            f"no row of {', '.join(moving)} happened by {delivered}; expected a book with a past. Look at the date columns of "
            "the mapping, or set first_day and last_day."
        )
    return min(days), max(days)
