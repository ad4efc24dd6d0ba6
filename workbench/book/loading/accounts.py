"""The accounts of a load: every line and row of a delivery is in, rejected or explained; too many lost stop the load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from workbench.book.loading.delivery import Delivery, TextCount, rows_read, text_counts, unreadable_lines
from workbench.book.loading.record import LoadRecord, SourceLoad, TableLoad
from workbench.book.loading.stage import StagedPart, fault_counts, rows_staged, write_rejects
from workbench.book.loading.write import write_lines
from workbench.book.mapping import Mapping
from workbench.book.sources.files import Opened, quoted
from workbench.core.errors import BookError

WITHIN_QUOTES = "within a text in quotes that an earlier line began"


def source_accounts(
    connection: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    parts: Sequence[StagedPart],
    delivery: Delivery,
    *,
    rejects: Path,
) -> dict[str, SourceLoad]:
    """Count the lines of each source that hold no record, and write them to `rejects`."""
    sources = {}
    for name, opened in delivery.opened.items():
        source = mapping.sources[name]
        lines = unreadable_lines(connection, opened)
        reasons = Counter(line.reason for line in lines)
        lost = _lines_without_a_row(connection, mapping, parts, name, opened) - len(lines)
        counts = text_counts(source, opened) if lost > 0 or lines else {}
        blank = 0 if _has_one_column(connection, opened) else min(lost, sum(count.blank for count in counts.values()))
        within = lost - blank
        if blank > 0:
            opened.repairs.append(f"{blank:,} blank lines hold no record")
        if within > 0 and any("quote" in reason for reason in reasons):
            reasons["swallowed by an open quote"] = within
        elif within > 0 and not (source.multiline or source.is_excel):
            reasons[WITHIN_QUOTES] = within
        elif within > 0:
            opened.repairs.append(f"{within:,} lines go on with a text in quotes that the line before began")
        if lines:
            write_lines([vars(line) for line in lines], rejects / f"{name}.lines.jsonl")
        sources[name] = SourceLoad(
            files=_with_lines(opened.files, counts, Counter(line.file for line in lines)),
            lines=opened.lines,
            structure=opened.structure,
            rejected_lines=dict(reasons),
            repairs=opened.repairs,
        )
    return sources


def _has_one_column(connection: duckdb.DuckDBPyConnection, opened: Opened) -> bool:
    """Return whether a blank line of the source is a row: its one column is empty."""
    return len(connection.execute(f"DESCRIBE {quoted(opened.name)}").fetchall()) - opened.has_file_column == 1


def _with_lines(
    files: list[dict[str, Any]], counts: dict[str, TextCount], rejected: Counter[str]
) -> list[dict[str, Any]]:
    """Add to the facts of files that lost lines how many they have and how many hold no record; by name."""
    found = []
    for file in files:
        name = Path(file["path"]).name
        lost = (
            {"lines": counts[name].lines, "rejected_lines": rejected[name]} if rejected[name] and name in counts else {}
        )
        found.append({**file, **lost})
    return found


def table_accounts(
    connection: duckdb.DuckDBPyConnection, mapping: Mapping, parts: Sequence[StagedPart], *, rejects: Path
) -> dict[str, TableLoad]:
    """Count the rows of each table that are rejected, and the values left empty, by reason; write them to `rejects`."""
    tables = {}
    for table in mapping.tables:
        rows = rejected = 0
        fatal: Counter[str] = Counter()
        emptied: Counter[str] = Counter()
        for part in (part for part in parts if part.table == table):
            count, bad, faults = fault_counts(connection, part)
            rows, rejected = rows + count, rejected + bad
            for fault, number in faults.items():
                (fatal if fault.fatal else emptied)[fault.what] += number
            if faults:
                write_rejects(connection, part, rejects / f"{table}-{part.number}.csv")
        tables[table] = TableLoad(
            rows_in=rows,
            rejected_rows=rejected,
            rejected=dict(fatal),
            emptied=dict(emptied),
            rows_out=rows - rejected,
        )
    return tables


def refuse_losses(record: LoadRecord, *, limit: float, rejects: Path) -> None:
    """Stop a load of which a larger share than `limit` cannot be read, in any source, file, table or column.

    Raises
    ------
    BookError
        With every loss beyond the limit.
    """
    found = []
    for name, source in record.sources.items():
        lost = sum(source.rejected_lines.values())
        if lost > limit * max(source.lines or 0, 1):
            reasons = ", ".join(f"{reason} ({count:,})" for reason, count in source.rejected_lines.items())
            of = "" if source.lines is None else f" of {source.lines:,}"
            hint = f". Where texts have several lines, say multiline: true in sources.{name}"
            found.append(
                f"source {name}: {lost:,}{of} lines hold no record: {reasons}"
                + (hint if WITHIN_QUOTES in source.rejected_lines else "")
            )
            continue
        found += [
            f"source {name}: {file['rejected_lines']:,} of {file['lines']:,} lines of {Path(file['path']).name} hold no record"
            for file in source.files
            if file.get("rejected_lines", 0) > limit * max(file.get("lines", 0), 1)
        ]
    for table, load in record.tables.items():
        allowed = limit * load.rows_in
        beyond = {reason: count for reason, count in load.rejected.items() if count > allowed}
        found += [f"{table}: {count:,} of {load.rows_in:,} rows rejected: {reason}" for reason, count in beyond.items()]
        lost = load.rejected_rows + load.conflicts
        if lost > allowed and not beyond:
            found.append(f"{table}: {lost:,} of {load.rows_in:,} rows rejected")
        found += [
            f"{table}: {count:,} of {load.rows_in:,} values unusable: {reason}"
            for reason, count in load.emptied.items()
            if count > allowed
        ]
    if found:
        raise BookError(
            f"book {record.book}: the load was stopped, the book is as it was. Over {limit:.2%} (max_reject_share) is lost:\n"
            + "".join(f"  {line}\n" for line in found)
            + f"See {rejects} for the rows. Mend the delivery or the mapping, and import again."
        )


def _lines_without_a_row(
    connection: duckdb.DuckDBPyConnection, mapping: Mapping, parts: Sequence[StagedPart], name: str, opened: Opened
) -> int:
    if opened.lines is None:
        return 0
    whole = [part for part in parts if part.source == name == opened.name and _is_whole(mapping, part)]
    return opened.lines - (rows_staged(connection, whole[0]) if whole else rows_read(connection, opened.name))


def _is_whole(mapping: Mapping, part: StagedPart) -> bool:
    """Return whether a part has a row for each of its source's."""
    mapped = mapping.tables[part.table][part.number]
    return mapped.where is None and not mapped.joins
