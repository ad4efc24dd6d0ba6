"""`import_book`: read a delivery by its mapping, stage and check it, and make the book current in one step."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from workbench.book.book import Book
from workbench.book.checks import check_book
from workbench.book.checks.deliveries import keep_profile, remember
from workbench.book.definitions import Definitions
from workbench.book.loading.append import MAX_PARTS, append_table, carry_over, merge_parts
from workbench.book.loading.delivery import Delivery, open_delivery, rows_read, unreadable_lines
from workbench.book.loading.record import (
    KEPT_REJECTS,
    LOAD_FILE,
    LoadHistory,
    LoadRecord,
    SourceLoad,
    TableLoad,
    list_loads,
    read_history,
    write_record,
)
from workbench.book.loading.stage import StagedPart, fault_counts, prepare_part, rows_staged, stage, write_rejects
from workbench.book.loading.write import compare, good_rows, write_lines, write_table
from workbench.book.mapping import Mapping, load_mapping, mapping_path
from workbench.book.schema import SCHEMA_VERSION, TABLES
from workbench.book.sources.files import Opened, first_line, literal
from workbench.book.store import (
    BookFacts,
    BookManifest,
    TableFacts,
    Written,
    check_columns,
    current_generation,
    file_sha256,
    list_books,
    store_generation,
    table_facts,
    table_files,
    writing,
)
from workbench.core.errors import BookError, InputError
from workbench.core.files import staging_folder, write_json
from workbench.core.workspace import Workspace
from workbench.core.yaml_files import load_params

Progress = Callable[[str], None]
MOVING = ["payments", "performance", "transactions", "events"]  # tables whose rows make a book's first and last day


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
    except (OSError, duckdb.IOException) as error:
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
        if append and self.before is not None and not read_history(self.before[0]).loads:
            raise BookError(f"book {name}: it was not made by an import, so nothing can be appended to it.")
        load_id = f"{delivered_at:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        self.record = LoadRecord(
            load_id=load_id, book=name, mode="append" if append else "import", status="done", delivered_at=delivered_at
        )
        self.rejects = home / "rejects" / load_id
        self._remember_killed()
        self.rejects.mkdir(parents=True)
        settings = workspace.settings
        workspace.scratch.mkdir(parents=True, exist_ok=True)
        self.connection = duckdb.connect(
            str(scratch / "load.duckdb"),
            config={
                "threads": settings.threads,
                "memory_limit": settings.memory,
                "temp_directory": str(scratch),
                "autoinstall_known_extensions": False,
                "preserve_insertion_order": False,
            },
        )
        self.connection.execute("SET TimeZone = 'UTC'")

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
            progress=self.progress,
        )
        self.note(fingerprint=self._fingerprint(delivery), cursors=delivery.cursors)
        seen = history.fingerprints if appending else {load.fingerprint for load in history.loads[:1]}
        if self.before is not None and self.record.fingerprint in seen and (appending or len(history.loads) == 1):
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
        self._count(parts, delivery)
        self._refuse_rejects()
        definitions = load_params(Definitions, self.workspace.params / "definitions.yaml")

        def check(folder: Path, manifest: BookManifest) -> None:
            self.progress("checks")
            self._check(Book(folder, manifest, self.workspace, definitions))
            self.note(generation=manifest.generation)
            self._note_rejects()
            loads = [*history.loads, self.record] if appending else [self.record]
            write_json(folder / LOAD_FILE, LoadHistory(loads=loads).model_dump(mode="json"))

        return store_generation(self.home, self.name, lambda out: self._write(parts, out), check=check)

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
        with suppress(OSError):  # a full disk; a load that was done is in its generation, and listed by the next one
            write_record(self.home, self.record)
        for folder in sorted((self.home / "rejects").iterdir())[:-KEPT_REJECTS]:
            shutil.rmtree(folder, ignore_errors=True)

    def _fingerprint(self, delivery: Delivery) -> str:
        yaml = mapping_path(self.workspace, self.name).read_bytes()
        return hashlib.sha256(f"{delivery.digest}{SCHEMA_VERSION}{_code_hash()}".encode() + yaml).hexdigest()

    def _count(self, parts: list[StagedPart], delivery: Delivery) -> None:
        """Count rows, faults and unreadable lines, and write what is rejected."""
        sources, tables = {}, {}
        for name, opened in delivery.opened.items():
            lines = unreadable_lines(self.connection, opened)
            reasons = Counter(line.reason for line in lines)
            lost = self._lines_without_a_row(name, opened, parts) - len(lines)
            if lost > 0 and any("quote" in reason for reason in reasons):
                reasons["swallowed by an open quote"] = lost
            elif lost > 0:
                opened.repairs.append(f"{lost:,} lines are blank, or go on with a text in quotes that the line before began")
            if lines:
                write_lines([vars(line) for line in lines], self.rejects / f"{name}.lines.jsonl")
            sources[name] = SourceLoad(
                files=opened.files,
                lines=opened.lines,
                structure=opened.structure,
                rejected_lines=dict(reasons),
                repairs=opened.repairs,
            )
        for table in self.mapping.tables:
            rows = rejected = 0
            fatal: Counter[str] = Counter()
            emptied: Counter[str] = Counter()
            for part in (part for part in parts if part.table == table):
                count, bad, faults = fault_counts(self.connection, part)
                rows, rejected = rows + count, rejected + bad
                for fault, number in faults.items():
                    (fatal if fault.fatal else emptied)[fault.what] += number
                if faults:
                    write_rejects(self.connection, part, self.rejects / f"{table}-{part.number}.csv")
            tables[table] = TableLoad(
                rows_in=rows,
                rejected_rows=rejected,
                rejected=dict(fatal),
                emptied=dict(emptied),
                rows_out=rows - rejected,
            )
        self.note(sources=sources, tables=tables)

    def _lines_without_a_row(self, name: str, opened: Opened, parts: list[StagedPart]) -> int:
        if opened.lines is None:
            return 0
        whole = [part for part in parts if part.source == name and self._is_whole(part)]
        return opened.lines - (rows_staged(self.connection, whole[0]) if whole else rows_read(self.connection, name))

    def _is_whole(self, part: StagedPart) -> bool:
        """Return whether a part has a row for each of its source's."""
        mapped = self.mapping.tables[part.table][part.number]
        return mapped.where is None and not mapped.joins

    def _refuse_rejects(self) -> None:
        """Stop a load of which too much cannot be read."""
        limit = self.mapping.max_reject_share
        found = []
        for name, source in self.record.sources.items():
            lost = sum(source.rejected_lines.values())
            if lost > limit * max(source.lines or 0, 1):
                reasons = ", ".join(f"{reason} ({count:,})" for reason, count in source.rejected_lines.items())
                found.append(f"source {name}: {lost:,} of {source.lines:,} lines hold no record: {reasons}")
        for table, load in self.record.tables.items():
            for reason, count in load.rejected.items():
                if count > limit * load.rows_in:
                    found.append(f"{table}: {count:,} of {load.rows_in:,} rows rejected: {reason}")
            if load.rejected_rows + load.conflicts > limit * load.rows_in and not any(
                count > limit * load.rows_in for count in load.rejected.values()
            ):
                found.append(f"{table}: {load.rejected_rows + load.conflicts:,} of {load.rows_in:,} rows rejected")
            for reason, count in load.emptied.items():
                if count > limit * load.rows_in:
                    found.append(f"{table}: {count:,} of {load.rows_in:,} values unusable: {reason}")
        if found:
            raise BookError(
                f"book {self.name}: the load was stopped, the book is as it was. Over {limit:.2%} (max_reject_share) is lost:\n"
                + "".join(f"  {line}\n" for line in found)
                + f"See {self.rejects} for the rows. Mend the delivery or the mapping, and import again."
            )

    def _write(self, parts: list[StagedPart], out: Path) -> Written:
        made: dict[str, TableFacts] = {}
        carried = self.before if self.record.mode == "append" else None
        if carried is not None:
            for table in carried[1].tables:
                carry_over(table_files(carried[0], table), out)
                made[table] = carried[1].tables[table]
        for table in self.mapping.tables:
            self.progress(f"writing {table}")
            masks = {part.number: part.fatal for part in parts if part.table == table}
            source = good_rows(table, masks)
            if carried is None or table not in made:
                path = out / f"{table}.parquet"
                written = write_table(self.connection, table, source, path, self.rejects / f"{table}-conflicts.csv")
                check_columns(path, table)
                made[table] = table_facts(written.rows, written.keys, {path.name: file_sha256(path)})
                self._compare(table, made[table], path)
                self._note_table(
                    table, duplicates=written.duplicates, conflicts=written.conflicts, rows_out=written.rows
                )
            else:
                made[table] = self._append(table, source, made[table], out)
            self.connection.execute(f"DROP TABLE _stage_{table}")
        self._refuse_rejects()
        return Written(self._facts(out, made), made)

    def _compare(self, table: str, facts: TableFacts, path: Path) -> None:
        """Note what of the book before this delivery lacks or tells otherwise."""
        if self.before is None or table not in self.before[1].tables or self.before[1].tables[table].sha256 == facts.sha256:
            return
        old = [file for file in table_files(self.before[0], table) if file.exists()]
        if old:
            gone, rewritten = compare(self.connection, table, old, [path])
            self._note_table(table, gone=gone, rewritten=rewritten)

    def _append(self, table: str, source: str, before: TableFacts, out: Path) -> TableFacts:
        delivered = self.scratch / f"{table}.delivered.parquet"
        written = write_table(self.connection, table, source, delivered, self.rejects / f"{table}-conflicts.csv")
        files = table_files(out, table)
        path = out / f"{table}+{len(files):04d}.parquet"
        added = append_table(
            self.connection, table, delivered, files, path, self.rejects / f"{table}-contradictions.csv"
        )
        self._note_table(
            table,
            duplicates=written.duplicates,
            conflicts=written.conflicts + added.conflicts,
            unchanged=added.unchanged,
            corrections=added.corrections,
            rows_out=added.rows,
        )
        if not added.rows:
            return before
        check_columns(path, table)
        if len(files) + 1 > MAX_PARTS:
            rows, keys = merge_parts(self.connection, table, [*files, path])
            return table_facts(rows, keys, {files[0].name: file_sha256(files[0])})
        hashes = {**before.files, path.name: file_sha256(path)}
        return table_facts(before.rows + added.rows, before.keys + added.new_keys, hashes)

    def _note_table(self, table: str, **facts: Any) -> None:
        tables = {**self.record.tables, table: self.record.tables[table].model_copy(update=facts)}
        self.note(tables=tables)

    def _facts(self, out: Path, tables: dict[str, TableFacts]) -> BookFacts:
        mapping, zone = self.mapping, self.mapping.time_zone
        delivered = self.record.delivered_at.astimezone(ZoneInfo(zone)).date()
        first, last = mapping.first_day, mapping.last_day
        if first is None or last is None:
            earliest, latest = self._span(out, tables, zone, delivered)
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

    def _span(self, out: Path, tables: dict[str, TableFacts], zone: str, delivered: date) -> tuple[date, date]:
        """Return the first and last day on which something happened that makes the book move, none after the delivery."""
        moving = [name for name in MOVING if name in tables] or ["loans"]
        self.connection.execute(f"SET TimeZone = {literal(zone)}")
        days = []
        for table in moving:
            name = TABLES[table].occurred
            column = (
                f"({name} AT TIME ZONE 'UTC')::DATE" if TABLES[table].column(str(name)).dtype == "timestamp" else name
            )
            files = ", ".join(literal(str(path)) for path in table_files(out, table))
            row = self.connection.execute(
                f"SELECT min({column}), max({column}) FROM read_parquet([{files}]) WHERE {column} <= DATE '{delivered}'"
            ).fetchall()[0]
            days += [day for day in row if day is not None]
        if not days:
            raise BookError(
                f"book {self.name}: no row of {', '.join(moving)} happened by {delivered}; expected a book with a past. "
                "Look at the date columns of the mapping, or set first_day and last_day."
            )
        return min(days), max(days)

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
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        if path.parent.name != "simulation":
            digest.update(path.read_bytes())
    return digest.hexdigest()
