"""Writers of delivered files: from a query to CSV, JSON lines, Parquet or Excel."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import duckdb

from workbench.book.sources.opened import literal

EXCEL_ROWS = 10_000
"""Up to here a table comes as an Excel file, beyond as CSV: a sheet of more rows takes minutes, and holds a million at most."""
_CHUNK = 1 << 20


def write_csv(
    connection: duckdb.DuckDBPyConnection, select: str, path: Path, *, delimiter: str = ",", missing: str = "",
    windows: bool = False,
) -> None:  # fmt: skip
    """Write a query as CSV.

    Parameters
    ----------
    missing
        What stands for no value.
    windows
        Whether the file begins with a byte order mark and its lines end with a carriage return, as Excel saves CSV.
    """
    connection.execute(
        f"COPY ({select}) TO {literal(str(path))} (FORMAT csv, HEADER, DELIMITER {literal(delimiter)}, "
        f"NULLSTR {literal(missing)})"
    )
    if windows:
        plain = path.with_name(f"{path.name}.plain")
        path.replace(plain)
        with plain.open("rb") as source, path.open("wb") as target:
            target.write(codecs.BOM_UTF8)
            while chunk := source.read(_CHUNK):
                target.write(chunk.replace(b"\n", b"\r\n"))
        plain.unlink()


def write_json_lines(connection: duckdb.DuckDBPyConnection, select: str, path: Path) -> None:
    """Write a query as one JSON object a line; structs become nested objects."""
    connection.execute(f"COPY ({select}) TO {literal(str(path))} (FORMAT json)")


def write_parquet(connection: duckdb.DuckDBPyConnection, select: str, path: Path) -> None:
    """Write a query as Parquet."""
    connection.execute(f"COPY ({select}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)")


def write_excel(
    connection: duckdb.DuckDBPyConnection, select: str, path: Path, *, sheet: str, notes: Sequence[str] = ()
) -> None:
    """Write a query as a sheet of an Excel file; texts that are dates or times in ISO form become cells of that kind.

    `notes` fill a sheet before it, as people like to put one there.
    """
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    if notes:
        first = book.create_sheet("Read me")
        for note in notes:
            first.append([note])
    rows = book.create_sheet(sheet)
    found = connection.execute(select)
    rows.append([column[0] for column in found.description])
    while batch := found.fetchmany(10_000):
        for row in batch:
            rows.append([_cell(value) for value in row])
    book.save(path)


def _cell(value: object) -> object:
    if not isinstance(value, str) or len(value) < len("2023-01-01") or value[4:5] != "-":
        return value
    try:
        return date.fromisoformat(value) if len(value) == len("2023-01-01") else datetime.fromisoformat(value)
    except ValueError:
        return value


def cut_last_line(path: Path) -> None:
    """Add the first half of the file's last line to it once more, without a line end: what a broken transfer leaves."""
    with path.open("r+b") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(size - _CHUNK, 0))
        last = stream.read().rstrip(b"\r\n").rpartition(b"\n")[2]
        stream.seek(0, 2)
        stream.write(last[: len(last) // 3])
