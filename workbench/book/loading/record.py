"""What a load did: kept with the generation that it made, and in the book's list of loads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from workbench.core.files import read_json, write_json

KEPT_REJECTS = 20  # folders of rejected rows that a book keeps
LOAD_FILE = "load.json"


class TableLoad(BaseModel):
    """Rows of one canonical table on their way in.

    `rejected` and `emptied` count rows by reason; a row may have several. `rejected_rows` counts each row once.
    """

    model_config = ConfigDict(frozen=True)

    rows_in: int
    rejected_rows: int = 0
    rejected: dict[str, int] = {}
    emptied: dict[str, int] = {}
    duplicates: int = 0
    conflicts: int = 0
    unchanged: int = 0
    corrections: int = 0
    belated: int = 0  # rows that say they were known before the delivery before this one
    gone: int = 0  # keys of the last delivery that an import lacks
    rewritten: int = 0  # rows of the last delivery whose key is here, but not the same row
    rows_out: int = 0


class SourceLoad(BaseModel):
    """One source: its files with size and hash, its lines, those that hold no record, and what was mended."""

    model_config = ConfigDict(frozen=True)

    files: list[dict[str, Any]]
    lines: int | None = None
    structure: str = ""  # of JSON objects
    rejected_lines: dict[str, int] = {}
    repairs: list[str] = []


class LoadRecord(BaseModel):
    """One load of a book."""

    model_config = ConfigDict(frozen=True)

    load_id: str
    book: str
    mode: Literal["import", "append"]
    status: Literal["done", "unchanged", "refused"]
    delivered_at: datetime
    made_at: datetime = Field(default_factory=lambda: datetime.now(UTC))  # a delivery may be dated long before its load
    seconds: float = 0.0
    fingerprint: str = ""
    generation: str = ""
    reason: str = ""
    sources: dict[str, SourceLoad] = {}
    tables: dict[str, TableLoad] = {}
    findings: dict[str, int] = {}
    cursors: dict[str, str] = {}
    absent: list[str] = []  # optional sources, and views over them, that an append came without
    rejects: str = ""  # folder under the book's own; empty where nothing was rejected

    @property
    def rejected_rows(self) -> int:
        """Rows and lines that did not come in."""
        return sum(table.rejected_rows for table in self.tables.values()) + sum(
            sum(source.rejected_lines.values()) for source in self.sources.values()
        )


class LoadHistory(BaseModel):
    """The loads whose rows a generation holds: an import, then appends."""

    model_config = ConfigDict(frozen=True)

    loads: list[LoadRecord] = []

    @property
    def cursors(self) -> dict[str, str]:
        """Where REST resources go on from."""
        return {name: cursor for load in self.loads for name, cursor in load.cursors.items()}

    @property
    def structures(self) -> dict[str, str]:
        """The latest structure of each JSON source."""
        return {
            name: source.structure for load in self.loads for name, source in load.sources.items() if source.structure
        }


def read_history(generation: Path) -> LoadHistory:
    """Return the history of a generation; empty for one that no load made, such as a simulated one."""
    return LoadHistory.model_validate(read_json(generation / LOAD_FILE) or {})


def list_loads(home: Path) -> list[LoadRecord]:
    """Return the loads of a book, as they were made, oldest first: also those that were refused or changed nothing."""
    loads = [LoadRecord.model_validate(read_json(path)) for path in (home / "loads").glob("*.json")]
    return sorted(loads, key=lambda load: (load.made_at, load.load_id))


def write_record(home: Path, record: LoadRecord) -> None:
    """Add a load to the book's list."""
    write_json(home / "loads" / f"{record.load_id}.json", record.model_dump(mode="json"))
