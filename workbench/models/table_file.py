"""A flat file as somebody wrote it: format, encoding, separator, words for missing; read whole, or refused with a reason."""

from __future__ import annotations

import csv
import sys
import warnings
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from workbench.core.errors import SampleError

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "<NA>")
"""Cells that say nothing. "None" and "none" are not among them: in credit tables they are categories ("none" of the other
debtors). A description may name others."""


class TableLayout(BaseModel):
    """How a flat file is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["csv", "parquet", "xlsx"]
    encoding: str = "utf-8"
    separator: str = Field(",", min_length=1)
    decimal: Literal[".", ","] = "."
    sheet: str = ""  # of a workbook; empty means the first
    missing: tuple[str, ...] = MISSING


def csv_layout(provenance: Mapping[str, Any]) -> TableLayout:
    """Return how a CSV to be scored is written: as the sample was that the scorecard was fitted on, else plainly."""
    return TableLayout.model_validate({**provenance.get("layout", {}), "format": "csv"})


def read_table(path: Path, layout: TableLayout, *, text: Iterable[str] = ()) -> pd.DataFrame:
    """Read a flat file whole.

    Parameters
    ----------
    path : Path
    layout : TableLayout
    text : names of columns
        Read as text, whatever they look like: ids keep their leading zeros.

    Returns
    -------
    DataFrame with a RangeIndex, and unique, non-empty column names.

    Raises
    ------
    SampleError
        No such file, another encoding or format, rows of different length, a column without a name or twice.
    """
    if not path.is_file():
        raise SampleError(f"{path}: no such file. Check the path, and the setting real_data if it is part of it.")
    with _told(path, layout):
        if layout.format == "parquet":
            frame: pd.DataFrame = plain(pq.read_table(path)).to_pandas().reset_index(drop=True)
        elif layout.format == "xlsx":
            frame = _read_workbook(path, layout, dict.fromkeys(text, "str"))
        else:
            frame = _read_csv(path, layout, dict.fromkeys(text, "str"))
    names = [str(name) for name in frame.columns]
    _check_names(names, path)
    frame.columns = pd.Index(names)
    return frame


@contextmanager
def _told(path: Path, layout: TableLayout) -> Iterator[None]:
    """Say what is wrong with a file that cannot be read."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise SampleError(
            f"{path}: cannot be read as {layout.encoding}: byte 0x{error.object[error.start]:02x} is no text there. "
            "Set encoding to that of the file, such as gb18030, cp1252 or utf-16."
        ) from error
    except LookupError as error:
        raise SampleError(
            f"{path}: {error}. Set encoding to a known name, such as utf-8, gb18030 or cp1252."
        ) from error
    except (
        ValueError,
        OverflowError,
        OSError,
        pa.ArrowException,
        zipfile.BadZipFile,
        pd.errors.ParserWarning,
    ) as error:
        raise SampleError(
            f"{path}: cannot be read as {layout.format}: {str(error).strip()} Check format, separator and sheet."
        ) from error


def plain(table: pa.Table, *, exact: Collection[str] = ()) -> pa.Table:
    """Return decimals (not those of `exact`) as floats and dates as timestamps, which pandas would hold as objects."""
    for place, column in enumerate(table.schema):
        if pa.types.is_decimal(column.type) and column.name not in exact:
            # by way of text: Arrow's own cast of a decimal may miss the nearest double
            table = table.set_column(place, column.name, table.column(place).cast(pa.string()).cast(pa.float64()))
        elif pa.types.is_date(column.type):
            table = table.set_column(place, column.name, table.column(place).cast(pa.timestamp("s")))
    return table


def _read_csv(path: Path, layout: TableLayout, dtype: dict[str, str]) -> pd.DataFrame:
    options = _csv_options(path, layout, dtype)
    _check_lengths(path, layout)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # or longer rows would lose their end
        frame: pd.DataFrame = pd.read_csv(path, low_memory=False, **options)
    return frame


def _csv_options(path: Path, layout: TableLayout, dtype: dict[str, str]) -> dict[str, Any]:
    """Check the names as written (pandas would call a second "x" "x.1"), and return how to read the rows."""
    options: dict[str, Any] = {"sep": layout.separator, "encoding": layout.encoding, "keep_default_na": False}
    head = pd.read_csv(path, header=None, nrows=1, dtype="str", **options)
    _check_names(["" if pd.isna(name) else name for name in head.iloc[0]], path)
    values = {"decimal": layout.decimal, "na_values": list(layout.missing), "dtype": dtype, "index_col": False}
    return {**options, **values}


def csv_blocks(path: Path, layout: TableLayout, *, text: Iterable[str], rows: int) -> Iterator[pd.DataFrame]:
    """Read a CSV in blocks of `rows`, each as `read_table` would read it; raises as it does."""
    if not path.is_file():
        raise SampleError(f"{path}: no such file.")
    with _told(path, layout), warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        options = _csv_options(path, layout, dict.fromkeys(text, "str"))
        _check_lengths(path, layout)
        with pd.read_csv(path, chunksize=rows, **options) as blocks:
            yield from blocks


def _check_lengths(path: Path, layout: TableLayout) -> None:
    """Refuse a row with fewer or more cells than the first: pandas would call the lost ones missing."""
    if len(layout.separator) > 1:
        return  # a regular expression, which Python's own reader does not know
    before = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding=layout.encoding, newline="") as file:
            lines = csv.reader(file, delimiter=layout.separator)
            width = len(next(lines, []))
            for cells in lines:
                if len(cells) != width and cells:
                    raise ValueError(
                        f"line {lines.line_num:,} has {len(cells)} cells, the first {width}: was it cut off?"
                    )
    finally:
        csv.field_size_limit(before)


def _read_workbook(path: Path, layout: TableLayout, dtype: dict[str, str]) -> pd.DataFrame:
    frame: pd.DataFrame = pd.read_excel(
        path,
        sheet_name=layout.sheet or 0,
        dtype=dtype,
        keep_default_na=False,
        na_values=list(layout.missing),
        engine="openpyxl",
    )
    return frame


def _check_names(names: list[str], path: Path) -> None:
    nameless = [str(place) for place, name in enumerate(names, start=1) if not name.strip()]
    if nameless:
        raise SampleError(f"{path}: column {', '.join(nameless)} has no name. Name it in the first row, or remove it.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SampleError(f"{path}: two columns are named {twice[0]!r}. Rename or remove one.")
