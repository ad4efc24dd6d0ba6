"""Files as views of DuckDB: found by glob, and opened by their kind."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from workbench.book.mapping import FORMATS, Source
from workbench.book.sources.csv_files import open_csv
from workbench.book.sources.error_words import first_line, no_room
from workbench.book.sources.excel import sheet_as_text
from workbench.book.sources.json_lines import open_json_lines, open_jsonl
from workbench.book.sources.opened import FILE_COLUMN, Opened, listed, literal, quoted, refuse_doubled, unknown_column
from workbench.core.errors import BookError, ParameterError, nearest

__all__ = [
    "FILE_COLUMN", "Opened", "find_files", "first_line", "literal", "no_room", "open_files", "open_json_lines", "quoted",
    "unknown_column",
]  # fmt: skip


def matching(pattern: str, base: Path) -> list[Path]:
    """Return the files that a pattern finds below `base`, sorted."""
    return sorted(base / match for match in glob.glob(pattern, root_dir=base) if (base / match).is_file())  # noqa: PTH207


def find_files(patterns: Sequence[str], base: Path, *, what: str) -> list[Path]:
    """Return the files of the patterns, sorted, each once.

    Raises
    ------
    BookError
        If a pattern finds nothing; a file beside it with a near name is named.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = matching(pattern, base)
        if not matches:
            full = base / pattern
            beside = [path.name for path in full.parent.glob("*")] if full.parent.is_dir() else []
            raise BookError(
                f"{what}: no file matches {full}.{nearest(full.name, beside)} "
                "Put the delivery there, mend the mapping, or name its folder with --from; where the mapping says "
                "{real_data}, set that (WORKBENCH_REAL_DATA, or real_data in params/workbench.yaml)."
            )
        found.update(dict.fromkeys(match.resolve() for match in matches))
    return list(found)


def open_files(
    connection: duckdb.DuckDBPyConnection, name: str, source: Source, *, base: Path, staging: Path, known: str = ""
) -> Opened:
    """Make the files of a source the view `name`, all columns as the files hold them.

    Raises
    ------
    BookError
        If a file is missing, empty, damaged, or its header does not hold.
    ParameterError
        If the format or the encoding is unknown.
    """
    opened = Opened(name)
    paths = find_files(source.files or [], base, what=f"sources.{name}")
    kind = source.format or FORMATS.get(paths[0].suffix.lower(), "")
    if kind == "parquet":
        _parquet(connection, opened, paths)
    elif kind == "excel":
        _excel(connection, opened, paths, source, staging)
    elif kind == "csv":
        open_csv(connection, opened, paths, source, staging)
    elif kind == "jsonl":
        open_jsonl(connection, opened, paths, source, staging, known=known)
    else:
        raise ParameterError(
            f"sources.{name}: {paths[0].name}: the ending says no format; add format: csv, parquet, excel or jsonl."
        )
    return opened


def _parquet(connection: duckdb.DuckDBPyConnection, opened: Opened, paths: list[Path]) -> None:
    columns = {}
    for path in paths:
        opened.note_file(path)
        try:
            connection.execute(f"SELECT 1 FROM read_parquet({literal(str(path))}) LIMIT 0")
        except duckdb.Error as error:
            raise BookError(f"{path}: cannot be read as Parquet: {first_line(error)}. Deliver it again.") from None
        columns[path] = pq.read_schema(path).names
        refuse_doubled(path, columns[path], remedy="Mend the export.")
    opened.note_lacking(columns)
    connection.execute(
        f"CREATE VIEW {quoted(opened.name)} AS SELECT * FROM read_parquet({listed(paths)}, union_by_name = true)"
    )


def _excel(
    connection: duckdb.DuckDBPyConnection, opened: Opened, paths: list[Path], source: Source, staging: Path
) -> None:
    texts = []
    for number, path in enumerate(paths):
        opened.note_file(path)
        text = staging / f"{opened.name}-{number}" / path.name
        text.parent.mkdir()
        opened.repairs += sheet_as_text(path, source, text)
        texts.append(text)
    plain = source.model_copy(update={"delimiter": ",", "quote": '"', "encoding": "utf-8"})
    open_csv(connection, opened, paths, plain, staging, texts=texts)
