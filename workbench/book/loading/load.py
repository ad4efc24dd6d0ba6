"""`import_book`: read a delivery by its mapping, stage and check it, and make the book current in one step."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from workbench.book.book import Book
from workbench.book.checks import check_book
from workbench.book.checks.catalogue import check_names
from workbench.book.checks.deliveries import keep_profile, remember
from workbench.book.definitions import Definitions
from workbench.book.loading.accounts import refuse_losses, source_accounts, table_accounts
from workbench.book.loading.delivery import Delivery, delivered_tables, open_delivery
from workbench.book.loading.generation import span, write_tables
from workbench.book.loading.record import (
    KEPT_REJECTS,
    LOAD_FILE,
    LoadHistory,
    LoadRecord,
    list_loads,
    read_history,
    write_record,
)
from workbench.book.loading.stage import prepare_part, stage
from workbench.book.mapping import Mapping, load_mapping, mapping_path
from workbench.book.schema import SCHEMA_VERSION
from workbench.book.sources.files import first_line
from workbench.book.store import (
    BookFacts,
    BookManifest,
    TableFacts,
    Written,
    current_generation,
    list_books,
    store_generation,
    table_files,
    writing,
)
from workbench.core.errors import BookError, InputError, ParameterError, nearest
from workbench.core.files import staging_folder, write_json
from workbench.core.workspace import Workspace
from workbench.core.yaml_files import load_params

Progress = Callable[[str], None]


@dataclass(frozen=True)
class LoadResult:
    """A book after a load, and what the load did."""

    manifest: BookManifest
    record: LoadRecord


def import_book(
    workspace: Workspace,
    name: str,
    *,
    delivered_at: datetime,
    base: str | None = None,
    append: bool = False,
    progress: Progress = lambda _text: None,
) -> LoadResult:
    """Read the sources of `params/books/NAME.yaml` and make the book current.

    Parameters
    ----------
    delivered_at
        The moment of the delivery, with a time zone: what `delivered_at` means in the mapping.
    base
        Folder or address of the delivery in place of the mapping's `from`.
    append
        Add what is new by key to the book there is, instead of making it anew from this delivery alone.

    Raises
    ------
    BookError
        If no file describes the book, a source lacks something, more rows are rejected than `max_reject_share`, or a check
        finds an error. The old book stays as it was; the load is recorded as refused.
    ParameterError
        If the mapping is wrong.
    """
    mapping = load_mapping(workspace, name)
    _check_severities(mapping, mapping_path(workspace, name))
    clock = time.monotonic()
    with _room(name), writing(workspace, name) as home, staging_folder(home) as scratch:
        load = _Load(workspace, name, mapping, home, scratch, delivered_at.astimezone(UTC), append, progress)
        try:
            with _room(name):
                manifest = load.run(base)
            load.note(generation=manifest.generation)
        except BaseException as error:
            reason = str(error) if isinstance(error, InputError) else f"broke off: {type(error).__name__}"
            load.note(status="refused", reason=reason)
            raise
        finally:
            load.note(seconds=round(time.monotonic() - clock, 2))
            load.leave()
    return LoadResult(manifest, load.record)


def _check_severities(mapping: Mapping, path: Path) -> None:
    names = check_names()
    for name in mapping.severities:
        if name not in names:
            raise ParameterError(
                f"{path}: severities: unknown check {name!r}.{nearest(name, names)} All: docs/checks.md."
            )


@contextmanager
def _room(name: str) -> Iterator[None]:
    """Turn what the operating system refuses, such as more room on the disk, into one message."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise BookError(
            f"book {name}: not enough memory: {first_line(error)}. The book is as it was. Raise memory in "
            "params/workbench.yaml, and import again."
        ) from None
    except (OSError, duckdb.IOException, duckdb.TransactionException) as error:
        raise BookError(
            f"book {name}: the load broke off: {first_line(error)}. The book is as it was. Make room on the disk, or mend "
            "the rights of the file, and import again."
        ) from None


class _Load:
    """One load on its way; holds what its steps share."""

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        mapping: Mapping,
        home: Path,
        scratch: Path,
        delivered_at: datetime,
        append: bool,
        progress: Progress,
    ) -> None:
        self.workspace, self.name, self.mapping, self.home, self.scratch = workspace, name, mapping, home, scratch
        self.progress = progress
        known = name in list_books(workspace)
        self.before: tuple[Path, BookManifest] | None = current_generation(workspace, name) if known else None
        if append and self.before is None:
            raise BookError(f"book {name}: there is no book to append to. Import it first, without --append.")
        if append and self.before is not None:
            loads = read_history(self.before[0]).loads
            if not loads:
                raise BookError(f"book {name}: it was not made by an import, so nothing can be appended to it.")
            if delivered_at < loads[-1].delivered_at:
                raise BookError(
                    f"book {name}: this delivery is of {delivered_at:%Y-%m-%d %H:%M}, the one before of "
                    f"{loads[-1].delivered_at:%Y-%m-%d %H:%M} (UTC). Give deliveries in their order; look at --delivered."
                )
            facts = self.before[1].facts
            if (facts.currency, facts.time_zone) != (mapping.currency, mapping.time_zone):
                raise BookError(
                    f"book {name}: it is kept in {facts.currency}, {facts.time_zone}; the mapping now says {mapping.currency}, "
                    f"{mapping.time_zone}. Import it anew, without --append."
                )
        load_id = f"{delivered_at:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        self.record = LoadRecord(
            load_id=load_id, book=name, mode="append" if append else "import", status="done", delivered_at=delivered_at
        )
        self.rejects = home / "rejects" / load_id
        self._remember_killed()
        settings = workspace.settings
        workspace.scratch.mkdir(parents=True, exist_ok=True)
        self.connection = duckdb.connect(
            str(scratch / "load.duckdb"),
            config={
                "threads": settings.threads,
                "memory_limit": settings.memory,
                "temp_directory": str(scratch),
                "autoinstall_known_extensions": False,
            },
        )
        self.connection.execute("SET TimeZone = 'UTC'")
        self.rejects.mkdir(parents=True, mode=0o700)  # it will hold rows as they came, private columns too

    def note(self, **facts: Any) -> None:
        """Add facts to the record."""
        self.record = self.record.model_copy(update=facts)

    def run(self, base: str | None) -> BookManifest:
        """Do the load and return the book's manifest."""
        mapping = self.mapping
        appending = self.record.mode == "append"
        history = read_history(self.before[0]) if self.before else LoadHistory()
        delivery = open_delivery(
            self.connection,
            mapping,
            self.workspace,
            base=base,
            staging=self.scratch,
            delivered_at=self.record.delivered_at,
            cursors=history.cursors if appending else {},
            structures=history.structures if appending else {},
            append=appending,
            progress=self.progress,
        )
        mapping = self.mapping = delivered_tables(mapping, delivery)
        self.note(fingerprint=self._fingerprint(delivery), cursors=delivery.cursors, absent=delivery.absent)
        same = bool(history.loads) and history.loads[-1].fingerprint == self.record.fingerprint
        if self.before is not None and same and (appending or len(history.loads) == 1):
            self.note(status="unchanged")
            return self.before[1]
        parts = [
            prepare_part(self.connection, mapping, table, number, opened=delivery.opened)
            for table in mapping.tables
            for number in range(len(mapping.tables[table]))
        ]
        for part in parts:
            self.progress(f"reading {part.table}")
            stage(self.connection, part)
        sources = source_accounts(self.connection, mapping, parts, delivery, rejects=self.rejects)
        tables = table_accounts(self.connection, mapping, parts, rejects=self.rejects)
        self.note(sources=sources, tables=tables)
        refuse_losses(self.record, limit=mapping.max_reject_share, rejects=self.rejects)
        definitions = load_params(Definitions, self.workspace.params / "definitions.yaml")

        def check(folder: Path, manifest: BookManifest) -> None:
            self.progress("checks")
            self._check(Book(folder, manifest, self.workspace, definitions))
            self.note(generation=manifest.generation)
            self._note_rejects()
            loads = [*history.loads, self.record] if appending else [self.record]
            write_json(folder / LOAD_FILE, LoadHistory(loads=loads).model_dump(mode="json"))

        def write(out: Path) -> Written:
            made, accounts = write_tables(
                self.connection, mapping, parts, out, tables, before=self.before, append=appending, rejects=self.rejects,
                scratch=self.scratch, earlier=[load.delivered_at for load in history.loads], progress=self.progress,
            )  # fmt: skip
            self.note(tables=accounts)
            refuse_losses(self.record, limit=mapping.max_reject_share, rejects=self.rejects)
            return Written(self._facts(out, made), made)

        return store_generation(self.home, self.name, write, check=check)

    def _facts(self, out: Path, tables: dict[str, TableFacts]) -> BookFacts:
        mapping, zone = self.mapping, self.mapping.time_zone
        delivered = self.record.delivered_at.astimezone(ZoneInfo(zone)).date()
        first, last = mapping.first_day, mapping.last_day
        if first is None or last is None:
            earliest, latest = span(
                self.connection, {table: table_files(out, table) for table in tables}, zone, delivered
            )
            if self.record.mode == "append" and self.before is not None:
                latest = max(latest, self.before[1].facts.last_day)
            first, last = first or earliest, last or latest
        return BookFacts(
            first_day=first,
            last_day=last,
            time_zone=zone,
            currency=mapping.currency,
            current_only=mapping.current_only,
            roles=mapping.roles,
            lowered=mapping.severities,
            source=mapping.source,
        )

    def _remember_killed(self) -> None:
        """List a load that was killed once its book was current, and let rejects go whose load nobody will ever know."""
        listed = {record.load_id for record in list_loads(self.home)}
        for record in read_history(self.before[0]).loads if self.before else []:
            if record.load_id not in listed:
                write_record(self.home, record)
                listed.add(record.load_id)
        for folder in (self.home / "rejects").glob("*"):
            if folder.name not in listed:
                shutil.rmtree(folder, ignore_errors=True)

    def _note_rejects(self) -> None:
        self.note(rejects=f"rejects/{self.record.load_id}" if any(self.rejects.iterdir()) else "")

    def leave(self) -> None:
        """Close the scratch database, keep the record, and let old rejects go."""
        self.connection.close()
        shutil.rmtree(self.scratch, ignore_errors=True)
        self._note_rejects()
        if not self.record.rejects:
            self.rejects.rmdir()
        try:
            write_record(self.home, self.record)
        except OSError:  # a full disk; a load that was done is in its generation, and listed by the next one
            if self.record.status == "refused":
                shutil.rmtree(self.rejects, ignore_errors=True)
        kept = sorted((self.home / "rejects").iterdir(), key=lambda folder: folder.stat().st_mtime)
        for folder in kept[:-KEPT_REJECTS]:
            shutil.rmtree(folder, ignore_errors=True)

    def _fingerprint(self, delivery: Delivery) -> str:
        yaml = mapping_path(self.workspace, self.name).read_bytes()
        return hashlib.sha256(f"{delivery.digest}{SCHEMA_VERSION}{_code_hash()}".encode() + yaml).hexdigest()

    def _check(self, book: Book) -> None:
        remember(self.before, book.folder)
        findings, profile = check_book(book, load=self.record)
        keep_profile(profile, book.folder)
        self.note(findings=dict(Counter(finding.severity for finding in findings)))
        errors = [finding for finding in findings if finding.severity == "error"]
        if errors:
            lines = "\n  ".join(finding.sentence() for finding in errors)
            raise BookError(
                f"book {self.name}: the load was stopped, the book is as it was. The checks found:\n  {lines}\n"
                "Mend the delivery or the mapping; or lower the severity there, with a reason that the report shows."
            )


@cache
def _code_hash() -> str:
    """Return the hash of the code that makes a book, so that new code reads an old delivery anew."""
    digest = hashlib.sha256()
    book = Path(__file__).parent.parent
    for path in sorted(book.rglob("*.py")):
        if not path.is_relative_to(book / "simulation"):
            digest.update(path.read_bytes())
    return digest.hexdigest()
