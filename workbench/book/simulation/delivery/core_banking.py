"""A table of the core banking system: as a file, or in a PostgreSQL schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from workbench.book.simulation.delivery.database import CoreSchema
from workbench.book.simulation.delivery.desk import Desk
from workbench.book.simulation.delivery.faults import Extra, Fault
from workbench.book.simulation.delivery.files import EXCEL_ROWS, write_csv, write_excel, write_parquet
from workbench.book.simulation.delivery.rows import Feed


class Cell(NamedTuple):
    """A column: SQL for its text in a file, SQL for its value where there are types, and the PostgreSQL type."""

    text: str
    value: str
    kind: str


def plain(sql: str, kind: str = "text") -> Cell:
    """Return a column whose text is that of its value."""
    return Cell(sql, sql, kind)


@dataclass(frozen=True)
class CoreTable:
    """A table of the core banking system.

    Attributes
    ----------
    table, name
        The canonical table, and the table's name in the system: its file is `core/NAME`, its source in the mapping `core_NAME`.
    kind
        Of the file; `excel` is CSV where there are more rows than a sheet is good for.
    written
        Lines of the mapping that say how texts of the file are written.
    """

    table: str
    name: str
    kind: Literal["excel", "csv", "parquet"]
    cells: Mapping[str, Cell]
    faults: Sequence[Fault] = ()
    extras: Sequence[Extra] = ()
    written: str = ""

    @property
    def typed(self) -> tuple[dict[str, str], list[Fault], list[Extra]]:
        """Values, and the faults that there can be where columns have types."""
        faults = [fault for fault in self.faults if not fault.in_text_alone]
        extras = [replace(extra, told=extra.told_typed or extra.told) for extra in self.extras]
        return {column: cell.value for column, cell in self.cells.items()}, faults, extras


def deliver_core(desk: Desk, table: CoreTable) -> str:
    """Write a table where it belongs, and return its source in the mapping."""
    if desk.core is not None:
        return f"  core_{table.name}: {_into_database(desk, desk.core, table)}\n"
    connection = desk.connection
    sheet = table.name.capitalize()
    columns: Mapping[str, str] = {column: cell.text for column, cell in table.cells.items()}
    faults, extras = table.faults, table.extras
    if table.kind == "parquet":
        columns, faults, extras = table.typed
        ending, writer = "parquet", partial(write_parquet, connection)
    elif table.kind == "excel" and desk.count(desk.relation(table.table)) <= EXCEL_ROWS:
        ending, writer = "xlsx", partial(write_excel, connection, sheet=sheet)
    else:
        ending, writer = "csv", partial(write_csv, connection)
    file = f"core/{table.name}.{ending}"
    desk.write(Feed(table.table, file, columns, faults, extras), writer)
    place = f"    files: {file}\n" + (f"    sheet: {sheet}\n" if ending == "xlsx" else "")
    return f"  core_{table.name}:\n{place}{table.written}"


def _into_database(desk: Desk, core: CoreSchema, table: CoreTable) -> str:
    types = {column: cell.kind for column, cell in table.cells.items()}

    def writer(select: str, scratch: Path) -> None:
        core.fill(table.name, types, select, desk.connection, scratch)

    desk.write(Feed(table.table, f"{core.schema}.{table.name}", *table.typed), writer)
    return core.source(table.name)
