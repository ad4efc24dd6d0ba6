"""`workbench book export`: a table as it was known, private columns as pseudonyms unless they are asked for and logged."""

from __future__ import annotations

import os
import pwd
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.book.access import Access, check_outside, log_access, masked, read_rows
from workbench.book.book import Book
from workbench.book.private import create_key, key_file, load_key
from workbench.book.schema import TABLES
from workbench.cli.console import print_json
from workbench.core.errors import InputError, ParameterError, unknown
from workbench.reporting.formats import ColumnFormat
from workbench.reporting.lists import FORMATS, write_list

_SHEET_KINDS: dict[str, tuple[Any, int | None]] = {"money": ("money", 2), "date": ("date", None)}
_NULLABLE: dict[pa.DataType, Any] = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}


@click.command()
@click.argument("name")
@click.argument("table")
@click.option("--as-of", help="Observation date; by default the book's last month end.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A .csv, .parquet or .xlsx file."
)
@click.option("--columns", help="Only these columns, separated by commas, in this order.")
@click.option("--now", is_flag=True, help="Customers: today's value where the source keeps no history, else empty.")
@click.option("--unmask", is_flag=True, help="Write private columns as they are; needs --reason and is logged.")
@click.option("--reason", help="Who asked for the private columns and what for; kept in the book's access log.")
@click.option("--json", "as_json", is_flag=True, help="Print for a program.")
@click.pass_obj
def export(
    workspace: Any,
    name: str,
    table: str,
    as_of: str | None,
    output: Path,
    columns: str | None,
    now: bool,
    unmask: bool,
    reason: str | None,
    as_json: bool,
) -> None:
    """Write TABLE of the book NAME as it was known; private columns (names, phones, ...) as pseudonyms.

    Example: workbench book export demo customers --as-of 2025-12-31 --output customers.xlsx
    """
    output = output.parent.resolve() / output.name  # where a rename will put it, also if a link lies there now
    kind = output.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ParameterError(f"--output: {unknown('file type', output.suffix, [f'.{known}' for known in FORMATS])}")
    if unmask != bool(reason):
        raise ParameterError("--unmask and --reason: found one of them, expected both or neither.")
    book = Book.open(workspace(), name)
    day = book.check_as_of(as_of)
    wanted = [column.strip() for column in columns.split(",")] if columns else None
    rows = read_rows(book, table, as_of=day, columns=wanted, now=now)
    private = [column for column in book.private_columns(table) if column in rows.column_names]
    if unmask and not private:
        raise ParameterError(
            f"--unmask: found no private column in what is taken of {table}; leave it and --reason out."
        )
    if unmask:
        check_outside(book, output)
        access = Access(
            when=datetime.now(UTC),
            who=_user(),
            table=table,
            columns=tuple(private),
            rows=rows.num_rows,
            as_of=day,
            reason=str(reason),
            output=str(output),
        )
        log = log_access(book, access)  # first: a file that nobody logged must not exist, not even half of it
        click.echo(f"logged in {log}", err=True)
    elif private:
        path = key_file(book.workspace)
        if create_key(path):
            click.echo(f"made a new key for pseudonyms: {path}. Keep a copy where only you can read it.", err=True)
        rows = masked(rows, private, key=load_key(path))
    _write(rows, table, output, kind, mode=0o600 if unmask else 0o644)
    if as_json:
        shown = {"output": str(output), "rows": rows.num_rows, "as_of": day, "private": private, "unmasked": unmask}
        print_json(shown)
        return
    how = f"; {', '.join(private)} {'UNMASKED' if unmask else 'as pseudonyms'}" if private else ""
    click.echo(f"{output}: {rows.num_rows:,} rows of {table} as known at {day}{how}")


def _user() -> str:
    """Return who runs this process: from the system, since environment variables can say anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _write(rows: pa.Table, table: str, output: Path, kind: str, *, mode: int) -> None:
    """Write the file whole or not at all; meanwhile it lies in a folder that this user alone can enter."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as folder:
            made = Path(folder, f"{table}.{kind}")
            if kind == "parquet":
                pq.write_table(rows, made)
            else:
                formats = {name: _sheet_format(table, name) for name in rows.column_names}
                frame = rows.to_pandas(types_mapper=_NULLABLE.get)
                write_list(frame, made.parent, table, formats=[kind], columns=formats)
            made.chmod(mode)
            made.replace(output)
    except OSError as error:
        raise InputError(
            f"--output: {output} cannot be written: {error.strerror}. Nothing was left there; choose another file."
        ) from None


def _sheet_format(table: str, name: str) -> ColumnFormat:
    kind, digits = _SHEET_KINDS.get(TABLES[table].column(name).dtype, ("text", None))
    return ColumnFormat(name, kind, digits)
