"""SQL that turns a mapped expression into a canonical value, and says where it could not.

Nothing here raises at run time: what cannot be read becomes null with a fault noted, row by row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping as Dict
from dataclasses import dataclass

from workbench.book.mapping import ColumnMapping, Source
from workbench.book.schema import Column
from workbench.book.sources.files import literal, quoted

_BARE = re.compile(r'^\s*(?:[A-Za-z_]\w*\.)?(?:[A-Za-z_]\w*|"[^"]+")\s*$')
_WHOLE = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
)
TEXTS = ("VARCHAR", "JSON")  # types whose values a source's formats say how to read
FIRST_DATE, LAST_DATE = "DATE '1800-01-01'", "DATE '2299-12-31'"  # outside, a date is a typing error or a sentinel
TEXT_LENGTH = 4000  # characters; longer is no name, kind or note but a lost quote


@dataclass(frozen=True)
class Formats:
    """How a source writes numbers and dates."""

    decimal: str = "."
    thousands: str = ""
    dates: tuple[str, ...] = ()
    timestamps: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source | None) -> Formats:
        """Return the formats of a source; a view has none of its own, its values are read as ISO."""
        if source is None:
            return cls()
        dates, timestamps = tuple(source.dates), tuple(source.timestamps)
        if source.is_excel and (dates or timestamps):  # cells that are dates come in ISO form
            dates, timestamps = (*dates, "%Y-%m-%d"), (*timestamps, "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f")
        return cls(source.decimal, source.thousands, dates, timestamps)


def raw(expression: str) -> str:
    """Return `expression` so that an error in it makes the value null, not the query fail; see `failed`."""
    return f"({expression})" if _is_safe(expression) else f"TRY({{'v': ({expression})}})"


def raw_value(expression: str, name: str) -> str:
    """Return the value of what `raw` made, as the column `name`."""
    return name if _is_safe(expression) else f"{name}.v"


def failed(expression: str, name: str) -> str:
    """Return the condition that `raw` failed in column `name`."""
    return "false" if _is_safe(expression) else f"{name} IS NULL"


def _is_safe(expression: str) -> bool:
    return bool(_BARE.match(expression))


def clean(value: str, kind: str) -> str:
    """Return a value of DuckDB type `kind` without blanks around it; an empty text is no value.

    >>> clean("a", "DATE"), clean("a", "VARCHAR")
    ('a', "nullif(trim(a), '')")
    """
    if kind == "VARCHAR":
        return f"nullif(trim({value}), '')"
    if kind == "JSON":
        return f"nullif(trim({value} ->> '$'), '')"
    return value


def coded(value: str, mapped: ColumnMapping, tables: Dict[str, Dict[str, object]]) -> tuple[str, str]:
    """Return a value after its code table, and the condition that the table lacks it."""
    if mapped.codes is None:
        return value, "false"
    codes = tables[mapped.codes] if isinstance(mapped.codes, str) else mapped.codes
    whens = " ".join(f"WHEN {literal(str(code))} THEN {literal(_text(meaning))}" for code, meaning in codes.items())
    text = f"{value}::VARCHAR"
    keep = f"ELSE {text} " if mapped.otherwise == "keep" else ""
    listed = ", ".join(literal(str(code)) for code in codes)
    lacking = f"({text} NOT IN ({listed}))" if mapped.otherwise == "invalid" else "false"
    return f"(CASE {text} {whens} {keep}END)", f"coalesce({lacking}, false)"


def _text(meaning: object) -> str:
    return str(meaning).lower() if isinstance(meaning, bool) else str(meaning)


def typed(value: str, kind: str, column: Column, formats: Formats) -> str:
    """Return SQL for `value`, of DuckDB type `kind`, in the storage type of `column`; null where it cannot be read.

    Money is rounded to cents, half away from zero; a number with a fraction is no `int`; local times are those of the
    session's time zone, and become UTC; a date as a moment is its first instant.
    """
    text = kind in TEXTS
    number = _number(value, formats) if text else value
    match column.dtype:
        case "string":
            return _as_text(value, kind)
        case "money":
            return f"TRY_CAST({number} AS DECIMAL(18, 2))"
        case "float":
            found = f"TRY_CAST({number} AS DOUBLE)"
            return f"CASE WHEN isfinite({found}) THEN {found} END"
        case "int":
            exact = f"TRY_CAST({number} AS DECIMAL(38, 6))"
            return f"CASE WHEN {exact} = trunc({exact}) THEN TRY_CAST({exact} AS BIGINT) END"
        case "bool":
            if not text:
                value = f"{value}::VARCHAR"
            lower = f"lower({value})"
            return (
                f"CASE WHEN {lower} IN ('true', 't', 'yes', 'y', '1') THEN true "
                f"WHEN {lower} IN ('false', 'f', 'no', 'n', '0') THEN false END"
            )
        case "date":
            return _between(_date(value, kind, formats))
        case "timestamp":
            return _between(_moment(value, kind, formats))
    raise AssertionError(column.dtype)


def _number(value: str, formats: Formats) -> str:
    if formats.thousands:  # 12.50 is no 1250: groups are of three digits, or there are none
        apart, decimal = re.escape(formats.thousands), re.escape(formats.decimal)
        grouped = literal(rf"[+-]?\d{{1,3}}({apart}\d{{3}})+({decimal}\d+)?")
        plain = f"NOT contains({value}, {literal(formats.thousands)})"
        joined = f"replace({value}, {literal(formats.thousands)}, '')"
        value = f"(CASE WHEN {plain} OR regexp_full_match({value}, {grouped}) THEN {joined} END)"
    if formats.decimal != ".":  # a point is no digit sign there: '1.5' must not pass for one and a half
        value = f"CASE WHEN NOT contains({value}, '.') THEN replace({value}, {literal(formats.decimal)}, '.') END"
    return value


def _as_text(value: str, kind: str) -> str:
    if kind in ("DOUBLE", "FLOAT"):  # 17.0 as an id is the 17 of another source
        whole = f"{value} = trunc({value}) AND abs({value}) < 1e15"
        found = f"CASE WHEN {whole} THEN {value}::BIGINT::VARCHAR ELSE {value}::VARCHAR END"
    elif kind.startswith("DECIMAL"):
        found = f"CASE WHEN {value} = trunc({value}) THEN trunc({value})::HUGEINT::VARCHAR ELSE {value}::VARCHAR END"
    else:
        found = f"TRY_CAST({value} AS VARCHAR)" if kind != "VARCHAR" else value
    return f"CASE WHEN length({value}) <= {TEXT_LENGTH} THEN {found} END" if kind == "VARCHAR" else found


def _no_word(value: str) -> str:
    """Return a text without the words that DuckDB takes for moments: `infinity` would become a day of 1899."""
    return f"CASE WHEN lower({value}) NOT IN ('epoch', 'infinity', '-infinity') THEN {value} END"


def _date(value: str, kind: str, formats: Formats) -> str:
    if kind in TEXTS:
        value = _no_word(value)
        if formats.dates:
            return _first(f"CAST({_parsed(value, form)} AS DATE)" for form in (*formats.dates, *formats.timestamps))
        moment = f"CAST(TRY_CAST({value} AS TIMESTAMPTZ) AS DATE)"  # with an offset the day is the local one
        return f"CASE WHEN contains({value}, ':') THEN {moment} ELSE TRY_CAST({value} AS DATE) END"
    if kind in _WHOLE or kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        digits = f"TRY_CAST({value} AS BIGINT)::VARCHAR"
        return _first(f"CAST({_parsed(digits, form)} AS DATE)" for form in formats.dates)
    return f"TRY_CAST({value} AS DATE)"


def _moment(value: str, kind: str, formats: Formats) -> str:
    if kind in TEXTS:
        value = _no_word(value)
        if formats.timestamps or formats.dates:
            forms = (*formats.timestamps, *formats.dates)
            return f"{_first(f'CAST({_parsed(value, form)} AS TIMESTAMPTZ)' for form in forms)} AT TIME ZONE 'UTC'"
    if kind in _WHOLE or kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        return "NULL::TIMESTAMP"
    return f"TRY_CAST({value} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"


def _parsed(value: str, form: str) -> str:
    """Return a moment by one format. Given a list of formats, DuckDB 2.0 keeps the offset of a row for the next ones."""
    if form.endswith("%z"):
        return f"coalesce(try_strptime({value}, {literal(form)}), {_parsed(value, form.removesuffix('%z') + 'Z')})"
    read = f"try_strptime({value}, {literal(form)})"
    return f"({read} AT TIME ZONE 'UTC')" if form.endswith("Z") and not form.endswith("%Z") else read


def _first(values: Iterable[str]) -> str:
    return f"coalesce({', '.join(('NULL', *values))})"


def _between(value: str) -> str:
    return f"CASE WHEN ({value}) BETWEEN {FIRST_DATE} AND {LAST_DATE} THEN ({value}) END"


def not_allowed(column: Column) -> str:
    """Return the condition that a column holds a value beside those that there are."""
    if not column.allowed:
        return "false"
    return f"coalesce({quoted(column.name)} NOT IN ({', '.join(literal(value) for value in column.allowed)}), false)"


def read_number(formats: Formats) -> str:
    """Return the body of a macro that reads `x`, a text in the source's formats or any number, as a number.

    What cannot be read raises, so that the row is noted; see `raw`.
    """
    return _reader(_number(_TEXT, formats), "DOUBLE")


def read_day(formats: Formats) -> str:
    """Return the body of a macro that reads `x`, a text in the source's formats, a date or a moment, as the local day."""
    return _reader(_date(_TEXT, "VARCHAR", formats), "DATE")


def read_moment(formats: Formats) -> str:
    """Return the body of a macro that reads `x`, a text in the source's formats, a date or a moment, as a moment."""
    return _reader(f"({_moment(_TEXT, 'VARCHAR', formats)}) AT TIME ZONE 'UTC'", "TIMESTAMPTZ")


_TEXT = "trim(x::VARCHAR, ' \"')"  # a text within JSON comes in quotes


def _reader(parsed: str, kind: str) -> str:
    by_type = f"CASE WHEN typeof(x) IN ('VARCHAR', 'JSON') THEN ({parsed})::VARCHAR ELSE x::VARCHAR END"
    return f"CAST(CASE WHEN {_TEXT} <> '' THEN coalesce({by_type}, 'not readable') END AS {kind})"
