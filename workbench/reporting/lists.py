"""Lists that people work through: the same rows as CSV, XLSX and parquet, safe to open."""

from __future__ import annotations

import datetime as dt
import io
import math
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.core.errors import InputError, ParameterError, unknown
from workbench.core.files import whole_file
from workbench.core.languages import LANGUAGES, in_language, language, mark, say
from workbench.reporting.formats import ColumnFormat, is_missing, plain_text, require_columns
from workbench.reporting.markup import without_controls
from workbench.reporting.style import STATUSES

FORMATS = ("csv", "xlsx", "parquet")
DISPOSITIONS = (mark("confirmed risk"), mark("false alarm"), mark("already known"), mark("needs more information"))
IDS = ("alert_id", "action_id", "entry_id")  # what a list's rows are known by, whatever else in them changes
_LIST, _GUIDE = mark("List"), mark("Columns")
_OFFICERS = {
    "disposition": mark("disposition"),
    "note": mark("note"),
}  # columns that an officer fills, with their labels
_FORMULA_START = tuple("=+-@\t\r\n＝＋－＠")  # OWASP, CSV injection; full-width signs start formulas in CJK locales
_FORMULA_WITHIN = re.compile(
    r'([;\t\n]"*)(?=[=+\-@＝＋－＠])'
)  # where a spreadsheet that splits at these begins a cell
_MOST_ROWS, _LONGEST_TEXT = 1_048_575, 32_767  # of a sheet below its header, of a cell: Excel's limits
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def safe_text(text: str) -> str:
    """Return text that no spreadsheet takes for a formula, without control characters.

    >>> safe_text("=cmd|' /C calc'!A0")
    "'=cmd|' /C calc'!A0"
    """
    text = without_controls(text, "").replace("\r\n", "\n").replace("\r", "\n")  # csv leaves a lone CR unquoted
    text = text.lstrip("\ufeff")  # a byte order mark: readers of a file skip it
    return f"'{text}" if text.startswith(_FORMULA_START) else text


def _safe_in_csv(text: str) -> str:
    """Return safe text that stays so where a spreadsheet splits at `;` or a tab, as in half of Europe."""
    return _FORMULA_WITHIN.sub(r"\1'", safe_text(text))


def write_list(
    frame: pd.DataFrame,
    folder: Path,
    name: str,
    *,
    formats: Sequence[str] = FORMATS,
    columns: Mapping[str, ColumnFormat] | None = None,
    disposition: bool = False,
) -> list[Path]:
    """Write the same rows, in their order, as `folder/name.csv`, `.xlsx` and `.parquet`; return the paths.

    Parameters
    ----------
    frame : DataFrame
        One row a line; the index is not written. Lists in a cell are joined with '; '.
    folder : Path
        Where to; made where missing.
    name : str
        The files' name without suffix.
    formats : sequence of str
        Any of `csv`, `xlsx`, `parquet`.
    columns : mapping of str to ColumnFormat, optional
        Columns to write, in this order, with the labels and number formats of the XLSX; by default all. CSV and parquet
        keep the columns' own names; the XLSX's second sheet links them to the labels.
    disposition : bool
        Add the officer's empty columns `disposition` (a drop-down) and `note` to the XLSX; `read_dispositions` reads them.

    Raises
    ------
    ParameterError
        If a format, a column or the name is not possible.
    InputError
        If a sheet cannot hold so many rows.
    """
    for kind in formats:
        if kind not in FORMATS:
            raise ParameterError(unknown("list format", kind, FORMATS))
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ParameterError(f"list name {name!r} is no file name; use letters, digits, '_', '-' and '.'.")
    if frame.columns.has_duplicates:
        raise ParameterError(f"list {name!r}: two columns have one name; rename them.")
    named = {str(column): ColumnFormat(str(column), _kind(frame[column])) for column in frame.columns}
    if columns is not None:
        require_columns(frame, columns, what=f"list {name!r}")
        named = dict(columns)
    if disposition and {"disposition", "note"} & set(named):
        raise ParameterError(f"list {name!r} has a column 'disposition' or 'note' already; rename it.")
    if "xlsx" in formats and len(frame) > _MOST_ROWS:
        raise InputError(f"list {name!r}: {len(frame):,} rows, a sheet holds {_MOST_ROWS:,}. Write csv and parquet.")
    shown = frame.set_axis([str(column) for column in frame.columns], axis=1)[list(named)].reset_index(drop=True)
    with in_language("en"):  # what programs read
        rows = _flat_rows(shown)
    writers: dict[str, Callable[[Path], None]] = {
        "csv": lambda path: _write_csv(rows, path),
        "xlsx": lambda path: _write_xlsx(
            rows if language() == "en" else _flat_rows(shown), path, named, disposition=disposition
        ),
        "parquet": lambda path: rows.to_parquet(path, index=False, engine="pyarrow"),
    }
    paths = [folder / f"{name}.{kind}" for kind in formats]
    for kind, path in zip(formats, paths, strict=True):
        with whole_file(path) as temporary:
            writers[kind](temporary)
    return paths


def _kind(values: pd.Series) -> Any:
    """Return the kind of a column that has no format."""
    if pd.api.types.is_bool_dtype(values.dtype):
        return "text"
    if pd.api.types.is_integer_dtype(values.dtype):
        return "integer"
    if pd.api.types.is_float_dtype(values.dtype):
        return "number"
    return "date" if pd.api.types.is_datetime64_any_dtype(values.dtype) else "text"


def _flat_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with their texts flat; lists are joined as the language in use joins them."""
    flat = rows.copy()
    for column in flat.columns:
        if flat[column].dtype == object or pd.api.types.is_string_dtype(flat[column].dtype):
            flat[column] = _flat(flat[column])
    return flat


def _flat(values: pd.Series) -> pd.Series:
    """Return the column with lists joined and text that UTF-8 can hold; a column of decimals or days stays as it is."""

    def one(value: object) -> object:
        if isinstance(value, list | tuple | set | frozenset | dict | np.ndarray):
            value = plain_text(value)
        return re.sub("[\ud800-\udfff]", "\ufffd", value) if isinstance(value, str) else value

    flat = [None if is_missing(value) else one(value) for value in values.tolist()]
    if any(isinstance(value, str) for value in flat):  # parquet wants one type a column
        flat = [value if value is None or isinstance(value, str) else plain_text(value) for value in flat]
        return pd.Series(flat, index=values.index, dtype="str")
    return pd.Series(flat, index=values.index, dtype=object)


def _write_csv(rows: pd.DataFrame, path: Path) -> None:
    safe = rows.copy()
    for column in safe.columns:
        if isinstance(safe[column].dtype, pd.CategoricalDtype):
            safe[column] = safe[column].astype(object)
        if safe[column].dtype == object or pd.api.types.is_string_dtype(safe[column].dtype):
            texts = [_safe_in_csv(value) if isinstance(value, str) else value for value in safe[column].tolist()]
            safe[column] = pd.Series(texts, index=safe.index, dtype=object)
    safe.columns = [_safe_in_csv(column) for column in safe.columns]
    safe.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def _excel_value(value: object) -> str | int | float | Decimal | bool | dt.date | None:
    """Return what a cell holds: numbers as numbers, days as days, all else as safe text."""
    if is_missing(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | Decimal):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, pd.Timestamp):
        value = (value.tz_convert("UTC").tz_localize(None) if value.tz else value).to_pydatetime(warn=False)
    if isinstance(value, dt.date) and value.year >= 1900 and not getattr(value, "tzinfo", None):  # Excel's calendar
        return value
    text = safe_text(plain_text(value))
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _number_format(column: ColumnFormat) -> str:
    decimals = "." + "0" * column.decimals if column.decimals else ""
    if column.is_numeric:
        return f"0{decimals}%" if column.kind == "percent" else f"#,##0{decimals}"
    return "yyyy-mm-dd" if column.kind == "date" else "General"


def _write_xlsx(rows: pd.DataFrame, path: Path, named: Mapping[str, ColumnFormat], *, disposition: bool) -> None:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.formatting.rule import DataBarRule
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook(write_only=True)
    sheet = book.create_sheet(say(_LIST))
    labels = [safe_text(column.heading) for column in named.values()]
    labels += [say(label) for label in _OFFICERS.values()] if disposition else []
    values = [
        [
            _excel_value(say(value) if column.kind == "status" and value in STATUSES else value)
            for value in rows[name].tolist()
        ]
        for name, column in named.items()
    ]
    for place, label in enumerate(labels):
        longest = max(
            [len(label), *(len(str(v)) for v in values[place][:500] if v is not None)] if place < len(values) else [24]
        )
        sheet.column_dimensions[get_column_letter(place + 1)].width = min(max(longest + 3, 9), 60)
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(max(len(labels), 1))}{len(rows) + 1}"
    if disposition and len(rows):
        letter = get_column_letter(len(labels) - 1)
        choice = DataValidation(
            type="list", formula1=f'"{",".join(say(word) for word in DISPOSITIONS)}"', allow_blank=True
        )
        choice.add(f"{letter}2:{letter}{len(rows) + 1}")
        sheet.data_validations.append(choice)

    bar_rule: Any = DataBarRule  # which has no types
    for place, column in enumerate(named.values(), start=1):
        if column.kind == "percent" and len(rows):
            letter = get_column_letter(place)
            bar = bar_rule("num", 0, "max", None, color="9DC3E6")  # from 0: twice the length is twice the share
            sheet.conditional_formatting.add(f"{letter}2:{letter}{len(rows) + 1}", bar)

    def header_cell(text: str) -> Any:
        cell = WriteOnlyCell(sheet, value=text)
        cell.font, cell.fill = Font(bold=True, color="FFFFFF"), PatternFill("solid", fgColor="1B2430")
        cell.alignment = Alignment(vertical="center", wrap_text=True)
        return cell

    sheet.append([header_cell(label) for label in labels])
    patterns = [_number_format(column) for column in named.values()]
    for row in zip(*values, strict=True):
        cells: list[Any] = []
        for value, pattern in zip(row, patterns, strict=True):
            cell = WriteOnlyCell(sheet, value=value)
            if pattern != "General" and value is not None:
                cell.number_format = pattern
            cells.append(cell)
        sheet.append(cells)
    guide = book.create_sheet(say(_GUIDE))
    guide.append([header_cell(text) for text in (say("label"), say("column"), say("kind"), say("unit"))])
    for name, column in named.items():
        guide.append([safe_text(text) for text in (column.heading, name, column.kind, column.unit)])
    for name, label in _OFFICERS.items() if disposition else ():
        guide.append([say(label), name, "text", ""])
    buffer = io.BytesIO()
    book.save(buffer)
    path.write_bytes(_without_time(buffer.getvalue()))


def _without_time(xlsx: bytes) -> bytes:
    """Return the workbook without the moment it was written, so that the same rows give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            data = old.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2000-01-01T00:00:00Z", data)
            new.writestr(zipfile.ZipInfo(name, _FIXED_TIME), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def read_dispositions(path: Path) -> pd.DataFrame:
    """Return what an officer filled into the XLSX of a list, whichever language it was written in.

    Returns
    -------
    DataFrame
        A line for each row with a disposition or a note: the row's stable id (the first of `alert_id`, `action_id` and
        `entry_id` that the list has), `disposition` (one of DISPOSITIONS, or None) and `note` (text, empty where none).

    Raises
    ------
    InputError
        If the file is no such list, an id is missing or there twice, or a disposition is none of the words allowed.
    """
    rows, guide = _sheets(path)
    label_of = {str(line[1]): str(line[0]) for line in guide[1:] if len(line) > 1}
    key = next((name for name in IDS if name in label_of), None)
    if key is None:
        raise InputError(
            f"{path}: the second sheet names none of the columns {', '.join(IDS)}; so no row can be known."
        )
    head = [str(value) for value in rows[0]] if rows else []
    places = {}
    for name in (key, *_OFFICERS):
        label = label_of.get(name, name)
        if head.count(label) != 1:
            raise InputError(
                f"{path}: the list has {head.count(label)} columns {label!r}, expected one. Take a fresh list."
            )
        places[name] = head.index(label)
    code_of = {word.casefold(): code for code in DISPOSITIONS for word in _in_each_language(code)}
    found: dict[str, tuple[str | None, str]] = {}
    row_of: dict[str, int] = {}
    for number, row in enumerate(rows[1:], start=2):
        who, word, note = (_filled(row, places[name]) for name in (key, *_OFFICERS))
        if not who:
            if word or note:
                raise InputError(f"{path}: row {number} has a disposition or a note, and no {key}. Take a fresh list.")
            continue
        if who in row_of:
            raise InputError(f"{path}: {key} {who!r} stands in rows {row_of[who]} and {number}. Keep one of them.")
        row_of[who] = number
        if word and word.casefold() not in code_of:
            allowed = "; ".join(" or ".join(_in_each_language(code)) for code in DISPOSITIONS)
            cell = _address(places["disposition"], number)
            raise InputError(f"{path}: cell {cell}: found {word!r}, expected one of: {allowed}.")
        if word or note:
            found[who] = (code_of[word.casefold()] if word else None, note)
    lines = [(who, code, note) for who, (code, note) in found.items()]
    return pd.DataFrame(lines, columns=[key, *_OFFICERS], dtype=object)


def _in_each_language(text: str) -> list[str]:
    found = []
    for lang in LANGUAGES:
        with in_language(lang):
            found.append(say(text))
    return list(dict.fromkeys(found))


def _sheets(path: Path) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return the rows of a list's two sheets."""
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True)
    except Exception as error:  # openpyxl lets through what zip, XML and its own reading of them raise
        raise InputError(f"{path}: not a readable XLSX file ({error}).") from error
    try:
        sheets = []
        for name in (_LIST, _GUIDE):
            words = _in_each_language(name)
            sheet = next((word for word in words if word in book.sheetnames), None)
            if sheet is None:
                raise InputError(f"{path}: no sheet {' or '.join(words)}; found: {', '.join(book.sheetnames)}.")
            sheets.append([tuple(row) for row in book[sheet].iter_rows(values_only=True)])
    finally:
        book.close()
    return sheets[0], sheets[1]


def _address(place: int, row: int) -> str:
    from openpyxl.utils import get_column_letter

    return f"{get_column_letter(place + 1)}{row}"


def _filled(row: tuple[object, ...], place: int) -> str:
    """Return a cell as text, without the quote that `safe_text` put before it."""
    value = row[place] if place < len(row) else None
    text = "" if value is None else plain_text(value).strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_START) else text
