"""One sheet of an Excel file as CSV: dates in ISO form, numbers with the source's decimal sign."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from datetime import datetime, time
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from workbench.book.mapping import Source
from workbench.book.sources.error_words import first_line
from workbench.core.errors import BookError, nearest

_FORMULA = (b"<f>", b"<f ", b":f>", b":f ")
_CHUNK = 1 << 20


def sheet_as_text(path: Path, source: Source, out: Path) -> list[str]:
    """Write one sheet of an Excel file as CSV, and return what is to be told of it.

    Raises
    ------
    BookError
        If the file is damaged, or lacks the sheet.
    """
    unsaved = 0
    values = _rows(path, source, values=True)
    formulas = _rows(path, source, values=False) if _has_formulas(path) else repeat(())
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        width = 0
        for row, written in zip(values, formulas, strict=False):
            width = width or len(row)
            unsaved += sum(
                value is None and formula is not None
                for value, formula in zip(row[:width], chain(written, repeat(None)), strict=False)
            )
            if any(value is not None for value in row):
                texts = [_cell(value, source) for value in row[:width]]
                writer.writerow(texts + [""] * (width - len(texts)))
    if not unsaved:
        return []
    return [
        f"{path.name}: {unsaved:,} formulas have no stored value and are read as empty: open the file in Excel and save it"
    ]


def _rows(path: Path, source: Source, *, values: bool) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the sheet: the stored values, or what is written in the cells, formulas as such."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=values)
    except Exception as error:  # what a damaged archive or its XML makes of it
        raise BookError(f"{path}: cannot be read as Excel: {first_line(error)}. Deliver it again.") from None
    if source.sheet is not None and source.sheet not in book.sheetnames:
        hint = nearest(source.sheet, book.sheetnames)
        raise BookError(f"{path}: no sheet {source.sheet!r}.{hint} It has: {', '.join(book.sheetnames)}.")
    sheet = book[source.sheet] if source.sheet else book.worksheets[0]
    try:
        yield from sheet.iter_rows(values_only=True)
    except Exception as error:  # openpyxl lets the XML parser's errors through
        raise BookError(f"{path}: damaged within: {first_line(error)}. Deliver it again.") from None
    finally:
        book.close()


def _has_formulas(path: Path) -> bool:
    """Return whether any sheet holds a formula: only then it is worth to read a sheet twice."""
    try:
        with zipfile.ZipFile(path) as packed:
            return any(
                _holds(packed, name) for name in packed.namelist() if "worksheets/" in name and name.endswith(".xml")
            )
    except Exception:  # a damaged archive, in any of its ways
        return False  # told where the values are read


def _holds(packed: zipfile.ZipFile, name: str) -> bool:
    with packed.open(name) as stream:
        tail = b""
        while chunk := stream.read(_CHUNK):
            if any(mark in tail + chunk for mark in _FORMULA):
                return True
            tail = chunk[-3:]
    return False


def _cell(value: Any, source: Source) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):  # a cell that shows a date alone is a midnight here
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        text = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        return text.replace(".", source.decimal)
    return str(value)
