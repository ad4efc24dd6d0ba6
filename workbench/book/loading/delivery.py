"""A delivery: every source of a mapping as a view of the scratch database, and what its lines are worth."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from workbench.book.loading.expressions import Formats
from workbench.book.loading.readers import create_readers, formats_in_view, with_readers
from workbench.book.mapping import Mapping, Source, Unpivot
from workbench.book.sources.files import (
    Opened,
    first_line,
    literal,
    matching,
    open_files,
    open_json_lines,
    quoted,
    unknown_column,
)
from workbench.book.sources.text_files import EXCERPT, RejectedLine
from workbench.core.errors import BookError, ParameterError
from workbench.core.workspace import Workspace


@dataclass
class Delivery:
    """The opened sources of one load."""

    folder: Path
    opened: dict[str, Opened] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)  # of REST resources: where the next load goes on
    absent: list[str] = field(default_factory=list)  # optional sources without a file here, and views over them

    @property
    def digest(self) -> str:
        """Hash of the content of all sources, and of the names of their files below the delivery's folder."""
        lines = [
            f"{name}:{_below(file['path'], self.folder)}:{file['sha256']}"
            for name, source in self.opened.items()
            for file in source.files
        ]
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _below(path: str, folder: Path) -> str:
    """Return what a mapping may read of a file's path: its name, and the folders within the delivery's own."""
    found = Path(path)
    return str(found.relative_to(folder)) if found.is_relative_to(folder) else found.name


def open_delivery(
    connection: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    workspace: Workspace,
    *,
    base: str | None,
    staging: Path,
    delivered_at: datetime,
    cursors: dict[str, str],
    structures: dict[str, str],
    append: bool,
    progress: Callable[[str], None],
) -> Delivery:
    """Open every source and create every view of a mapping.

    Parameters
    ----------
    base
        Folder or address of the delivery in place of the mapping's `from`.
    cursors
        Where REST resources with `since` go on from; empty for a load from the beginning.
    structures
        Of JSON sources in earlier loads of the same book: what a small delivery lacks is null, not unknown.
    append
        Whether the files of optional sources may be absent.

    Raises
    ------
    BookError, ParameterError
        From the source that is missing or damaged; a view that is no SQL.
    """
    place = _place(base or mapping.base, workspace)
    connection.execute(
        f"CREATE TABLE _delivery AS SELECT {literal(delivered_at.isoformat())}::TIMESTAMPTZ AS delivered_at"
    )
    delivery = Delivery((workspace.root / place).resolve())
    for name, source in mapping.sources.items():
        progress(f"source {name}")
        if append and source.optional and not _is_there(source, delivery.folder):
            delivery.absent.append(name)
            continue
        inner = source if source.unpivot is None else source.model_copy(update={"unpivot": None})
        target = name if source.unpivot is None else f"{name}__wide"
        opened = _open(
            connection,
            target,
            name,
            inner,
            workspace=workspace,
            place=place,
            staging=staging,
            delivery=delivery,
            since=cursors.get(name),
            known=structures.get(name, ""),
            progress=progress,
        )
        delivery.opened[name] = opened
        if source.unpivot is not None:
            _unpivot(connection, name, target, source.unpivot, opened)
        create_readers(connection, name, Formats.of(source))
    for name, select in mapping.views.items():
        if any(re.search(rf"\b{absent}\b", select) for absent in delivery.absent):
            delivery.absent.append(name)
            continue
        formats = formats_in_view(connection, mapping, name, expressions=[select], where=f"views.{name}")
        create_readers(connection, name, formats)
        try:
            connection.execute(f"CREATE VIEW {quoted(name)} AS {with_readers(select, name)}")
        except duckdb.Error as error:
            raise ParameterError(f"views.{name}: {str(error).splitlines()[0]}") from None
    return delivery


def _is_there(source: Source, folder: Path) -> bool:
    return source.files is None or any(matching(pattern, folder) for pattern in source.files)


def delivered_tables(mapping: Mapping, delivery: Delivery) -> Mapping:
    """Return the mapping of those parts of tables whose sources and views are all in the delivery.

    Raises
    ------
    BookError
        If there are none.
    """
    absent = set(delivery.absent)
    tables = {
        table: kept
        for table, parts in mapping.tables.items()
        if (kept := [part for part in parts if not absent & {part.source, *part.joins}])
    }
    if not tables:
        raise BookError(
            f"{delivery.folder}: there is no file of any source here. Name the delivery's folder with --from."
        )
    return mapping.model_copy(update={"tables": tables})


def _place(base: str, workspace: Workspace) -> str:
    place = base.replace("{real_data}", str(workspace.real_data))
    unknown = re.search(r"\{\w*\}", place)
    if unknown:
        raise ParameterError(
            f"from: {base}: unknown word {unknown.group()}; expected {{real_data}} alone, the folder of that name in "
            "params/workbench.yaml. Mend the mapping, or name the folder with --from."
        )
    return place


def _open(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    name: str,
    source: Source,
    *,
    workspace: Workspace,
    place: str,
    staging: Path,
    delivery: Delivery,
    since: str | None,
    known: str,
    progress: Callable[[str], None],
) -> Opened:
    """Make the source `name` the view `view`, fetching it first where it lies elsewhere."""
    if source.files is not None:
        base = (workspace.root / place).resolve()
        return open_files(connection, view, source, base=base, staging=staging, known=known)
    opened = Opened(view)
    if source.sql is not None:
        from workbench.book.sources.sql import fetch_sql

        table = staging / f"{name}.parquet"
        place_in_url = str((workspace.root / place).resolve())
        database = source.sql.model_copy(update={"url": source.sql.url.replace("{from}", place_in_url)})
        fetch_sql(database, out=table, root=workspace.root, environment=os.environ)
        connection.execute(f"CREATE VIEW {quoted(view)} AS SELECT * FROM read_parquet({literal(str(table))})")
        _note_file(opened, table, "sql")
    elif source.rest is not None:
        from workbench.book.sources.rest import fetch_rest

        resource = source.rest
        if "{from}" in resource.url:
            resource = resource.model_copy(update={"url": resource.url.replace("{from}", place.rstrip("/"))})
        lines = staging / f"{name}.jsonl"
        facts = fetch_rest(
            resource, out=lines, root=workspace.root, environment=os.environ, progress=progress, since=since
        )
        if facts.cursor is not None:
            delivery.cursors[name] = facts.cursor
        told = (
            (facts.changed_between_pages, "records changed between pages: the newest was kept"),
            (facts.duplicates, "records came twice: kept once"),
            (facts.retries, "requests were tried again"),
            (facts.rereads, "times the list was read anew, as records moved between pages"),
        )
        opened.repairs += [f"{count:,} {what}" for count, what in told if count]
        opened.lines = facts.rows
        _note_file(opened, lines, "rest")
        open_json_lines(connection, opened, [lines], known=known)
    return opened


def _note_file(opened: Opened, path: Path, kind: str) -> None:
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    opened.files.append({"path": kind, "size": path.stat().st_size, "sha256": sha256})


def _unpivot(connection: duckdb.DuckDBPyConnection, name: str, wide: str, unpivot: Unpivot, opened: Opened) -> None:
    names = list(unpivot.values)
    places = [[pattern.replace("{}", str(item)) for pattern in unpivot.values.values()] for item in unpivot.over]
    columns = [row[0] for row in connection.execute(f"DESCRIBE {quoted(wide)}").fetchall()]
    for column in (column for place in places for column in place):
        if column.lower() not in [known.lower() for known in columns]:
            words = " ".join(named for place in places for named in place)
            raise ParameterError(f"sources.{name}.unpivot: {unknown_column(column, columns, words=words)}")
    lists = ", ".join(
        f"({', '.join(quoted(column) for column in place)}) AS {literal(str(item))}"
        for place, item in zip(places, unpivot.over, strict=True)
    )
    connection.execute(
        f"CREATE VIEW {quoted(name)} AS SELECT * FROM {quoted(wide)} UNPIVOT INCLUDE NULLS "
        f"(({', '.join(quoted(column) for column in names)}) FOR {quoted(unpivot.name)} IN ({lists}))"
    )


def unreadable_lines(connection: duckdb.DuckDBPyConnection, opened: Opened) -> list[RejectedLine]:
    """Return the lines that a CSV reader has refused so far, each once, beside those refused before it."""
    noted = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = ?", [opened.rejects_table]
    ).fetchall()[0][0]
    if not noted:
        return list(opened.rejected)
    rows: list[tuple[Any, ...]] = connection.execute(
        f"SELECT DISTINCT file_path, line, lower(error_type::VARCHAR), csv_line[:{EXCERPT}] "
        f"FROM {opened.rejects_table} JOIN {opened.rejects_table}_scan USING (scan_id, file_id) ORDER BY ALL"
    ).fetchall()
    lines: dict[tuple[str, int], RejectedLine] = {}
    for path, line, reason, text in rows:
        lines.setdefault((path, line), RejectedLine(Path(path).name, line, reason, text or ""))
    return [*opened.rejected, *lines.values()]


@dataclass(frozen=True)
class TextCount:
    """Lines of the text files of one name, and those of them that are blank."""

    lines: int
    blank: int


def text_counts(source: Source, opened: Opened) -> dict[str, TextCount]:
    """Read the text files of a source again and count their lines and blank lines, by the name of the file."""
    counts: dict[str, TextCount] = {}
    if source.files is None or source.is_excel or opened.lines is None:
        return counts
    for path in (Path(file["path"]) for file in opened.files):
        with path.open("rb") as stream:
            marked = stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        wide = source.encoding if re.search("16|32", source.encoding) else "utf-16" if marked else ""
        lines = blank = 0
        with path.open(encoding=wide or "latin-1", errors="replace") as text:  # elsewhere a newline is that of ASCII
            for line in text:
                lines += 1
                blank += not line.strip("\n\0")
        before = counts.get(path.name, TextCount(0, 0))
        counts[path.name] = TextCount(before.lines + lines, before.blank + blank)
    return counts


def rows_read(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    """Return how many rows a source gives."""
    try:
        found: int = connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchall()[0][0]
    except duckdb.Error as error:
        raise ParameterError(f"sources.{name}: {first_line(error)}") from None
    return found
