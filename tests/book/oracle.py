"""What a delivery must become, worked out from its files in plain Python: slow, obvious, and without the loader's code.

Files are read with `csv`, `json`, `openpyxl` and `pyarrow`; a value is read by the rules that the docs state. Where the
files are broken so that no record can be told from the next (an open quote), only lines are counted.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pyarrow.parquet as pq

from workbench.book.schema import TABLES

from .crm_delivery import COLUMNS, SEXES, Dialect

LONGEST_LINE, LONGEST_TEXT = 1 << 20, 4000
BAD = object()
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_BOMS = [
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
]  # fmt: skip


_DATE, _MOMENT = "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"
_ISO = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y/%m/%d", "%Y-%m-%dT%H:%M:%S%z"]


class UnreadableError(Exception):
    """The oracle cannot tell the records of this file apart."""


@dataclass
class Expected:
    """What a fresh load of a delivery must hold and say, by table; `lines` counts text lines, readable or not."""

    rows: dict[str, Counter[tuple[Any, ...]]] = field(default_factory=dict)
    rows_in: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    emptied: dict[str, Counter[str]] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    conflicts: dict[str, int] = field(default_factory=dict)
    lines: dict[str, tuple[int, int]] = field(default_factory=dict)  # without blank lines, and with them
    unknown: dict[str, str] = field(default_factory=dict)  # tables that cannot be predicted, and why


def expected(folder: Path, dialect: Dialect) -> Expected:
    """Work out what a load of `folder` must give."""
    result = Expected()
    for table, pattern in dialect.files.items():
        paths = sorted(folder.glob(pattern))
        try:
            if pattern.endswith((".csv", ".jsonl")):
                counts = [count_lines(path, dialect) for path in paths]
                result.lines[table] = (sum(some for some, _all in counts), sum(every for _some, every in counts))
            raws = [raw for path in paths for raw in read_records(path, dialect)]
            typed = replace(dialect, decimal=".", date=_DATE, moment=_MOMENT)  # a text in Parquet is in ISO form
            _table(result, table, raws, typed if pattern.endswith(".parquet") else dialect)
        except Exception as error:
            result.unknown[table] = f"{type(error).__name__}: {error}"[:200]
    return result


def _table(result: Expected, table: str, raws: list[dict[str, Any]], dialect: Dialect) -> None:
    good: Counter[tuple[Any, ...]] = Counter()
    emptied: Counter[str] = Counter()
    rejected = 0
    for raw in raws:
        row, bad = canonical(table, raw, dialect)
        for name in bad:
            if not _required(table, name):
                emptied[name] += 1
        if row is None:
            rejected += 1
        else:
            good[row] += 1
    versions: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in good:
        versions.setdefault(_key(table, row), []).append(row)
    torn = [row for rows in versions.values() if len(rows) > 1 for row in rows]
    result.rows[table] = Counter([rows[0] for rows in versions.values() if len(rows) == 1])
    result.rows_in[table], result.rejected[table], result.emptied[table] = len(raws), rejected, emptied
    result.duplicates[table], result.conflicts[table] = good.total() - len(good), len(torn)


def names(table: str) -> list[str]:
    """Return a table's columns in storage order."""
    return [*(column.name for column in TABLES[table].columns), "known_at"]


def _key(table: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    columns = names(table)
    return tuple(row[columns.index(name)] for name in (*TABLES[table].key, "known_at"))


def _required(table: str, name: str) -> bool:
    return name in ("known_at", "_currency") or TABLES[table].column(name).required


def canonical(table: str, raw: dict[str, Any], dialect: Dialect) -> tuple[tuple[Any, ...] | None, list[str]]:
    """Return the canonical row, or None where it is rejected, and the columns that cannot be read."""
    mapped, schema = COLUMNS[table], TABLES[table]
    out: dict[str, Any] = {}
    bad = []
    for column in schema.columns:
        if column.name not in mapped:
            out[column.name] = None
            continue
        value: Any = raw.get(mapped[column.name])
        if table == "customers" and column.name == "gender":
            text = convert(value, "string", dialect)
            value = BAD if text is not None and text not in SEXES else SEXES.get(text)
        else:
            value = convert(value, column.dtype, dialect)
        if value is not BAD and value is not None and column.allowed and value not in column.allowed:
            value = BAD
        if value is BAD:
            bad.append(column.name)
        out[column.name] = None if value is BAD else value
    moment = mapped.get("known_at") or mapped[str(schema.occurred)]
    known = convert(raw.get(moment), "timestamp", dialect)
    if known is BAD:
        bad.append("known_at")
    out["known_at"] = None if known is BAD else known
    if "_currency" in mapped and convert(raw.get(mapped["_currency"]), "string", dialect) != dialect.currency:
        bad.append("_currency")
    lacking = [column.name for column in schema.columns if column.required and out[column.name] is None]
    rejected = lacking or out["known_at"] is None or any(_required(table, name) for name in bad)
    return (None if rejected else tuple(out[name] for name in names(table))), bad


def convert(value: Any, dtype: str, dialect: Dialect) -> Any:
    """Return a source value as the canonical type, None for no value, BAD where it cannot be read."""
    if isinstance(value, str):
        value = value.strip(" ") or None
    if value is None:
        return None
    match dtype:
        case "string":
            return _text(value)
        case "money" | "float" | "int":
            return _number(value, dtype, dialect)
        case "date":
            found = _moment(value, dialect)
            return found if found is BAD else _within(found.date() if isinstance(found, datetime) else found)
        case "timestamp":
            found = _moment(value, dialect)
            if found is BAD:
                return BAD
            if not isinstance(found, datetime):
                found = datetime.combine(found, time())
            if _within(found.date()) is BAD:
                return BAD
            if found.tzinfo is None:
                found = found.replace(tzinfo=ZoneInfo(dialect.time_zone))
            return found.astimezone(UTC).replace(tzinfo=None)
    raise AssertionError(dtype)


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else BAD
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | Decimal) and value == int(value):
        return str(int(value))
    if isinstance(value, dict | list):
        raise UnreadableError("a nested value as text")
    return str(value)


def _number(value: Any, dtype: str, dialect: Dialect) -> Any:
    if isinstance(value, str):
        if dialect.decimal == ",":
            if "." in value:
                return BAD
            value = value.replace(",", ".")
        if not _NUMBER.fullmatch(value):
            return BAD
    if isinstance(value, date | bool | dict | list):
        return BAD
    try:
        number = Decimal(str(value))
        if not number.is_finite():
            return BAD
        if dtype == "float":
            return float(number) if abs(float(number)) != float("inf") else BAD
        if abs(number) >= Decimal(10) ** 32:
            return BAD
        if dtype == "int":
            return int(number) if number == int(number) and abs(number) < 2**63 else BAD
        rounded = number.quantize(Decimal("0.01"), ROUND_HALF_UP)
    except InvalidOperation:
        return BAD
    return rounded if abs(rounded) < Decimal(10) ** 16 else BAD


def _moment(value: Any, dialect: Dialect) -> Any:
    if isinstance(value, date):
        return value
    if not isinstance(value, str):
        return BAD
    forms = [dialect.moment, dialect.date] if dialect.date != _DATE else _ISO
    for form in forms:
        try:
            return datetime.strptime(value, form)
        except ValueError:
            continue
    return BAD


def _within(day: date) -> Any:
    return day if date(1800, 1, 1) <= day <= date(2299, 12, 31) else BAD


def read_records(path: Path, dialect: Dialect) -> list[dict[str, Any]]:
    """Return the records of a file that are whole, as source columns."""
    if path.suffix == ".csv":
        return _read_csv(path, dialect)
    if path.suffix == ".jsonl":
        return _read_jsonl(path, dialect)
    if path.suffix == ".parquet":
        rows = pq.ParquetFile(path).read().to_pylist()
        return [{_known(name): value for name, value in row.items()} for row in rows]
    sheet = openpyxl.load_workbook(path, data_only=True).worksheets[0]
    header, *rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    return [dict(zip(header, row, strict=True)) for row in rows if any(value is not None for value in row)]


def text_lines(path: Path, dialect: Dialect, *, blank: bool = False) -> list[str]:
    """Return the lines of a text file, perhaps those that are blank too: NUL bytes gone, one kind of newline."""
    data = path.read_bytes()
    encoding = dialect.encoding
    for mark, name in _BOMS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], name
            break
    text = data.decode(encoding, errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    whole = [line if len(line) > LONGEST_LINE else line.replace("\0", "") for line in text.split("\n")]
    return [line for line in whole if line or blank]


def count_lines(path: Path, dialect: Dialect) -> tuple[int, int]:
    """Return how many records a text file holds by its lines, readable or not, the header apart; then with blank lines."""
    header = path.suffix == ".csv"
    return len(text_lines(path, dialect)) - header, len(text_lines(path, dialect, blank=True)) - header


def _bad_line(line: str) -> bool:
    return len(line) > LONGEST_LINE or "�" in line


def _read_csv(path: Path, dialect: Dialect) -> list[dict[str, Any]]:
    lines = text_lines(path, dialect)
    if sum(line.count('"') for line in lines if not _bad_line(line)) and any(
        line.count('"') % 2 or not _quotes_whole(line, dialect) for line in lines if not _bad_line(line)
    ):
        raise UnreadableError("a quote that may be open")
    header, *rest = [line for line in lines if not _bad_line(line)]
    columns = [name.strip() for name in next(csv.reader([header], delimiter=dialect.delimiter))]
    records = []
    for line in rest:
        fields = next(csv.reader(io.StringIO(line), delimiter=dialect.delimiter))
        if len(fields) == len(columns):
            records.append({_known(name): value for name, value in zip(columns, fields, strict=True)})
    return records


def _known(name: str) -> str:
    return name.lower()


def _quotes_whole(line: str, dialect: Dialect) -> bool:
    quoted = rf'"(?:[^"]|"")*"|[^"{dialect.delimiter}]*'
    return re.fullmatch(rf"(?:{quoted})(?:{dialect.delimiter}(?:{quoted}))*", line) is not None


def _read_jsonl(path: Path, dialect: Dialect) -> list[dict[str, Any]]:
    def refuse(text: str) -> Any:
        raise ValueError(text)

    records = []
    for line in text_lines(path, dialect):
        if _bad_line(line):
            continue
        try:
            found = json.loads(line, parse_constant=refuse, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
            json.dumps(found, ensure_ascii=False).encode()  # half a surrogate is no text
        except ValueError:
            continue
        if isinstance(found, dict):
            records.append(found)
    return records
