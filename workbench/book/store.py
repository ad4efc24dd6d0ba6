"""Where books live: immutable generations of parquet files, and a pointer that makes one of them current."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from workbench.book.schema import REQUIRED_TABLES, SCHEMA_VERSION, TABLES, Role
from workbench.core.errors import BookError, unknown
from workbench.core.files import locked, read_json, staging_folder, write_json
from workbench.core.workspace import Workspace, check_name

POINTER = "current.json"
BEFORE_FILE, PROFILE_FILE = "before.json", "profile.json"  # what the generation before held, and what this one holds
ATTACHED = "attached.json"  # in a generation whose rows stay in a database


class Lowered(BaseModel):
    """A finding whose severity a book lowers, and why; the reports show the reason."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    severity: Literal["error", "warning", "info"]
    reason: str = Field(min_length=10)


class BookFacts(BaseModel):
    """What a source knows about its book, beside the tables themselves."""

    model_config = ConfigDict(frozen=True)

    first_day: date
    last_day: date
    time_zone: str = "UTC"
    currency: str = "EUR"
    current_only: dict[str, list[str]] = {}  # columns of which the source keeps no history, by table
    roles: dict[str, dict[str, Role]] = {}  # other roles than the contract's, by table and column
    lowered: dict[str, Lowered] = {}  # checks whose severity this book lowers
    source: str = ""


class TableFacts(BaseModel):
    """Size of one stored table: a key has a row for each version of it that became known."""

    model_config = ConfigDict(frozen=True)

    rows: int
    keys: int
    sha256: str
    files: dict[str, str] = {}  # name and hash of each file, in order

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


@dataclass(frozen=True)
class Written:
    """What a writer left in the folder: the book's facts, and the facts of those tables that it has counted itself."""

    facts: BookFacts
    tables: Mapping[str, TableFacts] = field(default_factory=dict)


@contextmanager
def writing(workspace: Workspace, name: str) -> Iterator[Path]:
    """Hold the lock of a book for as long as the block runs, and yield the book's folder.

    Raises
    ------
    InputError
        If another process still holds it after `lock_seconds`.
    """
    check_name("book", name)
    home = workspace.books / name
    with locked(home / "write.lock", seconds=workspace.settings.lock_seconds, what=f"book {name}"):
        _remove_leftovers(home)
        yield home


def store_book(workspace: Workspace, name: str, write: Callable[[Path], BookFacts]) -> BookManifest:
    """Let `write` fill a new folder with canonical tables, and make it the book's current generation in one step.

    Raises
    ------
    BookError
        If a required table is missing or a table's columns are not those of the canonical schema.
    """
    with writing(workspace, name) as home:
        return store_generation(home, name, lambda out: Written(write(out)))


def store_generation(
    home: Path,
    name: str,
    write: Callable[[Path], Written],
    *,
    check: Callable[[Path, BookManifest], None] = lambda _folder, _manifest: None,
) -> BookManifest:
    """Let `write` fill a new folder, let `check` refuse it, and make it current in one step; the caller holds the lock.

    The generation is named by the hash of its content, so the same delivery twice changes nothing. A failed or killed
    `write` leaves the old book as it was.

    Raises
    ------
    BookError
        If a required table is missing or a table's columns are not those of the canonical schema.
    """
    current = (read_json(home / POINTER) or {}).get("generation", "")
    if (home / "generations" / current / ATTACHED).exists():
        raise BookError(
            f"book {name}: it is attached to a database, so nothing is stored under this name. Take another name, or remove "
            f"{home} first."
        )
    with staging_folder(home) as staging:
        written = write(staging)
        names = sorted({path.stem.partition("+")[0] for path in staging.glob("*.parquet")})
        tables = {table: written.tables.get(table) or _table_facts(staging, table) for table in names}
        for table in REQUIRED_TABLES:
            if table not in tables:
                raise BookError(
                    f"book {name}: table {table!r} is missing; {' and '.join(REQUIRED_TABLES)} are required."
                )
        digest = hashlib.sha256("".join(f"{key}{value.sha256}" for key, value in sorted(tables.items())).encode())
        digest.update(written.facts.model_dump_json().encode())
        manifest = BookManifest(
            name=name,
            schema_version=SCHEMA_VERSION,
            generation=digest.hexdigest()[:16],
            facts=written.facts,
            tables=tables,
        )
        write_json(staging / "book.json", manifest.model_dump(mode="json"))
        check(staging, manifest)
        target = home / "generations" / manifest.generation
        target.parent.mkdir(exist_ok=True)
        if target.exists() and not _whole(target, manifest):  # what a killed clean-up left
            _discard(target)
        if target.exists():  # the same content: what is told about its coming is that of now
            kept = {BEFORE_FILE, PROFILE_FILE} if manifest.generation == current else set()  # not its own predecessor
            for told in staging.glob("*.json"):
                if told.name not in kept:
                    told.replace(target / told.name)
        else:
            staging.rename(target)
    pointer = read_json(home / POINTER) or {}
    if pointer.get("generation") != manifest.generation:
        write_json(home / POINTER, {"generation": manifest.generation, "previous": pointer.get("generation")})
    _prune(home)
    return manifest


def revert_book(workspace: Workspace, name: str) -> BookManifest:
    """Make the generation before the current one current again; the same once more takes that back.

    Raises
    ------
    BookError
        If there is no such book, or none before it.
    """
    current_generation(workspace, name)
    with writing(workspace, name) as home:
        pointer = read_json(home / POINTER)
        before = pointer.get("previous")
        if not before or not (home / "generations" / before / "book.json").exists():
            raise BookError(f"book {name}: there is no generation before this one to go back to.")
        write_json(home / POINTER, {"generation": before, "previous": pointer["generation"]})
    return current_generation(workspace, name)[1]


def _prune(home: Path) -> None:
    """Remove all generations but the current one and the one before, which a running notebook may still read."""
    pointer = read_json(home / POINTER) or {}
    if "previous" in pointer:
        for folder in (home / "generations").iterdir():
            if folder.name not in pointer.values():
                _discard(folder)


def _discard(generation: Path) -> None:
    """Remove a generation in a way that a kill cannot leave half of it under its name."""
    doomed = generation.parent.parent / f".staging-{generation.name}"
    shutil.rmtree(doomed, ignore_errors=True)
    generation.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _whole(generation: Path, manifest: BookManifest) -> bool:
    return (generation / "book.json").exists() and all(
        (generation / file).exists() for table in manifest.tables.values() for file in table.files
    )


def _remove_leftovers(home: Path) -> None:
    """Remove what a killed load was writing: the lock is ours, so nobody is."""
    for leftover in [*home.glob(".*"), *home.glob("loads/.*")]:
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
    _prune(home)


def check_columns(path: Path, table: str) -> None:
    """Refuse a file whose columns are not those of the canonical table.

    Raises
    ------
    BookError
        If there is no such table, or columns are missing, unexpected or of another type.
    """
    if table not in TABLES:
        raise BookError(unknown("table", table, TABLES))
    expected, found = TABLES[table].arrow_schema(), pq.read_schema(path)
    if (found.names, found.types) != (expected.names, expected.types):  # a writer may mark columns without nulls
        differing = [
            name
            for name in expected.names
            if name not in found.names or found.field(name).type != expected.field(name).type
        ]
        extra = [name for name in found.names if name not in expected.names]
        raise BookError(
            f"table {table}: columns differ from the canonical schema: wrong or missing {differing}, unexpected {extra}."
        )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def table_facts(rows: int, keys: int, files: Mapping[str, str]) -> TableFacts:
    """Return the facts of a table whose `files` are given with their hashes, in order."""
    together = hashlib.sha256("".join(files.values()).encode()).hexdigest()
    return TableFacts(
        rows=rows, keys=keys, sha256=next(iter(files.values())) if len(files) == 1 else together, files=dict(files)
    )


def _table_facts(folder: Path, table: str) -> TableFacts:
    """Count a table file by file: those of one writer hold different keys, as blocks of customers do."""
    rows = keys = 0
    files = {}
    for path in table_files(folder, table):
        more_rows, more_keys = _rows_and_keys(path, table)
        rows, keys = rows + more_rows, keys + more_keys
        files[path.name] = file_sha256(path)
    return table_facts(rows, keys, files)


def _rows_and_keys(path: Path, table: str) -> tuple[int, int]:
    check_columns(path, table)
    key = list(TABLES[table].key)
    rows = pq.read_table(path, columns=[*key, "known_at"])
    keys = rows.group_by(key).aggregate([]).num_rows
    if keys < rows.num_rows and rows.group_by([*key, "known_at"]).aggregate([]).num_rows < rows.num_rows:
        raise BookError(
            f"table {table}: several rows of one {', '.join(key)} have the same known_at; expected one version an instant."
        )
    return rows.num_rows, keys


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
