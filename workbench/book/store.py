"""Where books live: immutable generations of parquet files, and a pointer that makes one of them current."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TypeVar

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from workbench.book.schema import REQUIRED_TABLES, SCHEMA_VERSION, TABLES
from workbench.core.errors import BookError, unknown
from workbench.core.files import locked, read_json, staging_folder, write_json
from workbench.core.workspace import Workspace, check_name

POINTER = "current.json"


class BookFacts(BaseModel):
    """What a source knows about its book, beside the tables themselves."""

    model_config = ConfigDict(frozen=True)

    first_day: date
    last_day: date
    time_zone: str = "UTC"
    currency: str = "EUR"
    current_only: dict[str, list[str]] = {}  # columns of which the source keeps no history, by table
    source: str = ""


class TableFacts(BaseModel):
    """Size of one stored table: a key has a row for each version of it that became known."""

    model_config = ConfigDict(frozen=True)

    rows: int
    keys: int
    sha256: str

    @property
    def keys_versioned(self) -> bool:
        """Whether any key has several versions."""
        return self.keys < self.rows


class BookManifest(BaseModel):
    """The `book.json` of a generation."""

    model_config = ConfigDict(frozen=True)

    name: str
    schema_version: int
    generation: str
    facts: BookFacts
    tables: dict[str, TableFacts]


Facts = TypeVar("Facts", bound=BookFacts)


def store_book(workspace: Workspace, name: str, write: Callable[[Path], BookFacts]) -> BookManifest:
    """Let `write` fill a new folder with canonical tables, check them, and make the book current in one step.

    The generation is named by the hash of its content, so the same delivery twice changes nothing. A failed or killed
    `write` leaves the old book as it was.

    Raises
    ------
    BookError
        If a required table is missing or a table's columns are not those of the canonical schema.
    """
    check_name("book", name)
    home = workspace.books / name
    with locked(home / "write.lock", seconds=workspace.settings.lock_seconds, what=f"book {name}"):
        with staging_folder(home) as staging:
            facts = write(staging)
            tables = {path.stem: _table_facts(path) for path in sorted(staging.glob("*.parquet"))}
            for table in REQUIRED_TABLES:
                if table not in tables:
                    raise BookError(
                        f"book {name}: table {table!r} is missing; {' and '.join(REQUIRED_TABLES)} are required."
                    )
            digest = hashlib.sha256("".join(f"{key}{value.sha256}" for key, value in sorted(tables.items())).encode())
            digest.update(facts.model_dump_json().encode())
            manifest = BookManifest(
                name=name,
                schema_version=SCHEMA_VERSION,
                generation=digest.hexdigest()[:16],
                facts=facts,
                tables=tables,
            )
            write_json(staging / "book.json", manifest.model_dump(mode="json"))
            target = home / "generations" / manifest.generation
            target.parent.mkdir(exist_ok=True)
            if target.exists() and not _whole(target, manifest):  # what a killed clean-up left
                _discard(target)
            if not target.exists():
                staging.rename(target)
        previous = (read_json(home / POINTER) or {}).get("generation")
        write_json(home / POINTER, {"generation": manifest.generation})
        if previous != manifest.generation:
            _prune(home, keep={manifest.generation, previous})
        _remove_leftovers(home)
    return manifest


def _prune(home: Path, *, keep: set[str | None]) -> None:
    """Remove all generations but the current one and the one before, which a running notebook may still read."""
    for folder in (home / "generations").iterdir():
        if folder.name not in keep:
            _discard(folder)


def _discard(generation: Path) -> None:
    """Remove a generation in a way that a kill cannot leave half of it under its name."""
    doomed = generation.parent.parent / f".staging-{generation.name}"
    shutil.rmtree(doomed, ignore_errors=True)
    generation.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _whole(generation: Path, manifest: BookManifest) -> bool:
    return (generation / "book.json").exists() and all(
        (generation / f"{table}.parquet").exists() for table in manifest.tables
    )


def _remove_leftovers(home: Path) -> None:
    for leftover in home.glob(".staging-*"):  # of a killed load: the lock is ours, so nobody is writing there
        shutil.rmtree(leftover, ignore_errors=True)


def _table_facts(path: Path) -> TableFacts:
    if path.stem not in TABLES:
        raise BookError(unknown("table", path.stem, TABLES))
    expected = TABLES[path.stem].arrow_schema()
    file = pq.ParquetFile(path)
    found = file.schema_arrow
    if not found.equals(expected):
        differing = [
            name for name in expected.names if name not in found.names or found.field(name) != expected.field(name)
        ]
        extra = [name for name in found.names if name not in expected.names]
        raise BookError(
            f"table {path.stem}: columns differ from the canonical schema: wrong or missing {differing}, unexpected {extra}."
        )
    key = list(TABLES[path.stem].key)
    keys = pq.read_table(path, columns=key)
    distinct = keys.group_by(key).aggregate([]).num_rows
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return TableFacts(rows=keys.num_rows, keys=distinct, sha256=sha256)


def table_files(generation: Path, table: str) -> list[Path]:
    """Return the parquet files of a table: the import's, then those of each append, in order."""
    return [generation / f"{table}.parquet", *sorted(generation.glob(f"{table}+*.parquet"))]


def list_books(workspace: Workspace) -> list[str]:
    """Return the names of the books that have a current generation, sorted."""
    return sorted(pointer.parent.name for pointer in workspace.books.glob(f"*/{POINTER}"))


def current_generation(workspace: Workspace, name: str) -> tuple[Path, BookManifest]:
    """Return the folder and the manifest of a book's current generation.

    Raises
    ------
    BookError
        If there is no such book (the nearest name is given), or its files need another version of the workbench.
    """
    books = list_books(workspace)
    if name not in books:
        raise BookError(
            f"{unknown('book', name, books)} Make one with: workbench book simulate {name}, or workbench book import {name}."
        )
    pointer = read_json(workspace.books / name / POINTER)
    folder = workspace.books / name / "generations" / pointer["generation"]
    stored = read_json(folder / "book.json")
    if stored is None:
        raise BookError(f"book {name}: {folder} is damaged: book.json is missing. Import or simulate the book again.")
    manifest = BookManifest.model_validate(stored)
    if manifest.schema_version != SCHEMA_VERSION:
        raise BookError(
            f"book {name}: schema version {manifest.schema_version}, this workbench reads {SCHEMA_VERSION}. Import it again."
        )
    return folder, manifest
