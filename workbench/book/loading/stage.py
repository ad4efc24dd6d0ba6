"""Staging: each part of a mapping becomes typed rows in a scratch database, with the faults of each row in one number."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from workbench.book.loading.expressions import Formats, clean, coded, failed, not_allowed, raw, raw_value, typed
from workbench.book.loading.readers import formats_in_view, refuse_other_writing, with_readers, zones_of
from workbench.book.mapping import ColumnMapping, Mapping, Part
from workbench.book.schema import TABLES, Column, TableSchema
from workbench.book.sources.files import FILE_COLUMN, Opened, first_line, literal, no_room, quoted, unknown_column
from workbench.core.errors import BookError, ParameterError

SQL_TYPES = {
    "string": "VARCHAR", "date": "DATE", "timestamp": "TIMESTAMP", "money": "DECIMAL(18, 2)", "float": "DOUBLE",
    "int": "BIGINT", "bool": "BOOLEAN",
}  # fmt: skip
KNOWN_AT = Column("known_at", "timestamp", "key", required=True)
CURRENCY = "_currency"
_CONDITION = Column("condition", "bool")


@dataclass(frozen=True)
class Fault:
    """One way in which a row can be wrong: its bit in `_fault`, and whether the row is rejected or the value left empty."""

    bit: int
    column: str
    what: str
    fatal: bool


@dataclass(frozen=True)
class StagedPart:
    """A part whose SQL is ready: `query` gives the canonical columns and `_fault`; `with_row` also the source row."""

    table: str
    number: int
    source: str
    zone: str
    query: str
    with_row: str
    faults: tuple[Fault, ...]

    @property
    def fatal(self) -> int:
        """All bits that reject a row."""
        return sum(fault.bit for fault in self.faults if fault.fatal)


def stage_name(table: str) -> str:
    """Return the name of the scratch table that holds the staged rows of a canonical table."""
    return f"_stage_{table}"


def prepare_part(
    connection: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    table: str,
    number: int,
    *,
    opened: dict[str, Opened],
) -> StagedPart:
    """Check every expression of a part against the source's columns, and build its SQL. Reads no row.

    Raises
    ------
    ParameterError
        If an expression names an unknown column (the nearest is named), or is no SQL.
    """
    part = mapping.tables[table][number]
    schema = TABLES[table]
    where = f"tables.{table}" + (f"[{number}]" if len(mapping.tables[table]) > 1 else "")
    mapped = _mapped(schema, part)
    sqls = [column.sql for column in mapped.values()]
    conditions = {f"joins.{name}": join for name, join in part.joins.items()}
    conditions |= {"where": part.where} if part.where else {}
    if part.source in mapping.views:
        formats_in_view(
            connection, mapping, part.source, expressions=[*sqls, *conditions.values()], where=f"tables.{table}"
        )
    origin = _origin(connection, part, [*sqls, *conditions.values()])
    mapped = _named_columns(connection, mapped, origin)
    words = " ".join(column.sql for column in mapped.values())
    kinds = {}
    names = [part.source, *part.joins]
    for name, column in mapped.items():
        place = f"{where}.{name}"
        kinds[name] = _kind(connection, column.sql, origin, part.source, where=place, words=words)
        contract = schema.column(name) if name not in (KNOWN_AT.name, CURRENCY) else KNOWN_AT
        if name != CURRENCY and column.codes is None:
            refuse_other_writing(
                connection, mapping, names, column=contract, expression=column.sql, kind=kinds[name], where=place
            )
    for what, condition in conditions.items():
        place = f"{where}.{what}"
        kind = _kind(connection, f"({condition})::BOOLEAN", origin, part.source, where=place, words=words)
        refuse_other_writing(
            connection, mapping, names, column=_CONDITION, expression=condition, kind=kind, where=place
        )
    return _assemble(connection, mapping, table, number, mapped, kinds, origin, opened.get(part.source))


def stage(connection: duckdb.DuckDBPyConnection, part: StagedPart) -> None:
    """Read a part's source into the scratch table.

    Raises
    ------
    BookError
        If the source cannot be read to its end, or the filter cannot be evaluated.
    """
    connection.execute(f"SET TimeZone = {literal(part.zone)}")
    select = f"SELECT *, {part.number}::UTINYINT AS _part FROM ({part.query})"
    name = stage_name(part.table)
    verb = f"CREATE TABLE {name} AS" if part.number == 0 else f"INSERT INTO {name}"
    try:
        connection.execute(f"{verb} {select}")
    except duckdb.OutOfMemoryException as error:
        raise BookError(
            f"tables.{part.table}: not enough memory: {first_line(error)}. Raise memory in params/workbench.yaml."
        ) from None
    except duckdb.Error as error:
        if no_room(error):
            raise
        raise BookError(
            f"tables.{part.table}: source {part.source!r} cannot be read: {first_line(error)}. Deliver it again, or mend "
            "the mapping's format, joins or filter."
        ) from None


def _mapped(schema: TableSchema, part: Part) -> dict[str, ColumnMapping]:
    mapped = dict(part.columns)
    if part.known_at is not None:
        mapped["known_at"] = ColumnMapping(sql=part.known_at)
    elif schema.occurred is not None:
        mapped["known_at"] = part.columns[schema.occurred]
    if part.currency is not None:
        mapped[CURRENCY] = ColumnMapping(sql=part.currency)
    return mapped


def _named_columns(
    connection: duckdb.DuckDBPyConnection, mapped: dict[str, ColumnMapping], origin: str
) -> dict[str, ColumnMapping]:
    """Quote expressions that are just the name of a column, whatever signs or reserved words the name holds.

    `known_at` may also be the name of a canonical column of the same part.
    """
    try:
        rows = connection.execute(f"DESCRIBE SELECT * FROM {origin}").fetchall()
    except duckdb.Error:
        return mapped  # a join that does not bind; told where it is checked
    names = [row[0] for row in rows if not row[0].isdigit()]
    plain = {name: quoted(name) for name in names if names.count(name) == 1}
    known = mapped.get("known_at")
    if known is not None and known.sql.strip() in mapped and known.sql.strip() not in names:
        mapped = {**mapped, "known_at": mapped[known.sql.strip()]}  # a canonical column, such as opened_on
    return {
        name: column.model_copy(update={"sql": plain.get(column.sql.strip(), column.sql)})
        for name, column in mapped.items()
    }


def _origin(connection: duckdb.DuckDBPyConnection, part: Part, expressions: list[str]) -> str:
    """Return the FROM of a part; with `delivered_at` where it is named and none of its sources has such a column."""
    columns = [
        row[0].lower()
        for name in (part.source, *part.joins)
        for row in connection.execute(f"DESCRIBE {quoted(name)}").fetchall()
    ]
    origin = quoted(part.source)
    if "delivered_at" not in columns and any(re.search(r"\bdelivered_at\b", sql) for sql in expressions):
        origin += " CROSS JOIN _delivery"
    for name, condition in part.joins.items():
        origin += f" LEFT JOIN {quoted(name)} ON ({with_readers(condition, part.source)})"
    return origin


def _kind(
    connection: duckdb.DuckDBPyConnection, expression: str, origin: str, source: str, *, where: str, words: str
) -> str:
    """Return the DuckDB type of an expression over `origin`, which binds it without reading."""
    try:
        rows = connection.execute(f"DESCRIBE SELECT {with_readers(expression, source)} AS x FROM {origin}").fetchall()
    except duckdb.Error as error:
        raise ParameterError(f"{where}: {expression}: {_explained(connection, error, origin, words)}") from None
    found: str = rows[0][1]
    return found


def _explained(connection: duckdb.DuckDBPyConnection, error: duckdb.Error, origin: str, words: str) -> str:
    text = str(error)
    match = re.search(r'Referenced column "([^"]+)" not found|does not have a column named "([^"]+)"', text)
    if match is None:
        said = re.sub(r"^\w+ Error: ", "", first_line(error)) + "."
        texts = " The values of a file are texts: number(column), local_day(column) or moment(column) reads one."
        return said + (texts if "VARCHAR" in said else "")
    name = match.group(1) or match.group(2)
    try:
        columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {origin}").fetchall()]
    except duckdb.Error:
        columns = []
    columns = [column for column in dict.fromkeys(columns) if column != FILE_COLUMN]
    return unknown_column(name, columns, words=words)


def _assemble(
    connection: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    table: str,
    number: int,
    mapped: dict[str, ColumnMapping],
    kinds: dict[str, str],
    origin: str,
    opened: Opened | None,
) -> StagedPart:
    part = mapping.tables[table][number]
    formats = Formats.of(mapping.sources.get(part.source))
    columns = {column.name: column for column in (*TABLES[table].columns, KNOWN_AT)}
    columns |= {CURRENCY: Column(CURRENCY, "string")} if part.currency else {}
    raws, cleans, types, tests = [], [], [], []
    faults: list[Fault] = []

    def fault(column: str, what: str, condition: str, *, fatal: bool) -> None:
        faults.append(Fault(1 << len(faults), column, what, fatal))
        tests.append(f"CASE WHEN {condition} THEN {faults[-1].bit} ELSE 0 END")

    outs = []
    for name, column in columns.items():
        out, one = quoted(name), f"_{name}"
        if name not in mapped:
            outs.append(f"NULL::{SQL_TYPES[column.dtype]} AS {out}")
            continue
        sql, kind = with_readers(mapped[name].sql, part.source), kinds[name]
        raws.append(f"{raw(sql)} AS {one}")
        value, lacking = coded(clean(raw_value(sql, one), kind), mapped[name], mapping.codes)
        text = "VARCHAR" if mapped[name].codes is not None else kind
        cleans.append(f"{value} AS {one}, {failed(sql, one)} AS {one}_failed, {lacking} AS {one}_code")
        types.append(f"{typed(one, text, column, Formats() if mapped[name].codes is not None else formats)} AS {out}")
        types += [f"{one} IS NOT NULL AS {one}_given", f"{one}_failed", f"{one}_code"]
        twin = _twin(name, mapped, columns)
        alone = f" AND {quoted(twin)} IS NOT NULL" if twin else ""
        if mapped[name].codes is not None:
            fault(name, f"{name}: not in its code table", f"{one}_code", fatal=column.required)
        unreadable = f"({one}_failed OR ({one}_given AND NOT {one}_code AND {out} IS NULL))"
        fault(name, f"{name}: cannot be read as {column.dtype}", unreadable + alone, fatal=column.required)
        if column.required:
            fault(
                name,
                f"{name} is missing",
                f"({out} IS NULL AND NOT {one}_code AND NOT {unreadable}){alone}",
                fatal=True,
            )
        if column.allowed:
            words = f"{name}: not one of {', '.join(column.allowed)}"
            fault(name, words, not_allowed(column), fatal=column.required)
        if name == CURRENCY:
            fault(
                name,
                f"currency is not {mapping.currency}",
                f"({out} IS DISTINCT FROM {literal(mapping.currency)})",
                fatal=True,
            )
            continue
        blanked = f"CASE WHEN {not_allowed(column)} THEN NULL ELSE {out} END" if column.allowed else out
        outs.append(f"{blanked} AS {out}")
    filtered = f" WHERE {with_readers(part.where, part.source)}" if part.where else ""

    def layers(extra: str = "") -> str:
        keep = ", _row, _from" if extra else ""
        first = f"SELECT {', '.join(raws)}{extra} FROM {origin}{filtered}"
        second = f"SELECT {', '.join(cleans)}{keep} FROM ({first})"
        third = f"SELECT {', '.join(types)}{keep} FROM ({second})"
        return f"SELECT {', '.join(outs)}, ({' + '.join(tests)})::BIGINT AS _fault{keep} FROM ({third})"

    name = quoted(part.source)
    file = f"{name}.{FILE_COLUMN}" if opened is not None and opened.has_file_column else "NULL::VARCHAR"
    zone = zones_of(connection, mapping, part.source)[0]
    with_row = layers(f", {name} AS _row, {file} AS _from")
    return StagedPart(table, number, part.source, zone, layers(), with_row, tuple(faults))


def _twin(name: str, mapped: dict[str, ColumnMapping], columns: dict[str, Column]) -> str | None:
    """Return the required column that `known_at` is a copy of: what is wrong with both is told once, of that column."""
    copied = [other for other in mapped if mapped[other].sql == mapped[name].sql and columns[other].required]
    return next((other for other in copied if other != name), None) if name == KNOWN_AT.name else None


def rows_staged(connection: duckdb.DuckDBPyConnection, part: StagedPart) -> int:
    """Return how many rows a part has."""
    found: int = connection.execute(
        f"SELECT count(*) FROM {stage_name(part.table)} WHERE _part = {part.number}"
    ).fetchall()[0][0]
    return found


def fault_counts(connection: duckdb.DuckDBPyConnection, part: StagedPart) -> tuple[int, int, dict[Fault, int]]:
    """Return how many rows a part has, how many of them are rejected, and how many have each fault."""
    sums = ", ".join(f"count_if(_fault & {fault.bit} <> 0)" for fault in part.faults)
    row = connection.execute(
        f"SELECT count(*), count_if(_fault & {part.fatal} <> 0), {sums} FROM {stage_name(part.table)} "
        f"WHERE _part = {part.number}"
    ).fetchall()[0]
    return row[0], row[1] or 0, {fault: count for fault, count in zip(part.faults, row[2:], strict=True) if count}


def write_rejects(connection: duckdb.DuckDBPyConnection, part: StagedPart, out: Path) -> None:
    """Write the rows with a fault as CSV: table, source, file, action, reasons, and the source's row as JSON.

    Values stand within the JSON alone, so that no cell can be a formula. The file holds what the source held, private
    columns too: it stays in the book's folder.
    """
    reasons = ", ".join(f"CASE WHEN _fault & {fault.bit} <> 0 THEN {literal(fault.what)} END" for fault in part.faults)
    connection.execute(f"SET TimeZone = {literal(part.zone)}")
    connection.execute(
        f"COPY (SELECT {literal(part.table)} AS canonical_table, {literal(part.source)} AS source, "
        f"parse_filename(_from) AS file, "
        f"CASE WHEN _fault & {part.fatal} <> 0 THEN 'rejected' ELSE 'value left empty' END AS action, "
        f"concat_ws('; ', {reasons}) AS reasons, to_json(_row) AS source_row FROM ({part.with_row}) WHERE _fault <> 0) "
        f"TO {literal(str(out))} (HEADER, DELIMITER ',')"
    )


def known_columns(table: str) -> Iterable[str]:
    """Return the canonical columns of a table, and `known_at`, in storage order."""
    return (*(column.name for column in TABLES[table].columns), "known_at")
