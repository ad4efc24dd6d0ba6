"""What leaves the book: its rows with pseudonyms, or unmasked once the access log says who took them and why."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from workbench.book.book import Book
from workbench.book.private import NUMBERED, comparable, pseudonym
from workbench.book.schema import TABLES
from workbench.core.errors import BookError, InputError, ParameterError, unknown

LOG_FILE = "access.log"
SHORTEST_REASON = 10  # characters; "ok" is none


@dataclass(frozen=True)
class Access:
    """One line of the access log: who took which private columns of how many rows, when, why and where to."""

    when: datetime
    who: str
    table: str
    columns: tuple[str, ...]
    rows: int
    as_of: date
    reason: str
    output: str


def read_rows(
    book: Book, table: str, *, as_of: date, columns: Sequence[str] | None = None, now: bool = False
) -> pa.Table:
    """Return a table as known at `as_of` with its private values, in the order of its key.

    Parameters
    ----------
    columns : sequence of str, optional
        Which ones, in this order; by default all.
    now : bool
        Customers alone: fill the columns of which the source keeps no history with today's values.

    Raises
    ------
    BookError, ParameterError
        If the book has no such table, or the table no such column; the nearest name is given.
    """
    if now and table != "customers":
        raise ParameterError(f"--now: found table {table!r}, expected customers; leave --now out.")
    known = [column.name for column in TABLES[table].columns] if table in TABLES else []
    for name in columns or ():
        if known and name not in known:
            raise ParameterError(f"columns of {table}: {unknown('column', name, known)}")
    rows = book.customers_now(as_of=as_of, private=True) if now else book.as_known(table, as_of=as_of, private=True)
    ordered = rows.order_by([rows[name] for name in TABLES[table].key])
    return book.connection.to_pyarrow(ordered.select(*dict.fromkeys(columns or known)))


def masked(rows: pa.Table, columns: Sequence[str], *, key: bytes) -> pa.Table:
    """Return `rows` with pseudonyms in place of the values of `columns`."""
    for name in columns:
        place = rows.column_names.index(name)
        rows = rows.set_column(place, name, pseudonym(rows[name], key=key, field=name))
    return rows


def log_access(book: Book, access: Access) -> Path:
    """Append one line to the book's access log, on disk before this returns, and return the log's path.

    Raises
    ------
    ParameterError
        If the reason is none, or reason or output hold a private value: the log must not.
    BookError
        If the log cannot be written; then nothing may leave the book.
    """
    if len(access.reason.strip()) < SHORTEST_REASON:
        raise ParameterError(
            f"--reason: found {len(access.reason.strip())} characters, expected at least {SHORTEST_REASON}: who asked, "
            "and what for. An auditor will read it."
        )
    for what, text in (("--reason", access.reason), ("--output", access.output)):
        column = _private_column_in(book, text)
        if column:
            raise ParameterError(
                f"{what}: found a value of the private column customers.{column}; the access log holds none. "
                "Name the customer by customer_id."
            )
    entry = {**asdict(access), "book": book.name, "generation": book.manifest.generation}
    line = json.dumps(entry, default=lambda day: day.isoformat(), ensure_ascii=False)
    path = book.workspace.books / book.name / LOG_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(handle, f"{line}\n".encode())  # one write, so that two processes do not mix their lines
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise BookError(
            f"{path}: the access log cannot be written: {error.strerror}. Nothing was exported; make it writable."
        ) from None
    return path


def check_outside(book: Book, output: Path) -> None:
    """Check that unmasked values do not go into the workspace, which is served, copied and committed.

    Raises
    ------
    InputError
        If `output`, absolute and its folder without links, lies in it.
    """
    root = book.workspace.root.resolve()
    if output.is_relative_to(root):
        raise InputError(
            f"--output: found {output}, in the workspace {root}, which is served, copied and committed; expected an "
            "unmasked file elsewhere, such as a folder of your own."
        )


def _private_column_in(book: Book, text: str) -> str | None:
    """Return the private column of customers, in any version, that `text` holds a value of."""
    columns = book.private_columns("customers")
    every = book.versions("customers", as_of=book.manifest.facts.last_day).select(*columns)
    values = book.connection.to_pyarrow(every)
    for column in columns:
        searched = comparable(text, column)
        edge = r"\d" if column in NUMBERED else "[a-z0-9]"  # Chinese has no spaces between words
        for value in values[column].unique().to_pylist():
            needle = comparable(value, column) if value else ""
            apart = f"(?<!{edge}){re.escape(needle)}(?!{edge})"
            if len(needle) > 1 and needle in searched and re.search(apart, searched):
                return column
    return None
