"""What the parts of a delivery share while it is written: the lender's tables, the folder, and what has been planted so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import duckdb

from workbench.book.simulation.delivery.database import CoreSchema
from workbench.book.simulation.delivery.faults import LEAST_LINES_TO_CUT, Planted
from workbench.book.simulation.delivery.files import cut_last_line
from workbench.book.simulation.delivery.rows import Feed, delivered
from workbench.book.sources.opened import listed, quoted
from workbench.book.store import table_files


class Section(NamedTuple):
    """What a part of the delivery puts into the mapping: blocks of YAML, each indented as its place wants it.

    `tables` holds the block of a canonical table by its name.
    """

    sources: str
    tables: Mapping[str, str]
    views: str = ""
    codes: str = ""


@dataclass
class Desk:
    """The lender's folder, the delivery's folder, and how local times and money are written.

    Attributes
    ----------
    zone
        Time zone of the offices, whose clocks the CRM and the payments follow.
    core
        Where the core banking tables go, if not into files.
    """

    connection: duckdb.DuckDBPyConnection
    lender: Path
    folder: Path
    seed: int
    zone: str
    currency: str
    core: CoreSchema | None = None
    progress: Callable[[str], None] = lambda _text: None
    planted: list[Planted] = field(default_factory=list)

    def has(self, table: str) -> bool:
        """Return whether the lender has the table."""
        return (self.lender / f"{table}.parquet").exists()

    def relation(self, table: str) -> str:
        """Return the rows of a table, as SQL."""
        return f"read_parquet({listed(table_files(self.lender, table))})"

    def count(self, relation: str) -> int:
        """Return the number of rows of a relation."""
        rows: int = self.connection.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0]
        return rows

    def path(self, file: str) -> Path:
        """Return the path of a file to be written; its folder is made."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, feed: Feed, writer: Callable[[str, Path], None], *, relation: str = "", cut: bool = False) -> None:
        """Write a feed's rows by `writer`, which takes a query and a path, and note what is planted in them.

        Parameters
        ----------
        relation
            Rows of the table to write; by default all.
        cut
            Whether the file is to end within a line, as long as it has enough of them.
        """
        self.progress(feed.file)
        relation = relation or self.relation(feed.table)
        rows = self.count(relation)
        made = delivered(self.connection, feed, relation, rows=rows, seed=self.seed)
        path = self.path(feed.file)
        writer(made.select, path)
        self.planted += made.planted(self.connection)
        if cut and rows >= LEAST_LINES_TO_CUT:
            cut_last_line(path)
            told = "is no JSON object" if path.suffix == ".jsonl" else "missing columns"
            self.planted.append(Planted(feed.file, feed.table, "cut_line", 1, "line", told))

    def codes(self, table: str, column: str, known: Mapping[str, str]) -> dict[str, str]:
        """Return a code for each word of a column: the `known` one, else numbers in the order of the words; never none."""
        found = self.connection.execute(
            f"SELECT DISTINCT {quoted(column)} FROM {self.relation(table)} WHERE {quoted(column)} IS NOT NULL ORDER BY 1"
        ).fetchall()
        return {word: known.get(word, str(number)) for number, (word,) in enumerate(found, 1)} or {"unknown": "0"}


def yaml_codes(name: str, codes: Mapping[str, str]) -> str:
    """Return a code table of the mapping, code by code.

    >>> print(yaml_codes("sexes", {"female": "F"}), end="")
      sexes: {"F": "female"}
    """
    inner = ", ".join(f'"{code}": "{word}"' for word, code in codes.items())
    return f"  {name}: {{{inner}}}\n"
