"""Files as views of DuckDB: found by glob, looked through, and read as text so that no guess decides what a value is."""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Any

import duckdb

from workbench.book.mapping import FORMATS, Source
from workbench.book.sources.text_files import (
    EXCERPT,
    CleanText,
    RejectedLine,
    TextFacts,
    clean_copy,
    guess_encoding,
    inspect,
    needs_cleaning,
)
from workbench.core.errors import BookError, ParameterError, nearest

FILE_COLUMN = "_file"


@dataclass
class Opened:
    """A source that is a view by now: what it is made of, and what was noticed on the way.

    `lines` counts the records that the files hold by their newlines; None where the format counts them itself.
    """

    name: str
    files: list[dict[str, Any]] = field(default_factory=list)  # path, size, sha256
    lines: int | None = None
    repairs: list[str] = field(default_factory=list)
    rejected: list[RejectedLine] = field(default_factory=list)
    has_file_column: bool = False
    structure: str = ""  # of JSON objects

    @property
    def rejects_table(self) -> str:
        """Table in which DuckDB notes the lines of this source that it could not read."""
        return f"_lines_{self.name}"


def find_files(patterns: Sequence[str], base: Path, *, what: str) -> list[Path]:
    """Return the files of the patterns, sorted, each once.

    Raises
    ------
    BookError
        If a pattern finds nothing; a file beside it with a near name is named.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        full = Path(pattern) if Path(pattern).is_absolute() else base / pattern
        matches = sorted(Path(match) for match in glob.glob(str(full)) if Path(match).is_file())  # noqa: PTH207
        if not matches:
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
        texts = [_sheet_as_text(path, source, staging / f"{name}-{number}.csv") for number, path in enumerate(paths)]
        opened.files = [_file_facts(path) for path in paths]
        plain = source.model_copy(update={"delimiter": ",", "quote": '"', "encoding": "utf-8", "header": True})
        _csv(connection, opened, texts, plain, staging)
    elif kind == "csv":
        _csv(connection, opened, paths, source, staging)
    elif kind == "jsonl":
        _jsonl(connection, opened, paths, source, staging, known)
    else:
        raise ParameterError(
            f"sources.{name}: {paths[0].name}: the ending says no format; add format: csv, parquet, excel or jsonl."
        )
    return opened


def quoted(name: str) -> str:
    """Return a name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _parquet(connection: duckdb.DuckDBPyConnection, opened: Opened, paths: list[Path]) -> None:
    opened.files = [_file_facts(path) for path in paths]
    for path in paths:
        try:
            connection.execute(f"SELECT 1 FROM read_parquet({literal(str(path))}) LIMIT 0")
        except duckdb.Error as error:
            raise BookError(f"{path}: cannot be read as Parquet: {first_line(error)}. Deliver it again.") from None
    listed = ", ".join(literal(str(path)) for path in paths)
    connection.execute(
        f"CREATE VIEW {quoted(opened.name)} AS SELECT * FROM read_parquet([{listed}], union_by_name = true)"
    )


def _csv(
    connection: duckdb.DuckDBPyConnection, opened: Opened, paths: list[Path], source: Source, staging: Path
) -> None:
    groups: dict[tuple[tuple[str, ...], str], list[Path]] = {}
    opened.lines = 0
    for number, path in enumerate(paths):
        facts, clean = _looked_through(opened, path, source, staging / f"{opened.name}-{number}.txt")
        names = tuple(source.columns or _header(path, clean, source, facts))
        opened.lines += facts.lines - source.header
        newline = "\\r\\n" if clean is path and facts.crlf else "\\n"
        groups.setdefault((names, newline), []).append(clean)
    parts = []
    for (names, newline), group in groups.items():
        listed = ", ".join(literal(str(path)) for path in group)
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
        missing = ", ".join(literal(text) for text in ["", *source.missing])
        parts.append(
            f"SELECT * FROM read_csv([{listed}], columns = {{{columns}}}, auto_detect = false, "
            f"header = {str(source.header).lower()}, delim = {literal(source.delimiter)}, "
            f"quote = {literal(source.quote)}, escape = {literal(source.quote)}, nullstr = [{missing}], "
            f"new_line = '{newline}', {_rejects(opened)}, filename = '{FILE_COLUMN}')"
        )
    everywhere = {name.lower(): name for names, _newline in groups for name in names}
    for (names, _newline), group in groups.items():
        lacking = [name for lower, name in everywhere.items() if lower not in [known.lower() for known in names]]
        if lacking:
            what = f"{len(lacking)} columns that other files of this source have are missing: left empty"
            opened.repairs += [f"{path.name}: {what}" for path in group]
    opened.has_file_column = True
    connection.execute(f"CREATE VIEW {quoted(opened.name)} AS {' UNION ALL BY NAME '.join(parts)}")


def _jsonl(
    connection: duckdb.DuckDBPyConnection, opened: Opened, paths: list[Path], source: Source, staging: Path, known: str
) -> None:
    cleaned, opened.lines = [], 0
    for number, path in enumerate(paths):
        copy = staging / f"{opened.name}-{number}.txt"
        facts, clean = _looked_through(opened, path, source, copy, newline_only=True)
        cleaned.append(clean)
        opened.lines += facts.lines
    open_json_lines(connection, opened, cleaned, known=known)


def open_json_lines(
    connection: duckdb.DuckDBPyConnection, opened: Opened, paths: Sequence[Path], *, known: str = ""
) -> None:
    """Make files of one JSON object a line the view of a source; lines that are no object are noted as rejected.

    `known` is the structure that an earlier delivery had: what this one happens to lack is null.
    """
    listed = ", ".join(literal(str(path)) for path in paths)
    lines = (
        f"read_csv([{listed}], columns = {{'line': 'VARCHAR'}}, auto_detect = false, header = false, delim = '\x01', "
        f"quote = '', escape = '', new_line = '\\n', {_rejects(opened)}, filename = '{FILE_COLUMN}')"
    )
    good = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"  # AND would evaluate both
    bad = connection.execute(
        f"SELECT {FILE_COLUMN}, line[:{EXCERPT}] FROM {lines} WHERE line IS NOT NULL AND NOT {good}"
    ).fetchall()
    opened.rejected += [RejectedLine(Path(file).name, 0, "is no JSON object", text) for file, text in bad]
    if opened.lines is not None:
        blank = connection.execute(f"SELECT count(*) FROM {lines} WHERE line IS NULL").fetchall()[0][0]
        opened.lines -= blank
    line = f"CASE WHEN {good} THEN line END" if bad else "line"  # a filter may be evaluated after what it guards
    found = connection.execute(
        f"SELECT json_group_structure(({line})::JSON)::VARCHAR FROM {lines} WHERE {good}"
    ).fetchall()[0][0]
    if found is None and not known:
        raise BookError(f"sources.{opened.name}: no line of {', '.join(path.name for path in paths)} is a JSON object.")
    opened.structure = json.dumps(_merged(json.loads(known or "{}"), json.loads(found or "{}")))
    try:
        connection.execute(
            f"CREATE VIEW {quoted(opened.name)} AS "
            f"SELECT unnest(from_json({line}, {literal(opened.structure)})) FROM {lines} WHERE {good}"
        )
    except duckdb.Error as error:
        raise BookError(
            f"sources.{opened.name}: the members of its objects cannot be columns, perhaps because two names differ in upper "
            f"and lower case alone: {type(error).__name__}. Mend the export."
        ) from None


def _merged(known: Any, found: Any) -> Any:
    """Return the JSON structure with all members of both; where they differ, the one that is found now."""
    if isinstance(known, dict) and isinstance(found, dict):
        return {name: _merged(known.get(name), found.get(name)) for name in {**known, **found}}
    kept = known if found in (None, "NULL") else found
    if isinstance(kept, list):
        return [_merged(None, kept[0])]
    if isinstance(kept, dict):
        return {name: _merged(None, value) for name, value in kept.items()}
    return "VARCHAR" if kept in (None, "NULL") else kept


def _rejects(opened: Opened) -> str:
    return (
        f"store_rejects = true, rejects_table = '{opened.rejects_table}', rejects_scan = '{opened.rejects_table}_scan', "
        "rejects_limit = 0"
    )


def _looked_through(
    opened: Opened, path: Path, source: Source, copy: Path, *, newline_only: bool = False
) -> tuple[TextFacts, Path]:
    """Inspect a text file; return what was found and the path to read: its own, or that of a clean copy."""
    facts = inspect(path)
    if path.parent != copy.parent:  # not a text that we made ourselves
        opened.files.append({"path": str(path), "size": facts.size, "sha256": facts.sha256})
    if not facts.size:
        raise BookError(f"{path}: the file is empty. Deliver it again, or take it out of sources.{opened.name}.")
    if facts.ends_open:
        opened.repairs.append(f"{path.name}: the last line has no newline: the file may have been cut")
    if facts.bom == "utf-8":
        opened.repairs.append(f"{path.name}: a byte order mark was skipped")
    if not needs_cleaning(facts, encoding=source.encoding, header=source.header) and not (newline_only and facts.crlf):
        return facts, path
    clean: CleanText = clean_copy(path, copy, encoding=source.encoding, facts=facts)
    opened.repairs += [f"{path.name}: {repair}" for repair in clean.repairs]
    opened.rejected += clean.rejected
    if facts.bom.startswith(("utf-16", "utf-32")) or facts.lone_cr or not facts.lines:
        facts = TextFacts(**{**vars(facts), "lines": inspect(copy).lines + len(clean.rejected)})
    return facts, copy


def _header(path: Path, clean: Path, source: Source, facts: TextFacts) -> list[str]:
    with clean.open("rb") as stream:
        head = stream.read(1 << 16)
    try:
        text = head.decode("utf-8-sig", errors="strict" if facts.utf8 or clean is not path else "replace")
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
    seen: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        if name.lower() in seen:  # without a header line the names are a customer's values: not shown
            raise BookError(
                f"{path}: columns {seen[name.lower()]} and {place} have the same name in the header; expected each column "
                "once. Mend the export; or, if there is no header line, set header: false and columns in the mapping."
            )
        seen[name.lower()] = place
    if "�" in "".join(names):
        guess = guess_encoding(path)
        raise BookError(
            f"{path}: the header is no {source.encoding}. Set encoding in the mapping"
            + (f", perhaps to {guess}." if guess else ".")
        )
    return names


def _file_facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"path": str(path), "size": path.stat().st_size, "sha256": sha256}


def _sheet_as_text(path: Path, source: Source, out: Path) -> Path:
    """Write one sheet of an Excel file as CSV: dates in ISO form, numbers with the source's decimal sign."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        raise BookError(f"{path}: cannot be read as Excel: {first_line(error)}. Deliver it again.") from None
    if source.sheet is not None and source.sheet not in book.sheetnames:
        hint = nearest(source.sheet, book.sheetnames)
        raise BookError(f"{path}: no sheet {source.sheet!r}.{hint} It has: {', '.join(book.sheetnames)}.")
    sheet = book[source.sheet] if source.sheet else book.worksheets[0]
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        width = 0
        for row in _rows(sheet, path):
            width = width or len(row)
            if any(value is not None for value in row):
                texts = [_cell(value, source) for value in row[:width]]
                writer.writerow(texts + [""] * (width - len(texts)))
    book.close()
    return out


def _rows(sheet: Any, path: Path) -> Iterator[tuple[Any, ...]]:
    try:
        yield from sheet.iter_rows(values_only=True)
    except Exception as error:  # openpyxl lets the XML parser's errors through
        raise BookError(f"{path}: damaged within: {first_line(error)}. Deliver it again.") from None


def _cell(value: Any, source: Source) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):  # a cell that shows a date alone is a midnight here
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        text = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        return text.replace(".", source.decimal)
    return str(value)


def unknown_column(name: str, columns: Sequence[str], *, words: str) -> str:
    """Return the sentence for a column that a source lacks; `words` are the names that the mapping uses.

    Where they are not among the columns, the file may have no header, and its columns be called as a customer is.
    """
    used = {word.lower() for word in re.findall(r"\w+", words)}
    known = [column for column in columns if column.lower() in used]
    if len(known) >= 2 or 2 * len(known) >= len(columns):
        return f"unknown column {name!r}.{nearest(name, columns)} The source has: {', '.join(columns)}."
    return (
        f"unknown column {name!r}. The source has {len(columns)} columns, and their names are not those that the mapping "
        "uses. Mend delimiter or encoding in the mapping; where the file has no header line, set header: false and columns."
    )


def no_room(error: duckdb.Error) -> bool:
    """Return whether it is the scratch database that cannot be written, and no source that cannot be read."""
    kinds = (duckdb.IOException, duckdb.TransactionException)
    return isinstance(error, kinds) and re.search(r"write|space left|too large|quota", str(error)) is not None


def first_line(error: Exception) -> str:
    """Return the first line of an error; values in it, which may be a customer's, are hidden."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(error, duckdb.DataError):
        text = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", text)
    return text.rstrip(".")
