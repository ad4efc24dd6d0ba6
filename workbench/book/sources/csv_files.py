"""CSV files as a view, all columns as text, so that no guess decides what a value is."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import duckdb

from workbench.book.mapping import Source
from workbench.book.sources.opened import (
    FILE_COLUMN,
    Opened,
    Readable,
    delivered_name,
    listed,
    literal,
    looked_through,
    quoted,
    refuse_doubled,
)
from workbench.book.sources.text_files import guess_encoding
from workbench.core.errors import BookError


def open_csv(
    connection: duckdb.DuckDBPyConnection,
    opened: Opened,
    paths: Sequence[Path],
    source: Source,
    staging: Path,
    *,
    texts: Sequence[Path] = (),
) -> None:
    """Make CSV files the view of a source; `texts` are CSV copies to read in place of files of another kind.

    Raises
    ------
    BookError
        If a file is empty, or its header does not hold.
    """
    groups: dict[tuple[tuple[str, ...], str], list[Readable]] = {}
    columns: dict[Path, tuple[str, ...]] = {}
    opened.lines = 0
    for number, path in enumerate(paths):
        folder = staging / f"{opened.name}-{number}"
        file = looked_through(opened, path, source, folder, text=texts[number] if texts else None)
        names = columns[path] = tuple(source.columns or _header(file, source))
        opened.lines += file.facts.lines - source.header
        newline = "\\r\\n" if not file.is_copy and file.facts.crlf else "\\n"
        groups.setdefault((names, newline), []).append(file)
    opened.note_lacking(columns)
    parts = []
    missing = ", ".join(literal(text) for text in ["", *source.missing])
    for (names, newline), group in groups.items():
        types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
        parts.append(
            f"SELECT * REPLACE ({delivered_name(group)} AS {FILE_COLUMN}) "
            f"FROM read_csv({listed([file.path for file in group])}, columns = {{{types}}}, auto_detect = false, "
            f"header = {str(source.header).lower()}, delim = {literal(source.delimiter)}, "
            f"quote = {literal(source.quote)}, escape = {literal(source.quote)}, nullstr = [{missing}], "
            f"new_line = '{newline}', {opened.rejects_options}, filename = '{FILE_COLUMN}')"
        )
    opened.has_file_column = True
    connection.execute(f"CREATE VIEW {quoted(opened.name)} AS {' UNION ALL BY NAME '.join(parts)}")


def _header(file: Readable, source: Source) -> list[str]:
    path = file.delivered
    with file.path.open("rb") as stream:
        head = stream.read(1 << 16)
    try:
        text = head.decode("utf-8-sig", errors="strict" if file.facts.utf8 or file.is_copy else "replace")
    except UnicodeDecodeError:
        text = head.decode("utf-8-sig", errors="replace")  # cut within a character at the end of the head
    try:
        names = next(csv.reader(io.StringIO(text), delimiter=source.delimiter, quotechar=source.quote or None,
                                quoting=csv.QUOTE_MINIMAL if source.quote else csv.QUOTE_NONE), [])  # fmt: skip
    except csv.Error:
        names = []
    if not names:
        raise BookError(
            f"{path}: no line of text in {source.encoding} was found, not even a header. Is it a packed file, or of another "
            "kind than its name says? Deliver it again as text, or set encoding in the mapping."
        )
    names = [name.strip() or f"column{number}" for number, name in enumerate(names, start=1)]
    without = "Mend the export; or, if there is no header line, set header: false and columns in the mapping."
    refuse_doubled(path, names, remedy=without)
    if "�" in "".join(names):
        guess = guess_encoding(path)
        raise BookError(
            f"{path}: the header is no {source.encoding}. Set encoding in the mapping"
            + (f", perhaps to {guess}." if guess else ".")
        )
    return names
